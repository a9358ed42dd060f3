use std::collections::BTreeMap;
use std::sync::Mutex;

use super::*;

/// Bytes of a counter, mixed: the same in each run.
struct Seeded(Mutex<u64>);

impl Entropy for Seeded {
    fn fill(&self, out: &mut [u8]) -> Result<(), NoEntropy> {
        let mut state = self.0.lock().unwrap();
        for byte in out {
            *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mixed = (*state ^ (*state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            *byte = (mixed ^ (mixed >> 31)).to_le_bytes()[0];
        }
        Ok(())
    }
}

struct Broken;

impl Entropy for Broken {
    fn fill(&self, _: &mut [u8]) -> Result<(), NoEntropy> {
        Err(NoEntropy)
    }
}

fn seeded() -> Seeded {
    Seeded(Mutex::new(1))
}

fn passwords(text: &str, count: usize) -> Vec<String> {
    let (policy, entropy) = (PasswordPolicy::parse(text).unwrap(), seeded());
    policy.is_possible(&entropy).unwrap();
    let one = |_| policy.password(&entropy).unwrap().expose_str().unwrap().to_owned();
    (0..count).map(one).collect()
}

#[test]
fn passwords_are_as_the_rules_say() {
    let text = r#"
        length = 20
        rule "charset" { charset = "abcdefghijklmnopqrstuvwxyz" min-chars = 1 }
        rule "charset" {
          charset = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
          min-chars = 2
        }
        rule "charset" { charset = "0123456789" }
        rule "charset" { charset = "-é☃" min-chars = 1 }
    "#;
    for password in passwords(text, 200) {
        assert_eq!(password.chars().count(), 20);
        assert!(password.chars().any(|c| c.is_ascii_lowercase()), "{password}");
        assert!(password.chars().filter(|c| c.is_ascii_uppercase()).count() >= 2, "{password}");
        assert!(password.chars().any(|c| "-é☃".contains(c)), "{password}");
    }
    let json = r#"{"length": 8, "rule": {"charset": {"charset": "ab", "min-chars": 3}}}"#;
    assert!(passwords(json, 20).iter().all(|password| password.len() == 8));
    let list = r#"{"length": 8, "rule": [{"charset": {"charset": "ab"}}, {"charset": {"charset": "1", "min-chars": 1}}]}"#;
    assert!(passwords(list, 20).iter().all(|password| password.contains('1')));
}

/// A remainder of a byte would make the first characters more likely: of 100, by half.
#[test]
fn every_character_is_as_likely_as_any_other() {
    let characters: String = ('\u{21}'..='\u{7e}').chain('\u{a1}'..='\u{a6}').collect();
    assert_eq!(characters.chars().count(), 100);
    let characters = characters.replace('\\', "\\\\").replace('"', "\\\"");
    let text = format!("length = 100\nrule \"charset\" {{ charset = \"{characters}\" }}");
    let mut seen: BTreeMap<char, u32> = BTreeMap::new();
    for password in passwords(&text, 2_000) {
        for c in password.chars() {
            *seen.entry(c).or_default() += 1;
        }
    }
    assert_eq!(seen.len(), 100);
    // 2,000 of each are expected, with a deviation of 45: six of them either way.
    assert!(seen.values().all(|count| (1_730..2_270).contains(count)), "{seen:?}");
}

#[test]
fn a_rule_does_not_make_places_more_likely() {
    // The one digit that is needed stands at each of the places alike.
    let text =
        r#"length = 4 rule "charset" { charset = "ab" } rule "charset" { charset = "1" min-chars = 1 }"#;
    let mut places = [0u32; 4];
    for password in passwords(text, 8_000) {
        for (place, c) in password.chars().enumerate() {
            places[place] += u32::from(c == '1');
        }
    }
    let (least, most) = (places.iter().min().unwrap(), places.iter().max().unwrap());
    assert!(most - least < 300, "{places:?}");
}

#[test]
fn what_makes_no_sense_is_refused() {
    for (text, what) in [
        ("", "length is missing"),
        ("length = 20", "no charset specified"),
        ("length = 3 rule \"charset\" { charset = \"ab\" }", "between 4 and 100"),
        ("length = 101 rule \"charset\" { charset = \"ab\" }", "between 4 and 100"),
        ("length = -1 rule \"charset\" { charset = \"ab\" }", "between 4 and 100"),
        ("length = 9999999999999999999 rule \"charset\" { charset = \"ab\" }", "not an integer"),
        ("length = \"x\" rule \"charset\" { charset = \"ab\" }", "not an integer"),
        ("length = 8 rule \"charset\" { charset = \"\" }", "charset is empty"),
        ("length = 8 rule \"charset\" { min-chars = 1 }", "charset is missing"),
        ("length = 8 rule \"charset\" { charset = \"a\\n\" }", "non-printable"),
        ("length = 8 rule \"charset\" { charset = \"a\u{200b}\" }", "non-printable"),
        ("length = 8 rule \"charset\" { charset = \"ab\" min-chars = 9 }", "at least 9 characters"),
        ("length = 8 rule \"charset\" { charset = \"ab\" min-chars = -1 }", "cannot be negative"),
        (
            "length = 8 rule \"charset\" { charset = \"a\" min-chars = 9223372036854775807 } rule \"charset\" { charset = \"a\" min-chars = 9223372036854775807 } rule \"charset\" { charset = \"a\" min-chars = 9223372036854775807 }",
            "at least",
        ),
        ("length = 8 rule \"words\" { charset = \"ab\" }", "there is no such rule"),
        ("length = 8 rule \"charset\" { charset = \"ab\" maximum = 1 }", "invalid key"),
        ("length = 8 length = 9 rule \"charset\" { charset = \"ab\" }", "given twice"),
        ("length = 8 charset = \"ab\"", "invalid key"),
        ("path \"x\" { capabilities = [\"read\"] }", "invalid key"),
    ] {
        let error = PasswordPolicy::parse(text).unwrap_err().to_string();
        assert!(error.contains(what), "{text}: {error}");
    }
    let wide: String = (0x4e00..0x4e00 + 300).filter_map(char::from_u32).collect();
    assert!(
        PasswordPolicy::parse(&format!("length = 8 rule \"charset\" {{ charset = \"{wide}\" }}")).is_err()
    );
    let many = "rule \"charset\" { charset = \"ab\" }\n".repeat(21);
    assert!(PasswordPolicy::parse(&format!("length = 8\n{many}")).is_err());
    let long = format!("length = 8 rule \"charset\" {{ charset = \"{}\" }}", "a".repeat(70_000));
    assert!(PasswordPolicy::parse(&long).is_err());
}

#[test]
fn what_can_hardly_be_fulfilled_is_told_and_no_randomness_is_no_password() {
    let characters: String = ('a'..='z').chain('A'..='Z').collect();
    let text = format!(
        "length = 40 rule \"charset\" {{ charset = \"{characters}\" }} rule \"charset\" {{ charset = \"1\" min-chars = 39 }}"
    );
    let policy = PasswordPolicy::parse(&text).unwrap();
    assert_eq!(policy.is_possible(&seeded()), Err(NoPassword::Impossible));
    let easy = PasswordPolicy::parse("length = 8 rule \"charset\" { charset = \"ab\" }").unwrap();
    assert!(matches!(easy.password(&Broken), Err(NoPassword::Entropy(NoEntropy))));
}
