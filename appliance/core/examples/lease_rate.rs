//! What leases of an engine cost, without HTTP and without an audit log: making them, memory, a restart, the end of a
//! prefix. Over a redb file in the folder for temporary files.
//! `cargo run --release -p strongroom-core --example lease_rate -- 1000000`

#![allow(clippy::print_stdout, clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a program for people, not for the daemon

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use serde_json::{Value, json};
use strongroom_barrier::{Arena, Protection};
use strongroom_core::{Core, Parts, SealWish, Settings};
use strongroom_device_api::KeyDevice;
use strongroom_engine::{
    Call, Cx, Endpoint, Engine, Handler, LeaseHandler, LeaseWish, Outcome, Refusal, Reply, Route, SecretKind,
    Table, Write, record,
};
use strongroom_seal::{Devices, SystemEntropy};
use strongroom_store::{Options, RedbStore};
use strongroom_types::id::RequestId;
use strongroom_types::request::Head;
use strongroom_types::time::SystemClock;
use strongroom_types::{ApiPath, Entropy, Operation, Received, Request, Secret};

/// Requests under way at the same time.
const AT_ONCE: u64 = 256;

static ENGINE: Engine =
    Engine { kind: "users", help: "Gives users.", routes: |_| Ok(ROUTES), secrets: &[USER], ..Engine::BASE };
static ENGINES: &[&Engine] = &[&ENGINE];
const USER: SecretKind = SecretKind {
    name: "user",
    renew: None,
    revoke: LeaseHandler::Inline(|_, lease| {
        Ok(vec![Write::delete(record::name("user", lease.text("user"))?)])
    }),
};
const ROUTES: Table<Handler> = &[Route {
    path: "creds",
    help: "A user.",
    endpoints: &[Endpoint::read("Get a user.", &[], give)],
    ..Route::BASE
}];

fn give(cx: &Cx, _: &Call) -> Result<Outcome, Refusal> {
    let user = cx.random::<8>()?.map(|byte| format!("{byte:02x}")).concat();
    let write = Write::put(record::name("user", &user)?, record::encode(1, &user)?).if_unchanged(None);
    Ok(Outcome::new(Reply::data(json!({ "user": user })), vec![write])
        .leased(LeaseWish::of(&USER).with("user", user)))
}

struct NoDevices;

impl Devices for NoDevices {
    fn device(&self, _: &str) -> Option<Arc<dyn KeyDevice>> {
        None
    }
}

fn core(path: &Path) -> Arc<Core> {
    let parts = Parts {
        store: RedbStore::open(path, Options::default()).expect("a store"),
        engines: ENGINES,
        methods: &[],
        audit: Vec::new(),
        devices: Arc::new(NoDevices),
        entropy: Arc::new(SystemEntropy),
        clock: Arc::new(SystemClock),
        arena: Arena::new(64 * 1024, Protection::BestEffort).expect("an arena"),
        settings: Arc::new(Settings::default()),
        seal: SealWish::Custodians,
    };
    Core::new(parts).expect("a core")
}

async fn ask(core: &Arc<Core>, operation: Operation, path: &str, token: &str, body: &Value) -> Option<Value> {
    let mut id = [0; 16];
    SystemEntropy.fill(&mut id).unwrap();
    let head = Head {
        id: RequestId::from_random(id),
        operation,
        path: ApiPath::parse(path).unwrap(),
        query: Vec::new(),
        token: (!token.is_empty()).then(|| Secret::copy_of(token.as_bytes())),
        namespace: String::new(),
        wrap_ttl: None,
        content_type: None,
        remote: None,
        headers: Vec::new(),
    };
    let body = body.to_string().into_bytes();
    match core.handle(Request { head, stage: Received { body: Box::new(body) } }).await {
        Ok(Reply::Json { body, .. }) => Some(body),
        Ok(Reply::Logical(logical)) => logical.data,
        Ok(_) => None,
        Err(refusal) => panic!("{path}: {} {:?}", refusal.message, refusal.cause),
    }
}

async fn unseal(core: &Arc<Core>, key: &str) {
    ask(core, Operation::Update, "sys/unseal", "", &json!({ "key": key })).await;
}

/// Resident MiB.
fn memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() / 1024
}

#[tokio::main]
async fn main() {
    let wanted: u64 = std::env::args().nth(1).and_then(|count| count.parse().ok()).unwrap_or(100_000);
    let folder = std::env::temp_dir().join(format!("strongroom-lease-rate-{}", std::process::id()));
    std::fs::create_dir(&folder).unwrap();
    measure(wanted, &folder.join("data")).await;
    std::fs::remove_dir_all(&folder).unwrap();
}

async fn measure(wanted: u64, path: &Path) {
    let first = core(path);
    let shares = json!({"secret_shares": 1, "secret_threshold": 1});
    let made = ask(&first, Operation::Update, "sys/init", "", &shares).await.unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let (root, key) = (text(made.pointer("/root_token").unwrap()), text(made.pointer("/keys/0").unwrap()));
    unseal(&first, &key).await;
    ask(&first, Operation::Update, "sys/mounts/db", &root, &json!({"type": "users"})).await;

    let (before, begun, count) = (memory(), Instant::now(), Arc::new(AtomicU64::new(0)));
    let makers = (0..AT_ONCE).map(|_| {
        let (core, root, count) = (first.clone(), root.clone(), count.clone());
        tokio::spawn(async move {
            while count.fetch_add(1, Ordering::Relaxed) < wanted {
                ask(&core, Operation::Read, "db/creds", &root, &Value::Null).await;
            }
        })
    });
    for maker in makers.collect::<Vec<_>>() {
        maker.await.unwrap();
    }
    let rate = wanted as f64 / begun.elapsed().as_secs_f64();
    println!(
        "{wanted} leases made, {rate:.0} per second; memory {before} MiB before, {} MiB after",
        memory()
    );
    drop(first);

    // The store's writer may still be at its end.
    tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    let begun = Instant::now();
    let again = core(path);
    unseal(&again, &key).await;
    ask(&again, Operation::Read, "db/creds", &root, &Value::Null).await;
    println!("restart: {:.3} s to the first answer", begun.elapsed().as_secs_f64());

    let begun = Instant::now();
    ask(&again, Operation::Update, "sys/leases/revoke-prefix/db", &root, &json!({"sync": true})).await;
    let rate = wanted as f64 / begun.elapsed().as_secs_f64();
    println!("revoked by prefix: {rate:.0} leases per second; memory then {} MiB", memory());
}
