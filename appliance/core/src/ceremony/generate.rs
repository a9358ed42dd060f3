//! A new root token, decided by a threshold of people. It leaves the appliance under a one-time pad (OTP) that only whoever
//! has begun knows.

use std::sync::Arc;

use data_encoding::BASE64_NOPAD;
use strongroom_barrier::Write;
use strongroom_seal::SlotTable;
use strongroom_types::{Refusal, Secret};
use zeroize::Zeroizing;

use super::rekey::must_have;
use super::{Quorum, no_people, table};
use crate::perform::Scene;
use crate::tokens::{TOKEN_LEN, Wish, base62};

/// An attempt.
pub struct Generation {
    /// Who agrees.
    pub quorum: Quorum,
    otp: Secret,
    /// As it was at the beginning.
    table: Arc<SlotTable>,
}

/// What a share has led to.
pub enum Step {
    /// More are needed.
    More,
    /// A token exists, once `writes` are committed to the tokens' view.
    Made {
        /// The token under the one-time pad, in base64 without padding.
        encoded: String,
        /// What is to be committed.
        writes: Vec<Write>,
    },
}

const WHAT: &str = "generation";
/// What the nonce is of.
const OF: &str = "this root generation operation";

/// Begins. `given` is a pad of the asker's own; the pad that was made, if it is not.
pub fn start(
    scene: &Scene<'_>,
    given: Option<Secret>,
    share: Option<&str>,
) -> Result<Option<Secret>, Refusal> {
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
    if given.as_ref().is_some_and(|otp| otp.len() != TOKEN_LEN) {
        let text = format!("OTP string is wrong length: a token has {TOKEN_LEN} characters");
        return Err(Refusal::bad_request(text));
    }
    if let Some(share) = share {
        quorum.offer(scene, share, WHAT)?;
    }
    let is_ours = given.is_none();
    let otp = match given {
        Some(otp) => otp,
        None => Secret::from(base62(scene.active.entropy.as_ref(), TOKEN_LEN)?),
    };
    let told = is_ours.then(|| Secret::copy_of(otp.expose()));
    held.root = Some(Generation { quorum, otp, table });
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
    let minted = scene.active.tokens.mint(Wish::root(), scene.active.entropy.as_ref(), scene.now)?;
    let encoded = padded(&minted.auth.client_token, &root.otp);
    Ok(Step::Made { encoded: BASE64_NOPAD.encode(&encoded), writes: minted.writes })
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
