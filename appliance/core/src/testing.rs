//! A whole appliance in memory, for tests: store, audit sink, clock and devices are at hand, and requests are one
//! line.

mod engines;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use strongroom_audit::SinkConfig;
use strongroom_audit::testing::MemorySink;
use strongroom_barrier::{Arena, Protection};
use strongroom_device_api::mock::MockDevice;
use strongroom_device_api::{KeyDevice, KeyId};
use strongroom_seal::{DeviceKind, Devices, GroupPlan, SystemEntropy};
use strongroom_store::{MemoryStore, Store};
use strongroom_types::error::Kind;
use strongroom_types::id::RequestId;
use strongroom_types::request::Head;
use strongroom_types::time::ManualClock;
use strongroom_types::{
    ApiPath, Entropy, NoEntropy, Operation, Received, Refusal, Reply, Request, Secret, Timestamp,
};

use engines::{ENGINES, METHODS};

use crate::{Core, Parts, SealWish, Settings};

/// The time at which every rig begins.
pub const START: Timestamp = Timestamp::from_secs(1_800_000_000);

/// An appliance and what is around it.
pub struct Rig {
    pub core: Arc<Core>,
    pub store: Arc<dyn Store>,
    pub clock: Arc<ManualClock>,
    pub sink: Arc<MemorySink>,
    pub devices: Arc<Mocks>,
    pub entropy: Arc<Draws>,
    pub root: String,
    pub keys: Vec<String>,
    pub recovery: Vec<String>,
    wish: Wish,
}

/// How the appliance is to be sealed.
#[derive(Clone)]
pub enum Wish {
    People,
    Devices(Vec<GroupPlan>),
}

/// Mock devices, by name.
#[derive(Default)]
pub struct Mocks(pub BTreeMap<&'static str, Arc<MockDevice>>);

impl Devices for Mocks {
    fn device(&self, name: &str) -> Option<Arc<dyn KeyDevice>> {
        self.0.get(name).map(|device| device.clone() as Arc<dyn KeyDevice>)
    }
}

/// The system's generator, which fails after as many draws as a test lets it.
#[derive(Default)]
pub struct Draws(Mutex<Option<usize>>);

impl Draws {
    /// `None` is never.
    pub fn fail_after(&self, draws: Option<usize>) {
        *self.0.lock().unwrap() = draws;
    }
}

impl Entropy for Draws {
    fn fill(&self, out: &mut [u8]) -> Result<(), NoEntropy> {
        if let Some(left) = self.0.lock().unwrap().as_mut() {
            *left = left.checked_sub(1).ok_or(NoEntropy)?;
        }
        SystemEntropy.fill(out)
    }
}

pub fn hsm() -> GroupPlan {
    GroupPlan::device(DeviceKind::Pkcs11, "node", "hsm", KeyId::new("root").unwrap())
}

pub fn tpm() -> GroupPlan {
    GroupPlan::device(DeviceKind::Tpm, "node", "tpm", KeyId::new("root").unwrap())
}

/// What came back: the answer as a client would see it, or the refusal.
pub type Answer = Result<Value, (Kind, String)>;

impl Rig {
    /// Not initialised.
    pub fn bare(store: Arc<dyn Store>, wish: Wish) -> Self {
        let mocks = ["hsm", "tpm"].map(|name| (name, MockDevice::new(name)));
        let (clock, sink) = (Arc::new(ManualClock::new(START)), Arc::new(MemorySink::new()));
        let (devices, entropy) = (Arc::new(Mocks(mocks.into())), Arc::<Draws>::default());
        let core = start(&store, &clock, &sink, &devices, &entropy, &wish);
        let (root, keys, recovery) = Default::default();
        Self { core, store, clock, sink, devices, entropy, root, keys, recovery, wish }
    }

    /// Initialised by 2 of 3 people and unsealed, over `store`.
    pub async fn over(store: Arc<dyn Store>) -> Self {
        let mut rig = Self::bare(store, Wish::People);
        rig.init(json!({"secret_shares": 3, "secret_threshold": 2})).await.unwrap();
        rig.unseal().await;
        rig
    }

    /// The same, over a store in memory.
    pub async fn new() -> Self {
        Self::over(MemoryStore::new()).await
    }

    /// Calls `sys/init` and keeps what it hands out.
    pub async fn init(&mut self, body: Value) -> Answer {
        let made = self.put("sys/init", "", body).await?;
        let texts = |name: &str| -> Vec<String> {
            made[name].as_array().into_iter().flatten().map(|key| key.as_str().unwrap().to_owned()).collect()
        };
        self.root = made["root_token"].as_str().unwrap().to_owned();
        (self.keys, self.recovery) = (texts("keys"), texts("recovery_keys"));
        Ok(made)
    }

    /// Gives two shares.
    pub async fn unseal(&self) {
        for key in &self.keys[..2] {
            self.put("sys/unseal", "", json!({ "key": key })).await.unwrap();
        }
        assert!(!self.core.is_sealed());
    }

    /// The process is gone; another one starts on the same store, clock, log and devices.
    pub fn restart(&mut self) {
        self.core = start(&self.store, &self.clock, &self.sink, &self.devices, &self.entropy, &self.wish);
    }

    /// The same with another store.
    pub fn restart_on(&mut self, store: Arc<dyn Store>) {
        self.store = store;
        self.restart();
    }

    pub async fn get(&self, path: &str, token: &str) -> Answer {
        ask(&self.core, request(Operation::Read, path, token, None)).await
    }

    pub async fn list(&self, path: &str, token: &str) -> Answer {
        ask(&self.core, request(Operation::List, path, token, None)).await
    }

    pub async fn delete(&self, path: &str, token: &str) -> Answer {
        ask(&self.core, request(Operation::Delete, path, token, None)).await
    }

    pub async fn put(&self, path: &str, token: &str, body: Value) -> Answer {
        ask(&self.core, request(Operation::Update, path, token, Some(body))).await
    }

    /// A token of root's.
    pub async fn token(&self, wish: Value) -> String {
        let made = self.put("auth/token/create", &self.root, wish).await.unwrap();
        made["auth"]["client_token"].as_str().unwrap().to_owned()
    }

    /// A policy, and a token that holds it.
    pub async fn allowed(&self, policy: &str) -> String {
        self.put("sys/policies/acl/test", &self.root, json!({ "policy": policy })).await.unwrap();
        self.token(json!({"policies": ["test"], "ttl": "1h"})).await
    }

    /// An engine at `toy/`.
    pub async fn mount(&self) {
        self.put("sys/mounts/toy", &self.root, json!({"type": "toy"})).await.unwrap();
    }

    /// The lines of the audit log, parsed.
    pub fn lines(&self) -> Vec<Value> {
        self.sink.lines().iter().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

fn start(
    store: &Arc<dyn Store>,
    clock: &Arc<ManualClock>,
    sink: &Arc<MemorySink>,
    devices: &Arc<Mocks>,
    entropy: &Arc<Draws>,
    wish: &Wish,
) -> Arc<Core> {
    let parts = Parts {
        store: store.clone(),
        engines: ENGINES,
        methods: METHODS,
        audit: vec![SinkConfig::new("memory", sink.clone())],
        devices: devices.clone(),
        entropy: entropy.clone(),
        clock: clock.clone(),
        arena: Arena::new(64 * 1024, Protection::BestEffort).unwrap(),
        settings: Arc::new(Settings::default()),
        seal: match wish {
            Wish::People => SealWish::Custodians,
            Wish::Devices(groups) => SealWish::Groups { node: "node".into(), groups: groups.clone() },
        },
    };
    Core::new(parts).unwrap()
}

/// A request as `http` makes it; a query may follow the path.
pub fn request(operation: Operation, path: &str, token: &str, body: Option<Value>) -> Request<Received> {
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    let mut id = [0; 16];
    SystemEntropy.fill(&mut id).unwrap();
    let head = Head {
        headers: Vec::new(),
        id: RequestId::from_random(id),
        operation,
        path: ApiPath::parse(path).unwrap(),
        query: strongroom_types::path::parse_query(query).unwrap(),
        token: (!token.is_empty()).then(|| Secret::copy_of(token.as_bytes())),
        namespace: String::new(),
        wrap_ttl: None,
        content_type: None,
        remote: None,
    };
    let body = body.map_or(Vec::new(), |body| body.to_string().into_bytes());
    Request { head, stage: Received { body: Box::new(body) } }
}

pub async fn ask(core: &Arc<Core>, request: Request<Received>) -> Answer {
    shown(core.handle(request).await)
}

fn shown(answer: Result<Reply, Refusal>) -> Answer {
    match answer {
        Err(refusal) => Err((refusal.kind, refusal.cause.unwrap_or_else(|| refusal.message.into_owned()))),
        Ok(Reply::Headed { reply, .. }) => shown(Ok(*reply)),
        Ok(Reply::Empty) => Ok(Value::Null),
        Ok(Reply::Json { status, mut body }) => {
            if status != 200 {
                body["status"] = status.into();
            }
            Ok(body)
        }
        Ok(Reply::Raw { content_type: "application/json", body, .. }) => {
            Ok(serde_json::from_slice(&body).unwrap())
        }
        Ok(Reply::Raw { .. } | Reply::Stream(_)) => Ok(Value::Null),
        Ok(Reply::Logical(logical)) => {
            let auth = logical.auth.map(|auth| {
                json!({
                    "client_token": auth.client_token.expose_str(),
                    "accessor": auth.accessor,
                    "policies": auth.policies,
                    "lease_duration": auth.lease_duration,
                    "renewable": auth.renewable,
                    "orphan": auth.orphan,
                    "num_uses": auth.num_uses,
                })
            });
            let wrap = logical.wrap.map(|wrap| {
                json!({
                    "token": wrap.token.expose_str(),
                    "ttl": wrap.ttl,
                    "creation_path": wrap.path,
                    "wrapped_accessor": wrap.wrapped_accessor,
                })
            });
            let mut body = json!({ "data": logical.data, "auth": auth, "warnings": logical.warnings });
            if let Some(lease) = logical.lease {
                body["lease_id"] = lease.id.into();
                body["lease_duration"] = lease.duration.into();
                body["renewable"] = lease.renewable.into();
            }
            if let Some(status) = logical.status {
                body["status"] = status.into();
            }
            if let Some(wrap) = wrap {
                body["wrap_info"] = wrap;
            }
            if let Some(id) = logical.first_id {
                body["first_id"] = id.to_string().into();
            }
            Ok(body)
        }
    }
}
