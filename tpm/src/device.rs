//! The operations, on the one thread that owns the connection.

use strongroom_device_api::bridge::{Pool, PoolOptions};
use strongroom_device_api::limits::{check_random, check_unwrap, check_wrap};
use strongroom_device_api::{DeviceError, Identity, KeyDevice, KeyId, Wrapped};
use strongroom_types::{BoxFuture, Secret};

use crate::config::TpmWish;
use crate::session::Connection;

/// A TPM, as a [`KeyDevice`].
pub(crate) struct TpmDevice(Pool<Connection>);

impl TpmDevice {
    /// Starts the thread.
    pub(crate) fn start(wish: TpmWish, options: PoolOptions) -> std::io::Result<Self> {
        Pool::start(options, vec![Connection::new(wish)]).map(Self)
    }
}

impl KeyDevice for TpmDevice {
    fn identity(&self) -> BoxFuture<'_, Result<Identity, DeviceError>> {
        Box::pin(self.0.run(|connection| connection.run(|tpm, _| Ok(tpm.identity.clone()))))
    }

    fn health(&self) -> BoxFuture<'_, Result<(), DeviceError>> {
        Box::pin(self.0.run(|connection| connection.run(|tpm, _| tpm.health())))
    }

    fn random(&self, count: usize) -> BoxFuture<'_, Result<Secret, DeviceError>> {
        Box::pin(async move {
            check_random(count)?;
            self.0.run(move |connection| connection.run(|tpm, _| tpm.random(count))).await
        })
    }

    /// Every key id is there as soon as the primary key is: it is part of the derivation.
    fn ensure_key<'a>(&'a self, _: &'a KeyId) -> BoxFuture<'a, Result<(), DeviceError>> {
        self.health()
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
            let work = move |connection: &mut Connection| {
                connection.run(|tpm, wish| tpm.wrap(wish.pcrs, &id, &aad, &plain))
            };
            self.0.run(work).await
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
            let work =
                move |connection: &mut Connection| connection.run(|tpm, _| tpm.unwrap(&id, &aad, &wrapped));
            self.0.run(work).await
        })
    }
}
