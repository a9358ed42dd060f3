//! The operations, each on a thread that has a session.

use std::sync::{Arc, PoisonError};

use strongroom_device_api::bridge::{Pool, PoolOptions};
use strongroom_device_api::limits::{check_random, check_unwrap, check_wrap};
use strongroom_device_api::{DeviceError, Identity, KeyDevice, KeyId, Wrapped};
use strongroom_types::{BoxFuture, Secret};

use crate::error::{Failure, sort};
use crate::session::Module;
use crate::{mechanism, object};

/// A token, as a [`KeyDevice`].
pub(crate) struct HsmDevice(Pool<Worker>);

/// What a thread owns: its place.
struct Worker {
    module: Arc<Module>,
    number: usize,
}

impl HsmDevice {
    /// Starts the threads.
    pub(crate) fn start(module: Arc<Module>, options: PoolOptions) -> std::io::Result<Self> {
        let worker = |number| Worker { module: Arc::clone(&module), number };
        let workers = (0..module.sessions()).map(worker).collect();
        Pool::start(options, workers).map(Self)
    }
}

impl Worker {
    fn health(&self) -> Result<(), DeviceError> {
        self.module.run(self.number, |seat| match seat.known_key() {
            // The only sign that every module gives when its token is gone.
            Some(key) => mechanism::probe(&seat.session, key),
            None => seat.session.generate_random_slice(&mut [0; 16]).map_err(|cause| sort("random", cause)),
        })
    }

    fn random(&self, count: usize) -> Result<Secret, DeviceError> {
        self.module.run(self.number, |seat| {
            let mut random = vec![0; count];
            seat.session.generate_random_slice(&mut random).map_err(|cause| sort("random", cause))?;
            Ok(Secret::from(random))
        })
    }

    /// A token that is lost can look empty; [`Module::attempt`] sees to it that "no such key" can be believed.
    fn ensure_key(&self, id: &KeyId) -> Result<(), DeviceError> {
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
}

impl KeyDevice for HsmDevice {
    fn identity(&self) -> BoxFuture<'_, Result<Identity, DeviceError>> {
        Box::pin(self.0.run(|worker| worker.module.identity()))
    }

    fn health(&self) -> BoxFuture<'_, Result<(), DeviceError>> {
        Box::pin(self.0.run(|worker| worker.health()))
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
            let work = move |worker: &mut Worker| {
                worker.module.run(worker.number, |seat| {
                    let key = seat.key(&id)?;
                    mechanism::wrap(&seat.session, key, &id, &aad, &plain)
                })
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
            let work = move |worker: &mut Worker| {
                worker.module.run(worker.number, |seat| {
                    let key = seat.key(&id)?;
                    mechanism::unwrap(&seat.session, key, &id, &aad, &wrapped)
                })
            };
            self.0.run(work).await
        })
    }
}
