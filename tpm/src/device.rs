//! The operations, on the one thread that owns the connection.

use strongroom_device_api::bridge::Worker;
use strongroom_device_api::{DeviceError, Identity, KeyId, Wrapped};
use strongroom_types::Secret;

use crate::session::Connection;

impl Worker for Connection {
    fn identity(&mut self) -> Result<Identity, DeviceError> {
        self.run(|tpm, _| Ok(tpm.identity.clone()))
    }

    fn health(&mut self) -> Result<(), DeviceError> {
        self.run(|tpm, _| tpm.health())
    }

    fn random(&mut self, count: usize) -> Result<Secret, DeviceError> {
        self.run(|tpm, _| tpm.random(count))
    }

    /// Every key id is there as soon as the primary key is: it is part of the derivation.
    fn ensure_key(&mut self, _: &KeyId) -> Result<(), DeviceError> {
        self.health()
    }

    fn wrap(&mut self, id: &KeyId, aad: &[u8], plain: &Secret) -> Result<Wrapped, DeviceError> {
        self.run(|tpm, wish| tpm.wrap(wish.pcrs, id, aad, plain))
    }

    fn unwrap(&mut self, id: &KeyId, aad: &[u8], wrapped: &Wrapped) -> Result<Secret, DeviceError> {
        self.run(|tpm, _| tpm.unwrap(id, aad, wrapped))
    }
}
