//! What every [`KeyDevice`] must do: run against the mock, the client, SoftHSM and swtpm alike.

use std::fmt;
use std::sync::Arc;

use strongroom_types::Secret;

use crate::limits::{MAX_AAD, MAX_PLAIN, MAX_RANDOM};
use crate::{DeviceError, DeviceErrorKind, KeyDevice, KeyId, Wrapped};

/// A rule that a device breaks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broken {
    /// The rule.
    pub rule: &'static str,
    /// What it did instead.
    pub instead: String,
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.rule, self.instead)
    }
}

impl std::error::Error for Broken {}

type Checked = Result<(), Broken>;

/// Checks the device that `make_device` opens, and opens it a second time to see that its keys stay.
pub async fn run<F>(mut make_device: impl FnMut() -> F) -> Checked
where
    F: Future<Output = Arc<dyn KeyDevice>>,
{
    let device = make_device().await;
    let device = device.as_ref();
    let key = key_id("conformance-1");
    identity(device).await?;
    randomness(device).await?;
    round_trips(device, &key).await?;
    bound_to_key_and_aad(device, &key).await?;
    changed_bytes(device, &key).await?;
    limits(device, &key).await?;
    concurrent(device, &key).await?;
    survives(device, make_device().await.as_ref(), &key).await
}

fn key_id(text: &str) -> KeyId {
    KeyId(text.to_owned())
}

fn ok<T>(rule: &'static str, outcome: Result<T, DeviceError>) -> Result<T, Broken> {
    outcome.map_err(|error| Broken { rule, instead: format!("{:?}: {error}", error.kind) })
}

fn holds(rule: &'static str, holds: bool) -> Checked {
    if holds { Ok(()) } else { Err(Broken { rule, instead: "it does not hold".into() }) }
}

fn fails<T>(rule: &'static str, kind: DeviceErrorKind, outcome: Result<T, DeviceError>) -> Checked {
    match outcome {
        Err(error) if error.kind == kind => Ok(()),
        Err(error) => Err(Broken { rule, instead: format!("{:?}: {error}", error.kind) }),
        Ok(_) => Err(Broken { rule, instead: "it was done".into() }),
    }
}

async fn identity(device: &dyn KeyDevice) -> Checked {
    let first = ok("a device says who it is", device.identity().await)?;
    let again = ok("a device says who it is, again", device.identity().await)?;
    holds("a device stays the same", first == again)?;
    holds("an identity is not empty", !first.kind.is_empty() && !first.serial.is_empty())?;
    ok("a device is in good health", device.health().await)
}

async fn randomness(device: &dyn KeyDevice) -> Checked {
    for count in [1, 32, 33, MAX_RANDOM] {
        let random = ok("random bytes come", device.random(count).await)?;
        holds("as many random bytes come as were asked for", random.len() == count)?;
    }
    let (one, other) = (ok("random", device.random(32).await)?, ok("random", device.random(32).await)?);
    holds("random bytes differ", one != other)
}

async fn round_trips(device: &dyn KeyDevice, key: &KeyId) -> Checked {
    ok("a key is made", device.ensure_key(key).await)?;
    let plain = Secret::from(vec![7; 64]);
    let before = ok("a secret is wrapped", device.wrap(key, b"aad", &plain).await)?;
    ok("a key that is there is found", device.ensure_key(key).await)?;
    let back = ok("it is the same key: it unwraps", device.unwrap(key, b"aad", &before).await)?;
    holds("what was wrapped comes back", back == plain)?;
    let again = ok("a secret is wrapped again", device.wrap(key, b"aad", &plain).await)?;
    holds("no two wraps are equal", before != again)?;
    for (size, aad) in [(1, 0), (16, 1), (32, 64), (MAX_PLAIN, MAX_AAD)] {
        let (plain, aad) = (Secret::from(vec![9; size]), vec![3; aad]);
        let wrapped = ok("any allowed size is wrapped", device.wrap(key, &aad, &plain).await)?;
        let shows = wrapped.0.windows(size.max(16)).any(|window| window.iter().all(|byte| *byte == 9));
        holds("a wrapped secret does not show", !shows)?;
        let back = ok("any allowed size is unwrapped", device.unwrap(key, &aad, &wrapped).await)?;
        holds("any allowed size comes back", back == plain)?;
    }
    Ok(())
}

async fn bound_to_key_and_aad(device: &dyn KeyDevice, key: &KeyId) -> Checked {
    use DeviceErrorKind::Refused;
    let other = key_id("conformance-2");
    ok("a second key is made", device.ensure_key(&other).await)?;
    let plain = Secret::from(vec![5; 32]);
    let wrapped = ok("wrap", device.wrap(key, b"this", &plain).await)?;
    for aad in [&b"that"[..], b"", b"thi", b"this "] {
        fails("other aad is refused", Refused, device.unwrap(key, aad, &wrapped).await)?;
    }
    fails("another key is refused", Refused, device.unwrap(&other, b"this", &wrapped).await)?;
    let missing = key_id("conformance-never-made");
    let outcome = device.unwrap(&missing, b"this", &wrapped).await;
    fails("a key that was never made is refused", Refused, outcome)?;
    ok("refusals leave the device well", device.health().await)
}

async fn changed_bytes(device: &dyn KeyDevice, key: &KeyId) -> Checked {
    use DeviceErrorKind::Refused;
    let wrapped = ok("wrap", device.wrap(key, b"aad", &Secret::from(vec![5; 32])).await)?;
    for at in 0..wrapped.0.len() {
        let mut changed = wrapped.clone();
        if let Some(byte) = changed.0.get_mut(at) {
            *byte ^= 1 << (at % 8);
        }
        fails("a changed bit is refused", Refused, device.unwrap(key, b"aad", &changed).await)?;
    }
    for length in [1, 2, 13, 28, 29, wrapped.0.len() - 1] {
        let short = Wrapped(wrapped.0.iter().copied().take(length).collect());
        fails("a cut is refused", Refused, device.unwrap(key, b"aad", &short).await)?;
    }
    let long = Wrapped([wrapped.0.as_slice(), &[0]].concat());
    fails("a byte too many is refused", Refused, device.unwrap(key, b"aad", &long).await)?;
    ok("refusals leave the device well", device.unwrap(key, b"aad", &wrapped).await.map(drop))
}

async fn limits(device: &dyn KeyDevice, key: &KeyId) -> Checked {
    use DeviceErrorKind::Misuse;
    fails("no random bytes are misuse", Misuse, device.random(0).await)?;
    fails("too many random bytes are misuse", Misuse, device.random(MAX_RANDOM + 1).await)?;
    let plain = |size| Secret::from(vec![1; size]);
    fails("an empty secret is misuse", Misuse, device.wrap(key, b"", &plain(0)).await)?;
    fails("a large secret is misuse", Misuse, device.wrap(key, b"", &plain(MAX_PLAIN + 1)).await)?;
    let aad = vec![0; MAX_AAD + 1];
    fails("a large aad is misuse", Misuse, device.wrap(key, &aad, &plain(1)).await)?;
    fails("an empty wrap is misuse", Misuse, device.unwrap(key, b"", &Wrapped(Vec::new())).await)
}

/// Several calls at a time get each its own answer.
async fn concurrent(device: &dyn KeyDevice, key: &KeyId) -> Checked {
    let one = |number: u8| async move {
        let plain = Secret::from(vec![number; 16]);
        let wrapped = ok("concurrent wrap", device.wrap(key, &[number], &plain).await)?;
        let back = ok("concurrent unwrap", device.unwrap(key, &[number], &wrapped).await)?;
        holds("each call gets its own answer", back == plain)
    };
    let (a, b, c, d) = tokio::join!(one(1), one(2), one(3), one(4));
    a.and(b).and(c).and(d)
}

/// The same device, opened twice.
async fn survives(device: &dyn KeyDevice, again: &dyn KeyDevice, key: &KeyId) -> Checked {
    let plain = Secret::from(vec![8; 32]);
    let wrapped = ok("wrap", device.wrap(key, b"aad", &plain).await)?;
    let back = ok("the device opened again unwraps", again.unwrap(key, b"aad", &wrapped).await)?;
    holds("what was wrapped comes back from the device opened again", back == plain)?;
    let (one, other) = (ok("identity", device.identity().await)?, ok("identity", again.identity().await)?);
    holds("the device opened again is the same", one == other)
}
