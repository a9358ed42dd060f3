//! `sys/tools`: hashes and random bytes.

use aws_lc_rs::digest;
use data_encoding::{BASE64, HEXLOWER};
use serde_json::json;
use strongroom_engine::{Body, Endpoint, Field, FieldSpec, Param, ParamKind, Route};
use strongroom_types::{Operation, Refusal, Reply};
use zeroize::Zeroizing;

use crate::perform::{Run, Scene, SystemHandler, Work};

const INPUT: Field<String> = Field::new("input", "What to hash, in base64.");
const ALGORITHM: Field<String> =
    Field::new("algorithm", "sha2-224, -256 (the usual one), -384, -512, sha3-256, -384 or -512.");
const HASH_FORMAT: Field<String> = Field::new("format", "hex (the usual one) or base64.");
const FORMAT: Field<String> = Field::new("format", "base64 (the usual one) or hex.");
const BYTES: Field<i64> = Field::new("bytes", "How many; 32 unless it is said.");
const SOURCE: Field<String> = Field::new("source", "platform, the only one.");

const HASH: &[FieldSpec] = &[INPUT.spec(), ALGORITHM.spec(), HASH_FORMAT.spec()];
const RANDOM: &[FieldSpec] = &[BYTES.spec(), SOURCE.spec(), FORMAT.spec()];

const OF_ALGORITHM: Param = Param { name: "urlalgorithm", help: "As 'algorithm'.", kind: ParamKind::Exact };
const OF_SOURCE: Param =
    Param { name: "source", help: "As 'source'; or how many bytes.", kind: ParamKind::Exact };
const OF_BYTES: Param = Param { name: "urlbytes", help: "How many bytes.", kind: ParamKind::Exact };

/// The most random bytes of one answer.
const MOST: i64 = 131_072;

/// The routes of this file.
pub const ROUTES: &[Route<Run>] = &[
    Route {
        path: "tools/hash",
        help: "A hash of what is sent.",
        endpoints: &[post("Hash.", HASH, hash)],
        ..Route::BASE
    },
    Route {
        path: "tools/hash/{urlalgorithm}",
        params: &[OF_ALGORITHM],
        help: "A hash of what is sent.",
        endpoints: &[post("Hash.", HASH, hash)],
        ..Route::BASE
    },
    Route {
        path: "tools/random",
        help: "Random bytes.",
        endpoints: &[post("Draw.", RANDOM, random)],
        ..Route::BASE
    },
    Route {
        path: "tools/random/{source}",
        params: &[OF_SOURCE],
        help: "Random bytes.",
        endpoints: &[post("Draw.", RANDOM, random)],
        ..Route::BASE
    },
    Route {
        path: "tools/random/{source}/{urlbytes}",
        params: &[OF_SOURCE, OF_BYTES],
        help: "Random bytes.",
        endpoints: &[post("Draw.", RANDOM, random)],
        ..Route::BASE
    },
];

const fn post(summary: &'static str, fields: &'static [FieldSpec], run: SystemHandler) -> Endpoint<Run> {
    Endpoint { operation: Operation::Update, summary, fields, body: Body::Json, run: Run::Free(run) }
}

/// The path's parameter, unless it is empty.
fn param(scene: &Scene<'_>, name: &str) -> Option<String> {
    Some(scene.request.stage.call.param(name)).filter(|text| !text.is_empty()).map(str::to_owned)
}

fn hash(scene: &Scene<'_>) -> Result<Work, Refusal> {
    let call = &scene.request.stage.call;
    let asked = param(scene, OF_ALGORITHM.name).or_else(|| call.get(&ALGORITHM)).unwrap_or_default();
    let algorithm = match asked.as_str() {
        "sha2-224" => &digest::SHA224,
        "" | "sha2-256" => &digest::SHA256,
        "sha2-384" => &digest::SHA384,
        "sha2-512" => &digest::SHA512,
        "sha3-256" => &digest::SHA3_256,
        "sha3-384" => &digest::SHA3_384,
        "sha3-512" => &digest::SHA3_512,
        _ => return Err(Refusal::bad_request("unsupported algorithm")),
    };
    let input = Zeroizing::new(call.get(&INPUT).unwrap_or_default());
    let input = BASE64.decode(input.as_bytes());
    let input = Zeroizing::new(input.map_err(|_| Refusal::bad_request("unable to decode input as base64"))?);
    let sum = written(digest::digest(algorithm, &input).as_ref(), call.get(&HASH_FORMAT), "hex")?;
    Ok(Work::reply(Reply::data(json!({ "sum": sum }))))
}

fn random(scene: &Scene<'_>) -> Result<Work, Refusal> {
    let call = &scene.request.stage.call;
    let wrong = || Refusal::bad_request("'bytes' must be a number");
    let number = |text: String| text.parse::<i64>().map_err(|_| wrong());
    let (first, second) = (param(scene, OF_SOURCE.name), param(scene, OF_BYTES.name));
    // With one segment it is either: a source is no number.
    let (source, bytes) = match (first, second) {
        (Some(source), Some(bytes)) => (Some(source), Some(number(bytes)?)),
        (Some(either), None) if either.bytes().all(|b| b.is_ascii_digit()) => (None, Some(number(either)?)),
        (source, _) => (source, None),
    };
    match source.or_else(|| call.get(&SOURCE)).as_deref() {
        None | Some("" | "platform") => {}
        Some("seal" | "all") => {
            return Err(Refusal::bad_request(
                "the seal gives no entropy here: ask for the source 'platform'",
            ));
        }
        Some(_) => return Err(Refusal::bad_request("unsupported entropy source; must be 'platform'")),
    }
    let bytes = bytes.or_else(|| call.get(&BYTES)).unwrap_or(32);
    if bytes < 1 {
        return Err(Refusal::bad_request("'bytes' cannot be less than 1"));
    }
    if bytes > MOST {
        return Err(Refusal::bad_request("'bytes' should be less than 131072"));
    }
    let mut drawn = Zeroizing::new(vec![0; usize::try_from(bytes).map_err(|_| wrong())?]);
    scene.active.entropy.fill(&mut drawn)?;
    let drawn = written(&drawn, call.get(&FORMAT), "base64")?;
    Ok(Work::reply(Reply::data(json!({ "random_bytes": drawn }))))
}

fn written(bytes: &[u8], format: Option<String>, usual: &str) -> Result<String, Refusal> {
    match format.as_deref().filter(|format| !format.is_empty()).unwrap_or(usual) {
        "hex" => Ok(HEXLOWER.encode(bytes)),
        "base64" => Ok(BASE64.encode(bytes)),
        _ => Err(Refusal::bad_request("unsupported encoding format; must be 'hex' or 'base64'")),
    }
}
