//! Completion for shells: words, flags, and paths as the server knows them.
//!
//! A shell calls this program with the line so far in `COMP_LINE` (and in `COMP_POINT` how much of it stands before the
//! cursor), and reads the words that could come next, one a line. Bash does so by itself (`complete -C`), zsh by its
//! layer for bash, fish by the function of [`install`].

pub mod install;
mod names;

use crate::args::{self, Kind};
use crate::help::nexts;
use crate::io::Io;
use crate::verb::{First, Found, Table, Verb, find};

/// The words that begin a server; they are not in the table of verbs.
const SERVERS: [&str; 3] = ["server", "supervise", "routes"];

/// If a shell asks, answers it.
pub fn answer(table: Table, io: &mut Io) -> bool {
    let Some(line) = io.env.get("COMP_LINE").cloned() else { return false };
    let point = io.env.get("COMP_POINT").and_then(|point| point.parse().ok()).unwrap_or(line.len());
    for candidate in candidates(table, line.get(..point).unwrap_or(&line), io) {
        io.say(&candidate);
    }
    io.flush();
    true
}

/// What could stand for the last word of `line`.
fn candidates(table: Table, line: &str, io: &Io) -> Vec<String> {
    let mut words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
    let partial = match line.ends_with(char::is_whitespace) {
        true => String::new(),
        false => words.pop().unwrap_or_default(),
    };
    if words.is_empty() {
        return Vec::new();
    }
    words.remove(0);
    let mut all = match find(table, &words) {
        Found::Verb(verb, rest) => of_verb(verb, rest, &partial, io),
        Found::Group(group, None) => nexts(table, &group).map(str::to_owned).collect(),
        Found::Nothing("") => {
            let firsts = nexts(table, &[]).chain(SERVERS);
            firsts.map(str::to_owned).collect()
        }
        _ => Vec::new(),
    };
    all.retain(|candidate| candidate.starts_with(&partial));
    all.sort_unstable();
    all.dedup();
    all
}

fn of_verb(verb: &Verb, rest: &[String], partial: &str, io: &Io) -> Vec<String> {
    if partial.starts_with('-') {
        let names = verb.flags.iter().copied().flatten().filter_map(|flag| flag.names.first());
        let dashes = if partial.starts_with("--") { "--" } else { "-" };
        return names.chain(&["help"]).map(|name| format!("{dashes}{name}")).collect();
    }
    // A flag that still waits for its value: the word behind it is no argument.
    if let Some(flag) = waiting(verb, rest) {
        return of_flag(flag, rest, verb, io);
    }
    let Ok(parsed) = args::parse(verb, rest) else { return Vec::new() };
    match (verb.first, parsed.arguments.len()) {
        (First::Word(words), 0) => words.iter().map(|&word| word.to_owned()).collect(),
        (first, 0) => names::of(first, &parsed.flags, partial, io),
        _ => Vec::new(),
    }
}

/// The flag at the end of `rest` that needs a value and has none.
fn waiting<'a>(verb: &Verb, rest: &'a [String]) -> Option<&'a str> {
    let name = rest.last()?.strip_prefix('-')?;
    let name = name.strip_prefix('-').unwrap_or(name);
    let flag = verb.flags.iter().copied().flatten().find(|flag| flag.names.contains(&name))?;
    (flag.kind != Kind::Bool).then_some(name)
}

fn of_flag(flag: &str, rest: &[String], verb: &Verb, io: &Io) -> Vec<String> {
    match flag {
        "format" => ["table", "json", "yaml"].iter().map(|&word| word.to_owned()).collect(),
        "mount" => {
            let before = rest.get(..rest.len().saturating_sub(1)).unwrap_or_default();
            let Ok(parsed) = args::parse(verb, before) else { return Vec::new() };
            names::of(First::Mount, &parsed.flags, "", io)
        }
        _ => Vec::new(),
    }
}
