//! Which rule counts for a path.

use std::sync::Arc;

use strongroom_types::Operation::{self, Create, Delete, List, Patch, Read, Scan, Update};

use super::{NOW, acl, ask, grants, may, refusal};
use crate::{Acl, AclPath, Ask, Capabilities, Pattern, Policy, Reason};

#[test]
fn each_verb_needs_its_own_capability() {
    let all = [Create, Read, Update, Delete, List, Patch, Scan];
    for granted in all {
        let acl = acl(&[&grants(&[("a/", granted.name())])]);
        for wanted in all {
            assert_eq!(may(&acl, "a/", wanted), granted == wanted, "{granted:?} {wanted:?}");
        }
    }
    assert!(may(&acl(&[&grants(&[("a", "read")])]), "a", Operation::Head));
}

#[test]
fn patterns_match_what_they_say() {
    for (pattern, path, matches) in [
        ("secret/a", "secret/a", true),
        ("secret/a", "secret/a/", false),
        ("secret/a", "secret/ab", false),
        ("/secret/a", "secret/a", true),
        ("secret/a*", "secret/a", true),
        ("secret/a*", "secret/abc/d", true),
        ("secret/a*", "secret/A", false),
        ("secret/*", "secret/", true),
        ("secret/*", "secret", false),
        ("secret/é*", "secret/écrit", true),
        ("secret/é*", "secret/è", false),
        ("*", "anything/at/all", true),
        ("*", "", true),
        ("secret/+/x", "secret/a/x", true),
        ("secret/+/x", "secret/a/b/x", false),
        ("secret/+/x", "secret/x", false),
        ("secret/+/x", "secret/a/x/y", false),
        ("secret/+", "secret/a", true),
        ("secret/+", "secret/a/b", false),
        ("secret/+/", "secret/a/", true),
        ("secret/+/", "secret/a", false),
        ("+/+", "a/b", true),
        ("+", "a", true),
        ("+/b/c*", "a/b/cd/e", true),
        ("+/b/c*", "a/b/d", false),
        ("secret/+/*", "secret/a/b/c", true),
        ("secret/+/*", "secret/a", false),
        // Elsewhere + and * are plain characters.
        ("secret/a+", "secret/a+", true),
        ("secret/a+", "secret/ab", false),
        ("secret/+b", "secret/ab", false),
        ("secret/a*b", "secret/axb", false),
        ("secret/a*b", "secret/a*b", true),
        ("secret/**", "secret/*x", true),
        ("secret/**", "secret/x", false),
    ] {
        let acl = acl(&[&grants(&[(pattern, "read")])]);
        assert_eq!(may(&acl, path, Read), matches, "{pattern} {path}");
    }
}

#[test]
fn the_exact_path_wins_then_the_best_pattern() {
    // Each row: a path, and patterns from the best to the worst.
    for (path, patterns) in [
        // The path itself before all else.
        ("a/b/c", vec!["a/b/c", "a/b/c*", "a/b/+", "a/b/*", "a/*", "*"]),
        // First wildcard later.
        ("foo/bar/x", vec!["foo/bar/+", "foo/ba*", "foo/+/x", "foo/+/+", "+/bar/x"]),
        // The same place: not ending in * before ending in *.
        ("a/b/c", vec!["a/+/c", "a/+/+", "a/*", "a/+/c*"]),
        // Fewer segments of +.
        ("a/b/c/d", vec!["a/+/c/d", "a/+/c/+", "a/+/+/+"]),
        // Longer.
        ("a/b/cc/d", vec!["a/+/cc*", "a/+/c*", "a/+/*"]),
        // Fewer + counts before longer.
        ("a/b/c/long", vec!["a/+/c*", "a/+/+/long*"]),
        // As long: the greater text.
        ("a/b/c/d/e/f", vec!["a/+/c/d/+/f", "a/+/c/+/e/f", "a/+/+/d/e/f"]),
    ] {
        for best in 0..patterns.len() {
            let rules: Vec<_> = patterns[best..]
                .iter()
                .enumerate()
                .map(|(i, pattern)| (*pattern, if i == 0 { "read" } else { "deny" }))
                .rev()
                .collect();
            let acl = acl(&[&grants(&rules)]);
            assert!(may(&acl, path, Read), "{path}: {} of {rules:?}", patterns[best]);
        }
    }
}

#[test]
fn rules_of_different_patterns_do_not_add_up() {
    let acl = acl(&[&grants(&[("secret/*", "read update")]), &grants(&[("secret/app/*", "list")])]);
    assert_eq!(acl.capabilities("secret/app/x", NOW), ["list"]);
    assert_eq!(refusal(&acl, &ask("secret/app/x", Read)), Some(Reason::Capability));
}

#[test]
fn the_same_path_in_several_policies_adds_up_and_deny_wins() {
    let read = grants(&[("a", "read"), ("b*", "read"), ("+/c", "read")]);
    let update = grants(&[("a", "update"), ("b*", "update"), ("/+/c", "update")]);
    let deny = grants(&[("a", "read deny sudo"), ("b*", "deny"), ("+/c", "deny")]);
    for path in ["a", "bx", "x/c"] {
        assert_eq!(acl(&[&read, &update]).capabilities(path, NOW), ["read", "update"]);
        for order in [[&read, &deny, &update], [&deny, &update, &read], [&update, &read, &deny]] {
            let acl = acl(&order.map(String::as_str));
            assert_eq!(acl.capabilities(path, NOW), ["deny"]);
            assert_eq!(refusal(&acl, &ask(path, Read)), Some(Reason::Denied));
        }
    }
}

#[test]
fn list_and_scan_also_find_the_path_without_its_slash() {
    let words = "list scan read";
    for operation in [List, Scan] {
        for pattern in ["secret/app", "secret/app/", "secret/*", "secret/app*", "secret/+", "secret/+/"] {
            assert!(may(&acl(&[&grants(&[(pattern, words)])]), "secret/app/", operation), "{pattern}");
        }
        let exact_with_slash_first = grants(&[("secret/app", "deny"), ("secret/app/", words)]);
        assert!(may(&acl(&[&exact_with_slash_first]), "secret/app/", operation));
        let exact_before_pattern = grants(&[("secret/app", "deny"), ("secret/app/*", words)]);
        assert!(!may(&acl(&[&exact_before_pattern]), "secret/app/", operation));
    }
    for pattern in ["secret/app", "secret/+"] {
        assert!(!may(&acl(&[&grants(&[(pattern, words)])]), "secret/app/", Read), "{pattern}");
    }
}

#[test]
fn sudo_is_needed_beside_the_verb() {
    let sudo = |words: &str, operation: Operation| {
        refusal(&acl(&[&grants(&[("sys/x", words)])]), &Ask { needs_sudo: true, ..ask("sys/x", operation) })
    };
    assert_eq!(sudo("read", Read), Some(Reason::Sudo));
    assert_eq!(sudo("sudo", Read), Some(Reason::Capability));
    assert_eq!(sudo("read sudo", Read), None);
    assert_eq!(sudo("read sudo", Update), Some(Reason::Capability));
}

#[test]
fn capabilities_are_told_in_alphabetical_order() {
    let all = "update sudo scan read patch list delete create";
    let acl = acl(&[&grants(&[("a", all), ("b", ""), ("c", "read deny"), ("d/", "list")])]);
    assert_eq!(
        acl.capabilities("a", NOW),
        ["create", "delete", "list", "patch", "read", "scan", "sudo", "update"]
    );
    for path in ["b", "c", "none"] {
        assert_eq!(acl.capabilities(path, NOW), ["deny"], "{path}");
    }
    assert_eq!(acl.capabilities("/d/", NOW), ["list"]);
    assert_eq!(Capabilities::from_word("root"), None);
}

#[test]
fn legacy_words_mean_capabilities() {
    for (word, words) in [
        ("deny", vec!["deny"]),
        ("read", vec!["list", "read"]),
        ("write", vec!["create", "delete", "list", "read", "update"]),
        ("sudo", vec!["create", "delete", "list", "read", "sudo", "update"]),
    ] {
        assert_eq!(acl(&[&format!("path \"a\" {{ policy = {word:?} }}")]).capabilities("a", NOW), words);
    }
}

#[test]
fn a_mount_is_visible_where_something_could_be_granted() {
    for (pattern, words, visible) in [
        ("secret/data/app", "read", true),
        ("secret/*", "list", true),
        ("secret/", "list", true),
        ("sec*", "read", true),
        ("*", "read", true),
        ("+/data/app", "read", true),
        ("+/*", "read", true),
        ("secret/data/app", "deny", false),
        ("secret/*", "deny", false),
        ("secret2/*", "read", false),
        ("secre", "read", false),
        ("sys/*", "sudo read", false),
    ] {
        assert_eq!(
            acl(&[&grants(&[(pattern, words)])]).visible("secret/", NOW),
            visible,
            "{pattern} {words}"
        );
    }
    let deep = acl(&[&grants(&[("team/a/kv/x", "read")])]);
    assert!(deep.visible("team/a/kv/", NOW) && deep.visible("team/", NOW) && !deep.visible("team/b/", NOW));
    let denied_below_a_grant = grants(&[("*", "read"), ("secret/*", "deny")]);
    assert!(!acl(&[&denied_below_a_grant]).visible("secret/", NOW));
}

#[test]
fn of_any_two_patterns_a_mount_is_seen_by_those_that_name_each_of_its_segments() {
    let below = |depth: usize| -> Vec<String> {
        (1..depth).fold(["a", "b", "+"].map(str::to_owned).to_vec(), |all, _| {
            let on = |path: &String| ["a", "b", "+"].map(|segment| format!("{path}/{segment}"));
            all.iter().flat_map(on).collect()
        })
    };
    let patterns: Vec<String> = (1..=3).flat_map(below).collect();
    let mounts = ["a/", "b/", "a/b/", "b/b/", "a/b/a/", "c/", "a/c/"];
    let names = |pattern: &str, mount: &str| {
        let mut segments = pattern.split('/');
        mount
            .trim_end_matches('/')
            .split('/')
            .all(|one| segments.next().is_some_and(|s| s == "+" || s == one))
    };
    for (first, second) in patterns.iter().zip(patterns.iter().rev()) {
        let both = acl(&[&grants(&[(first, "read")]), &grants(&[(second, "list")])]);
        for mount in mounts {
            let seen = names(first, mount) || names(second, mount);
            let (one, many) = (both.visible(mount, NOW), both.visible_mounts(NOW).contains(mount));
            assert_eq!((one, many), (seen, seen), "{first} {second} {mount}");
        }
    }
}

#[test]
fn paths_are_bounded_and_canonical() {
    for (path, what) in [
        ("a/+*", "invalid use of wildcards ('+*' is forbidden)"),
        ("a/{{identity.entity.id}}", "templated paths ('{{…}}') are not supported yet"),
        ("cafe\u{301}", "the path is not in Unicode normal form C"),
        ("a\u{0}", "the path contains a control character or a backslash"),
    ] {
        assert_eq!(Pattern::parse(path).unwrap_err(), what);
    }
    assert!(Pattern::parse(&"a/".repeat(128)).unwrap_err().contains("more than 128 segments"));
    assert!(Pattern::parse(&"a".repeat(9000)).unwrap_err().contains("too long"));
    assert!(Pattern::parse(&"+/".repeat(127)).is_ok());
}

/// A hundred thousand rules beside the one that matters: each look-up visits as many nodes as for one rule.
#[test]
fn many_rules_do_not_hide_the_best() {
    let stanza = |i: usize| {
        format!("path \"t{i}/a*\" {{ policy = \"deny\" }} path \"t/+/{i}\" {{ policy = \"read\" }}\n")
    };
    let parse = |i: usize, text: &str| Arc::new(Policy::parse(&format!("p{i}"), text).unwrap());
    let many: Vec<_> =
        (0..1000).map(|i| parse(i, &(0..50).map(|j| stanza(i * 50 + j)).collect::<String>())).collect();
    let acl = Acl::compile(&many);
    assert!(may(&acl, "t/x/49999", Read));
    assert!(!may(&acl, "t/x/50000", Read));
    assert_eq!(refusal(&acl, &ask("t77/abc", Read)), Some(Reason::Denied));
}

/// The access list's answer on `role/…`, whose second segment is a name that is the same in any case.
fn told(texts: &[&str], path: &str) -> Vec<&'static str> {
    acl(texts).capabilities(AclPath { text: path, folded: &[1] }, NOW)
}

#[test]
fn cve_2026_89322_a_name_in_any_case_is_meant_in_any_case_of_the_policy() {
    let all = grants(&[("role/*", "read")]);
    for spelt in ["role/MyApp", "role/MYAPP*", "role/MyA*", "role/myapp"] {
        // As the only grant, and as a denial beside one.
        assert_eq!(told(&[&grants(&[(spelt, "list")])], "role/myapp"), ["list"], "{spelt}");
        assert_eq!(told(&[&all, &grants(&[(spelt, "deny")])], "role/myapp"), ["deny"], "{spelt}");
        assert_eq!(told(&[&all, &grants(&[(spelt, "deny")])], "role/mine"), ["read"], "{spelt}");
    }
    assert_eq!(told(&[&all, &grants(&[("role/MyApp/*", "deny")])], "role/myapp/id"), ["deny"]);
    assert_eq!(told(&[&all, &grants(&[("+/MyApp/id", "deny"), ("r*", "list")])], "role/myapp/id"), ["read"]);
    // The rest of the path is as it is written; so is all of another path.
    assert_eq!(told(&[&all, &grants(&[("role/MyApp/ID", "deny")])], "role/myapp/id"), ["read"]);
    assert_eq!(told(&[&all, &grants(&[("Role/MyApp", "deny")])], "role/myapp"), ["read"]);
    let exact = acl(&[&all, &grants(&[("role/MyApp", "deny")])]);
    assert_eq!(exact.capabilities("role/myapp", NOW), ["read"]);
    assert_eq!(exact.capabilities("role/MyApp", NOW), ["deny"]);
    // Spellings of one pattern are one: they add up, and deny wins.
    let [one, other] = ["role/MyApp/*", "role/myAPP/*"].map(|path| grants(&[(path, "read")]));
    let lower = grants(&[("role/myapp/*", "update")]);
    assert_eq!(told(&[&one, &lower], "role/myapp/id"), ["read", "update"]);
    let denied = grants(&[("role/MYAPP/*", "deny")]);
    for texts in [[&one, &other, &denied], [&denied, &one, &lower], [&lower, &denied, &other]] {
        assert_eq!(told(&texts.map(String::as_str), "role/myapp/id"), ["deny"]);
    }
    // The best of several patterns is as good however it is written.
    let better = grants(&[("role/MyApp/id", "update"), ("role/MYAPP/*", "deny")]);
    assert_eq!(told(&[&better], "role/myapp/id"), ["update"]);
    assert_eq!(told(&[&grants(&[("role/MyApp", "list")])], "role/myapp/"), ["list"]);
}

/// A letter in lower case can be longer or shorter than in upper case, and another one at the end of a word.
#[test]
fn a_name_of_any_script_is_meant_in_any_case() {
    for (spelt, name) in [
        ("ΟΔΟΣ", "οδος"),
        ("ΟΔΟΣ*", "οδος"),
        ("ΟΔΟΣ*", "οδοσα"),
        ("ΟΔΟΣ*", "οδος-2"),
        ("İ", "i\u{307}"),
        ("ẞ*", "ßa"),
        ("İ*", "i\u{307}a"),
    ] {
        let (path, denied) = (format!("role/{name}"), grants(&[(&format!("role/{spelt}"), "deny")]));
        assert_eq!(told(&["path \"role/*\" { policy = \"read\" }", &denied], &path), ["deny"], "{spelt}");
    }
    // One is shorter than the other, and both are one pattern.
    let spelt = "path \"role/İ/*\" { policy = \"deny\" } path \"role/i\u{307}/*\" { policy = \"read\" }";
    assert_eq!(told(&[spelt], "role/i\u{307}/x"), ["deny"]);
}

#[test]
fn a_spelling_that_has_ended_leaves_the_others() {
    let ended = format!("path \"role/MyApp\" {{ capabilities = [\"deny\"] expiration = \"{NOW}\" }}");
    let lasting = grants(&[("role/myAPP", "read")]);
    assert_eq!(told(&[&ended, &lasting], "role/myapp"), ["read"]);
    assert_eq!(told(&[&ended, "path \"role/*\" { policy = \"read\" }"], "role/myapp"), ["list", "read"]);
}
