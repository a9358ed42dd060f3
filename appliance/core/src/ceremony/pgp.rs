//! New shares and tokens for people's OpenPGP keys, and the copy of such shares that the appliance can keep.
//!
//! What is encrypted is the text that people type: a share in hexadecimal, a token as it is. The copy is one record for each kind of
//! shares, in the system's view, JSON, absent until there is one: `["kept-shares", "unseal"]`, `["kept-shares", "recovery"]`. It is written in
//! the batch that brings its shares into force, so that it is always about shares that are or were in force. `golden-kept.txt` pins it:
//!
//! ```json
#![doc = include_str!("golden-kept.txt")]
//! ```

use std::collections::BTreeMap;

use data_encoding::{BASE64, HEXLOWER};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use strongroom_barrier::{Name, Write};
use strongroom_openpgp::{Failed, KeyError, Recipient};
use strongroom_types::{Entropy, Refusal, Secret, Timestamp};

use super::Whose;
use crate::fault::{barrier, damaged};
use crate::perform::Scene;

/// Those that shares are encrypted for, one for each share, in order; nobody where shares are handed out as they are.
#[derive(Default)]
pub struct Recipients(Vec<Recipient>);

/// Reads the key in the field `name`, and tries it.
pub fn recipient(name: &str, key: &str, now: Timestamp, entropy: &dyn Entropy) -> Result<Recipient, Refusal> {
    Recipient::parse(key.as_bytes(), now, entropy).map_err(|cause| match cause {
        KeyError::Untried(Failed::NoEntropy(cause)) => cause.into(),
        cause => Refusal::bad_request(format!("{name}: {cause}")),
    })
}

impl Recipients {
    /// Reads the keys of the field `name`: none, or `count`. `what` is what is configured.
    pub fn parse(
        (name, keys): (&str, &[String]),
        (count, what): (usize, &str),
        now: Timestamp,
        entropy: &dyn Entropy,
    ) -> Result<Self, Refusal> {
        if !keys.is_empty() && keys.len() != count {
            return Err(Refusal::bad_request(format!(
                "invalid {what} configuration: count mismatch between number of provided PGP keys and number of shares"
            )));
        }
        let read =
            |(at, key): (usize, &String)| recipient(&format!("{name}, key {}", at + 1), key, now, entropy);
        keys.iter().enumerate().map(read).collect::<Result<_, _>>().map(Self)
    }

    /// Whether shares are handed out as they are.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// By which they are known: in order, or null if there is nobody.
    pub fn fingerprints(&self) -> Value {
        let prints = || self.0.iter().map(Recipient::fingerprint).collect::<Vec<_>>();
        if self.is_empty() { Value::Null } else { json!(prints()) }
    }

    /// What is handed out for `shares`: they themselves, or each as a message for whom it is.
    pub fn hand_out(&self, shares: Vec<Secret>, entropy: &dyn Entropy) -> Result<Vec<Secret>, Refusal> {
        match self.0.len() {
            0 => Ok(shares),
            count if count == shares.len() => {
                self.0.iter().zip(&shares).map(|(to, share)| message(to, &hex(share), entropy)).collect()
            }
            _ => Err(Refusal::fault("there are not as many shares as keys to encrypt them for")),
        }
    }

    /// A copy of `messages` to be kept.
    pub fn kept(&self, nonce: &str, messages: &[Secret]) -> Kept {
        let both = self.0.iter().zip(messages);
        let shares = both.map(|(to, message)| KeptShare {
            fingerprint: to.fingerprint(),
            message: BASE64.encode(message.expose()),
        });
        Kept { v: 1, nonce: nonce.to_owned(), shares: shares.collect() }
    }
}

fn hex(share: &Secret) -> Secret {
    Secret::from(HEXLOWER.encode(share.expose()))
}

fn message(to: &Recipient, text: &Secret, entropy: &dyn Entropy) -> Result<Secret, Refusal> {
    to.encrypt(text.expose(), entropy).map(Secret::from).map_err(|cause| match cause {
        Failed::NoEntropy(cause) => cause.into(),
        // It was tried when the key was read.
        Failed::Rejected => Refusal::fault(cause),
    })
}

/// `token` as a message for `to`, in base64.
pub fn token(to: &Recipient, token: &Secret, entropy: &dyn Entropy) -> Result<String, Refusal> {
    message(to, token, entropy).map(|message| BASE64.encode(message.expose()))
}

/// New shares that the appliance has kept, as messages.
#[derive(Clone, Serialize, Deserialize)]
pub struct Kept {
    /// Version of this record's shape: 1.
    v: u8,
    /// Of the attempt that has made them.
    nonce: String,
    /// In order.
    shares: Vec<KeptShare>,
}

#[derive(Clone, Serialize, Deserialize)]
struct KeptShare {
    /// Of whose key.
    fingerprint: String,
    /// The share for that key, in base64.
    message: String,
}

impl Kept {
    fn name(whose: Whose) -> Result<Name, Refusal> {
        let whose = match whose {
            Whose::Unseal => "unseal",
            Whose::Recovery => "recovery",
        };
        Name::new(["kept-shares", whose]).map_err(damaged)
    }

    /// What is kept of those of `whose`.
    pub fn load(scene: &Scene<'_>, whose: Whose) -> Result<Option<Self>, Refusal> {
        let entry =
            scene.active.system.at(scene.snapshot.clone()).get(&Self::name(whose)?).map_err(barrier)?;
        let kept = |value: &Secret| serde_json::from_slice::<Self>(value.expose()).map_err(damaged);
        entry.map(|entry| kept(&entry.value)).transpose()
    }

    /// Keeps it instead of what was kept before.
    pub fn write(&self, whose: Whose) -> Result<Write, Refusal> {
        Ok(Write::put(Self::name(whose)?, serde_json::to_vec(self).map_err(damaged)?))
    }

    /// Forgets what is kept.
    pub fn remove(whose: Whose) -> Result<Write, Refusal> {
        Ok(Write::delete(Self::name(whose)?))
    }

    /// As it is shown: the messages of each key, for somebody may have more than one.
    pub fn shown(&self) -> Result<Value, Refusal> {
        let (mut keys, mut keys_base64) =
            (BTreeMap::<&str, Vec<String>>::new(), BTreeMap::<&str, Vec<&str>>::new());
        for KeptShare { fingerprint, message } in &self.shares {
            let bytes = BASE64.decode(message.as_bytes()).map_err(damaged)?;
            keys.entry(fingerprint).or_default().push(HEXLOWER.encode(&bytes));
            keys_base64.entry(fingerprint).or_default().push(message);
        }
        Ok(json!({ "nonce": self.nonce, "keys": keys, "keys_base64": keys_base64 }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is stored is pinned.
    #[test]
    fn the_format_is_as_it_was() {
        let share = |fingerprint: &str, message: &str| KeptShare {
            fingerprint: fingerprint.repeat(20),
            message: message.to_owned(),
        };
        let shares = vec![share("0a", "wYwDAQ=="), share("ff", "wYwDAg=="), share("0a", "wYwDAw==")];
        let kept = Kept { v: 1, nonce: "5ba7fc5d-9d0f-4a42-8a5c-7dd3b1a7f6a1".into(), shares };
        let text = serde_json::to_string(&kept).unwrap() + "\n";
        assert_eq!(text, include_str!("golden-kept.txt"));
        let again: Kept = serde_json::from_str(&text).unwrap();
        assert_eq!(serde_json::to_string(&again).unwrap() + "\n", text);
        // Two shares of one person stand in one list.
        let shown = again.shown().unwrap();
        assert_eq!(shown["keys"]["0a".repeat(20)], json!(["c18c0301", "c18c0303"]));
        assert_eq!(shown["keys_base64"]["ff".repeat(20)], json!(["wYwDAg=="]));
    }
}
