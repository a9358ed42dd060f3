//! The one place that names concrete engines, auth methods, holders and sinks: to add one is to add a line here.

use std::collections::BTreeMap;
use std::sync::Arc;

use strongroom_audit::SinkConfig;
use strongroom_core::SealWish;
use strongroom_device_api::{Client, ClientOptions, KeyDevice, KeyId, PeerRule};
use strongroom_engine::{Engine, Method};
use strongroom_seal::{DeviceKind, Devices, GroupPlan};

use crate::config::{Audit, Config, Device, Seal};

/// The kinds of engines that can be mounted.
pub static ENGINES: &[&Engine] = &[&strongroom_engine_kv::ENGINE, &strongroom_engine_cubbyhole::ENGINE];

/// The kinds of auth methods that can be enabled.
pub static METHODS: &[&Method] = &[&strongroom_auth_approle::METHOD, &strongroom_auth_userpass::METHOD];

/// The audit sink that a stanza describes.
pub fn sink(audit: &Audit) -> Result<SinkConfig, String> {
    match audit.kind.as_str() {
        "file" => SinkConfig::file(&audit.name, &audit.description, audit.options.clone())
            .map_err(|cause| cause.to_string()),
        _ => Err("there is no such kind of sink".into()),
    }
}

/// The devices behind the bridges that the configuration names. Nothing is connected yet.
pub struct Bridges(BTreeMap<String, Arc<Client>>);

impl Bridges {
    /// One client for each device.
    pub fn of(config: &Config) -> Self {
        let client = |device: &Device| {
            let peer = PeerRule { uid: device.peer_uid, allow_same_uid: device.allow_same_uid };
            (device.name.clone(), Client::new(ClientOptions::new(&device.socket, peer)))
        };
        let devices = config.seals.iter().filter_map(|seal| match seal {
            Seal::Device(device) => Some(client(device)),
            Seal::Custodians { .. } => None,
        });
        Self(devices.collect())
    }
}

impl Devices for Bridges {
    fn device(&self, name: &str) -> Option<Arc<dyn KeyDevice>> {
        self.0.get(name).map(|client| Arc::clone(client) as Arc<dyn KeyDevice>)
    }
}

/// What init is to make: one keyslot, each seal stanza one of its groups.
pub fn seal_wish(config: &Config) -> Result<SealWish, String> {
    if config.seals.is_empty() {
        return Ok(SealWish::Custodians);
    }
    let group = |seal: &Seal| match seal {
        Seal::Custodians { threshold, shares } => Ok(GroupPlan::custodians(*threshold, *shares)),
        Seal::Device(device) => {
            let key = KeyId::new(&device.key_id).ok_or("key_id is no name of a key")?;
            let kind = match device.kind {
                crate::config::DeviceKind::Pkcs11 => DeviceKind::Pkcs11,
                crate::config::DeviceKind::Tpm => DeviceKind::Tpm,
            };
            Ok(GroupPlan::device(kind, &config.node, &device.name, key))
        }
    };
    let groups = config.seals.iter().map(group).collect::<Result<_, String>>()?;
    Ok(SealWish::Groups { node: config.node.clone(), groups })
}
