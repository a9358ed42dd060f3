//! `seal "…"`: each stanza is one group of the keyslot that init makes; all of them are needed.

use std::path::PathBuf;

use super::stanza::Stanza;
use super::{Device, DeviceKind, Seal};

const OF_THE_BRIDGE: &str = "belongs to hsm-bridge, which alone loads the vendor's library: \
                             give it there, and write here: socket = \"/run/strongroom/hsm.sock\"";

/// One seal stanza of the type `kind`. `seal "shamir"` without shares says nothing that is not so anyway.
pub fn read(kind: &str, stanza: &mut Stanza<'_>) -> Option<Seal> {
    match kind {
        "pkcs11" => {
            stanza.refused(&[
                ("lib", OF_THE_BRIDGE),
                ("slot", OF_THE_BRIDGE),
                ("token_label", OF_THE_BRIDGE),
                ("pin", OF_THE_BRIDGE),
                ("key_label", "the wrapping key is named by key_id"),
                ("mechanism", "the bridge wraps with AES-GCM, and with nothing else"),
                ("generate_key", "the key is made when it is not there"),
            ]);
            stanza.ignored(&[
                "hmac_key_label",
                "hmac_mechanism",
                "default_hmac_key_label",
                "force_rw_session",
            ]);
            device(DeviceKind::Pkcs11, stanza)
        }
        "tpm" => device(DeviceKind::Tpm, stanza),
        "shamir" => custodians(stanza),
        _ => {
            stanza.problem(
                "there is no such seal; write seal \"pkcs11\", seal \"tpm\", seal \"shamir\", or no seal at all \
                 (custodians, as init says)",
            );
            stanza.abandon();
            None
        }
    }
}

fn device(kind: DeviceKind, stanza: &mut Stanza<'_>) -> Option<Seal> {
    let (default_name, bridge) = match kind {
        DeviceKind::Pkcs11 => ("hsm", "hsm-bridge"),
        DeviceKind::Tpm => ("tpm", "tpm-bridge"),
    };
    let name = stanza.parsed("name", |text| match is_name(text) {
        true => Ok(text.to_owned()),
        false => Err("must have 1 to 64 characters of a-z 0-9 - _ .".into()),
    });
    let key_id = stanza.parsed("key_id", |text| match is_name(text) {
        true => Ok(text.to_owned()),
        false => Err("must have 1 to 64 characters of a-z 0-9 - _ .".into()),
    });
    let socket =
        stanza.required_text("socket", &format!("write the path of the socket that {bridge} serves"));
    let peer_uid = stanza.integer("peer_uid", 0..=i64::from(u32::MAX - 1));
    let allow_same_uid = stanza.flag("allow_same_uid").unwrap_or(false);
    if !stanza.has("peer_uid") && !allow_same_uid {
        stanza.problem(format!(
            "peer_uid is missing: write the number of the user that {bridge} runs as, or, in development, \
             allow_same_uid = true"
        ));
    }
    stanza.ignored(&["priority"]);
    stanza
        .refused(&[("disabled", "a keyslot is dropped by an operator, not by a line here; remove the line")]);
    Some(Seal::Device(Device {
        kind,
        name: name.unwrap_or_else(|| default_name.into()),
        socket: PathBuf::from(socket?),
        key_id: key_id.unwrap_or_else(|| "strongroom-root".into()),
        peer_uid: peer_uid.and_then(|uid| u32::try_from(uid).ok()),
        allow_same_uid,
    }))
}

fn custodians(stanza: &mut Stanza<'_>) -> Option<Seal> {
    let (has_shares, has_threshold) = (stanza.has("shares"), stanza.has("threshold"));
    let shares = stanza.integer("shares", 1..=255).and_then(|shares| u8::try_from(shares).ok());
    let threshold = stanza.integer("threshold", 1..=255).and_then(|threshold| u8::try_from(threshold).ok());
    if has_shares != has_threshold {
        stanza.problem("shares and threshold belong together: write both, or none and let init say it");
    }
    let (shares, threshold) = (shares?, threshold?);
    if threshold > shares {
        stanza.problem_at("threshold", "threshold is larger than shares");
        return None;
    }
    Some(Seal::Custodians { threshold, shares })
}

fn is_name(text: &str) -> bool {
    (1..=64).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-_.".contains(&b))
}
