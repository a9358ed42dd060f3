//! A share at a device: wrapping it and getting it back.

use std::sync::Arc;

use strongroom_device_api::{DeviceError, DeviceErrorKind, KeyDevice, KeyId, Wrapped};
use strongroom_types::Secret;

use crate::derive::{Place, Purpose};
use crate::model::MAX_WRAPPED;
use crate::sharing::Part;
use crate::{DeviceHolder, SealError};

/// The devices that this node can reach.
pub trait Devices: Send + Sync {
    /// The device that the configuration calls `name`; `None` if it names none.
    fn device(&self, name: &str) -> Option<Arc<dyn KeyDevice>>;
}

/// The group of a slot: what a device's wrap is bound to, beside the holder's index.
#[derive(Clone, Copy)]
pub(crate) struct GroupPlace {
    pub(crate) place: Place,
    /// The group's number in its slot, from 0.
    pub(crate) group: u8,
}

impl GroupPlace {
    fn aad(self, index: u8) -> Vec<u8> {
        self.place.context(Purpose::HolderWrap, &[&[self.group], &[index]])
    }
}

/// Has `device` wrap `part`, and believes it only when the same bytes have come back.
pub(crate) async fn wrap_part(
    devices: &dyn Devices,
    name: &str,
    key: &KeyId,
    at: GroupPlace,
    part: &Part,
) -> Result<Wrapped, SealError> {
    let refused = |cause| SealError::device(name, cause);
    let device = find(devices, name)?;
    let aad = at.aad(part.index);
    let plain = Secret::copy_of(part.bytes.as_slice());
    device.ensure_key(key).await.map_err(refused)?;
    let wrapped = device.wrap(key, &aad, &plain).await.map_err(refused)?;
    let back = device.unwrap(key, &aad, &wrapped).await.map_err(refused)?;
    match back == plain && wrapped.0.len() <= MAX_WRAPPED {
        true => Ok(wrapped),
        false => Err(SealError::DeviceWrong { name: name.to_owned() }),
    }
}

/// The part that `holder` has wrapped; not verified yet.
pub(crate) async fn unwrap_part(
    devices: &dyn Devices,
    holder: &DeviceHolder,
    at: GroupPlace,
) -> Result<Part, SealError> {
    let device = find(devices, &holder.device)?;
    let plain = device
        .unwrap(&holder.key, &at.aad(holder.index), &holder.wrapped)
        .await
        .map_err(|cause| SealError::device(&holder.device, cause))?;
    let part = Part::from_bytes(holder.index, plain.expose());
    part.ok_or_else(|| SealError::DeviceWrong { name: holder.device.clone() })
}

fn find(devices: &dyn Devices, name: &str) -> Result<Arc<dyn KeyDevice>, SealError> {
    devices.device(name).ok_or_else(|| {
        let cause = DeviceError::new(DeviceErrorKind::Gone, "the configuration names no such device");
        SealError::DeviceMissing { name: name.to_owned(), cause }
    })
}
