//! An appliance in memory with every engine and auth method mounted, and with something at most places.

use std::fmt;
use std::ops::Bound;
use std::sync::Arc;

use serde_json::{Value, json};
use strongroom_barrier::{Arena, Protection};
use strongroom_core::{Core, InitWish, Parts, SealWish, Settings};
use strongroom_device_api::KeyDevice;
use strongroom_engine::surface::{Entry, of_engine};
use strongroom_engine::{Body, Operation};
use strongroom_seal::{Devices, SystemEntropy};
use strongroom_store::{MemoryStore, Revision, Space, Store};
use strongroom_types::error::Kind as Blame;
use strongroom_types::id::RequestId;
use strongroom_types::request::Head;
use strongroom_types::time::ManualClock;
use strongroom_types::{ApiPath, Entropy, Received, Refusal, Reply, Request, Secret, Timestamp};

use super::known::{SEEDS, VOLATILE};
use crate::registry::{ENGINES, METHODS};
use crate::routes::tables;

/// The token that may everything.
pub const ROOT: &str = "root-of-the-matrix";
/// What every parameter of a path is, unless a case says otherwise: [`SEEDS`] has put it there.
pub const THING: &str = "thing";
/// The largest body.
pub const LARGEST: usize = 64 * 1024;

/// One operation, at a path that can be asked.
pub struct Spot {
    /// The table's entry, its prefix a real mount.
    pub entry: Entry,
    /// With its parameters filled in.
    pub path: String,
}

impl fmt::Display for Spot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.entry.method(), self.entry.shown_path())
    }
}

impl Spot {
    /// Its path with `value` for each parameter; percent-encoded by the caller where that is needed.
    pub fn with(&self, value: &str) -> String {
        let parts = self.entry.path.split('/').map(|part| if part.starts_with('{') { value } else { part });
        let path = format!("{}/{}", self.entry.prefix, parts.collect::<Vec<_>>().join("/"));
        path.trim_end_matches('/').to_owned()
    }

    /// Asks for it.
    pub fn ask(&self, token: &str) -> Ask {
        self.ask_for(self.entry.operation, token)
    }

    /// Asks for another operation on its path.
    pub fn ask_for(&self, operation: Operation, token: &str) -> Ask {
        let patch = operation == Operation::Patch;
        Ask {
            operation,
            path: self.path.clone(),
            token: token.to_owned(),
            body: if operation.is_write() { b"{}".to_vec() } else { Vec::new() },
            content_type: patch.then(|| "application/merge-patch+json".to_owned()),
            wrap_ttl: None,
        }
    }

    /// Whether access lists see its path with a slash at its end.
    pub fn is_list(&self) -> bool {
        matches!(self.entry.operation, Operation::List | Operation::Scan)
    }

    /// As access lists see its path.
    pub fn acl_path(&self) -> String {
        format!("{}{}", self.path, if self.is_list() { "/" } else { "" })
    }

    /// Whether it reads a body.
    pub fn has_body(&self) -> bool {
        self.entry.body != Body::None && self.entry.operation.is_write()
    }
}

/// A request to be made.
#[derive(Clone)]
pub struct Ask {
    pub operation: Operation,
    /// Percent-encoded; a query may follow.
    pub path: String,
    pub token: String,
    pub body: Vec<u8>,
    pub content_type: Option<String>,
    /// Seconds that the answer is to be put by for.
    pub wrap_ttl: Option<u64>,
}

impl Ask {
    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    pub fn path(mut self, path: impl Into<String>) -> Self {
        self.path = path.into();
        self
    }
}

impl fmt::Display for Ask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let body = String::from_utf8_lossy(&self.body);
        let body: String = body.chars().take(80).collect();
        write!(f, "{} {:?} {body}", self.operation.name(), self.path)
    }
}

/// What is stored: keys and values.
pub type Stored = Vec<(Vec<u8>, Vec<u8>)>;
/// What root can read of the memory: what was asked, and the answer.
pub type Shown = Vec<(String, String)>;
/// What came back.
pub type Answer = Result<Value, Refusal>;

struct NoDevices;

impl Devices for NoDevices {
    fn device(&self, _: &str) -> Option<Arc<dyn KeyDevice>> {
        None
    }
}

/// An appliance, unsealed.
pub struct Rig {
    core: Arc<Core>,
    store: Arc<MemoryStore>,
}

impl Rig {
    pub async fn new() -> Self {
        let store = MemoryStore::new();
        let settings = Settings { max_request_size: LARGEST, ..Settings::default() };
        let parts = Parts {
            store: store.clone(),
            engines: ENGINES,
            methods: METHODS,
            audit: Vec::new(),
            devices: Arc::new(NoDevices),
            entropy: Arc::new(SystemEntropy),
            clock: Arc::new(ManualClock::new(Timestamp::from_secs(1_800_000_000))),
            arena: Arena::new(64 * 1024, Protection::BestEffort).unwrap(),
            settings: Arc::new(settings),
            seal: SealWish::Custodians,
        };
        let rig = Self { core: Core::new(parts).unwrap(), store };
        let root_token = Some(Secret::copy_of(ROOT.as_bytes()));
        let wish =
            InitWish { secret_shares: Some(1), secret_threshold: Some(1), root_token, ..InitWish::default() };
        let made = rig.core.init(wish).await.unwrap();
        let key = data_encoding::HEXLOWER.encode(made.keys.first().unwrap().expose());
        rig.core.offer_share(&key).await.unwrap();
        for (place, body) in mounts() {
            rig.write(&place, &body).await;
        }
        for (path, body) in SEEDS {
            rig.write(path, &serde_json::from_str(body).unwrap()).await;
        }
        rig
    }

    /// As root.
    pub async fn write(&self, path: &str, body: &Value) -> Value {
        let ask = Ask {
            operation: Operation::Update,
            path: path.to_owned(),
            token: ROOT.to_owned(),
            body: body.to_string().into_bytes(),
            content_type: None,
            wrap_ttl: None,
        };
        self.ask(ask).await.unwrap_or_else(|refusal| panic!("{path}: {refusal:?}"))
    }

    /// A token that holds only a policy of this text, which is called `name` from now on.
    pub async fn token(&self, name: &str, policy: &str) -> String {
        self.write(&format!("sys/policies/acl/{name}"), &json!({ "policy": policy })).await;
        let wish = json!({"policies": [name], "no_default_policy": true});
        self.write("auth/token/create", &wish).await["auth"].as_str().unwrap().to_owned()
    }

    pub async fn ask(&self, ask: Ask) -> Answer {
        let (path, query) = ask.path.split_once('?').unwrap_or((&ask.path, ""));
        // As `http` has it: what is no canonical path never gets further.
        let bad = |error: strongroom_types::path::PathError| Refusal::bad_request(error.message());
        let head = Head {
            headers: Vec::new(),
            id: RequestId::from_random((&SystemEntropy as &dyn Entropy).draw().unwrap()),
            operation: ask.operation,
            path: ApiPath::parse(path).map_err(bad)?,
            query: strongroom_types::path::parse_query(query).map_err(bad)?,
            token: (!ask.token.is_empty()).then(|| Secret::copy_of(ask.token.as_bytes())),
            namespace: String::new(),
            wrap_ttl: ask.wrap_ttl,
            content_type: ask.content_type,
            remote: None,
        };
        let request = Request { head, stage: Received { body: Box::new(ask.body) } };
        self.core.handle(request).await.map(seen)
    }

    /// The commit that the store is the result of.
    pub fn revision(&self) -> Revision {
        self.store.snapshot().unwrap().revision()
    }

    /// All that is stored, and its sums.
    pub fn stored(&self) -> Stored {
        let snapshot = self.store.snapshot().unwrap();
        let mut all = Vec::new();
        for space in [Space::Cluster, Space::Node] {
            all.push((b"sum".to_vec(), snapshot.accumulated(space).unwrap().to_vec()));
            let mut last = Vec::new();
            while let Some((key, stored)) = snapshot.seek(space, Bound::Excluded(&last)).unwrap() {
                last.clone_from(&key);
                all.push((key, stored.value));
            }
        }
        all
    }

    /// All that root can read without naming anything: mounts, methods, policies, tokens, configuration.
    pub async fn shown(&self) -> Shown {
        let mut shown = Vec::new();
        let is_wanted = |entry: &Entry| {
            let reads = matches!(entry.operation, Operation::Read | Operation::List | Operation::Scan);
            reads && entry.params.is_empty() && !VOLATILE.iter().any(|(path, _)| *path == entry.shown_path())
        };
        for spot in spots().into_iter().filter(|spot| is_wanted(&spot.entry)) {
            let answer = self.ask(spot.ask(ROOT)).await;
            assert!(
                !answer.as_ref().is_err_and(|refusal| refusal.kind == Blame::Internal),
                "{spot}: {answer:?}"
            );
            shown.push((spot.to_string(), format!("{answer:?}")));
        }
        shown
    }
}

/// What a client would see, as far as the cases look at it.
fn seen(reply: Reply) -> Value {
    match reply {
        Reply::Headed { reply, .. } => seen(*reply),
        Reply::Empty => Value::Null,
        Reply::Json { status, body } => json!({ "status": status, "body": body }),
        Reply::Raw { status, body, .. } => json!({ "status": status, "body": body }),
        Reply::Stream(stream) => json!({ "stream": stream.content_type }),
        Reply::Logical(logical) => json!({
            "data": logical.data,
            "auth": logical.auth.as_ref().and_then(|auth| auth.client_token.expose_str()),
            "warnings": logical.warnings,
        }),
    }
}

/// Where each engine's and each method's table is mounted, and what says so.
fn mounts() -> Vec<(String, Value)> {
    let mut all = vec![(format!("sys/mounts/{THING}"), json!({"type": "kv"}))];
    for (kind, table) in ENGINES.iter().map(|e| (e.kind, tables(e))).filter(|(kind, _)| *kind != "cubbyhole")
    {
        for (number, (options, _)) in table.into_iter().enumerate() {
            let options: Value = options.trim().split_once('=').map(|(k, v)| json!({ k: v })).into();
            all.push((format!("sys/mounts/m-{kind}-{number}"), json!({ "type": kind, "options": options })));
        }
    }
    for method in METHODS {
        let kind = method.engine.kind;
        all.push((format!("sys/auth/m-{kind}-0"), json!({ "type": kind })));
    }
    all
}

/// Every operation there is.
pub fn spots() -> Vec<Spot> {
    let mut entries = strongroom_core::surface();
    for engine in ENGINES {
        for (number, (_, table)) in tables(engine).into_iter().enumerate() {
            let at = match engine.kind {
                "cubbyhole" => "cubbyhole".to_owned(),
                kind => format!("m-{kind}-{number}"),
            };
            entries.extend(of_engine(&at, table));
        }
    }
    for method in METHODS {
        for (number, (_, table)) in tables(&method.engine).into_iter().enumerate() {
            entries.extend(of_engine(&format!("auth/m-{}-{number}", method.engine.kind), table));
        }
    }
    let spot = |entry| {
        let mut spot = Spot { entry, path: String::new() };
        spot.path = spot.with(THING);
        spot
    };
    entries.into_iter().map(spot).collect()
}
