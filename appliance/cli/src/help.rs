//! Help, made from the table of verbs, and the nearest right word for a wrong one.

use std::fmt::Write;

use crate::args::{Flag, Kind};
use crate::verb::{Table, Verb};

/// All verbs.
pub fn overview(table: Table) -> String {
    let mut out = String::from("Usage: strongroom <command> [flags] [arguments]\n\n");
    out.push_str("Servers:\n");
    let servers = [
        ("server", "Start the daemon: -config=FILE, or -dev to try it out in memory"),
        ("supervise", "Start the daemon and its bridges, and again what ends"),
        ("routes", "List what is answered, and what decides about it; needs no server"),
    ];
    for (name, about) in servers {
        let _ = writeln!(out, "    {name:22} {about}");
    }
    out.push_str("\nCommands:\n");
    list(&mut out, table.iter().filter(|verb| verb.words.len() == 1), 22);
    out.push_str("\nGroups of commands:\n");
    for group in groups(table) {
        let below: Vec<&str> = nexts(table, &[group]).collect();
        let _ = writeln!(out, "    {group:22} {}", below.join(", "));
    }
    out.push_str("\nEach command explains itself: strongroom <command> -help\n");
    out.push_str("The address and the token come from VAULT_ADDR and VAULT_TOKEN, or from -address and ~/.vault-token.");
    out
}

/// The first words that are no verbs by themselves.
fn groups(table: Table) -> Vec<&'static str> {
    let firsts = table.iter().filter(|verb| verb.words.len() > 1).filter_map(|verb| verb.words.first());
    let mut firsts: Vec<&str> = firsts.copied().collect();
    firsts.dedup();
    firsts
}

/// The words that may follow `words`, each once.
pub fn nexts<'a>(table: Table, words: &'a [&'a str]) -> impl Iterator<Item = &'static str> + 'a {
    let mut last = "";
    let all = table.below(words).filter_map(|verb| verb.words.get(words.len())).copied();
    all.filter(move |next| std::mem::replace(&mut last, next) != *next)
}

/// The verbs below `words`.
pub fn group(table: Table, words: &[&str]) -> String {
    let name = words.join(" ");
    let mut out = format!("Usage: strongroom {name} <command> [flags] [arguments]\n\nCommands:\n");
    list(&mut out, table.below(words), 28);
    let _ = write!(out, "\nEach command explains itself: strongroom {name} <command> -help");
    out
}

fn list<'a>(out: &mut String, verbs: impl Iterator<Item = &'a Verb>, width: usize) {
    for verb in verbs {
        let _ = writeln!(out, "    {:width$} {}", verb.words.join(" "), verb.about);
    }
}

/// One verb.
pub fn verb(verb: &Verb) -> String {
    let name = verb.words.join(" ");
    let takes = if verb.takes.is_empty() { String::new() } else { format!(" {}", verb.takes) };
    let mut out = format!("Usage: strongroom {name} [flags]{takes}\n\n    {}\n\n", verb.about);
    let _ = write!(out, "Example:\n\n    $ strongroom {}\n", verb.example);
    if verb.flags.iter().any(|family| !family.is_empty()) {
        out.push_str("\nFlags:\n\n");
    }
    // Its own first, then those that every verb has.
    for flag in verb.flags.iter().rev().copied().flatten() {
        let _ = writeln!(out, "    {:32} {}", shown(flag), flag.about);
    }
    out.truncate(out.trim_end().len());
    out
}

fn shown(flag: &Flag) -> String {
    let value = match flag.kind {
        Kind::Bool => "",
        Kind::Text | Kind::Many => "=TEXT",
        Kind::Number => "=NUMBER",
        Kind::Duration | Kind::Ttl => "=DURATION",
        Kind::Pairs => "=NAME=TEXT",
    };
    flag.names.iter().map(|name| format!("-{name}{value}")).collect::<Vec<_>>().join(", ")
}

/// There is no verb that begins with `word`.
pub fn unknown_verb(table: Table, word: &str) -> String {
    let first = table.iter().filter_map(|verb| verb.words.first()).copied();
    did_you_mean(&format!("there is no command \"{word}\""), word, first, "", &overview(table))
}

/// `unknown` is none of the verbs of a group.
pub fn unknown_in_group(table: Table, words: &[&str], unknown: Option<&str>) -> String {
    let help = group(table, words);
    let Some(unknown) = unknown else { return help };
    let name = words.join(" ");
    let what = format!("\"{name}\" has no command \"{unknown}\"");
    did_you_mean(&what, unknown, nexts(table, words), &format!("{name} "), &help)
}

fn did_you_mean<'a>(
    what: &str,
    word: &str,
    words: impl Iterator<Item = &'a str>,
    before: &str,
    help: &str,
) -> String {
    match nearest(word, words) {
        Some(near) => format!("{what}. Did you mean \"strongroom {before}{near}\"?\n\n{help}"),
        None => format!("{what}.\n\n{help}"),
    }
}

/// The word that differs least from `word`, if any is near.
pub fn nearest<'a>(word: &str, words: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let far = word.chars().count().div_ceil(2).clamp(1, 3);
    words
        .map(|candidate| (distance(word, candidate), candidate))
        .filter(|(d, _)| *d <= far)
        .min()
        .map(|(_, near)| near)
}

/// How many letters have to be put in, left out or exchanged.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.chars().enumerate() {
        let mut diagonal = i;
        let mut left = i + 1;
        let mut next = vec![left];
        for (to, above) in b.iter().zip(row.iter().skip(1)) {
            let change = diagonal + usize::from(from != *to);
            left = change.min(left + 1).min(above + 1);
            next.push(left);
            diagonal = *above;
        }
        row = next;
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances() {
        for (a, b, expected) in
            [("", "", 0), ("abc", "abc", 0), ("staus", "status", 1), ("raed", "read", 2), ("a", "", 1)]
        {
            assert_eq!(distance(a, b), expected, "{a} {b}");
            assert_eq!(distance(b, a), expected, "{b} {a}");
        }
        assert_eq!(nearest("statsu", ["read", "status", "list"].into_iter()), Some("status"));
        assert_eq!(nearest("frobnicate", ["read", "status"].into_iter()), None);
    }
}
