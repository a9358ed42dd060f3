//! Settings from the environment: `VAULT_X`; `BAO_X` wins where both are set.

use crate::io::Io;

/// The value of `VAULT_{name}` or `BAO_{name}`; an empty one is none.
pub fn get<'a>(io: &'a Io, name: &str) -> Option<&'a str> {
    ["BAO_", "VAULT_"]
        .iter()
        .find_map(|prefix| io.env.get(&format!("{prefix}{name}")))
        .map(String::as_str)
        .filter(|value| !value.is_empty())
}
