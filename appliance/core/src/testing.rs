//! A whole appliance in memory, for tests: store, audit sink, clock and devices are at hand, and requests are one
//! line.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use strongroom_audit::SinkConfig;
use strongroom_audit::testing::MemorySink;
use strongroom_barrier::{Arena, Protection};
use strongroom_device_api::mock::MockDevice;
use strongroom_device_api::{KeyDevice, KeyId};
use strongroom_engine::auth::TOKEN_FIELDS;
use strongroom_engine::{
    Call, Cx, Endpoint, Engine, FieldSpec, Handler, Knock, Login, Method, Name, NoLogin, Outcome, Param,
    ParamKind, Refusal, Reply, Route, Table, TokenWish, Write, record,
};
use strongroom_seal::{DeviceKind, Devices, GroupPlan, SystemEntropy};
use strongroom_store::{MemoryStore, Store};
use strongroom_types::error::Kind;
use strongroom_types::id::RequestId;
use strongroom_types::request::Head;
use strongroom_types::time::ManualClock;
use strongroom_types::{ApiPath, Entropy, NoEntropy, Operation, Received, Request, Secret, Timestamp};

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
        Ok(Reply::Raw { .. }) => Ok(Value::Null),
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

// === engines ===

static TOY: Engine = Engine {
    kind: "toy",
    help: "Keeps objects, and counts.",
    routes: |_| Ok(TOY_ROUTES),
    sweep: Some(sweep),
    ..Engine::BASE
};
static CUBBYHOLE: Engine = Engine {
    kind: "cubbyhole",
    help: "Objects of a token.",
    routes: |_| Ok(CUBBYHOLE_ROUTES),
    ..Engine::BASE
};
/// What stands at `old` and at `broken` in the toys: the one goes, the other ends the sweep of its mount.
fn sweep(cx: &Cx) -> Result<Vec<Write>, Refusal> {
    if cx.get(&record::name("objects", "broken")?)?.is_some() {
        return Err(Refusal::fault("a record that is broken"));
    }
    let old = record::name("objects", "old")?;
    Ok(cx.get(&old)?.map(|_| Write::delete(old)).into_iter().collect())
}

static ENGINES: &[&Engine] = &[&TOY, &CUBBYHOLE, &crate::leases::testing::VENDING];
static DOOR: Method = Method {
    engine: Engine { kind: "door", help: "Opens to a word.", routes: |_| Ok(DOOR_ROUTES), ..Engine::BASE },
    knock: Some(|cx, call| {
        let alias = call.param("path").to_owned();
        let is_known = cx.has(&record::name("who", &alias)?)?;
        let role = call.fields.get("role").and_then(Value::as_str).map(str::to_owned);
        Ok(Knock { alias, is_known, turn: None, role })
    }),
    renew: |cx, alias| token_of(cx, alias),
};
static METHODS: &[&Method] = &[&DOOR];

const PATH: Param = Param { name: "path", help: "Where.", kind: ParamKind::Exact };
const OBJECT: &[FieldSpec] = &[FieldSpec::REST];

const TOY_ROUTES: Table<Handler> = &[
    Route {
        path: "count",
        help: "Counts its writes.",
        endpoints: &[
            Endpoint::write("Count.", &[], count),
            Endpoint::read("Read the count.", &[], read_count),
        ],
        ..Route::BASE
    },
    Route {
        path: "{path*?}",
        params: &[PATH],
        help: "An object.",
        exists: Some(|cx, call| Ok(cx.get(&at(cx, call)?)?.is_some())),
        endpoints: OBJECT_ENDPOINTS,
        ..Route::BASE
    },
];

const CUBBYHOLE_ROUTES: Table<Handler> = &[Route {
    path: "{path*?}",
    params: &[PATH],
    help: "An object.",
    endpoints: OBJECT_ENDPOINTS,
    ..Route::BASE
}];

const OBJECT_ENDPOINTS: &[Endpoint<Handler>] = &[
    Endpoint::read("Read.", &[], read),
    Endpoint::write("Write.", OBJECT, write),
    Endpoint::delete("Delete.", |cx, call| Ok(Outcome::done(vec![Write::delete(at(cx, call)?)]))),
    Endpoint::list("List.", |cx, call| Ok(Outcome::reply(Reply::keys(cx.list(&at(cx, call)?, call)?)))),
];

/// Whoever says `open` comes in, as what is written of them.
const DOOR_ROUTES: Table<Handler> = &[
    Route {
        path: "who/{path}",
        params: &[PATH],
        help: "What the token of somebody is to be.",
        endpoints: &[Endpoint::write("Write.", &TOKEN_FIELDS, |_, call| {
            let mut token = TokenWish::default();
            token.take(call)?;
            let name = record::name("who", call.param("path"))?;
            Ok(Outcome::done(vec![Write::put(name, record::encode(1, &token)?)]))
        })],
        ..Route::BASE
    },
    Route {
        path: "login/{path}",
        params: &[PATH],
        help: "Log in.",
        unauthenticated: true,
        endpoints: &[Endpoint::login("Log in.", OBJECT, |cx, call| {
            let alias = call.param("path").to_owned();
            if call.fields.get("word").and_then(Value::as_str) != Some("open") {
                return Err(NoLogin::wrong("wrong word"));
            }
            let seen = Write::put(record::name("seen", &alias)?, record::encode(1, &1)?);
            let metadata = [("name".to_owned(), Value::from(alias.as_str()))].into_iter().collect();
            Ok(Login {
                token: token_of(cx, &alias)?,
                display_name: alias.clone(),
                alias,
                metadata,
                writes: vec![seen],
            })
        })],
        ..Route::BASE
    },
];

fn token_of(cx: &Cx, alias: &str) -> Result<TokenWish, Refusal> {
    let entry = cx.get(&record::name("who", alias)?)?;
    record::decode(1, &entry.ok_or_else(|| Refusal::bad_request("nobody of this name"))?)
}

/// In a cubbyhole below the token's own name.
fn at(cx: &Cx, call: &Call) -> Result<Name, Refusal> {
    let own = cx.caller.as_ref().and_then(|caller| caller.cubbyhole.as_deref());
    let prefix = own.filter(|_| cx.mount.path == "cubbyhole/").unwrap_or("objects");
    record::name(prefix, call.param("path"))
}

fn read(cx: &Cx, call: &Call) -> Result<Outcome, Refusal> {
    let entry = cx.get(&at(cx, call)?)?.ok_or_else(Refusal::not_found)?;
    Ok(Outcome::reply(Reply::data(record::decode(1, &entry)?)))
}

fn write(cx: &Cx, call: &Call) -> Result<Outcome, Refusal> {
    let object = record::encode(1, &call.fields)?;
    Ok(Outcome::done(vec![record::replace(cx, call, at(cx, call)?, object)?]))
}

fn count(cx: &Cx, _: &Call) -> Result<Outcome, Refusal> {
    let name = Name::new(["count"]).unwrap();
    let seen = cx.get(&name)?;
    let count: u64 = seen.as_ref().map_or(Ok(0), |entry| record::decode(1, entry))?;
    let write = Write::put(name, record::encode(1, &(count + 1))?).if_unchanged(seen.as_ref());
    Ok(Outcome::new(Reply::data(json!({ "count": count + 1 })), vec![write]))
}

fn read_count(cx: &Cx, _: &Call) -> Result<Outcome, Refusal> {
    let entry = cx.get(&Name::new(["count"]).unwrap())?.ok_or_else(Refusal::not_found)?;
    Ok(Outcome::reply(Reply::data(json!({ "count": record::decode::<u64>(1, &entry)? }))))
}
