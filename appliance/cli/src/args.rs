//! Flags as data, and their parser: `-x` and `--x`, `-x=v` and `-x v`, before and after the arguments.

use std::collections::BTreeMap;

use serde_json::Value;
use strongroom_types::JsonMap;
use strongroom_types::time::{parse_duration, whole_seconds};

use crate::help::nearest;
use crate::verb::{Failure, Verb};

/// A flag of one or more verbs.
#[derive(Clone, Copy)]
pub struct Flag {
    /// The name without dashes, and its short forms.
    pub names: &'static [&'static str],
    /// What it takes.
    pub kind: Kind,
    /// For people, one line.
    pub about: &'static str,
}

/// What a flag takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Text.
    Text,
    /// Text; may come more than once.
    Many,
    /// Nothing, or `=true`, `=false`.
    Bool,
    /// A whole number.
    Number,
    /// Seconds or `1h30m`.
    Duration,
    /// The same, or `system`: what the server's configuration says.
    Ttl,
    /// `name=value`; may come more than once.
    Pairs,
}

/// The flags of a call, by their first name.
#[derive(Default)]
pub struct Flags(BTreeMap<&'static str, Vec<String>>);

impl Flags {
    /// The value given last.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name)?.last().map(String::as_str)
    }

    /// Every value given.
    pub fn all(&self, name: &str) -> &[String] {
        self.0.get(name).map_or(&[], Vec::as_slice)
    }

    /// Whether it is set and not false.
    pub fn on(&self, name: &str) -> bool {
        self.text(name).is_some_and(|value| parse_bool(value) == Some(true))
    }

    /// A duration in seconds; it was checked when it was parsed.
    pub fn seconds(&self, name: &str) -> Option<i64> {
        parse_duration(self.text(name)?).map(whole_seconds)
    }

    /// `name=value`, as an object; the last of a name counts.
    pub fn pairs(&self, name: &str) -> JsonMap {
        let pairs = self.all(name).iter().filter_map(|pair| pair.split_once('='));
        pairs.map(|(name, value)| (name.trim().to_owned(), Value::from(value.trim()))).collect()
    }

    /// The members of a request's body that flags of `family` are: `-max-lease-ttl=1h` is `"max_lease_ttl": "3600s"`.
    /// What was not given is not in it.
    pub fn body(&self, family: &[Flag]) -> JsonMap {
        let mut out = JsonMap::new();
        for flag in family {
            let Some(&name) = flag.names.first() else { continue };
            let Some(text) = self.text(name) else { continue };
            let value = match flag.kind {
                Kind::Text => text.into(),
                Kind::Many => self.all(name).into(),
                Kind::Bool => self.on(name).into(),
                Kind::Number => self.number(name).into(),
                Kind::Duration | Kind::Ttl => {
                    self.seconds(name).map_or_else(|| text.into(), |seconds| format!("{seconds}s").into())
                }
                Kind::Pairs => Value::Object(self.pairs(name)),
            };
            out.insert(name.replace('-', "_"), value);
        }
        out
    }

    /// A number; it was checked when it was parsed.
    pub fn number(&self, name: &str) -> Option<i64> {
        self.text(name)?.parse().ok()
    }
}

/// What a command line holds behind its verb.
pub struct Parsed {
    /// The flags.
    pub flags: Flags,
    /// The rest.
    pub arguments: Vec<String>,
    /// Whether help is asked for.
    pub help: bool,
}

/// Parses what follows the words of `verb`.
pub fn parse(verb: &Verb, args: &[String]) -> Result<Parsed, Failure> {
    let mut parsed = Parsed { flags: Flags::default(), arguments: Vec::new(), help: false };
    let mut rest = args.iter();
    while let Some(word) = rest.next() {
        let Some(flag) = word.strip_prefix('-').filter(|flag| !flag.is_empty()) else {
            parsed.arguments.push(word.clone());
            continue;
        };
        if word == "--" {
            parsed.arguments.extend(rest.cloned());
            break;
        }
        let flag = flag.strip_prefix('-').unwrap_or(flag);
        let (name, value) = match flag.split_once('=') {
            Some((name, value)) => (name, Some(value.to_owned())),
            None => (flag, None),
        };
        if matches!(name, "h" | "help") {
            parsed.help = true;
            continue;
        }
        let known = known(verb, name)?;
        let value = match (value, known.kind) {
            (Some(value), _) => value,
            (None, Kind::Bool) => "true".into(),
            (None, _) => rest
                .next()
                .cloned()
                .ok_or_else(|| Failure::local(format!("flag needs an argument: -{name}")))?,
        };
        check(known.kind, name, &value)?;
        if let Some(first) = known.names.first() {
            parsed.flags.0.entry(first).or_default().push(value);
        }
    }
    Ok(parsed)
}

fn known(verb: &Verb, name: &str) -> Result<&'static Flag, Failure> {
    let mut flags = verb.flags.iter().copied().flatten();
    flags.find(|flag| flag.names.contains(&name)).ok_or_else(|| {
        let names = verb.flags.iter().copied().flatten().flat_map(|flag| flag.names).copied();
        let hint = nearest(name, names).map(|near| format!("\nDid you mean -{near}?")).unwrap_or_default();
        Failure::local(format!("flag provided but not defined: -{name}{hint}"))
    })
}

fn check(kind: Kind, name: &str, value: &str) -> Result<(), Failure> {
    let wrong =
        |what: &str| Err(Failure::local(format!("invalid value \"{value}\" for flag -{name}: {what}")));
    match kind {
        Kind::Text | Kind::Many => Ok(()),
        Kind::Bool if parse_bool(value).is_some() => Ok(()),
        Kind::Bool => {
            Err(Failure::local(format!("invalid boolean value \"{value}\" for -{name}: use true or false")))
        }
        Kind::Number if value.parse::<i64>().is_ok() => Ok(()),
        Kind::Number => wrong("not a whole number"),
        Kind::Duration if parse_duration(value).is_some() => Ok(()),
        Kind::Ttl if value == "system" || parse_duration(value).is_some() => Ok(()),
        Kind::Duration | Kind::Ttl => wrong("not a duration such as 30s or 1h30m"),
        Kind::Pairs if value.contains('=') => Ok(()),
        Kind::Pairs => wrong("missing = in KV pair"),
    }
}

/// Booleans as Vault reads them.
pub fn parse_bool(text: &str) -> Option<bool> {
    match text {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Some(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Some(false),
        _ => None,
    }
}

/// Whether `given` arguments are as many as `verb` takes.
pub fn check_count(verb: &Verb, given: usize) -> Result<(), Failure> {
    let expected = match verb.max {
        Some(max) if max == verb.min => format!("expected {max}"),
        Some(max) if given > max => format!("expected {max}"),
        _ => format!("expected at least {}", verb.min),
    };
    if given < verb.min {
        return Err(Failure::local(format!("Not enough arguments ({expected}, got {given})")));
    }
    if verb.max.is_some_and(|max| given > max) {
        return Err(Failure::local(format!("Too many arguments ({expected}, got {given})")));
    }
    Ok(())
}
