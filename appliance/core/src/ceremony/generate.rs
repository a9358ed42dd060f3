//! A new root token, decided by a threshold of people. It leaves the appliance under a one-time pad (OTP) that only whoever
//! has begun knows, or encrypted for an OpenPGP key that they have named.

use std::sync::Arc;

use data_encoding::BASE64_NOPAD;
use strongroom_barrier::Write;
use strongroom_openpgp::Recipient;
use strongroom_seal::SlotTable;
use strongroom_types::{Refusal, Secret};
use zeroize::Zeroizing;

use super::rekey::must_have;
use super::{Quorum, no_people, pgp, table};
use crate::perform::Scene;
use crate::tokens::{TOKEN_LEN, Wish, base62};

/// An attempt.
pub struct Generation {
    /// Who agrees.
    pub quorum: Quorum,
    cover: Cover,
    /// As it was at the beginning.
    table: Arc<SlotTable>,
}

/// What the token leaves under.
enum Cover {
    Pad(Secret),
    Key(Recipient),
}

/// What whoever begins has for the token.
pub enum Given {
    /// Nothing: a pad is made.
    Nothing,
    /// A pad of their own.
    Pad(Secret),
    /// A key, read and tried.
    Key(Recipient),
}

/// What a share has led to.
pub enum Step {
    /// More are needed.
    More,
    /// A token exists, once `writes` are committed to the tokens' view.
    Made {
        /// The token: under the one-time pad, in base64 without padding; or as a message for the key, in base64.
        encoded: String,
        /// Of the key.
        fingerprint: String,
        /// What is to be committed.
        writes: Vec<Write>,
    },
}

const WHAT: &str = "generation";
/// What the nonce is of.
const OF: &str = "this root generation operation";

/// Begins. The pad, if one was made.
pub fn start(scene: &Scene<'_>, given: Given, share: Option<&str>) -> Result<Option<Secret>, Refusal> {
    let table = Arc::new(table(scene)?);
    let mut quorum = Quorum::new(scene, &table)?;
    if quorum.progress().t == 0 {
        return Err(no_people());
    }
    let mut held = scene.active.ceremonies.at(scene.now);
    let again = held.root.as_ref().is_some_and(|root| root.quorum.heard(scene));
    if held.root.is_some() && !again {
        return Err(Refusal::bad_request("root generation already in progress"));
    }
    if matches!(&given, Given::Pad(otp) if otp.len() != TOKEN_LEN) {
        let text = format!("OTP string is wrong length: a token has {TOKEN_LEN} characters");
        return Err(Refusal::bad_request(text));
    }
    if let Some(share) = share {
        quorum.offer(scene, share, WHAT)?;
    }
    let (cover, told) = match given {
        Given::Pad(otp) => (Cover::Pad(otp), None),
        Given::Key(recipient) => (Cover::Key(recipient), None),
        Given::Nothing => {
            let otp = Secret::from(base62(scene.active.entropy.as_ref(), TOKEN_LEN)?);
            let told = Secret::copy_of(otp.expose());
            (Cover::Pad(otp), Some(told))
        }
    };
    held.root = Some(Generation { quorum, cover, table });
    Ok(told)
}

/// Whether `share` is a right one: whoever holds one may begin and give up without a token.
pub fn is_share(scene: &Scene<'_>, share: &str) -> Result<bool, Refusal> {
    Ok(Quorum::new(scene, &table(scene)?)?.offer(scene, share, WHAT).is_ok())
}

/// Refuses what [`update`] would refuse of whoever has no share of the attempt. It is only looked at, and held up by nobody
/// who makes one up: proving a share computes.
pub fn is_of_attempt(scene: &Scene<'_>, key: &str, nonce: &str) -> Result<(), Refusal> {
    let table = {
        let held = scene.active.ceremonies.at(scene.now);
        let root = held.root.as_ref().ok_or_else(none)?;
        root.quorum.check(nonce, OF)?;
        root.table.clone()
    };
    Quorum::new(scene, &table)?.offer(scene, key, WHAT).map(drop)
}

/// Takes a share. With the last one there is a token.
pub fn update(scene: &Scene<'_>, key: &str, nonce: &str) -> Result<Step, Refusal> {
    let mut held = scene.active.ceremonies.at(scene.now);
    let root = held.root.as_mut().ok_or_else(none)?;
    root.quorum.check(nonce, OF)?;
    let Some(by) = root.quorum.offer(scene, key, WHAT)? else { return Ok(Step::More) };
    must_have(&table(scene)?, by)?;
    let entropy = scene.active.entropy.as_ref();
    let minted = scene.active.tokens.mint(Wish::root(), entropy, scene.now)?;
    let token = &minted.auth.client_token;
    let encoded = match &root.cover {
        Cover::Pad(otp) => BASE64_NOPAD.encode(&padded(token, otp)),
        Cover::Key(recipient) => pgp::token(recipient, token, entropy)?,
    };
    Ok(Step::Made { encoded, fingerprint: root.fingerprint(), writes: minted.writes })
}

impl Generation {
    /// Of the key that the token is encrypted for; nothing if there is none.
    pub fn fingerprint(&self) -> String {
        match &self.cover {
            Cover::Pad(_) => String::new(),
            Cover::Key(recipient) => recipient.fingerprint(),
        }
    }
}

fn none() -> Refusal {
    Refusal::bad_request("no root generation in progress")
}

/// Gives up. Whoever names an attempt means only that one.
pub fn cancel(scene: &Scene<'_>, nonce: Option<&str>) -> Result<(), Refusal> {
    let mut held = scene.active.ceremonies.at(scene.now);
    if let (Some(root), Some(nonce)) = (&held.root, nonce) {
        root.quorum.check(nonce, OF)?;
    }
    held.root = None;
    Ok(())
}

/// `token` and `pad`, which are of one length, byte by byte.
pub fn padded(token: &Secret, pad: &Secret) -> Zeroizing<Vec<u8>> {
    Zeroizing::new(token.expose().iter().zip(pad.expose()).map(|(token, pad)| token ^ pad).collect())
}
