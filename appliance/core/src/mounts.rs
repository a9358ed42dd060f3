//! The mount table: which engine answers which path.
//!
//! A mount is one record in the system's view, `["mount", <mount id>]`, JSON. The table in memory is built
//! from all of them at unseal; a change makes a new one that shares with the old what has not changed, so that a request
//! sees one table from its beginning to its end, and the ten-thousandth mount is made as fast as the first.

use std::ops::Bound;
use std::sync::Arc;

use rpds::RedBlackTreeMapSync;
use serde::{Deserialize, Serialize};
use strongroom_barrier::{Barrier, Name, Reader, View, Write};
use strongroom_engine::{Engine, Entropy, Handler, Method, MountInfo, MountOptions, Route};
use strongroom_types::Refusal;
use strongroom_types::id::{MountId, NamespaceId};

use crate::Settings;
use crate::active::CUBBYHOLE;
use crate::fault::{barrier as barrier_fault, damaged};
use crate::lockouts::LockoutSetting;
use crate::tokens::base62;

/// What is stored of a mount.
#[derive(Clone, Serialize, Deserialize)]
pub struct MountRecord {
    /// Version of this record's shape: 1.
    pub v: u8,
    /// Stays when the mount is moved.
    pub id: MountId,
    /// With its trailing slash.
    pub path: String,
    /// The engine's kind.
    pub kind: String,
    /// Names the mount without its path.
    pub accessor: String,
    /// For people.
    pub description: String,
    /// The engine's options.
    pub options: MountOptions,
    /// What `tune` changes.
    pub config: MountConfig,
    /// Whether it stays on this cluster.
    pub local: bool,
    /// Accepted and shown; every record is behind the HSM already.
    pub seal_wrap: bool,
    /// Accepted and shown.
    pub external_entropy_access: bool,
}

/// What `tune` changes.
#[derive(Clone, Default, Serialize, Deserialize)]
pub struct MountConfig {
    /// Seconds; 0 is the system's.
    pub default_lease_ttl: i64,
    /// Seconds; 0 is the system's.
    pub max_lease_ttl: i64,
    /// Accepted and shown; nothing is cached per mount.
    pub force_no_cache: bool,
    /// Keys of requests shown in clear in the audit log.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub audit_non_hmac_request_keys: Vec<String>,
    /// Keys of answers shown in clear in the audit log.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub audit_non_hmac_response_keys: Vec<String>,
    /// `hidden` or `unauth`; empty is hidden.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub listing_visibility: String,
    /// Headers that requests to the mount may pass on.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub passthrough_request_headers: Vec<String>,
    /// Headers that the mount may answer with.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub allowed_response_headers: Vec<String>,
    /// Which tokens an auth method gives; empty for engines.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub token_type: String,
    /// When somebody is locked out of an auth method, as far as it differs from the configuration.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_lockout: Option<LockoutSetting>,
}

/// A mount as requests use it.
pub struct Mount {
    /// What is stored.
    pub record: MountRecord,
    /// What the engine is told.
    pub info: Arc<MountInfo>,
    /// The engine.
    pub engine: &'static Engine,
    /// The auth method, if it is one.
    pub method: Option<&'static Method>,
    /// The engine's routes for this mount's options.
    pub routes: &'static [Route<Handler>],
    /// Its records.
    pub view: View,
}

/// The kinds of engines and auth methods there are.
#[derive(Clone, Copy)]
pub struct Kinds {
    /// What is mounted anywhere else.
    pub engines: &'static [&'static Engine],
    /// What is mounted below `auth/`.
    pub methods: &'static [&'static Method],
}

impl Kinds {
    fn find(&self, record: &MountRecord) -> Option<(&'static Engine, Option<&'static Method>)> {
        if is_auth(&record.path) {
            let method = *self.methods.iter().find(|method| method.engine.kind == record.kind)?;
            return Some((&method.engine, Some(method)));
        }
        let engine = *self.engines.iter().find(|engine| engine.kind == record.kind)?;
        Some((engine, None))
    }
}

/// Whether what is mounted at `path` is an auth method.
pub fn is_auth(path: &str) -> bool {
    path.starts_with("auth/")
}

/// All mounts at one moment. None is below another.
#[derive(Clone, Default)]
pub struct MountTable {
    by_path: RedBlackTreeMapSync<String, Arc<Mount>>,
    by_id: RedBlackTreeMapSync<MountId, Arc<Mount>>,
}

impl MountTable {
    /// Reads the table from the system's records.
    pub fn load(
        system: &Reader,
        barrier: &Arc<Barrier>,
        kinds: Kinds,
        settings: &Settings,
    ) -> Result<Self, Refusal> {
        let mut table = Self::default();
        for id in system.list(&name_of_all()?, None, None).map_err(barrier_fault)? {
            let name = name_of_all()?.child(id).map_err(damaged)?;
            if let Some(mount) = Mount::load(system, &name, barrier, kinds, settings)? {
                table.insert(Arc::new(mount));
            }
        }
        Ok(table)
    }

    /// The table after the mount `id` has changed: made, tuned, moved or removed.
    pub fn changed(
        &self,
        id: MountId,
        system: &Reader,
        barrier: &Arc<Barrier>,
        kinds: Kinds,
        settings: &Settings,
    ) -> Result<Self, Refusal> {
        let mut table = self.clone();
        if let Some(before) = self.by_id(id) {
            table.by_path.remove_mut(&before.record.path);
            table.by_id.remove_mut(&id);
        }
        if let Some(mount) = Mount::load(system, &name_of(id)?, barrier, kinds, settings)? {
            table.insert(Arc::new(mount));
        }
        Ok(table)
    }

    fn insert(&mut self, mount: Arc<Mount>) {
        self.by_id.insert_mut(mount.record.id, mount.clone());
        self.by_path.insert_mut(mount.record.path.clone(), mount);
    }

    /// The mount that `path` (canonical) is at or below, and what follows it.
    pub fn find<'p>(&self, path: &'p str) -> Option<(&Arc<Mount>, &'p str)> {
        let mount = self.at_or_above(&format!("{path}/"))?;
        let held = mount.record.path.as_str();
        let rest = path.strip_prefix(held).or_else(|| (path == held.strip_suffix('/')?).then_some(""))?;
        Some((mount, rest))
    }

    /// The mount whose path is the beginning of `path`, which ends in a slash. Between the two in order there could be
    /// others that begin so as well, but they would be below it.
    fn at_or_above(&self, path: &str) -> Option<&Arc<Mount>> {
        let up_to = (Bound::Unbounded, Bound::Included(path));
        let (held, mount) = self.by_path.range::<str, _>(up_to).next_back()?;
        path.starts_with(held.as_str()).then_some(mount)
    }

    /// The mount at exactly `path`, which ends in a slash.
    pub fn at(&self, path: &str) -> Option<&Arc<Mount>> {
        self.by_path.get(path)
    }

    /// All mounts, by path.
    pub fn all(&self) -> Vec<&Arc<Mount>> {
        self.by_path.values().collect()
    }

    /// The mount with this id.
    pub fn by_id(&self, id: MountId) -> Option<&Arc<Mount>> {
        self.by_id.get(&id)
    }

    /// A mount that `path` (with its slash) would be at, above or below.
    pub fn conflict(&self, path: &str) -> Option<&str> {
        let below = || {
            let (held, _) = self.by_path.range::<str, _>((Bound::Included(path), Bound::Unbounded)).next()?;
            held.starts_with(path).then_some(held.as_str())
        };
        self.at_or_above(path).map(|mount| mount.record.path.as_str()).or_else(below)
    }
}

impl Mount {
    /// The mount whose record is `name`, if there is one.
    fn load(
        system: &Reader,
        name: &Name,
        barrier: &Arc<Barrier>,
        kinds: Kinds,
        settings: &Settings,
    ) -> Result<Option<Self>, Refusal> {
        let Some(entry) = system.get(name).map_err(barrier_fault)? else { return Ok(None) };
        let record: MountRecord = serde_json::from_slice(entry.value.expose()).map_err(damaged)?;
        let mount = Self::new(record.clone(), barrier, kinds, settings).unwrap_or_else(|cause| {
            // One mount that cannot be served must not keep the others from being.
            crate::log::error(format_args!("the mount {} is not served: {cause}", record.path));
            Self::unserved(record, barrier, settings)
        });
        Ok(Some(mount))
    }

    /// Puts a record's engine, options and view together.
    pub fn new(
        record: MountRecord,
        barrier: &Arc<Barrier>,
        kinds: Kinds,
        settings: &Settings,
    ) -> Result<Self, Refusal> {
        let (engine, method) = kinds.find(&record).ok_or_else(|| {
            Refusal::bad_request("plugin not found in the catalog: nothing of this type is built in")
        })?;
        let routes = (engine.routes)(&record.options)?;
        Ok(Self { method, ..Self::with(record, engine, routes, barrier, settings) })
    }

    /// A mount whose engine this build does not have: it is listed, and nothing is found in it.
    fn unserved(record: MountRecord, barrier: &Arc<Barrier>, settings: &Settings) -> Self {
        Self::with(record, &MISSING, &[], barrier, settings)
    }

    fn with(
        record: MountRecord,
        engine: &'static Engine,
        routes: &'static [Route<Handler>],
        barrier: &Arc<Barrier>,
        settings: &Settings,
    ) -> Self {
        let or = |own: i64, system: i64| if own == 0 { system } else { own };
        let info = MountInfo {
            id: record.id,
            namespace: NamespaceId::ROOT,
            path: record.path.clone(),
            options: record.options.clone(),
            default_lease_ttl: or(record.config.default_lease_ttl, settings.default_lease_ttl),
            max_lease_ttl: or(record.config.max_lease_ttl, settings.max_lease_ttl),
        };
        let view = View::new(barrier, NamespaceId::ROOT, record.id);
        Self { record, info: Arc::new(info), engine, method: None, routes, view }
    }

    /// Whether it is an auth method.
    pub fn is_auth(&self) -> bool {
        is_auth(&self.record.path)
    }
}

/// Stands for an engine that this build does not have.
static MISSING: Engine =
    Engine { help: "The engine of this mount is not part of this build.", ..Engine::BASE };

/// What init stores of the mount that every cluster has.
pub fn cubbyhole(entropy: &dyn Entropy) -> Result<Write, Refusal> {
    let record = MountRecord {
        v: 1,
        id: CUBBYHOLE,
        path: "cubbyhole/".into(),
        kind: "cubbyhole".into(),
        accessor: format!("cubbyhole_{}", base62(entropy, 8)?.to_lowercase()),
        description: "per-token private secret storage".into(),
        options: MountOptions::new(),
        config: MountConfig::default(),
        local: true,
        seal_wrap: false,
        external_entropy_access: false,
    };
    let body = serde_json::to_vec(&record).map_err(damaged)?;
    Ok(Write::put(name_of(record.id)?, body).if_unchanged(None))
}

/// Where mounts are stored in the system's view.
pub fn name_of_all() -> Result<Name, Refusal> {
    Name::new(["mount"]).map_err(damaged)
}

/// Where the mount `id` is stored in the system's view.
pub fn name_of(id: MountId) -> Result<Name, Refusal> {
    Name::new(["mount".to_owned(), id.to_string()]).map_err(damaged)
}
