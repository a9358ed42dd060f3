//! Every verb of the table, walked: each explains itself, its example is a command line that is understood, and a slip of
//! the finger in its name or in one of its flags is answered with the right word.

use crate::args::{check_count, parse};
use crate::help;
use crate::verb::{Found, Verb, find};
use crate::verbs::TABLE;

fn words(line: &str) -> Vec<String> {
    line.split_whitespace().map(str::to_owned).collect()
}

/// `word` with two letters exchanged, or one too many where it is too short for that.
fn slip(word: &str) -> String {
    let mut letters: Vec<char> = word.chars().collect();
    match (1..letters.len().saturating_sub(1)).find(|&at| letters[at] != letters[at + 1]) {
        Some(at) => letters.swap(at, at + 1),
        None => letters.push('x'),
    }
    letters.into_iter().collect()
}

fn is_known(verb: &Verb) -> bool {
    let line: Vec<String> = verb.words.iter().map(|&word| word.to_owned()).collect();
    matches!(find(TABLE, &line), Found::Verb(found, []) if std::ptr::eq(found, verb))
}

#[test]
fn every_verb_explains_itself_with_an_example_that_is_understood() {
    assert!(TABLE.iter().count() > 60);
    for verb in TABLE.iter() {
        let name = verb.words.join(" ");
        assert!(is_known(verb), "{name} is hidden by another verb");
        let text = help::verb(verb);
        assert!(text.starts_with(&format!("Usage: strongroom {name}")), "{text}");
        assert!(text.contains(&format!("    $ strongroom {name}")), "{name}: no example");
        assert!(verb.about.len() > 10 && !verb.about.ends_with('.'), "{name}: {}", verb.about);
        // What stands behind four spaces is said to people.
        let example = words(verb.example.split("    ").next().unwrap());
        let Found::Verb(found, rest) = find(TABLE, &example) else { panic!("{name}: {example:?}") };
        assert!(std::ptr::eq(found, verb), "{name}: the example is another verb's");
        let parsed = parse(verb, rest).unwrap_or_else(|failure| panic!("{name}: {}", failure.text));
        check_count(verb, parsed.arguments.len())
            .unwrap_or_else(|failure| panic!("{name}: {}", failure.text));
        for flag in ["-h", "-help", "--help"] {
            assert!(parse(verb, &words(flag)).unwrap().help, "{name} {flag}");
        }
    }
}

#[test]
fn a_slip_in_a_verb_is_answered_with_the_right_one() {
    for verb in TABLE.iter() {
        let (last, group) = verb.words.split_last().unwrap();
        let wrong = slip(last);
        let said = match group {
            [] => help::unknown_verb(TABLE, &wrong),
            group => help::unknown_in_group(TABLE, group, Some(&wrong)),
        };
        let nearest = said.lines().next().unwrap();
        assert!(nearest.contains("Did you mean \"strongroom "), "{wrong}: {nearest}");
        // Another word may be as near (`kv get` and `kv put` are not).
        let meant = nearest.split('"').rev().nth(1).unwrap().rsplit(' ').next().unwrap();
        assert!(help::nearest(&wrong, [*last, meant].into_iter()) == Some(meant), "{wrong}: {nearest}");
    }
}

#[test]
fn a_slip_in_a_flag_is_answered_with_the_right_one() {
    for verb in TABLE.iter() {
        for flag in verb.flags.iter().copied().flatten() {
            let Some(name) = flag.names.iter().find(|name| name.len() > 3) else { continue };
            let wrong = slip(name);
            let said =
                parse(verb, &[format!("-{wrong}")]).err().map(|failure| failure.text).unwrap_or_default();
            assert!(said.contains(&format!("not defined: -{wrong}\nDid you mean -")), "{name}: {said}");
            assert!(!flag.about.is_empty(), "{name}");
        }
    }
}
