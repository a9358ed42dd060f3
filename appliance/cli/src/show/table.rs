//! Tables for people.

use serde_json::Value;

use super::clean;
use super::value::{duration, named_cell, plain, quoted};
use crate::secret::Secret;

/// Between two columns.
const GAP: &str = "    ";

/// Names and values, in order.
#[derive(Default)]
pub struct Rows(Vec<Vec<String>>);

impl Rows {
    /// Adds a row of two cells.
    pub fn add(&mut self, name: &str, value: impl Into<String>) {
        let value = value.into();
        self.0.push(vec![name.to_owned(), if value.is_empty() { "n/a".into() } else { value }]);
    }

    /// Adds the members of an object.
    pub fn members(&mut self, object: &Value) {
        for (name, value) in object.as_object().into_iter().flatten() {
            self.add(name, named_cell(name, value));
        }
    }

    /// Under `Key` and `Value`.
    pub fn table(&self) -> String {
        columns(&["Key", "Value"], &self.0)
    }
}

/// A table: a header, a line of dashes, rows. The last column is not padded.
pub fn columns(header: &[&str], rows: &[Vec<String>]) -> String {
    let header: Vec<String> = header.iter().map(|&name| name.to_owned()).collect();
    let dashes = header.iter().map(|name| "-".repeat(name.len())).collect();
    let clean_row = |row: &Vec<String>| row.iter().map(|cell| clean(cell).into_owned()).collect::<Vec<_>>();
    let rows: Vec<Vec<String>> = rows.iter().map(clean_row).collect();
    let all: Vec<&Vec<String>> = [&header, &dashes].into_iter().chain(&rows).collect();
    let widths: Vec<usize> = (0..header.len())
        .map(|column| {
            let cells = all.iter().filter_map(|row| row.get(column));
            cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
        })
        .collect();
    let line = |row: &Vec<String>| {
        let cells: Vec<String> =
            row.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}")).collect();
        cells.join(GAP).trim_end().to_owned()
    };
    all.into_iter().map(line).collect::<Vec<_>>().join("\n")
}

/// Names and values without a header.
pub fn lines(rows: &[(&str, String)]) -> String {
    let width = rows.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0);
    let value = |value: &str| clean(if value.is_empty() { "n/a" } else { value }).into_owned();
    let line = |(name, text): &(&str, String)| format!("{name:width$}{GAP}{}", value(text));
    rows.iter().map(line).collect::<Vec<_>>().join("\n")
}

/// A title over a line of `width`: `== Data ==`.
pub fn title(text: &str, width: usize) -> String {
    let signs = match width.saturating_sub(text.len() + 2) {
        0 => 4,
        signs => signs,
    };
    let signs = "=".repeat(signs.div_ceil(2));
    format!("{signs} {text} {signs}")
}

/// A title over the table of an object's members.
pub fn title_over(text: &str, members: &Value) -> String {
    let longest = members.as_object().into_iter().flatten().map(|(name, _)| name.len()).max().unwrap_or(0);
    title(text, longest + GAP.len() + "Value".len())
}

/// An answer: its lease, its token, its wrapping, its data.
pub fn secret(secret: &Secret) -> String {
    let mut rows = Rows::default();
    let lease = secret.lease_duration.as_i64().unwrap_or(0);
    let lease_id = plain(&secret.lease_id);
    match (lease > 0, lease_id.is_empty()) {
        (true, false) => {
            rows.add("lease_id", lease_id);
            rows.add("lease_duration", duration(lease));
            rows.add("lease_renewable", plain(&secret.renewable));
        }
        (true, true) => rows.add("refresh_interval", duration(lease)),
        (false, _) => {}
    }
    auth(&mut rows, &secret.auth);
    wrapping(&mut rows, &secret.wrap_info);
    rows.members(&secret.data);
    rows.table()
}

fn auth(rows: &mut Rows, auth: &Value) {
    let Some(auth) = auth.as_object() else { return };
    let get = |name: &str| auth.get(name).unwrap_or(&Value::Null);
    rows.add("token", plain(get("client_token")));
    rows.add("token_accessor", plain(get("accessor")));
    let seconds = get("lease_duration").as_i64().unwrap_or(0);
    rows.add("token_duration", if seconds == 0 { "∞".into() } else { duration(seconds) });
    rows.add("token_renewable", plain(get("renewable")));
    for name in ["token_policies", "identity_policies", "policies"] {
        rows.add(name, quoted(get(name)));
    }
    for (name, value) in get("metadata").as_object().into_iter().flatten() {
        rows.add(&format!("token_meta_{name}"), plain(value));
    }
}

fn wrapping(rows: &mut Rows, wrap: &Value) {
    let Some(wrap) = wrap.as_object() else { return };
    let get = |name: &str| wrap.get(name).unwrap_or(&Value::Null);
    rows.add("wrapping_token:", plain(get("token")));
    rows.add("wrapping_accessor:", plain(get("accessor")));
    rows.add("wrapping_token_ttl:", duration(get("ttl").as_i64().unwrap_or(0)));
    rows.add("wrapping_token_creation_time:", plain(get("creation_time")));
    rows.add("wrapping_token_creation_path:", plain(get("creation_path")));
    if let Some(accessor) = wrap.get("wrapped_accessor").filter(|accessor| !plain(accessor).is_empty()) {
        rows.add("wrapped_accessor:", plain(accessor));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn columns_are_padded_but_the_last() {
        let mut rows = Rows::default();
        rows.add("a", "");
        rows.add("longer", "x");
        assert_eq!(rows.table(), "Key       Value\n---       -----\na         n/a\nlonger    x");
        assert_eq!(columns(&["Keys"], &[vec!["a".into()], vec!["b/".into()]]), "Keys\n----\na\nb/");
    }

    #[test]
    fn no_cell_commands_the_terminal() {
        let mut rows = Rows::default();
        rows.members(&json!({ "a\u{1b}[2J": "b\rc", "pem": "1\n2" }));
        assert!(rows.table().contains("a\\x1b[2J    b\\x0dc\n"), "{}", rows.table());
        assert!(rows.table().ends_with("1\n2"));
        assert_eq!(lines(&[("a", "\u{7}".to_owned())]), "a    \\x07");
        let warning = Secret { data: json!({ "x": ["\u{1b}"] }), ..Secret::default() };
        assert!(secret(&warning).ends_with("[\\x1b]"));
    }

    #[test]
    fn titles_are_centred() {
        assert_eq!(title("Secret Path", "kvc/data/app/db".len()), "= Secret Path =");
        assert_eq!(title("Secret Path", "secret/data/fmt/a".len()), "== Secret Path ==");
        assert_eq!(title("Secret Path", 3), "== Secret Path ==");
        assert_eq!(title_over("Data", &json!({ "pass": 1, "user": 2 })), "==== Data ====");
        assert_eq!(title_over("Data", &json!({ "x": 1 })), "== Data ==");
        assert_eq!(title_over("Metadata", &json!({ "custom_metadata": 1 })), "======= Metadata =======");
    }
}
