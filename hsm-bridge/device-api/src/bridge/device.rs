//! A key device whose operations are blocking calls on the threads of a [`Pool`].

use strongroom_types::{BoxFuture, Secret};

use super::{Pool, PoolOptions};
use crate::limits::{check_random, check_unwrap, check_wrap};
use crate::{DeviceError, Identity, KeyDevice, KeyId, Wrapped};

/// What one thread owns, and how it does what [`KeyDevice`] offers; the lengths are checked already.
pub trait Worker: Send + 'static {
    /// As [`KeyDevice::identity`].
    fn identity(&mut self) -> Result<Identity, DeviceError>;

    /// As [`KeyDevice::health`].
    fn health(&mut self) -> Result<(), DeviceError>;

    /// As [`KeyDevice::random`].
    fn random(&mut self, count: usize) -> Result<Secret, DeviceError>;

    /// As [`KeyDevice::ensure_key`].
    fn ensure_key(&mut self, id: &KeyId) -> Result<(), DeviceError>;

    /// As [`KeyDevice::wrap`].
    fn wrap(&mut self, id: &KeyId, aad: &[u8], plain: &Secret) -> Result<Wrapped, DeviceError>;

    /// As [`KeyDevice::unwrap`].
    fn unwrap(&mut self, id: &KeyId, aad: &[u8], wrapped: &Wrapped) -> Result<Secret, DeviceError>;
}

/// The device of these workers.
pub struct PooledDevice<W>(Pool<W>);

impl<W: Worker> PooledDevice<W> {
    /// Starts a thread for each of `workers`.
    pub fn start(options: PoolOptions, workers: Vec<W>) -> std::io::Result<Self> {
        Pool::start(options, workers).map(Self)
    }
}

impl<W: Worker> KeyDevice for PooledDevice<W> {
    fn identity(&self) -> BoxFuture<'_, Result<Identity, DeviceError>> {
        Box::pin(self.0.run(W::identity))
    }

    fn health(&self) -> BoxFuture<'_, Result<(), DeviceError>> {
        Box::pin(self.0.run(W::health))
    }

    fn random(&self, count: usize) -> BoxFuture<'_, Result<Secret, DeviceError>> {
        Box::pin(async move {
            check_random(count)?;
            self.0.run(move |worker| worker.random(count)).await
        })
    }

    fn ensure_key<'a>(&'a self, id: &'a KeyId) -> BoxFuture<'a, Result<(), DeviceError>> {
        let id = id.clone();
        Box::pin(self.0.run(move |worker| worker.ensure_key(&id)))
    }

    fn wrap<'a>(
        &'a self,
        id: &'a KeyId,
        aad: &'a [u8],
        plain: &'a Secret,
    ) -> BoxFuture<'a, Result<Wrapped, DeviceError>> {
        Box::pin(async move {
            check_wrap(plain.len(), aad.len())?;
            let (id, aad, plain) = (id.clone(), aad.to_vec(), Secret::copy_of(plain.expose()));
            self.0.run(move |worker| worker.wrap(&id, &aad, &plain)).await
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
            let (id, aad, wrapped) = (id.clone(), aad.to_vec(), wrapped.clone());
            self.0.run(move |worker| worker.unwrap(&id, &aad, &wrapped)).await
        })
    }
}
