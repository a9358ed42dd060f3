//! `sys/rekey`, `sys/rekey-recovery-key` and their newer names `sys/rotate/root` and `sys/rotate/recovery`: new shares for
//! custodians. The older names answer without an envelope, the newer ones with it; both need a token with `sudo`, for
//! whoever could begin or cancel without one could keep everybody from replacing a share that is lost.

use serde_json::{Value, json};
use strongroom_engine::{Body, Endpoint, Field, FieldSpec, Route};
use strongroom_types::{JsonMap, Operation, Refusal, Reply, Secret};

use super::endpoint::look;
use crate::ceremony::rekey::{self, HandedOut, InForce, RekeyWish};
use crate::ceremony::{End, Whose, table};
use crate::lifecycle::slots::{self, Change};
use crate::perform::{After, Run, Scene, Work};
use crate::stage::Target;

const SHARES: Field<i64> = Field::new("secret_shares", "How many custodians get a new share.");
const THRESHOLD: Field<i64> = Field::new("secret_threshold", "How many of them will open.");
const VERIFY: Field<bool> = Field::new(
    "require_verification",
    "Whether the new shares are to be read back before they count: then the old ones are void at once.",
);
const PGP_KEYS: Field<Vec<String>> = Field::new(
    "pgp_keys",
    "OpenPGP keys, one for each new share and in base64: each share is handed out encrypted for its key.",
);
const BACKUP: Field<bool> =
    Field::new("backup", "Whether what is encrypted for the keys is kept here, too, until it is deleted.");
const KEY: Field<String> = Field::new("key", "One share, in hexadecimal or base64.");
const NONCE: Field<String> = Field::new("nonce", "Which attempt is meant.");

const START: &[FieldSpec] = &[SHARES.spec(), THRESHOLD.spec(), VERIFY.spec(), PGP_KEYS.spec(), BACKUP.spec()];
const SHARE: &[FieldSpec] = &[KEY.required().spec(), NONCE.required().spec()];
const CANCEL: &[FieldSpec] = &[NONCE.spec()];

/// The routes of this file.
pub const ROUTES: &[Route<Run>] = &[
    older("rekey/init", BEGINNING, INIT),
    older("rekey/update", SHARES_OF_NOW, UPDATE),
    older("rekey/verify", NEW_SHARES, VERIFICATION),
    older("rekey-recovery-key/init", BEGINNING, INIT),
    older("rekey-recovery-key/update", SHARES_OF_NOW, UPDATE),
    older("rekey-recovery-key/verify", NEW_SHARES, VERIFICATION),
    route("rotate/root", "Another root key for the same shares.", ROOT_KEY),
    route("rotate/root/init", BEGINNING, INIT),
    route("rotate/root/update", SHARES_OF_NOW, UPDATE),
    route("rotate/root/verify", NEW_SHARES, VERIFICATION),
    route("rotate/recovery/init", BEGINNING, INIT),
    route("rotate/recovery/update", SHARES_OF_NOW, UPDATE),
    route("rotate/recovery/verify", NEW_SHARES, VERIFICATION),
];

const BEGINNING: &str = "New shares for the custodians of a keyslot: how far it is, beginning, giving up.";
const SHARES_OF_NOW: &str = "The shares of those who decide.";
const NEW_SHARES: &str = "Reading back the new shares.";

const fn route(path: &'static str, help: &'static str, endpoints: &'static [Endpoint<Run>]) -> Route<Run> {
    Route { path, help, endpoints, sudo: true, ..Route::BASE }
}

/// One that answers without an envelope.
const fn older(path: &'static str, help: &'static str, endpoints: &'static [Endpoint<Run>]) -> Route<Run> {
    Route { own_form: true, ..route(path, help, endpoints) }
}

const INIT: &[Endpoint<Run>] = &[
    look("Read how far it is.", |scene| status(scene, &Family::of(scene))),
    Endpoint {
        operation: Operation::Update,
        summary: "Begin.",
        fields: START,
        body: Body::Json,
        run: Run::Alone(start),
    },
    Endpoint {
        operation: Operation::Delete,
        summary: "Give up: what was handed out is worth nothing.",
        fields: CANCEL,
        body: Body::Json,
        run: Run::Alone(cancel),
    },
];

const UPDATE: &[Endpoint<Run>] = &[Endpoint {
    operation: Operation::Update,
    summary: "Give a share. With the last one the new ones are handed out.",
    fields: SHARE,
    body: Body::Json,
    run: Run::Alone(update),
}];

const VERIFICATION: &[Endpoint<Run>] = &[
    look("Read how far the verification is.", |scene| verification(scene, &Family::of(scene))),
    Endpoint {
        operation: Operation::Update,
        summary: "Give a new share. With the last one they are in force.",
        fields: SHARE,
        body: Body::Json,
        run: Run::Alone(verify),
    },
    Endpoint {
        operation: Operation::Delete,
        summary: "Begin the verification anew.",
        fields: &[],
        body: Body::None,
        run: Run::Alone(restart),
    },
];

const ROOT_KEY: &[Endpoint<Run>] = &[Endpoint {
    operation: Operation::Update,
    summary: "Make another root key. The shares stay.",
    fields: &[],
    body: Body::None,
    run: Run::Alone(root_key),
}];

/// Which of the paths it came by.
struct Family {
    whose: Whose,
    /// The newer names.
    has_envelope: bool,
}

impl Family {
    fn of(scene: &Scene<'_>) -> Self {
        let path = match &scene.request.stage.target {
            Target::System { route, .. } => route.path,
            _ => "",
        };
        let is_recovery = path.starts_with("rekey-recovery-key/") || path.starts_with("rotate/recovery/");
        Self {
            whose: if is_recovery { Whose::Recovery } else { Whose::Unseal },
            has_envelope: path.starts_with("rotate/"),
        }
    }

    /// What it is called there.
    fn what(&self) -> &'static str {
        if self.has_envelope { "rotation" } else { "rekey" }
    }

    fn answer(&self, body: Value) -> Reply {
        if self.has_envelope { Reply::data(body) } else { Reply::Json { status: 200, body } }
    }
}

fn start(scene: &Scene<'_>) -> Result<Work, Refusal> {
    let call = &scene.request.stage.call;
    let family = Family::of(scene);
    let wish = RekeyWish {
        shares: call.get(&SHARES),
        threshold: call.get(&THRESHOLD),
        verify: call.get(&VERIFY).unwrap_or_default(),
        pgp_keys: call.get(&PGP_KEYS).unwrap_or_default(),
        backup: call.get(&BACKUP).unwrap_or_default(),
    };
    let begun = rekey::start(scene, family.whose, &wish, family.what())?;
    outcome(scene, &family, begun)
}

fn cancel(scene: &Scene<'_>) -> Result<Work, Refusal> {
    let family = Family::of(scene);
    let nonce = scene.request.stage.call.get(&NONCE).filter(|nonce| !nonce.is_empty());
    rekey::cancel(scene, family.whose, nonce.as_deref(), family.what())?;
    Ok(Work::reply(Reply::Empty))
}

fn update(scene: &Scene<'_>) -> Result<Work, Refusal> {
    let family = Family::of(scene);
    let (key, nonce) = given(scene)?;
    let key = key.expose_str().unwrap_or_default();
    let updated = rekey::update(scene, family.whose, (key, &nonce), family.what())?;
    outcome(scene, &family, updated)
}

/// The new shares, or how far it is.
fn outcome(scene: &Scene<'_>, family: &Family, made: Option<HandedOut>) -> Result<Work, Refusal> {
    let Some(HandedOut { shares, verification_nonce, change }) = made else { return status(scene, family) };
    let end = end(scene, family);
    let mut body = handed_out(&shares);
    add_keys(scene, family, &mut body);
    if let Some(End::Rekey(_, nonce)) = &end {
        body.insert("nonce".into(), nonce.clone().into());
    }
    body.insert("complete".into(), true.into());
    body.insert("verification_required".into(), verification_nonce.is_some().into());
    if let Some(verification_nonce) = verification_nonce {
        body.insert("verification_nonce".into(), verification_nonce.into());
    }
    let reply = family.answer(Value::Object(body));
    Ok(match change {
        None => Work::reply(reply),
        Some(in_force) => brought_into_force(scene, family, reply, in_force, end)?,
    })
}

/// Whom the shares of the attempt are encrypted for.
fn add_keys(scene: &Scene<'_>, family: &Family, body: &mut JsonMap) {
    let mut held = scene.active.ceremonies.at(scene.now);
    let rekey = held.rekey(family.whose).as_ref();
    let prints = rekey.map_or(Value::Null, |rekey| rekey.recipients.fingerprints());
    body.insert("pgp_fingerprints".into(), prints);
    body.insert("backup".into(), rekey.is_some_and(|rekey| rekey.backup).into());
}

/// `reply`, once the shares are in force, and what is to be kept of them is kept.
fn brought_into_force(
    scene: &Scene<'_>,
    family: &Family,
    reply: Reply,
    in_force: InForce,
    end: Option<End>,
) -> Result<Work, Refusal> {
    let InForce { change, kept } = in_force;
    let write = kept.map(|kept| kept.write(family.whose)).transpose()?;
    let writes = write.into_iter().map(|write| (scene.active.system.clone(), write)).collect();
    Ok(Work { writes, ..committed(reply, change, end) })
}

/// The end of the attempt that there is.
fn end(scene: &Scene<'_>, family: &Family) -> Option<End> {
    let mut held = scene.active.ceremonies.at(scene.now);
    held.rekey(family.whose).as_ref().map(|rekey| End::Rekey(family.whose, rekey.quorum.nonce.clone()))
}

fn handed_out(shares: &[Secret]) -> JsonMap {
    let texts = |encoding: &data_encoding::Encoding| -> Vec<String> {
        shares.iter().map(|share| encoding.encode(share.expose())).collect()
    };
    let body = json!({
        "keys": texts(&data_encoding::HEXLOWER),
        "keys_base64": texts(&data_encoding::BASE64),
    });
    body.as_object().cloned().unwrap_or_default()
}

fn verify(scene: &Scene<'_>) -> Result<Work, Refusal> {
    let family = Family::of(scene);
    let (key, nonce) = given(scene)?;
    let key = key.expose_str().unwrap_or_default();
    match rekey::verify(scene, family.whose, (key, &nonce), family.what())? {
        None => verification(scene, &family),
        Some(change) => {
            let end = end(scene, &family);
            let reply = family.answer(json!({ "nonce": nonce, "complete": true }));
            brought_into_force(scene, &family, reply, change, end)
        }
    }
}

fn restart(scene: &Scene<'_>) -> Result<Work, Refusal> {
    let family = Family::of(scene);
    rekey::restart_verification(scene, family.whose, family.what())?;
    verification(scene, &family)
}

fn root_key(scene: &Scene<'_>) -> Result<Work, Refusal> {
    let (table, active) = (table(scene)?, scene.active);
    let slots = table.slots().to_vec();
    let entropy = active.entropy.as_ref();
    let change = slots::change(&active.barrier, &table, slots, &*scene.snapshot, entropy, scene.now)?;
    Ok(committed(Reply::Empty, change, None))
}

/// `reply`, once `change` is committed; then the attempt is at its `end`.
fn committed(reply: Reply, change: Change, end: Option<End>) -> Work {
    let Change { batch, rotation, facts } = change;
    let after = [After::Rotated(rotation), After::Slots(facts)];
    Work { sealed: batch, ..Work::reply(reply) }.then(after).then(end.map(After::Ceremony))
}

/// The share and the nonce of the request.
fn given(scene: &Scene<'_>) -> Result<(Secret, String), Refusal> {
    let call = &scene.request.stage.call;
    let key = call.get(&KEY).filter(|key| !key.is_empty());
    let key = key.ok_or_else(|| Refusal::bad_request("missing required field 'key'"))?;
    Ok((Secret::from(key), call.get(&NONCE).unwrap_or_default()))
}

fn status(scene: &Scene<'_>, family: &Family) -> Result<Work, Refusal> {
    let required = rekey::required(scene);
    let mut held = scene.active.ceremonies.at(scene.now);
    let mut body = match held.rekey(family.whose) {
        None => json!({ "nonce": "", "started": false, "t": 0, "n": 0, "progress": 0, "required": required }),
        Some(rekey) => json!({
            "nonce": rekey.quorum.nonce,
            "started": true,
            "t": rekey.threshold,
            "n": rekey.count,
            "progress": rekey.quorum.progress().given,
            "required": required,
        }),
    };
    if let Some(body) = body.as_object_mut() {
        let rekey = held.rekey(family.whose).as_ref();
        let nonce = rekey.and_then(|rekey| rekey.made.as_ref()).map(|made| made.quorum.nonce.clone());
        body.insert("verification_required".into(), rekey.is_some_and(|rekey| rekey.verify).into());
        body.insert("verification_nonce".into(), nonce.unwrap_or_default().into());
    }
    drop(held);
    if let Some(body) = body.as_object_mut() {
        add_keys(scene, family, body);
    }
    Ok(Work::reply(family.answer(body)))
}

fn verification(scene: &Scene<'_>, family: &Family) -> Result<Work, Refusal> {
    let mut held = scene.active.ceremonies.at(scene.now);
    let rekey = held.rekey(family.whose).as_ref();
    let rekey = rekey.ok_or_else(|| Refusal::bad_request(format!("no {} in progress", family.what())))?;
    let made = rekey.made.as_ref();
    let body = json!({
        "nonce": made.map(|made| made.quorum.nonce.as_str()).unwrap_or_default(),
        "started": made.is_some(),
        "t": rekey.threshold,
        "n": rekey.count,
        "progress": made.map_or(0, |made| made.quorum.progress().given),
    });
    Ok(Work::reply(family.answer(body)))
}
