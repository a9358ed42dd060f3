//! `auth/token/`: make, look up, renew, revoke.

use serde_json::{Value, json};
use strongroom_barrier::{Reader, View, Write};
use strongroom_engine::{Body, Endpoint, Field, FieldSpec, Route, Seconds, Table};
use strongroom_policy::PolicyName;
use strongroom_types::reply::{AuthReply, Logical};
use strongroom_types::time::format_duration;
use strongroom_types::{JsonMap, Operation, Refusal, Reply, Secret};

use super::tree::due;
use super::{Known, ROOT, TokenRecord, Wish, name};
use crate::fault::damaged;
use crate::perform::{After, Run, Scene, SystemHandler, Work};
use crate::stage::Asker;

const TOKEN: Field<String> = Field::new("token", "The token.");
const ACCESSOR: Field<String> = Field::new("accessor", "The accessor of the token.");
const INCREMENT: Field<Seconds> = Field::new("increment", "How long it is to live from now on.");
const ID: Field<String> = Field::new("id", "The token itself, instead of a random one; needs sudo.");
const POLICIES: Field<Vec<String>> = Field::new("policies", "The policies; the maker's own by default.");
const META: Field<JsonMap> = Field::new("meta", "Text by text, shown in look-ups and in the audit log.");
const NO_PARENT: Field<bool> = Field::new("no_parent", "Whether it outlives its maker; needs sudo.");
const NO_DEFAULT: Field<bool> = Field::new("no_default_policy", "Whether the default policy is left out.");
const RENEWABLE: Field<bool> = Field::new("renewable", "Whether it may be renewed; true by default.");
const TTL: Field<Seconds> = Field::new("ttl", "How long it lives.");
const LEASE: Field<Seconds> = Field::new("lease", "The older name of 'ttl'.");
const TYPE: Field<String> = Field::new("type", "service.");
const MAX_TTL: Field<Seconds> =
    Field::new("explicit_max_ttl", "How long it lives at most, whatever is renewed.");
const DISPLAY_NAME: Field<String> = Field::new("display_name", "For people.");
const NUM_USES: Field<i64> = Field::new("num_uses", "How often it may be used; 0 is unlimited.");
const PERIOD: Field<Seconds> = Field::new("period", "What each renewal gives; needs sudo.");
const ALIAS: Field<String> = Field::new("entity_alias", "Only with a role that allows it.");

const CREATE: &[FieldSpec] = &[
    ID.spec(),
    POLICIES.spec(),
    META.spec(),
    NO_PARENT.spec(),
    NO_DEFAULT.spec(),
    RENEWABLE.spec(),
    TTL.spec(),
    LEASE.spec(),
    TYPE.spec(),
    MAX_TTL.spec(),
    DISPLAY_NAME.spec(),
    NUM_USES.spec(),
    PERIOD.spec(),
    ALIAS.spec(),
];
const BY_TOKEN: &[FieldSpec] = &[TOKEN.spec(), INCREMENT.spec()];
const BY_ACCESSOR: &[FieldSpec] = &[ACCESSOR.spec(), INCREMENT.spec()];

/// All routes below `auth/token/`.
pub const TABLES: &[Table<Run>] = &[ROUTES];

const ROUTES: &[Route<Run>] = &[
    route("create", "Make a child token.", &[bear("Make a token.", create)]),
    route("create-orphan", "Make a token without parent.", &[bear("Make a token.", create_orphan)]),
    route(
        "lookup",
        "Look a token up.",
        &[
            update("Look a token up.", BY_TOKEN, lookup),
            read("Look the caller's token up.", &[], lookup_by_get),
        ],
    ),
    route(
        "lookup-self",
        "Look the caller's token up.",
        &[read("Look it up.", &[], lookup_self), update("Look it up.", &[], lookup_self)],
    ),
    route(
        "lookup-accessor",
        "Look a token up by accessor.",
        &[update("Look it up.", BY_ACCESSOR, lookup_accessor)],
    ),
    route("renew", "Let a token live longer.", &[update("Renew.", BY_TOKEN, renew)]),
    route("renew-self", "Let the caller's token live longer.", &[update("Renew.", BY_TOKEN, renew_self)]),
    route(
        "renew-accessor",
        "Let a token live longer, by accessor.",
        &[update("Renew.", BY_ACCESSOR, renew_accessor)],
    ),
    route("revoke", "End a token and its children.", &[revoking(BY_TOKEN, revoke)]),
    route("revoke-self", "End the caller's token and its children.", &[revoking(&[], revoke_self)]),
    route("revoke-accessor", "End a token by accessor.", &[revoking(BY_ACCESSOR, revoke_accessor)]),
    route("tidy", "Remove what has expired; that happens by itself, too.", &[update("Tidy.", &[], tidy)]),
    route("revoke-orphan", "End a token; its children live on.", &[revoking(BY_TOKEN, revoke_orphan)]),
    Route {
        path: "accessors",
        help: "The accessors of all tokens.",
        sudo: true,
        endpoints: &[Endpoint {
            operation: Operation::List,
            summary: "List the accessors.",
            fields: &[],
            body: Body::None,
            run: Run::Free(accessors),
        }],
        ..Route::BASE
    },
];

const fn route(path: &'static str, help: &'static str, endpoints: &'static [Endpoint<Run>]) -> Route<Run> {
    Route { path, help, endpoints, ..Route::BASE }
}

const fn update(summary: &'static str, fields: &'static [FieldSpec], run: SystemHandler) -> Endpoint<Run> {
    Endpoint { operation: Operation::Update, summary, fields, body: Body::Json, run: Run::Free(run) }
}

/// Makes a child: not while a parent is being revoked.
const fn bear(summary: &'static str, run: SystemHandler) -> Endpoint<Run> {
    Endpoint {
        operation: Operation::Update,
        summary,
        fields: CREATE,
        body: Body::Json,
        run: Run::Bearing(run),
    }
}

/// Revokes: not while a child is being made.
const fn revoking(fields: &'static [FieldSpec], run: SystemHandler) -> Endpoint<Run> {
    let summary = "Revoke.";
    Endpoint { operation: Operation::Update, summary, fields, body: Body::Json, run: Run::Revoking(run) }
}

const fn read(summary: &'static str, fields: &'static [FieldSpec], run: SystemHandler) -> Endpoint<Run> {
    Endpoint { operation: Operation::Read, summary, fields, body: Body::None, run: Run::Free(run) }
}

// === make ===

fn create(scene: &Scene<'_>) -> Result<Work, Refusal> {
    let orphan = scene.request.stage.call.get(&NO_PARENT).unwrap_or_default();
    if orphan && !has_sudo(scene)? {
        return Err(Refusal::bad_request("root or sudo privileges required to create orphan token"));
    }
    make(scene, orphan)
}

fn create_orphan(scene: &Scene<'_>) -> Result<Work, Refusal> {
    make(scene, true)
}

fn make(scene: &Scene<'_>, orphan: bool) -> Result<Work, Refusal> {
    let call = &scene.request.stage.call;
    // As it is now: it may have been revoked while this request waited for its turn.
    let parent =
        scene.active.tokens.find_by_key(&reader(scene), asker(scene)?.known.key.clone(), scene.now)?;
    let parent = &parent.ok_or_else(Refusal::denied)?;
    let sudo = has_sudo(scene)?;
    if parent.record.num_uses > 0 {
        return Err(Refusal::bad_request("restricted use token cannot generate child tokens"));
    }
    match call.get(&TYPE).as_deref() {
        None | Some("" | "default" | "service") => {}
        Some("batch") => return Err(Refusal::bad_request("batch tokens are not available")),
        Some(_) => return Err(Refusal::bad_request("invalid 'type' value")),
    }
    if call.get(&ALIAS).is_some_and(|alias| !alias.is_empty()) {
        return Err(Refusal::bad_request("'entity_alias' is only allowed in combination with token role"));
    }
    let period = seconds(call.get(&PERIOD), "period")?;
    if period > 0 && !sudo {
        return Err(Refusal::bad_request("root or sudo privileges required to create periodic token"));
    }
    let policies = child_policies(scene, &parent.record, sudo)?;
    let is_root = policies.iter().any(|policy| policy == ROOT);
    let (ttl, warnings) = first_ttl(scene, parent, is_root, period)?;
    let id = chosen_id(scene, sudo)?;
    let display_name = match call.get(&DISPLAY_NAME).filter(|name| !name.is_empty()) {
        Some(name) => format!("token-{}", sanitised(&name)),
        None => "token".into(),
    };
    let wish = Wish {
        id,
        policies,
        path: scene.request.head.path.as_str().to_owned(),
        meta: call.get(&META).map(texts).transpose()?,
        display_name,
        ttl,
        explicit_max_ttl: seconds(call.get(&MAX_TTL), "explicit_max_ttl")?,
        period,
        num_uses: u64::try_from(call.get(&NUM_USES).unwrap_or(0))
            .map_err(|_| Refusal::bad_request("number of uses cannot be negative"))?,
        renewable: call.get(&RENEWABLE).unwrap_or(true) && ttl > 0,
        parent: (!orphan).then(|| parent.key.clone()),
    };
    let active = scene.active;
    let minted = active.tokens.mint(wish, active.entropy.as_ref(), scene.now)?;
    let writes = in_view(scene, minted.writes);
    Ok(Work { writes, ..Work::reply(auth_reply(minted.auth, warnings)) })
}

/// The canonical policies of a child: its own wish within what its maker may give.
fn child_policies(scene: &Scene<'_>, parent: &TokenRecord, sudo: bool) -> Result<Vec<String>, Refusal> {
    let call = &scene.request.stage.call;
    let wished = call.get(&POLICIES).unwrap_or_default();
    let mut policies = Vec::new();
    for wish in &wished {
        let canonical = PolicyName::parse(wish).map_err(|error| Refusal::bad_request(error.to_string()))?;
        policies.push(canonical.as_str().to_owned());
    }
    if policies.is_empty() {
        policies.clone_from(&parent.policies);
    }
    if call.get(&NO_DEFAULT).unwrap_or_default() {
        policies.retain(|policy| policy != "default" || wished.iter().any(|wish| wish == "default"));
    } else if !policies.iter().any(|policy| policy == ROOT) {
        policies.push("default".into());
    }
    policies.sort();
    policies.dedup();
    if policies.iter().any(|policy| policy == "response-wrapping") {
        return Err(Refusal::bad_request("cannot assign policy \"response-wrapping\""));
    }
    if policies.iter().any(|policy| policy == ROOT) {
        if !parent.is_root() {
            return Err(Refusal::bad_request(
                "root tokens may not be created without parent token being root",
            ));
        }
        policies = vec![ROOT.to_owned()];
    }
    let held = |policy: &String| policy == "default" || parent.policies.contains(policy);
    if !sudo && !policies.iter().all(held) {
        return Err(Refusal::bad_request("child policies must be subset of parent"));
    }
    Ok(policies)
}

/// How long a new token lives, and what to warn of.
fn first_ttl(
    scene: &Scene<'_>,
    parent: &Known,
    is_root: bool,
    period: i64,
) -> Result<(i64, Vec<String>), Refusal> {
    let call = &scene.request.stage.call;
    let wished = seconds(call.get(&TTL).or_else(|| call.get(&LEASE)), "ttl")?;
    let explicit = seconds(call.get(&MAX_TTL), "explicit_max_ttl")?;
    let settings = &scene.active.settings;
    if is_root && wished == 0 && period == 0 && explicit == 0 {
        if parent.record.expires.is_some() {
            return Err(Refusal::bad_request("expiring root tokens cannot create non-expiring root tokens"));
        }
        return Ok((0, Vec::new()));
    }
    let base = if period > 0 {
        period
    } else if wished > 0 {
        wished
    } else {
        settings.default_lease_ttl
    };
    let max = if explicit > 0 { explicit.min(settings.max_lease_ttl) } else { settings.max_lease_ttl };
    Ok(capped(base, max))
}

fn capped(ttl: i64, max: i64) -> (i64, Vec<String>) {
    if ttl <= max {
        return (ttl, Vec::new());
    }
    let (wished, most) = (short(ttl), short(max));
    let text = format!(
        "TTL of \"{wished}\" exceeded the effective max_ttl of \"{most}\"; TTL value is capped accordingly"
    );
    (max, vec![text])
}

/// `5h0m0s` as `5h`: how these warnings write durations.
fn short(secs: i64) -> String {
    let text = format_duration(secs.saturating_mul(1_000_000_000));
    let text = text.strip_suffix("m0s").map_or(text.clone(), |minutes| format!("{minutes}m"));
    text.strip_suffix("h0m").map_or(text.clone(), |hours| format!("{hours}h"))
}

/// A chosen id: only for those with sudo, and never one that looks like ours.
fn chosen_id(scene: &Scene<'_>, sudo: bool) -> Result<Option<Secret>, Refusal> {
    let Some(id) = scene.request.stage.call.get(&ID).filter(|id| !id.is_empty()) else { return Ok(None) };
    if !sudo {
        return Err(Refusal::bad_request("root or sudo privileges required to specify token id"));
    }
    super::check_chosen(&id)?;
    let id = Secret::from(id);
    // Also one that has expired and is not swept yet.
    let at = name(&["id", &scene.active.tokens.key(&id)])?;
    if reader(scene).get(&at).map_err(crate::fault::barrier)?.is_some() {
        return Err(Refusal::bad_request("cannot create a token with a duplicate ID"));
    }
    Ok(Some(id))
}

fn sanitised(display_name: &str) -> String {
    let kept = display_name.chars().map(|c| if c.is_alphanumeric() || "-_.".contains(c) { c } else { '-' });
    kept.take(256).collect()
}

fn texts(meta: JsonMap) -> Result<JsonMap, Refusal> {
    if meta.values().all(Value::is_string) {
        return Ok(meta);
    }
    Err(Refusal::bad_request("'meta' must be an object of strings"))
}

// === look up ===

fn lookup(scene: &Scene<'_>) -> Result<Work, Refusal> {
    let given = scene.request.stage.call.get(&TOKEN).filter(|token| !token.is_empty());
    let Some(given) = given else { return lookup_self(scene) };
    let token = Secret::from(given);
    let bad = || Refusal::new(strongroom_types::error::Kind::Denied, "bad token");
    let known = find(scene, &token)?.ok_or_else(bad)?;
    Ok(Work::reply(Reply::data(shown(scene, &known, Some(&token)))))
}

/// A token in a URL ends up in the logs of proxies, and in our own: the path is there in clear.
fn lookup_by_get(scene: &Scene<'_>) -> Result<Work, Refusal> {
    if scene.request.stage.given.contains_key("token") {
        return Err(Refusal::bad_request(
            "a token does not belong into a URL: send it in the body of a POST",
        ));
    }
    lookup_self(scene)
}

fn lookup_self(scene: &Scene<'_>) -> Result<Work, Refusal> {
    let asker = asker(scene)?;
    Ok(Work::reply(Reply::data(shown(scene, &asker.known, scene.request.head.token.as_ref()))))
}

fn lookup_accessor(scene: &Scene<'_>) -> Result<Work, Refusal> {
    let known = by_accessor(scene)?.ok_or_else(|| one_error("invalid accessor"))?;
    Ok(Work::reply(Reply::data(shown(scene, &known, None))))
}

fn accessors(scene: &Scene<'_>) -> Result<Work, Refusal> {
    Ok(Work::reply(Reply::keys(scene.active.tokens.accessors(&reader(scene))?)))
}

/// A token as look-ups show it. Only its holder is shown the token itself, which is not stored.
fn shown(scene: &Scene<'_>, known: &Known, token: Option<&Secret>) -> Value {
    let record = &known.record;
    // The use of this very request is counted already; -1 says that it was the last.
    let is_own = asker(scene).is_ok_and(|asker| asker.known.key == known.key);
    let uses = match (record.num_uses, is_own) {
        (0, _) => 0,
        (1, true) => -1,
        (left, true) => i64::try_from(left - 1).unwrap_or(i64::MAX),
        (left, false) => i64::try_from(left).unwrap_or(i64::MAX),
    };
    let mut data = json!({
        "accessor": record.accessor,
        "creation_time": record.created.secs(),
        "creation_ttl": record.creation_ttl,
        "display_name": record.display_name,
        "entity_id": "",
        "expire_time": record.expires.map(|end| end.to_string()),
        "explicit_max_ttl": record.explicit_max_ttl,
        "id": token.and_then(Secret::expose_str).unwrap_or_default(),
        "meta": record.meta,
        "num_uses": uses,
        "orphan": record.parent.is_none(),
        "path": record.path,
        "policies": record.policies,
        "ttl": record.ttl(scene.now),
        "type": "service",
    });
    if let Some(map) = data.as_object_mut() {
        if record.expires.is_some() {
            map.insert("issue_time".into(), record.created.to_string().into());
            map.insert("renewable".into(), record.renewable.into());
        }
        if let Some(renewed) = record.last_renewal {
            map.insert("last_renewal".into(), renewed.to_string().into());
            map.insert("last_renewal_time".into(), renewed.secs().into());
        }
        if record.period > 0 {
            map.insert("period".into(), record.period.into());
        }
    }
    data
}

// === renew ===

fn renew(scene: &Scene<'_>) -> Result<Work, Refusal> {
    let token = given_token(scene)?;
    let known = find(scene, &token)?.ok_or_else(|| Refusal::bad_request("token not found"))?;
    prolong(scene, &known, token)
}

fn renew_self(scene: &Scene<'_>) -> Result<Work, Refusal> {
    let token = scene.request.head.token.as_ref().ok_or_else(Refusal::denied)?;
    prolong(scene, &asker(scene)?.known, Secret::copy_of(token.expose()))
}

fn renew_accessor(scene: &Scene<'_>) -> Result<Work, Refusal> {
    let known = by_accessor(scene)?.ok_or_else(|| one_error("invalid accessor"))?;
    prolong(scene, &known, Secret::from(Vec::new()))
}

fn prolong(scene: &Scene<'_>, known: &Known, token: Secret) -> Result<Work, Refusal> {
    let mut record = known.record.clone();
    if !record.renewable || record.expires.is_none() {
        return Err(Refusal::bad_request("lease is not renewable"));
    }
    let settings = &scene.active.settings;
    let wished = seconds(scene.request.stage.call.get(&INCREMENT), "increment")?;
    let base = match (record.period, wished) {
        (0, 0) => record.last_ttl.unwrap_or(record.creation_ttl),
        (0, wished) => wished,
        (period, _) => period,
    };
    let lived = scene.now.secs() - record.created.secs();
    let most = match (record.period, record.explicit_max_ttl) {
        (0, 0) => settings.max_lease_ttl - lived,
        (0, explicit) => explicit.min(settings.max_lease_ttl) - lived,
        (_, 0) => settings.max_lease_ttl,
        (_, explicit) => explicit - lived,
    };
    if most <= 0 {
        return Err(Refusal::bad_request("past the max TTL, cannot renew"));
    }
    let (ttl, mut warnings) = capped(base, most);
    if let (Some(text), true) = (warnings.first_mut(), record.explicit_max_ttl > 0) {
        // The limit is spoken of as it was set, not as what is left of it.
        let (wished, most) = (short(base), short(record.explicit_max_ttl));
        *text = format!(
            "TTL of \"{wished}\" exceeded the effective max_ttl of \"{most}\"; TTL value is capped accordingly"
        );
    }
    record.expires = Some(scene.now.plus_secs(ttl));
    record.last_renewal = Some(scene.now);
    record.last_ttl = Some(ttl);
    let body = serde_json::to_vec(&record).map_err(damaged)?;
    let mut writes = vec![Write::put(name(&["id", &known.key])?, body).if_unchanged(Some(&known.entry))];
    let (old, new) = (due(&known.key, &known.record)?, due(&known.key, &record)?);
    if old != new {
        writes.extend(old.map(|(minute, name)| Write::delete(name).due(minute)));
        writes.extend(new.map(|(minute, name)| Write::put(name, Vec::new()).due(minute)));
    }
    let reply = auth_reply(record.auth(token, scene.now), warnings);
    Ok(Work { writes: in_view(scene, writes), ..Work::reply(reply) })
}

// === revoke ===

fn revoke(scene: &Scene<'_>) -> Result<Work, Refusal> {
    match find(scene, &given_token(scene)?)? {
        Some(known) => end(scene, &known),
        None => Ok(Work::reply(Reply::Empty)),
    }
}

fn revoke_self(scene: &Scene<'_>) -> Result<Work, Refusal> {
    end(scene, &asker(scene)?.known)
}

fn revoke_accessor(scene: &Scene<'_>) -> Result<Work, Refusal> {
    match by_accessor(scene)? {
        Some(known) => end(scene, &known),
        None => Ok(Work::reply(Reply::Empty.with_warning("No token found with this accessor"))),
    }
}

fn revoke_orphan(scene: &Scene<'_>) -> Result<Work, Refusal> {
    if !has_sudo(scene)? {
        return Err(Refusal::bad_request("root or sudo privileges required to revoke and orphan"));
    }
    let known = find(scene, &given_token(scene)?)?;
    let known = known.ok_or_else(|| Refusal::bad_request("token to revoke not found"))?;
    scene.active.revoke_alone(&scene.snapshot, &known)
}

fn end(scene: &Scene<'_>, known: &Known) -> Result<Work, Refusal> {
    scene.active.revoke(&scene.snapshot, known)
}

fn tidy(_: &Scene<'_>) -> Result<Work, Refusal> {
    let warnings = vec![
        "Tidy operation successfully started. What it removes is counted in the server's log.".to_owned(),
    ];
    let reply = Logical { status: Some(202), warnings, ..Logical::default() };
    Ok(Work::reply(Reply::Logical(Box::new(reply))).then([After::Sweep]))
}

// === helpers ===

fn reader(scene: &Scene<'_>) -> Reader {
    scene.active.tokens.view.at(scene.snapshot.clone())
}

fn find(scene: &Scene<'_>, token: &Secret) -> Result<Option<Known>, Refusal> {
    scene.active.tokens.find(&reader(scene), token, scene.now)
}

fn by_accessor(scene: &Scene<'_>) -> Result<Option<Known>, Refusal> {
    let accessor = scene.request.stage.call.get(&ACCESSOR).filter(|accessor| !accessor.is_empty());
    let accessor = accessor.ok_or_else(|| one_error("missing accessor"))?;
    scene.active.tokens.find_by_accessor(&reader(scene), &accessor, scene.now)
}

fn given_token(scene: &Scene<'_>) -> Result<Secret, Refusal> {
    let token = scene.request.stage.call.get(&TOKEN).filter(|token| !token.is_empty());
    token.map(Secret::from).ok_or_else(|| Refusal::bad_request("missing token ID"))
}

fn asker<'a>(scene: &'a Scene<'_>) -> Result<&'a Asker, Refusal> {
    scene.request.stage.asker.as_ref().ok_or_else(Refusal::denied)
}

fn has_sudo(scene: &Scene<'_>) -> Result<bool, Refusal> {
    let held = asker(scene)?.acl.capabilities(scene.request.head.path.as_str());
    Ok(held.iter().any(|capability| *capability == "sudo" || *capability == "root"))
}

fn seconds(given: Option<Seconds>, field: &str) -> Result<i64, Refusal> {
    let secs = given.map_or(0, Seconds::secs);
    if secs < 0 { Err(Refusal::bad_request(format!("'{field}' cannot be negative"))) } else { Ok(secs) }
}

fn in_view(scene: &Scene<'_>, writes: Vec<Write>) -> Vec<(View, Write)> {
    writes.into_iter().map(|write| (scene.active.tokens.view.clone(), write)).collect()
}

fn auth_reply(auth: AuthReply, warnings: Vec<String>) -> Reply {
    Reply::Logical(Box::new(Logical { auth: Some(auth), warnings, ..Logical::default() }))
}

fn one_error(text: &str) -> Refusal {
    Refusal::bad_request(format!("1 error occurred:\n\t* {text}\n\n"))
}
