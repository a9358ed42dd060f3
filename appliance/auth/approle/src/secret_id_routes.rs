//! `role/<name>/secret-id` and what is below it: make, list, look up, destroy. Everything is found below the role of the
//! path: the accessor of another role's secret-id is none here.

use serde_json::json;
use strongroom_engine::{
    Call, Cx, Endpoint, Field, FieldSpec, Handler, JsonMap, Outcome, Refusal, Reply, Route, Seconds, record,
};
use strongroom_types::cidr::parse_all;
use strongroom_types::id::random_uuid;
use strongroom_types::reply::Logical;
use strongroom_types::{Cidr, Secret};

use crate::ROLE;
use crate::keys::Keys;
use crate::metadata;
use crate::role::{self, Role, not_negative};
use crate::secret_id::{self, SecretId};

/// Longest secret-id, in bytes.
pub const LONGEST: usize = 4096;

const SECRET_ID: Field<String> = Field::new("secret_id", "The secret-id.");
const ACCESSOR: Field<String> = Field::new("secret_id_accessor", "What names the secret-id.");
const METADATA: Field<String> = Field::new(
    "metadata",
    "A JSON object of strings, as text: it stands in the tokens and in the audit log.",
);
const CIDR_LIST: Field<Vec<String>> = Field::new("cidr_list", "The networks to log in from.");
const TOKEN_CIDRS: Field<Vec<String>> = Field::new("token_bound_cidrs", "The networks to use tokens from.");
const USES: Field<i64> = Field::new("num_uses", "How often it can be used; the role's by default.");
const TTL: Field<Seconds> = Field::new("ttl", "How long it can be used; the role's by default.");

const MAKE: &[FieldSpec] = &[METADATA.spec(), CIDR_LIST.spec(), TOKEN_CIDRS.spec(), USES.spec(), TTL.spec()];
const MAKE_OWN: &[FieldSpec] =
    &[SECRET_ID.spec(), METADATA.spec(), CIDR_LIST.spec(), TOKEN_CIDRS.spec(), USES.spec(), TTL.spec()];

/// The routes of this file.
pub const ROUTES: [Route<Handler>; 6] = [
    Route {
        path: "role/{role_name}/secret-id",
        params: &[ROLE],
        help: "The secret-ids of a role.",
        endpoints: &[
            Endpoint::list("List the accessors of the secret-ids.", list),
            Endpoint::write("Make a secret-id.", MAKE, |cx, call| {
                let text = random_uuid(cx.entropy.as_ref())?;
                make(cx, call, text)
            }),
        ],
        ..Route::BASE
    },
    Route {
        path: "role/{role_name}/custom-secret-id",
        params: &[ROLE],
        help: "A secret-id of one's own.",
        endpoints: &[Endpoint::write("Register a secret-id.", MAKE_OWN, |cx, call| {
            let text = given(call)?;
            make(cx, call, text)
        })],
        ..Route::BASE
    },
    Route {
        path: "role/{role_name}/secret-id/lookup",
        params: &[ROLE],
        help: "What is known of a secret-id.",
        endpoints: &[Endpoint::write("Look up a secret-id.", &[SECRET_ID.spec()], look_up)],
        ..Route::BASE
    },
    Route {
        path: "role/{role_name}/secret-id/destroy",
        params: &[ROLE],
        help: "The end of a secret-id.",
        endpoints: &[Endpoint::write("Destroy a secret-id.", &[SECRET_ID.spec()], destroy)],
        ..Route::BASE
    },
    Route {
        path: "role/{role_name}/secret-id-accessor/lookup",
        params: &[ROLE],
        help: "What is known of the secret-id that an accessor names.",
        endpoints: &[Endpoint::write("Look up by accessor.", &[ACCESSOR.spec()], look_up_by_accessor)],
        ..Route::BASE
    },
    Route {
        path: "role/{role_name}/secret-id-accessor/destroy",
        params: &[ROLE],
        help: "The end of the secret-id that an accessor names.",
        endpoints: &[Endpoint::write("Destroy by accessor.", &[ACCESSOR.spec()], destroy_by_accessor)],
        ..Route::BASE
    },
];

fn list(cx: &Cx, call: &Call) -> Result<Outcome, Refusal> {
    let (role, _) = role::required(cx, call)?;
    Ok(Outcome::reply(Reply::keys(cx.list(&record::name("accessor", &role.uid)?, call)?)))
}

/// The secret-id in the body.
fn given(call: &Call) -> Result<String, Refusal> {
    let text = call.get(&SECRET_ID).map(|text| text.trim().to_owned()).filter(|text| !text.is_empty());
    text.filter(|text| text.len() <= LONGEST).ok_or_else(|| Refusal::bad_request("missing secret_id"))
}

fn make(cx: &Cx, call: &Call, text: String) -> Result<Outcome, Refusal> {
    let (role, _) = role::required(cx, call)?;
    if !role.bind_secret_id {
        return Err(Refusal::bad_request("bind_secret_id is not set on the role"));
    }
    let num_uses = num_uses(call, &role)?;
    let ttl = ttl(cx, call, &role)?;
    let record = SecretId {
        accessor: random_uuid(cx.entropy.as_ref())?,
        num_uses,
        ttl,
        created: cx.now,
        updated: cx.now,
        expires: (ttl > 0).then(|| cx.now.plus_secs(ttl)),
        metadata: call.get(&METADATA).map_or(Ok(JsonMap::new()), |text| metadata::parse(&text))?,
        cidr_list: within(call, &CIDR_LIST, &role.secret_id_bound_cidrs)?,
        token_bound_cidrs: within(call, &TOKEN_CIDRS, &role.token.bound_cidrs)?,
        era: Some(cx.eras.number()),
    };
    let mut writes = Vec::new();
    let keys = Keys::load_or_make(cx, &mut writes)?;
    let hash = keys.of_secret_id(&role.uid, &Secret::copy_of(text.as_bytes()));
    if cx.has(&secret_id::name_of(&role.uid, &hash)?)? {
        return Err(Refusal::bad_request("the secret_id is already registered"));
    }
    writes.extend(secret_id::made(&role.uid, &hash, &record)?);
    let data = json!({
        "secret_id": text,
        "secret_id_accessor": record.accessor,
        "secret_id_num_uses": record.num_uses,
        "secret_id_ttl": record.ttl,
    });
    let reply = Logical { data: Some(data), accessor: Some(record.accessor), ..Logical::default() };
    Ok(Outcome::new(Reply::Logical(Box::new(reply)), writes))
}

/// The role's, or fewer: never more.
fn num_uses(call: &Call, role: &Role) -> Result<u64, Refusal> {
    let most = role.secret_id_num_uses;
    let Some(wished) = call.get(&USES) else { return Ok(most) };
    let wished = not_negative(wished, USES.spec().name)?.unsigned_abs();
    if most > 0 && (wished == 0 || wished > most) {
        return Err(Refusal::bad_request("num_uses cannot be higher than the role's secret_id_num_uses"));
    }
    Ok(wished)
}

/// The role's, or less: never more. One that ends does so before the mount's longest time.
fn ttl(cx: &Cx, call: &Call, role: &Role) -> Result<i64, Refusal> {
    let most = role.secret_id_ttl;
    let wished = match call.get(&TTL) {
        Some(wished) => not_negative(wished.secs(), TTL.spec().name)?,
        None => most,
    };
    if most > 0 && (wished == 0 || wished > most) {
        return Err(Refusal::bad_request("ttl cannot be longer than the role's secret_id_ttl"));
    }
    Ok(wished.min(cx.mount.max_lease_ttl))
}

/// Networks that all lie in those of the role.
fn within(call: &Call, field: &Field<Vec<String>>, role: &[Cidr]) -> Result<Vec<Cidr>, Refusal> {
    let given = parse_all(field.spec().name, &call.get(field).unwrap_or_default())?;
    let lies_in_one = |network: &Cidr| role.iter().any(|outer| outer.common(network) == Some(*network));
    if !role.is_empty() && !given.iter().all(lies_in_one) {
        return Err(Refusal::bad_request(format!(
            "'{}' holds a network that is not within those of the role",
            field.spec().name
        )));
    }
    Ok(given)
}

// === one that is there ===

/// The role, the hash and the record of what the body names; not whether it can still be used.
struct Found {
    uid: String,
    hash: String,
    record: SecretId,
    seen: strongroom_engine::Entry,
}

fn find(cx: &Cx, call: &Call) -> Result<Option<Found>, Refusal> {
    let (role, _) = role::required(cx, call)?;
    let text = Secret::from(given(call)?);
    let Some(keys) = Keys::load(cx)? else { return Ok(None) };
    let hash = keys.of_secret_id(&role.uid, &text);
    found(cx, role.uid, hash)
}

/// What the accessor names, if `wanted`: else there is no such one.
fn find_by_accessor(cx: &Cx, call: &Call, wanted: fn(Found, &Cx) -> Option<Found>) -> Result<Found, Refusal> {
    let (role, _) = role::required(cx, call)?;
    let accessor = call.get(&ACCESSOR).filter(|accessor| !accessor.is_empty());
    let accessor = accessor.ok_or_else(|| Refusal::bad_request("missing secret_id_accessor"))?;
    let hash = secret_id::find_hash(cx, &role.uid, &accessor)?;
    let found = hash.map(|hash| found(cx, role.uid, hash)).transpose()?.flatten();
    found.and_then(|found| wanted(found, cx)).ok_or_else(|| {
        // Clients read this text, which goes to whoever has sent the accessor and, hashed, into the audit log.
        let text = format!("failed to find accessor entry for secret_id_accessor: {accessor:?}");
        Refusal::not_found().with_data([("error".to_owned(), text.into())].into_iter().collect())
    })
}

fn found(cx: &Cx, uid: String, hash: String) -> Result<Option<Found>, Refusal> {
    let found = secret_id::find(cx, &uid, &hash)?;
    Ok(found.map(|(record, seen)| Found { uid, hash, record, seen }))
}

impl Found {
    fn live(self, cx: &Cx) -> Option<Self> {
        Some(self).filter(|found| found.record.is_live(cx))
    }

    fn show(&self) -> Outcome {
        Outcome::reply(Reply::data(self.record.shown().into()))
    }

    fn destroy(&self) -> Result<Outcome, Refusal> {
        secret_id::removed(&self.uid, &self.hash, &self.record, &self.seen).map(Outcome::done)
    }
}

/// One that is not there is no error: nothing is answered.
fn look_up(cx: &Cx, call: &Call) -> Result<Outcome, Refusal> {
    let found = find(cx, call)?.and_then(|found| found.live(cx));
    Ok(found.map_or_else(|| Outcome::done(Vec::new()), |found| found.show()))
}

fn destroy(cx: &Cx, call: &Call) -> Result<Outcome, Refusal> {
    find(cx, call)?.map_or_else(|| Ok(Outcome::done(Vec::new())), |found| found.destroy())
}

fn look_up_by_accessor(cx: &Cx, call: &Call) -> Result<Outcome, Refusal> {
    find_by_accessor(cx, call, Found::live).map(|found| found.show())
}

fn destroy_by_accessor(cx: &Cx, call: &Call) -> Result<Outcome, Refusal> {
    find_by_accessor(cx, call, |found, _| Some(found))?.destroy()
}
