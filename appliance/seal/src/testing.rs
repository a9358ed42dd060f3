//! What the tests share: devices in memory, a seed's randomness, a MAC.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use aws_lc_rs::{digest, hmac};
use strongroom_device_api::{DeviceError, DeviceErrorKind, Identity, KeyDevice, KeyId, Wrapped};
use strongroom_types::id::ClusterId;
use strongroom_types::{BoxFuture, Entropy, NoEntropy, Secret};

use crate::*;

pub(crate) const CLUSTER: ClusterId = ClusterId([0xC1; 16]);
pub(crate) const NODE: &str = "node-1";

/// The same bytes for the same seed: SHA-256 over seed and counter.
pub(crate) struct SeededEntropy {
    seed: u8,
    counter: AtomicU64,
}

impl SeededEntropy {
    pub(crate) fn new(seed: u8) -> Self {
        Self { seed, counter: AtomicU64::new(0) }
    }
}

impl Entropy for SeededEntropy {
    fn fill(&self, out: &mut [u8]) -> Result<(), NoEntropy> {
        for chunk in out.chunks_mut(32) {
            let counter = self.counter.fetch_add(1, Ordering::SeqCst);
            let mut input = vec![self.seed];
            input.extend_from_slice(&counter.to_be_bytes());
            chunk.copy_from_slice(&digest::digest(&digest::SHA256, &input).as_ref()[..chunk.len()]);
        }
        Ok(())
    }
}

/// How a mock behaves.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mood {
    Well,
    /// Every call fails like this.
    Failing(DeviceErrorKind),
    /// Unwrapping gives other bytes.
    Lying,
    /// Unwrapping gives too few bytes.
    Short,
    /// Wraps are longer than they may be.
    Swollen,
}

/// A device that "wraps" with a tag over its name, key and aad, and keeps the share beside it.
pub(crate) struct MockDevice {
    name: String,
    mood: Mutex<Mood>,
    pub(crate) calls: AtomicU64,
}

impl MockDevice {
    pub(crate) fn set(&self, mood: Mood) {
        *self.mood.lock().unwrap() = mood;
    }

    fn mood(&self) -> Result<Mood, DeviceError> {
        self.calls.fetch_add(1, Ordering::SeqCst);
        match *self.mood.lock().unwrap() {
            Mood::Failing(kind) => Err(DeviceError::new(kind, "mock failure")),
            mood => Ok(mood),
        }
    }

    fn tag(&self, id: &KeyId, aad: &[u8], plain: &[u8]) -> Vec<u8> {
        let key = hmac::Key::new(hmac::HMAC_SHA256, format!("{}/{}", self.name, id.as_str()).as_bytes());
        let message: Vec<u8> = aad.iter().chain(plain).copied().collect();
        hmac::sign(&key, &message).as_ref().to_vec()
    }
}

impl KeyDevice for MockDevice {
    fn identity(&self) -> BoxFuture<'_, Result<Identity, DeviceError>> {
        let identity = Identity { kind: "mock".into(), model: "mock".into(), serial: self.name.clone() };
        Box::pin(async move { Ok(identity) })
    }

    fn health(&self) -> BoxFuture<'_, Result<(), DeviceError>> {
        Box::pin(async { self.mood().map(drop) })
    }

    fn random(&self, count: usize) -> BoxFuture<'_, Result<Secret, DeviceError>> {
        Box::pin(async move { Ok(Secret::from(vec![4; count])) })
    }

    fn ensure_key<'a>(&'a self, _: &'a KeyId) -> BoxFuture<'a, Result<(), DeviceError>> {
        Box::pin(async { self.mood().map(drop) })
    }

    fn wrap<'a>(
        &'a self,
        id: &'a KeyId,
        aad: &'a [u8],
        plain: &'a Secret,
    ) -> BoxFuture<'a, Result<Wrapped, DeviceError>> {
        Box::pin(async move {
            let swollen = if self.mood()? == Mood::Swollen { model::MAX_WRAPPED } else { 0 };
            let plain = plain.expose();
            Ok(Wrapped(
                [plain.iter().map(|b| b ^ 0x5a).collect(), self.tag(id, aad, plain), vec![0; swollen]]
                    .concat(),
            ))
        })
    }

    fn unwrap<'a>(
        &'a self,
        id: &'a KeyId,
        aad: &'a [u8],
        wrapped: &'a Wrapped,
    ) -> BoxFuture<'a, Result<Secret, DeviceError>> {
        Box::pin(async move {
            let mood = self.mood()?;
            let wrapped = &wrapped.0[..wrapped.0.len().min(64 + 32)];
            let refused = || DeviceError::new(DeviceErrorKind::Refused, "wrong tag");
            let (masked, tag) = wrapped.split_last_chunk::<32>().ok_or_else(refused)?;
            let mut plain: Vec<u8> = masked.iter().map(|b| b ^ 0x5a).collect();
            if self.tag(id, aad, &plain) != tag {
                return Err(refused());
            }
            if mood == Mood::Lying {
                plain[40] ^= 1;
            }
            if mood == Mood::Short {
                plain.pop();
            }
            Ok(Secret::from(plain))
        })
    }
}

/// Devices by name.
#[derive(Default)]
pub(crate) struct MockDevices(BTreeMap<String, Arc<MockDevice>>);

impl MockDevices {
    pub(crate) fn with(names: &[&str]) -> Self {
        let device = |name: &&str| {
            let device =
                MockDevice { name: name.to_string(), mood: Mutex::new(Mood::Well), calls: AtomicU64::new(0) };
            (name.to_string(), Arc::new(device))
        };
        Self(names.iter().map(device).collect())
    }

    pub(crate) fn get(&self, name: &str) -> &MockDevice {
        &self.0[name]
    }

    /// The device `from` in the place of `to`.
    pub(crate) fn renamed(mut self, from: &str, to: &str) -> Self {
        let device = self.0.remove(from).unwrap();
        self.0.insert(to.to_owned(), device);
        self
    }

    pub(crate) fn remove(&mut self, name: &str) {
        self.0.remove(name);
    }
}

impl Devices for MockDevices {
    fn device(&self, name: &str) -> Option<Arc<dyn KeyDevice>> {
        self.0.get(name).map(|device| Arc::clone(device) as Arc<dyn KeyDevice>)
    }
}

/// A MAC as the barrier would make it.
pub(crate) fn mac(bytes: &[u8]) -> [u8; 32] {
    let key = hmac::Key::new(hmac::HMAC_SHA256, b"a key of the keyring");
    hmac::sign(&key, bytes).as_ref().try_into().unwrap()
}

pub(crate) fn slot(name: &str, groups: Vec<GroupPlan>) -> SlotPlan {
    SlotPlan { name: name.into(), groups }
}

pub(crate) fn hsm() -> GroupPlan {
    GroupPlan::device(DeviceKind::Pkcs11, NODE, "hsm", KeyId::new("root").unwrap())
}

pub(crate) fn tpm() -> GroupPlan {
    GroupPlan::device(DeviceKind::Tpm, NODE, "tpm", KeyId::new("root").unwrap())
}

/// Runs a future to its end.
pub(crate) fn run<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}

pub(crate) fn made(plan: &[SlotPlan], devices: &MockDevices) -> Created {
    run(create(CLUSTER, plan, devices, &SeededEntropy::new(1))).unwrap()
}

/// A round of the devices, brought back at once. Returns what stood in the way.
pub(crate) fn ask_devices(unsealing: &mut Unsealing, devices: &dyn Devices) -> Vec<SealError> {
    let mut round = unsealing.round();
    let troubles = run(round.ask(devices));
    unsealing.take(round);
    troubles
}

pub(crate) fn attempt(table: &SlotTable) -> Unsealing {
    Unsealing::new(table, NODE, &SeededEntropy::new(9)).unwrap()
}
