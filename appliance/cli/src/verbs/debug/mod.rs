//! `debug`: what somebody who helps needs to know, in one file, without secrets.
//!
//! Everything comes through the API, with the caller's own token; [`redact`] sees it before it is written. What the
//! server does not know, or does not tell, is in the list of errors of `index.json`.

mod redact;
mod tar;

use std::fs;
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Value, json};
use strongroom_types::Timestamp;

use super::{BASE, HTTP};
use crate::args::{Flag, Kind};
use crate::client::{Answer, Ask, Client};
use crate::io::Io;
use crate::verb::{Call, Failure, Verb};
use crate::{VERSION, token};

/// The verb of this folder.
pub const VERBS: &[Verb] = &[Verb {
    words: &["debug"],
    about: "Gather what somebody who helps needs to know of the server, without secrets",
    example: "debug -duration=30s -output=bundle",
    flags: &[HTTP, FLAGS],
    run,
    ..BASE
}];

const FLAGS: &[Flag] = &[
    Flag { names: &["duration"], kind: Kind::Duration, about: "For how long (2m); 0s: one look" },
    Flag { names: &["interval"], kind: Kind::Duration, about: "Between two looks (30s)" },
    Flag { names: &["output"], kind: Kind::Text, about: "The file to write (strongroom-debug-TIME)" },
    Flag {
        names: &["target"],
        kind: Kind::Many,
        about: "Only this, of server-status, health, leader, requests, metrics, host, config, mounts, auth, audit, \
                key-status, version-history; may come more than once",
    },
    Flag { names: &["compress"], kind: Kind::Bool, about: "One .tar file instead of a folder (true)" },
];

/// What is looked at: its name, its path, and whether it changes from look to look.
const TARGETS: &[(&str, &str, bool)] = &[
    ("server-status", "sys/seal-status", true),
    ("health", "sys/health?standbyok=true&sealedcode=200&uninitcode=200", true),
    ("leader", "sys/leader", true),
    ("requests", "sys/in-flight-req", true),
    ("metrics", "sys/metrics", true),
    ("host", "sys/host-info", true),
    ("config", "sys/config/state/sanitized", false),
    ("mounts", "sys/mounts", false),
    ("auth", "sys/auth", false),
    ("audit", "sys/audit", false),
    ("key-status", "sys/key-status", false),
    ("version-history", "sys/version-history?list=true", false),
];

const DURATION: i64 = 120;
const INTERVAL: i64 = 30;
/// The shortest time between two looks: debugging must not be the load that is looked for.
const SHORTEST: i64 = 1;

fn run(call: &mut Call<'_>) -> Result<u8, Failure> {
    let duration = call.flags.seconds("duration").unwrap_or(DURATION).max(0);
    let interval = call.flags.seconds("interval").unwrap_or(INTERVAL).max(SHORTEST);
    let targets = targets(call)?;
    let client = call.client()?;
    let own = token::current(call.io).ok().flatten();
    let redact = redact::Redact::new(own.as_ref().and_then(|token| token.expose_str()));
    // Whoever cannot be reached, or does not want anything printed but the request, ends it here.
    client
        .ask(&Ask::get("sys/seal-status"))
        .map_err(|cause| Failure::during("Error reaching the server", &cause))?;
    let begun = call.io.clock.now();
    let compress = call.flags.text("compress").is_none() || call.flags.on("compress");
    let output = call.flags.text("output").map_or_else(|| default_name(begun), str::to_owned);
    let output = if compress { format!("{output}.tar") } else { output };
    let target = call.io.folder.join(&output);
    let failed = |error: std::io::Error| Failure::local(format!("Error writing {output}: {error}"));
    if target.exists() {
        return Err(Failure::local(format!("{output} is there already: name another with -output")));
    }
    let looks = duration / interval + 1;
    call.io.say(&format!("==> {looks} looks at {} things, {interval} s apart", targets.len()));
    let mut bundle = Bundle::new(targets);
    for look in 1..=looks {
        bundle.look(&client, &redact, call.io.clock.now(), look == 1);
        call.io.say(&format!("{} look {look} of {looks}", call.io.clock.now()));
        call.io.flush();
        if look < looks {
            std::thread::sleep(Duration::from_secs(interval.unsigned_abs()));
        }
    }
    let files = bundle.files(begun, call.io);
    match compress {
        true => write_new(&target, &tar::archive(&files, begun.secs())).map_err(failed)?,
        false => write_folder(&target, &files).map_err(failed)?,
    }
    call.io.say(&format!("Success! Bundle written to: {output}. Look into it before you hand it on."));
    Ok(0)
}

fn targets(call: &Call<'_>) -> Result<Vec<Target>, Failure> {
    let wanted: Vec<&str> =
        call.flags.all("target").iter().flat_map(|list| list.split(',')).map(str::trim).collect();
    let known = |name: &str| TARGETS.iter().any(|(known, ..)| *known == name);
    if let Some(unknown) = wanted.iter().find(|name| !known(name)) {
        let names: Vec<&str> = TARGETS.iter().map(|(name, ..)| *name).collect();
        return Err(Failure::local(format!("Unknown target: {unknown}: there is {}", names.join(", "))));
    }
    let chosen = TARGETS.iter().filter(|(name, ..)| wanted.is_empty() || wanted.contains(name));
    Ok(chosen.map(|&(name, path, changes)| Target { name, path, changes, looks: Vec::new() }).collect())
}

/// `strongroom-debug-2026-11-25T10-02-03Z`.
fn default_name(now: Timestamp) -> String {
    let now = Timestamp::from_secs(now.secs()).to_string();
    format!("strongroom-debug-{}", now.replace(':', "-"))
}

/// One thing that is looked at.
struct Target {
    name: &'static str,
    path: &'static str,
    changes: bool,
    looks: Vec<Value>,
}

/// All that has been seen.
struct Bundle {
    targets: Vec<Target>,
    /// What was looked at, what went wrong, and when for the first time.
    errors: Vec<(&'static str, String, Timestamp)>,
}

/// A file of the bundle.
pub struct File {
    /// Its name, without a folder.
    pub name: String,
    /// What is in it.
    pub bytes: Vec<u8>,
}

impl Bundle {
    fn new(targets: Vec<Target>) -> Self {
        Self { targets, errors: Vec::new() }
    }

    fn look(&mut self, client: &Client, redact: &redact::Redact, now: Timestamp, is_first: bool) {
        for target in self.targets.iter_mut().filter(|target| target.changes || is_first) {
            match client.ask(&ask(target.path)) {
                Ok(answer) => {
                    target
                        .looks
                        .push(json!({ "time": now.to_string(), "answer": redact.value(read(&answer)) }));
                }
                Err(cause) => {
                    let error = redact.text(&cause.to_string());
                    let is_known =
                        self.errors.iter().any(|(name, known, _)| *name == target.name && *known == error);
                    if !is_known {
                        self.errors.push((target.name, error, now));
                    }
                }
            }
        }
    }

    fn files(self, begun: Timestamp, io: &Io) -> Vec<File> {
        let error = |(target, error, first): &(&str, String, Timestamp)| json!({ "target": target, "error": error, "first": first.to_string() });
        let index = json!({
            "program": format!("Strongroom v{VERSION}"),
            "begun": begun.to_string(),
            "ended": io.clock.now().to_string(),
            "targets": self.targets.iter().map(|target| target.name).collect::<Vec<_>>(),
            "errors": self.errors.iter().map(error).collect::<Vec<_>>(),
        });
        let file = |name: &str, value: &Value| {
            let mut bytes = serde_json::to_vec_pretty(value).unwrap_or_default();
            bytes.push(b'\n');
            File { name: format!("{name}.json"), bytes }
        };
        let seen = self.targets.into_iter().filter(|target| !target.looks.is_empty());
        std::iter::once(file("index", &index))
            .chain(seen.map(|target| file(target.name, &Value::Array(target.looks))))
            .collect()
    }
}

/// `path?name=value&…` as a request.
fn ask(path: &str) -> Ask<'_> {
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    Ask {
        query: pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
        ..Ask::preliminary(path)
    }
}

/// JSON if it is, else text.
fn read(answer: &Answer) -> Value {
    serde_json::from_slice(&answer.body)
        .unwrap_or_else(|_| String::from_utf8_lossy(&answer.body).into_owned().into())
}

/// A new file that only its owner reads.
fn write_new(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

fn write_folder(path: &PathBuf, files: &[File]) -> std::io::Result<()> {
    fs::DirBuilder::new().mode(0o700).create(path)?;
    files.iter().try_for_each(|file| write_new(&path.join(&file.name), &file.bytes))
}
