//! What the operator chose, and what the binary puts in.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use strongroom_audit::SinkConfig;
use strongroom_barrier::Arena;
use strongroom_engine::{Engine, Method};
use strongroom_seal::{Devices, GroupPlan};
use strongroom_store::Store;
use strongroom_types::{Clock, Entropy, JsonMap};

use crate::json;
use crate::lockouts::LockoutSetting;
use crate::metrics::Telemetry;

/// Everything that core is given.
pub struct Parts {
    /// The ciphertext.
    pub store: Arc<dyn Store>,
    /// The kinds of engines there are.
    pub engines: &'static [&'static Engine],
    /// The kinds of auth methods there are.
    pub methods: &'static [&'static Method],
    /// The audit sinks of the configuration; none turns auditing off.
    pub audit: Vec<SinkConfig>,
    /// The devices of this node.
    pub devices: Arc<dyn Devices>,
    /// Randomness.
    pub entropy: Arc<dyn Entropy>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Memory for keys.
    pub arena: Arc<Arena>,
    /// What the operator chose.
    pub settings: Arc<Settings>,
    /// What init is to make.
    pub seal: SealWish,
}

/// What the configuration's seal stanzas ask of init. Once a keyslot table is stored, it alone counts.
pub enum SealWish {
    /// People only, as many as init says.
    Custodians,
    /// The groups of the first keyslot, which may include people.
    Groups {
        /// The node whose devices they are.
        node: String,
        /// All are needed.
        groups: Vec<GroupPlan>,
    },
}

/// What the operator chose.
#[derive(Clone, Debug)]
pub struct Settings {
    /// As clients see it: semver, at least 1.20.0.
    pub version: String,
    /// For people; empty makes one up at init.
    pub cluster_name: String,
    /// Seconds that a lease or a token lives unless it says otherwise.
    pub default_lease_ttl: i64,
    /// Seconds that a lease or a token lives at most.
    pub max_lease_ttl: i64,
    /// Bytes of a body.
    pub max_request_size: usize,
    /// What JSON of clients may hold.
    pub json: json::Limits,
    /// `redb` or `inmem`, as `sys/seal-status` shows it.
    pub storage_type: &'static str,
    /// When somebody is locked out, by the kind of their method, or for `all`.
    pub user_lockout: BTreeMap<String, LockoutSetting>,
    /// How the metrics are called, and which are told.
    pub telemetry: Telemetry,
    /// The configuration as operators may see it: without secrets and files.
    pub shown: JsonMap,
    /// Where the storage is, for `sys/host-info`.
    pub folder: Option<PathBuf>,
    /// Which node this is: only its own devices are asked.
    pub node: String,
}

impl Default for Settings {
    fn default() -> Self {
        const DAY: i64 = 24 * 3600;
        Self {
            version: "1.20.0".into(),
            cluster_name: String::new(),
            default_lease_ttl: 32 * DAY,
            max_lease_ttl: 32 * DAY,
            max_request_size: 32 * 1024 * 1024,
            json: json::Limits::default(),
            storage_type: "inmem",
            user_lockout: BTreeMap::new(),
            telemetry: Telemetry::default(),
            shown: JsonMap::new(),
            folder: None,
            node: "node".into(),
        }
    }
}
