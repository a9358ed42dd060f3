//! The operations, each on a thread that has a session.

use std::sync::{Arc, PoisonError};

use strongroom_device_api::bridge::{PoolOptions, PooledDevice, Worker};
use strongroom_device_api::{DeviceError, Identity, KeyId, Wrapped};
use strongroom_types::Secret;

use crate::error::{Failure, sort};
use crate::session::Module;
use crate::{mechanism, object};

/// What a thread owns: its place.
pub(crate) struct Seated {
    module: Arc<Module>,
    number: usize,
}

/// Starts the threads.
pub(crate) fn start(module: &Arc<Module>, options: PoolOptions) -> std::io::Result<PooledDevice<Seated>> {
    let seated = |number| Seated { module: Arc::clone(module), number };
    PooledDevice::start(options, (0..module.sessions()).map(seated).collect())
}

impl Worker for Seated {
    fn identity(&mut self) -> Result<Identity, DeviceError> {
        self.module.identity()
    }

    fn health(&mut self) -> Result<(), DeviceError> {
        self.module.run(self.number, |seat| match seat.known_key() {
            // The only sign that every module gives when its token is gone.
            Some(key) => mechanism::probe(&seat.session, key),
            None => seat.session.generate_random_slice(&mut [0; 16]).map_err(|cause| sort("random", cause)),
        })
    }

    fn random(&mut self, count: usize) -> Result<Secret, DeviceError> {
        self.module.run(self.number, |seat| {
            let mut random = vec![0; count];
            seat.session.generate_random_slice(&mut random).map_err(|cause| sort("random", cause))?;
            Ok(Secret::from(random))
        })
    }

    /// A token that is lost can look empty; [`Module::attempt`] sees to it that "no such key" can be believed.
    fn ensure_key(&mut self, id: &KeyId) -> Result<(), DeviceError> {
        let _making = self.module.making.lock().unwrap_or_else(PoisonError::into_inner);
        match self.module.attempt(self.number, |seat| seat.key(id)) {
            Ok(_) => return Ok(()),
            Err(Failure::NoKey) => {}
            Err(failure) => return Err(failure.settle()),
        }
        self.module.run(self.number, |seat| {
            // The work is repeated when the token was lost: by then the key may be there.
            match seat.key(id) {
                Err(Failure::NoKey) => object::make(&seat.session, id).map(drop),
                found => found.map(drop),
            }
        })
    }

    fn wrap(&mut self, id: &KeyId, aad: &[u8], plain: &Secret) -> Result<Wrapped, DeviceError> {
        self.module.run(self.number, |seat| {
            let key = seat.key(id)?;
            mechanism::wrap(&seat.session, key, id, aad, plain)
        })
    }

    fn unwrap(&mut self, id: &KeyId, aad: &[u8], wrapped: &Wrapped) -> Result<Secret, DeviceError> {
        self.module.run(self.number, |seat| {
            let key = seat.key(id)?;
            mechanism::unwrap(&seat.session, key, id, aad, wrapped)
        })
    }
}
