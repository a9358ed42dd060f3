//! `user_lockout "all"`, and the same for a kind of auth method.

use strongroom_core::LockoutSetting;

use super::stanza::Stanza;

/// The kinds of auth methods where something can be guessed, and the word for all of them.
const KINDS: [&str; 4] = ["all", "userpass", "approle", "ldap"];

/// One stanza for `kind`.
pub fn read(kind: &str, stanza: &mut Stanza<'_>) -> LockoutSetting {
    if !KINDS.contains(&kind) {
        stanza.problem(format!(
            "nobody is locked out of this kind of method; write one of {}",
            KINDS.join(", ")
        ));
    }
    let threshold = stanza.integer("lockout_threshold", 1..=1_000_000);
    let mut seconds = |key| {
        let value = stanza.seconds(key);
        if value.is_some_and(|value| value < 1) {
            stanza.problem_at(key, format!("{key} must be a second at least"));
        }
        value.unwrap_or_default()
    };
    let (duration, counter_reset) = (seconds("lockout_duration"), seconds("lockout_counter_reset"));
    LockoutSetting {
        threshold: threshold.and_then(|count| u64::try_from(count).ok()).unwrap_or_default(),
        duration,
        counter_reset,
        disable: stanza.flag("disable_lockout"),
    }
}
