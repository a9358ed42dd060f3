//! What must not leave the house is withheld: tokens, keys, passwords, wherever they stand.

use serde_json::Value;

/// What stands instead.
const WITHHELD: &str = "(withheld)";

/// Parts of names whose values are secret.
const NAMES: [&str; 9] =
    ["token", "secret", "passw", "passphrase", "private", "credential", "share", "nonce", "unseal_key"];

/// Names that hold such a part and tell nothing: numbers, times, kinds.
const HARMLESS: [&str; 7] = [
    "token_type",
    "token_ttl",
    "token_max_ttl",
    "token_num_uses",
    "token_period",
    "secret_shares",
    "secret_threshold",
];

/// How tokens begin.
const TOKENS: [&str; 6] = ["hvs.", "hvb.", "hvr.", "s.", "b.", "r."];

/// Knows the caller's own token, whatever it looks like.
pub struct Redact {
    own: Option<String>,
}

impl Redact {
    /// `own` is the caller's token.
    pub fn new(own: Option<&str>) -> Self {
        Self { own: own.filter(|own| !own.is_empty()).map(str::to_owned) }
    }

    /// `value` without what is secret.
    pub fn value(&self, value: Value) -> Value {
        match value {
            Value::Object(members) => members
                .into_iter()
                .map(|(name, value)| {
                    let value = if is_secret(&name, &value) { WITHHELD.into() } else { self.value(value) };
                    (self.text(&name), value)
                })
                .collect::<serde_json::Map<_, _>>()
                .into(),
            Value::Array(values) => values.into_iter().map(|value| self.value(value)).collect(),
            Value::String(text) => self.text(&text).into(),
            other => other,
        }
    }

    /// `text` without the words that are tokens.
    pub fn text(&self, text: &str) -> String {
        let mut out = String::with_capacity(text.len());
        let mut word = String::new();
        // One more turn, for the word at the end.
        for c in text.chars().map(Some).chain([None]) {
            match c.filter(|c| c.is_ascii_alphanumeric() || "._-=".contains(*c)) {
                Some(letter) => word.push(letter),
                None => {
                    out.push_str(if self.is_token(&word) { WITHHELD } else { &word });
                    word.clear();
                    out.extend(c);
                }
            }
        }
        out
    }

    fn is_token(&self, word: &str) -> bool {
        let looks_so = |begin: &str| word.len() >= begin.len() + 20 && word.starts_with(begin);
        self.own.as_deref() == Some(word) || TOKENS.iter().any(|begin| looks_so(begin))
    }
}

/// Whether a member of this name is withheld: text and lists of text are; switches and numbers tell nothing.
fn is_secret(name: &str, value: &Value) -> bool {
    let name = name.to_ascii_lowercase();
    let holds = |parts: &[&str]| parts.iter().any(|part| name.contains(part));
    let could_be = match value {
        Value::String(text) => !text.is_empty(),
        Value::Array(values) => values.iter().any(Value::is_string),
        _ => false,
    };
    could_be && holds(&NAMES) && !HARMLESS.contains(&name.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn tokens_keys_and_passwords_are_withheld() {
        let redact = Redact::new(Some("root"));
        let token = "hvs.CAESIKMEvaQ1ofA1bcdefgh";
        let given = json!({
            "token": token, "client_secret": "x", "Password": "p", "unseal_keys": ["a"], "token_type": "service",
            "token/": { "type": "token", "accessor": "auth_token_1" }, "secret/": { "options": { "version": "2" } },
            "requests": { "1": { "request_path": format!("auth/token/lookup/{token}"), "client": "root" } },
            "secret_shares": 5, "note": "s.short and root's tree", token: 1, "nothing_secret": "",
        });
        let expected = json!({
            "token": WITHHELD, "client_secret": WITHHELD, "Password": WITHHELD, "unseal_keys": WITHHELD,
            "token_type": "service",
            "token/": { "type": "token", "accessor": "auth_token_1" }, "secret/": { "options": { "version": "2" } },
            "requests": { "1": { "request_path": "auth/token/lookup/(withheld)", "client": WITHHELD } },
            "secret_shares": 5, "note": "s.short and (withheld)'s tree", WITHHELD: 1, "nothing_secret": "",
        });
        assert_eq!(redact.value(given), expected);
    }
}
