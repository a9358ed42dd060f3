//! A device in memory, for tests and for the conformance suite: real AES-256-GCM, and faults on demand.
//!
//! ```text
//! wrapped = 1 ‖ nonce, 12 ‖ ciphertext ‖ tag, 16      under the key of the id; aad: "mock" ‖ id ‖ 0 ‖ aad
//! ```

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::rand;
use strongroom_types::{BoxFuture, Secret};
use zeroize::Zeroizing;

use crate::limits::{check_random, check_unwrap, check_wrap};
use crate::{DeviceError, DeviceErrorKind, Identity, KeyDevice, KeyId, Wrapped};

/// What goes wrong at a [`MockDevice`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Nothing.
    None,
    /// Every call fails like this, and is not done.
    Fails(DeviceErrorKind),
    /// So many calls fail like this, and are not done; then all is well.
    FailsTimes(u32, DeviceErrorKind),
    /// Every call takes so long.
    Slow(Duration),
    /// No call is ever answered.
    Silent,
    /// Unwrapping gives other bytes than were wrapped.
    Lying,
}

/// A device in memory. Its keys live as long as it does; share it by `Arc` to keep them over a "restart".
pub struct MockDevice {
    serial: String,
    keys: Mutex<BTreeMap<String, LessSafeKey>>,
    fault: Mutex<Fault>,
    calls: AtomicU64,
}

impl MockDevice {
    /// A device without keys, in good health.
    pub fn new(serial: &str) -> Arc<Self> {
        Arc::new(Self {
            serial: serial.to_owned(),
            keys: Mutex::default(),
            fault: Mutex::new(Fault::None),
            calls: AtomicU64::new(0),
        })
    }

    /// From now on.
    pub fn set_fault(&self, fault: Fault) {
        *lock(&self.fault) = fault;
    }

    /// How many calls there have been, those that failed too.
    pub fn calls(&self) -> u64 {
        self.calls.load(Ordering::SeqCst)
    }

    /// How many keys there are.
    pub fn keys(&self) -> usize {
        lock(&self.keys).len()
    }

    /// Destroys all keys: another device with the same serial number.
    pub fn lose_keys(&self) {
        lock(&self.keys).clear();
    }

    /// Counts the call and lets the fault strike; says whether answers are to be lies.
    async fn begin(&self) -> Result<bool, DeviceError> {
        self.calls.fetch_add(1, Ordering::SeqCst);
        let fault = {
            let mut fault = lock(&self.fault);
            let now = *fault;
            if let Fault::FailsTimes(times, kind) = now {
                *fault = if times > 1 { Fault::FailsTimes(times - 1, kind) } else { Fault::None };
            }
            now
        };
        match fault {
            Fault::None | Fault::FailsTimes(0, _) => Ok(false),
            Fault::Lying => Ok(true),
            Fault::Fails(kind) | Fault::FailsTimes(_, kind) => {
                Err(DeviceError::new(kind, "the mock was told to fail"))
            }
            Fault::Slow(time) => {
                tokio::time::sleep(time).await;
                Ok(false)
            }
            Fault::Silent => std::future::pending().await,
        }
    }

    /// Does `work` with the key `id`.
    fn with_key<T>(
        &self,
        id: &KeyId,
        work: impl FnOnce(&LessSafeKey) -> Result<T, DeviceError>,
    ) -> Result<T, DeviceError> {
        match lock(&self.keys).get(id.as_str()) {
            Some(key) => work(key),
            None => Err(refused("it has no such key")),
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn refused(why: &str) -> DeviceError {
    DeviceError::new(DeviceErrorKind::Refused, format!("the mock refuses: {why}"))
}

fn fatal<E>(_: E) -> DeviceError {
    DeviceError::new(DeviceErrorKind::Fatal, "the mock's cryptography fails")
}

fn bound(id: &KeyId, aad: &[u8]) -> Aad<Vec<u8>> {
    Aad::from([b"mock", id.as_str().as_bytes(), &[0], aad].concat())
}

impl KeyDevice for MockDevice {
    fn identity(&self) -> BoxFuture<'_, Result<Identity, DeviceError>> {
        Box::pin(async {
            self.begin().await?;
            let serial = self.serial.clone();
            Ok(Identity { kind: "mock".into(), model: "a device in memory".into(), serial })
        })
    }

    fn health(&self) -> BoxFuture<'_, Result<(), DeviceError>> {
        Box::pin(async { self.begin().await.map(drop) })
    }

    fn random(&self, count: usize) -> BoxFuture<'_, Result<Secret, DeviceError>> {
        Box::pin(async move {
            check_random(count)?;
            self.begin().await?;
            let mut random = vec![0; count];
            rand::fill(&mut random).map_err(fatal)?;
            Ok(Secret::from(random))
        })
    }

    fn ensure_key<'a>(&'a self, id: &'a KeyId) -> BoxFuture<'a, Result<(), DeviceError>> {
        Box::pin(async {
            self.begin().await?;
            let mut bytes = Zeroizing::new([0; 32]);
            rand::fill(bytes.as_mut_slice()).map_err(fatal)?;
            let key = UnboundKey::new(&AES_256_GCM, bytes.as_slice()).map_err(fatal)?;
            lock(&self.keys).entry(id.as_str().to_owned()).or_insert(LessSafeKey::new(key));
            Ok(())
        })
    }

    fn wrap<'a>(
        &'a self,
        id: &'a KeyId,
        aad: &'a [u8],
        plain: &'a Secret,
    ) -> BoxFuture<'a, Result<Wrapped, DeviceError>> {
        Box::pin(async move {
            check_wrap(plain.len(), aad.len())?;
            self.begin().await?;
            let mut nonce = [0; NONCE_LEN];
            rand::fill(&mut nonce).map_err(fatal)?;
            let mut sealed = Zeroizing::new(plain.expose().to_vec());
            let tag = self.with_key(id, |key| {
                let nonce = Nonce::assume_unique_for_key(nonce);
                key.seal_in_place_separate_tag(nonce, bound(id, aad), sealed.as_mut_slice()).map_err(fatal)
            })?;
            Ok(Wrapped([&[1], nonce.as_slice(), sealed.as_slice(), tag.as_ref()].concat()))
        })
    }

    fn unwrap<'a>(
        &'a self,
        id: &'a KeyId,
        aad: &'a [u8],
        wrapped: &'a Wrapped,
    ) -> BoxFuture<'a, Result<Secret, DeviceError>> {
        Box::pin(async move {
            check_unwrap(wrapped, aad.len())?;
            let lies = self.begin().await?;
            let (nonce, sealed) = match wrapped.0.split_first() {
                Some((1, rest)) => {
                    rest.split_first_chunk::<NONCE_LEN>().ok_or_else(|| refused("too short"))?
                }
                _ => return Err(refused("not of version 1")),
            };
            let mut buffer = Zeroizing::new(sealed.to_vec());
            self.with_key(id, |key| {
                let nonce = Nonce::assume_unique_for_key(*nonce);
                let plain = key.open_in_place(nonce, bound(id, aad), buffer.as_mut_slice());
                let plain = plain.map_err(|_| refused("other bytes, or bound to something else"))?;
                if let (true, Some(first)) = (lies, plain.first_mut()) {
                    *first ^= 1;
                }
                Ok(Secret::copy_of(plain))
            })
        })
    }
}
