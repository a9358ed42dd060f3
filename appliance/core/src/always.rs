//! The few paths that are answered in every state: init, unseal, and how the appliance is.
//!
//! They need no token, have no envelope and no audit line, as Vault has it: they tell nothing secret, and while
//! sealed there is no salt to write a line with. Init and unseal are in the server's own log.

use std::sync::Arc;

use serde_json::{Value, json};
use strongroom_engine::field::convert;
use strongroom_engine::{Body, Endpoint, Field, FieldSpec, Route, Table};
use strongroom_types::error::Kind;
use strongroom_types::request::Head;
use strongroom_types::{JsonMap, Operation, Received, Refusal, Reply, Request, Secret};

use crate::lifecycle::{InitWish, SealFacts, SealedStatus, State};
use crate::stage::object;
use crate::{Core, Finish, SealWish};

/// Largest body of these paths: whoever sends it is nobody yet.
const MAX_BODY: usize = 64 * 1024;
/// The same of an init that may happen: as many keys as there can be shares, of the usual size.
const MAX_INIT: usize = 2 * 1024 * 1024;

const SHARES: Field<i64> =
    Field::new("secret_shares", "How many custodians get a share; 5 if neither number is given.");
const THRESHOLD: Field<i64> =
    Field::new("secret_threshold", "How many of them open; 3 if neither number is given.");
const RECOVERY_SHARES: Field<i64> =
    Field::new("recovery_shares", "How many get a break-glass share, where devices unseal.");
const RECOVERY_THRESHOLD: Field<i64> =
    Field::new("recovery_threshold", "How many of them open without any device.");
const TOTAL_LOSS: Field<bool> =
    Field::new("accept_total_loss", "Needed for recovery_shares=0: a lost device then loses everything.");
const PGP_KEYS: Field<Vec<String>> = Field::new(
    "pgp_keys",
    "OpenPGP keys, one for each share and in base64: each share is handed out encrypted for its key.",
);
const RECOVERY_PGP_KEYS: Field<Vec<String>> =
    Field::new("recovery_pgp_keys", "The same for the break-glass shares.");
const ROOT_PGP_KEY: Field<String> = Field::new("root_token_pgp_key", "The same for the root token.");
const KEY: Field<String> = Field::new("key", "One share, in hexadecimal or base64.");
const RESET: Field<bool> = Field::new("reset", "Forgets the shares given so far.");

const INIT: &[FieldSpec] = &[
    SHARES.spec(),
    THRESHOLD.spec(),
    RECOVERY_SHARES.spec(),
    RECOVERY_THRESHOLD.spec(),
    TOTAL_LOSS.spec(),
    PGP_KEYS.spec(),
    RECOVERY_PGP_KEYS.spec(),
    ROOT_PGP_KEY.spec(),
];
const UNSEAL: &[FieldSpec] = &[KEY.spec(), RESET.spec()];

const PUBLIC: &str = "tells nothing secret";

/// What answers.
#[derive(Clone, Copy)]
pub enum Which {
    Initialised,
    Init,
    SealStatus,
    Unseal,
    Health,
    Leader,
}

/// The routes of this file, below `sys/`.
pub const ROUTES: Table<Which> = &[
    route(
        "init",
        "Whether the appliance is initialised, and initialising it.",
        "a write counts only while nothing is initialised",
        &[
            read("Read whether it is initialised.", Which::Initialised),
            write("Initialise.", INIT, Which::Init),
        ],
    ),
    route(
        "seal-status",
        "How far unsealing is.",
        PUBLIC,
        &[read("Read the seal's status.", Which::SealStatus)],
    ),
    route(
        "unseal",
        "Unseals with shares.",
        "a share of the root key",
        &[write("Give a share, or forget those given.", UNSEAL, Which::Unseal)],
    ),
    route(
        "health",
        "How the appliance is, as a status code.",
        PUBLIC,
        &[read("Read the health.", Which::Health)],
    ),
    route("leader", "Which node leads; there is one.", PUBLIC, &[read("Read the leader.", Which::Leader)]),
];

const fn route(
    path: &'static str,
    help: &'static str,
    instead: &'static str,
    endpoints: &'static [Endpoint<Which>],
) -> Route<Which> {
    Route { path, help, instead, endpoints, unauthenticated: true, ..Route::BASE }
}

const fn read(summary: &'static str, run: Which) -> Endpoint<Which> {
    Endpoint { operation: Operation::Read, summary, fields: &[], body: Body::None, run }
}

const fn write(summary: &'static str, fields: &'static [FieldSpec], run: Which) -> Endpoint<Which> {
    Endpoint { operation: Operation::Update, summary, fields, body: Body::Json, run }
}

/// The route for `path`, if it is one of these.
fn find(path: &str) -> Option<&'static Route<Which>> {
    let below = path.strip_prefix("sys/")?;
    ROUTES.iter().find(|route| route.path == below)
}

/// Whether `path` is answered in every state.
pub fn serves(path: &str) -> bool {
    find(path).is_some()
}

/// Answers.
pub async fn answer(core: &Arc<Core>, request: Request<Received>) -> Result<Reply, Refusal> {
    let Request { head, stage: Received { mut body } } = request;
    if !head.namespace.is_empty() {
        return Err(Refusal::bad_request("this path is not available in a namespace"));
    }
    let route = find(head.path.as_str()).ok_or_else(Refusal::not_found)?;
    let operation = if head.operation == Operation::Head { Operation::Read } else { head.operation };
    let endpoint = route.endpoint(operation).ok_or_else(|| Refusal::new(Kind::Unsupported, ""))?;
    let mut fields = JsonMap::new();
    if endpoint.body == Body::Json {
        let is_large = matches!(endpoint.run, Which::Init) && !core.is_initialised();
        let raw =
            body.read(if is_large { MAX_INIT } else { MAX_BODY }).await.map_err(crate::stage::unread)?;
        // Old clients write `Key` and `Reset`.
        let given = object(&raw, &core.parts.settings.json)?.into_iter();
        fields = given.map(|(key, value)| (key.to_lowercase(), value)).collect();
        convert(endpoint.fields, &mut fields)?;
    }
    match endpoint.run {
        Which::Initialised => json_reply(json!({ "initialized": core.is_initialised() })),
        Which::Init => init(core, &fields).await,
        Which::SealStatus => json_reply(seal_status(core)),
        Which::Unseal => unseal(core, &fields).await,
        Which::Health => health(core, &head),
        Which::Leader => json_reply(leader()),
    }
}

fn json_reply(body: Value) -> Result<Reply, Refusal> {
    Ok(Reply::Json { status: 200, body })
}

// === init ===

async fn init(core: &Arc<Core>, fields: &JsonMap) -> Result<Reply, Refusal> {
    let wish = InitWish {
        secret_shares: SHARES.of(fields),
        secret_threshold: THRESHOLD.of(fields),
        recovery_shares: RECOVERY_SHARES.of(fields),
        recovery_threshold: RECOVERY_THRESHOLD.of(fields),
        accept_total_loss: TOTAL_LOSS.of(fields).unwrap_or_default(),
        pgp_keys: PGP_KEYS.of(fields).unwrap_or_default(),
        recovery_pgp_keys: RECOVERY_PGP_KEYS.of(fields).unwrap_or_default(),
        root_token_pgp_key: ROOT_PGP_KEY.of(fields).filter(|key| !key.is_empty()),
        root_token: None,
    };
    let own = core.clone();
    let made = Finish::new(async move { own.init(wish).await }).await?;
    let mut body = json!({
        "keys": hex(&made.keys),
        "keys_base64": base64(&made.keys),
        "root_token": made.root_token.expose_str().unwrap_or_default(),
    });
    if let (Some(body), false) = (body.as_object_mut(), made.recovery_keys.is_empty()) {
        body.insert("recovery_keys".into(), json!(hex(&made.recovery_keys)));
        body.insert("recovery_keys_base64".into(), json!(base64(&made.recovery_keys)));
    }
    json_reply(body)
}

fn hex(shares: &[Secret]) -> Vec<String> {
    shares.iter().map(|share| data_encoding::HEXLOWER.encode(share.expose())).collect()
}

fn base64(shares: &[Secret]) -> Vec<String> {
    shares.iter().map(|share| data_encoding::BASE64.encode(share.expose())).collect()
}

// === unseal ===

async fn unseal(core: &Arc<Core>, fields: &JsonMap) -> Result<Reply, Refusal> {
    if RESET.of(fields).unwrap_or_default() {
        core.reset_shares().await?;
        return json_reply(seal_status(core));
    }
    let key = KEY.of(fields).filter(|key| !key.is_empty()).ok_or_else(|| {
        Refusal::bad_request("'key' must be specified in request body as JSON, or 'reset' set to true")
    })?;
    let key = Secret::from(key);
    let is_text = key.expose_str().is_some_and(|key| {
        let key = key.trim().as_bytes();
        data_encoding::HEXLOWER_PERMISSIVE.decode(key).is_ok() || data_encoding::BASE64.decode(key).is_ok()
    });
    if core.is_initialised() && !is_text {
        return Err(Refusal::bad_request("'key' must be a valid hex or base64 string"));
    }
    let own = core.clone();
    Finish::new(async move { own.offer_share(key.expose_str().unwrap_or_default()).await }).await?;
    json_reply(seal_status(core))
}

fn seal_status(core: &Core) -> Value {
    let state = core.state();
    let (facts, status, mut warnings) = match &*state {
        State::Uninitialised => (None, SealedStatus::default(), Vec::new()),
        State::Sealed(sealed) => {
            let status = sealed.status();
            let warnings = status.troubles.clone();
            (sealed.facts.clone(), status, warnings)
        }
        State::Active(active) => (
            Some(SealFacts::clone(&active.facts.load())),
            SealedStatus::default(),
            active.clock.complaint().into_iter().collect(),
        ),
    };
    let wished = || match &core.parts.seal {
        SealWish::Custodians => "shamir".to_owned(),
        SealWish::Groups { groups, .. } => crate::lifecycle::kind(groups),
    };
    // Before init too: by it the command line knows which numbers init takes.
    let recovery = matches!(core.parts.seal, SealWish::Groups { .. });
    warnings.extend(facts.iter().flat_map(SealFacts::complaints));
    let facts =
        facts.unwrap_or_else(|| SealFacts { kind: wished(), t: 0, n: 0, recovery, replaced: Vec::new() });
    let mut body = json!({
        "type": facts.kind,
        "initialized": core.is_initialised(),
        "sealed": core.is_sealed(),
        "t": facts.t,
        "n": facts.n,
        "progress": status.progress.given,
        "nonce": status.nonce,
        "version": core.parts.settings.version,
        "build_date": "",
        "commit_date": "",
        "migration": false,
        "recovery_seal": facts.recovery,
        "storage_type": core.parts.settings.storage_type,
    });
    if let Some(body) = body.as_object_mut() {
        if facts.recovery {
            body.insert("recovery_seal_type".into(), "shamir".into());
        }
        add_cluster(&state, body);
        if !warnings.is_empty() {
            body.insert("warnings".into(), json!(warnings));
        }
    }
    body
}

/// The cluster's name and id are shown while it is unsealed.
fn add_cluster(state: &State, body: &mut JsonMap) {
    if let State::Active(active) = state {
        body.insert("cluster_name".into(), active.cluster.name.clone().into());
        body.insert("cluster_id".into(), active.cluster.id.to_string().into());
    }
}

// === health and leader ===

fn health(core: &Core, head: &Head) -> Result<Reply, Refusal> {
    let code = |name: &str, usual: u16| -> Result<u16, Refusal> {
        let given = head.query.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
        let Some(given) = given else { return Ok(usual) };
        // What is no status code could not be answered.
        let code = given.parse().ok().filter(|code| (200..=599).contains(code));
        code.ok_or_else(|| Refusal::bad_request(format!("bad value for {name:?}: it must be a status code")))
    };
    let (active, sealed, uninitialised) =
        (code("activecode", 200)?, code("sealedcode", 503)?, code("uninitcode", 501)?);
    for other in ["standbycode", "drsecondarycode", "performancestandbycode"] {
        code(other, 429)?;
    }
    let state = core.state();
    let (status, is_active) = match &*state {
        State::Uninitialised => (uninitialised, false),
        State::Sealed(_) => (sealed, false),
        State::Active(_) => (active, true),
    };
    let mut body = json!({
        "initialized": core.is_initialised(),
        "sealed": !is_active,
        "standby": !is_active,
        "performance_standby": false,
        "replication_performance_mode": "disabled",
        "replication_dr_mode": "disabled",
        "server_time_utc": core.parts.clock.now().secs(),
        "version": core.parts.settings.version,
        "enterprise": false,
        "echo_duration_ms": 0,
        "clock_skew_ms": 0,
    });
    if let Some(body) = body.as_object_mut() {
        add_cluster(&state, body);
        if let State::Active(active) = &*state
            && let Some(complaint) = active.clock.complaint()
        {
            body.insert("warnings".into(), json!([complaint]));
        }
    }
    Ok(Reply::Json { status, body })
}

fn leader() -> Value {
    json!({
        "ha_enabled": false,
        "is_self": false,
        "active_time": "0001-01-01T00:00:00Z",
        "leader_address": "",
        "leader_cluster_address": "",
        "performance_standby": false,
        "performance_standby_last_remote_wal": 0,
    })
}
