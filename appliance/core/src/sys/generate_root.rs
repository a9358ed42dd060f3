//! `sys/generate-root`, its newer name `sys/generate-root-token`, and `sys/decode-token`: a new root token by a threshold of
//! custodians.
//!
//! It is there for the day on which nobody has a token any more. So one path needs none: at `sys/generate-root/attempt`
//! counts one right share (`key`) in its place, which nobody can make up. It begins and gives up there, and with the nonce it
//! is given there, too, as others give it at `update`. Whoever has neither may see how far it is, and nothing else.
//!
//! The rest needs a token: each path without one is one more that strangers reach, and the command line takes the pad off by
//! itself.

use data_encoding::{BASE64, BASE64_NOPAD};
use serde_json::{Value, json};
use strongroom_engine::{Body, Endpoint, Field, FieldSpec, Route};
use strongroom_policy::{Ask, Decision};
use strongroom_types::{Operation, Refusal, Reply, Secret};

use crate::ceremony::generate::{self, Given, Step, padded};
use crate::ceremony::{End, pgp, rekey};
use crate::perform::{After, Run, Scene, Work};
use crate::stage::Target;
use crate::tokens::TOKEN_LEN;

const OTP: Field<String> =
    Field::new("otp", "A one-time pad as long as a token; one is made if it is left out.");
const PGP_KEY: Field<String> = Field::new(
    "pgp_key",
    "An OpenPGP key in base64, instead of a pad: the token comes out encrypted for it.",
);
const KEY: Field<String> = Field::new("key", "One share, in hexadecimal or base64.");
const NONCE: Field<String> = Field::new("nonce", "Which attempt is meant.");
const ENCODED: Field<String> = Field::new("encoded_token", "What the last share was answered with.");
const PAD: Field<String> = Field::new("otp", "The one-time pad of the attempt.");

const START: &[FieldSpec] = &[OTP.spec(), PGP_KEY.spec(), KEY.spec(), NONCE.spec()];
const CANCEL: &[FieldSpec] = &[KEY.spec(), NONCE.spec()];
const SHARE: &[FieldSpec] = &[KEY.required().spec(), NONCE.required().spec()];
const DECODE: &[FieldSpec] = &[ENCODED.required().spec(), PAD.required().spec()];

/// The routes of this file.
pub const ROUTES: &[Route<Run>] = &[
    Route {
        path: "generate-root-token/attempt",
        help: "A new root token by a threshold of custodians: how far it is, beginning, giving up.",
        sudo: true,
        endpoints: ATTEMPT,
        ..Route::BASE
    },
    Route {
        path: "generate-root-token/update",
        help: "The shares of those who decide.",
        sudo: true,
        endpoints: UPDATE,
        ..Route::BASE
    },
    Route {
        path: "generate-root/attempt",
        help: "The same for those who have a token with sudo, or one right share.",
        unauthenticated: true,
        instead: "a token with sudo, or a share; how far it is needs neither",
        own_form: true,
        endpoints: ATTEMPT,
        ..Route::BASE
    },
    Route {
        path: "generate-root/update",
        help: "The shares of those who decide.",
        sudo: true,
        own_form: true,
        endpoints: UPDATE,
        ..Route::BASE
    },
    Route {
        path: "decode-token",
        help: "Takes the one-time pad off a new root token.",
        endpoints: &[write("Decode.", DECODE, Run::Free(decode))],
        ..Route::BASE
    },
];

const ATTEMPT: &[Endpoint<Run>] = &[
    Endpoint {
        operation: Operation::Read,
        summary: "Read how far it is.",
        fields: &[],
        body: Body::None,
        run: Run::Free(|scene| status(scene, "")),
    },
    write("Begin; or, with a nonce, give a share.", START, Run::AskedFirst(may_ask, start)),
    Endpoint {
        operation: Operation::Delete,
        summary: "Give up.",
        fields: CANCEL,
        body: Body::Json,
        run: Run::AskedFirst(may_ask, cancel),
    },
];

const UPDATE: &[Endpoint<Run>] =
    &[write("Give a share. With the last one there is a token.", SHARE, Run::Alone(update))];

const fn write(summary: &'static str, fields: &'static [FieldSpec], run: Run) -> Endpoint<Run> {
    Endpoint { operation: Operation::Update, summary, fields, body: Body::Json, run }
}

/// Whether it came by the newer name, which always needs a token, and answers with an envelope.
fn is_newer(scene: &Scene<'_>) -> bool {
    match &scene.request.stage.target {
        Target::System { route, .. } => route.path.starts_with("generate-root-token/"),
        _ => false,
    }
}

/// A field that is text and not empty.
fn text(scene: &Scene<'_>, field: &Field<String>) -> Option<String> {
    scene.request.stage.call.get(field).filter(|text| !text.is_empty())
}

/// The share of the request.
fn share(scene: &Scene<'_>) -> Option<Secret> {
    text(scene, &KEY).map(Secret::from)
}

/// Refuses whoever has neither a token that may nor a share. Of the newer name the pipeline has asked already.
fn may(scene: &Scene<'_>, share: Option<&Secret>) -> Result<(), Refusal> {
    if is_newer(scene) || may_by_token(scene) {
        return Ok(());
    }
    let share = share.and_then(Secret::expose_str);
    match share.map(|share| generate::is_share(scene, share)).transpose()? {
        Some(true) => Ok(()),
        _ => Err(Refusal::denied()),
    }
}

/// The same before a turn is waited for: there is one for all who change the system's tables, and strangers must not queue
/// in it.
fn may_ask(scene: &Scene<'_>) -> Result<(), Refusal> {
    let share = share(scene);
    let nonce = text(scene, &NONCE).filter(|_| scene.request.head.operation != Operation::Delete);
    match nonce {
        Some(nonce) if !is_newer(scene) && !may_by_token(scene) => {
            let share = share.ok_or_else(no_key)?;
            generate::is_of_attempt(scene, share.expose_str().unwrap_or_default(), &nonce)
        }
        Some(_) => Ok(()),
        None => may(scene, share.as_ref()),
    }
}

fn no_key() -> Refusal {
    Refusal::bad_request("key is required")
}

fn may_by_token(scene: &Scene<'_>) -> bool {
    let Some(asker) = &scene.request.stage.asker else { return false };
    let ask = Ask {
        path: "sys/generate-root/attempt".into(),
        operation: scene.request.head.operation,
        parameters: Some(&scene.request.stage.given),
        wrap_ttl: None,
        needs_sudo: true,
        now: scene.now,
    };
    matches!(asker.acl.check(&ask), Decision::Granted { .. })
}

fn start(scene: &Scene<'_>) -> Result<Work, Refusal> {
    if text(scene, &NONCE).is_some() {
        // Nobody can make up a share: no more is asked.
        return update(scene);
    }
    let share = share(scene);
    may(scene, share.as_ref())?;
    let given = match (text(scene, &OTP).map(Secret::from), text(scene, &PGP_KEY)) {
        (Some(_), Some(_)) => return Err(Refusal::bad_request("give 'otp' or 'pgp_key', not both")),
        (Some(otp), None) => Given::Pad(otp),
        (None, Some(key)) => {
            Given::Key(pgp::recipient("pgp_key", &key, scene.now, scene.active.entropy.as_ref())?)
        }
        (None, None) => Given::Nothing,
    };
    let otp = generate::start(scene, given, share.as_ref().and_then(Secret::expose_str))?;
    status(scene, otp.as_ref().and_then(Secret::expose_str).unwrap_or_default())
}

fn cancel(scene: &Scene<'_>) -> Result<Work, Refusal> {
    may(scene, share(scene).as_ref())?;
    generate::cancel(scene, text(scene, &NONCE).as_deref())?;
    Ok(Work::reply(Reply::Empty))
}

fn update(scene: &Scene<'_>) -> Result<Work, Refusal> {
    let key = share(scene).ok_or_else(no_key)?;
    let nonce = text(scene, &NONCE).unwrap_or_default();
    match generate::update(scene, key.expose_str().unwrap_or_default(), &nonce)? {
        Step::More => status(scene, ""),
        Step::Made { encoded, fingerprint, writes } => {
            let required = rekey::required(scene);
            let reply = answer(
                scene,
                json!({
                    "nonce": nonce,
                    "started": true,
                    "progress": required,
                    "required": required,
                    "complete": true,
                    "encoded_token": encoded,
                    "encoded_root_token": if is_newer(scene) { "" } else { encoded.as_str() },
                    "pgp_fingerprint": fingerprint,
                    "otp": "",
                    "otp_length": 0,
                }),
            );
            let view = &scene.active.tokens.view;
            let writes = writes.into_iter().map(|write| (view.clone(), write)).collect();
            Ok(Work { writes, ..Work::reply(reply) }.then([After::Ceremony(End::Root(nonce))]))
        }
    }
}

/// How far it is, with the pad if it was made just now.
fn status(scene: &Scene<'_>, otp: &str) -> Result<Work, Refusal> {
    let required = rekey::required(scene);
    let held = scene.active.ceremonies.at(scene.now);
    let root = held.root.as_ref();
    let quorum = root.map(|root| &root.quorum);
    let body = json!({
        "nonce": quorum.map(|quorum| quorum.nonce.as_str()).unwrap_or_default(),
        "started": quorum.is_some(),
        "progress": quorum.map_or(0, |quorum| quorum.progress().given),
        "required": required,
        "complete": false,
        "encoded_token": "",
        "encoded_root_token": "",
        "pgp_fingerprint": root.map(generate::Generation::fingerprint).unwrap_or_default(),
        "otp": otp,
        "otp_length": TOKEN_LEN,
    });
    Ok(Work::reply(answer(scene, body)))
}

fn answer(scene: &Scene<'_>, body: Value) -> Reply {
    if is_newer(scene) { Reply::data(body) } else { Reply::Json { status: 200, body } }
}

fn decode(scene: &Scene<'_>) -> Result<Work, Refusal> {
    let (encoded, otp) = (text(scene, &ENCODED), text(scene, &PAD).map(Secret::from));
    let (Some(encoded), Some(otp)) = (encoded, otp) else {
        return Err(Refusal::bad_request("provided 'encoded_token' or 'otp' is empty"));
    };
    let token = BASE64_NOPAD.decode(encoded.as_bytes()).or_else(|_| BASE64.decode(encoded.as_bytes()));
    let token = token.map(Secret::from).map_err(|_| Refusal::bad_request("'encoded_token' is not base64"))?;
    if token.len() != otp.len() {
        return Err(Refusal::bad_request("'encoded_token' and 'otp' are not of one length"));
    }
    let token = Secret::copy_of(&padded(&token, &otp));
    let text = token.expose_str().ok_or_else(|| Refusal::bad_request("'otp' is that of another token"))?;
    Ok(Work::reply(Reply::data(json!({ "token": text }))))
}
