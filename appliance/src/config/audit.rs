//! `audit "file" "name"`: where audit lines go.

use std::collections::BTreeMap;

use super::Audit;
use super::stanza::Stanza;

/// One audit stanza. Its settings stand in the stanza itself or in its `options` block; both is well.
pub fn read(kind: &str, name: &str, stanza: &mut Stanza<'_>) -> Option<Audit> {
    if kind != "file" {
        stanza.problem("there is no such audit sink yet; write audit \"file\" \"name\" { path = \"…\" }");
        stanza.abandon();
        return None;
    }
    let mut found = Found::default();
    let description = stanza.text("description").unwrap_or_default();
    stanza.ignored(&["local"]);
    if name.is_empty() || name.contains('/') {
        stanza.problem("the sink's name must not be empty or have a slash");
    }
    found.settings(stanza);
    stanza.blocks("options", 0, |_, options| found.settings(options));
    if found.path.is_none() {
        stanza.problem("path is missing: write the file, \"stdout\" or \"discard\"");
    }
    Some(Audit { kind: kind.into(), name: name.into(), description, options: found.options()? })
}

#[derive(Default)]
struct Found {
    path: Option<String>,
    mode: Option<u32>,
    log_raw: Option<bool>,
    hmac_accessor: Option<bool>,
    elide_list_responses: Option<bool>,
}

impl Found {
    fn settings(&mut self, stanza: &mut Stanza<'_>) {
        let not_empty = |text: &str| match text {
            "" => Err("is empty: write the file".to_owned()),
            _ => Ok(text.to_owned()),
        };
        let path = stanza.parsed("path", not_empty);
        let path = path.or_else(|| stanza.parsed("file_path", not_empty));
        self.path = path.or(self.path.take());
        // Never executable, whatever is asked for.
        let mode = stanza.octal("mode").map(|mode| mode & 0o666);
        self.mode = mode.or(self.mode);
        self.log_raw = stanza.flag("log_raw").or(self.log_raw);
        self.hmac_accessor = stanza.flag("hmac_accessor").or(self.hmac_accessor);
        self.elide_list_responses = stanza.flag("elide_list_responses").or(self.elide_list_responses);
        let _ = stanza.parsed("format", |text| match text {
            "json" => Ok(()),
            _ => Err("must be \"json\"".to_owned()),
        });
        stanza.ignored(&["skip_test"]);
        stanza.refused(&[
            ("prefix", "lines are JSON and begin with nothing else"),
            ("filter", "every request is written to every sink"),
            ("exclude", "every request is written to every sink"),
            ("fallback", "every request is written to every sink"),
        ]);
    }

    /// Only what was written.
    fn options(&self) -> Option<BTreeMap<String, String>> {
        let mut options = BTreeMap::from([("file_path".to_owned(), self.path.clone()?)]);
        if let Some(mode) = self.mode {
            options.insert("mode".into(), format!("{mode:04o}"));
        }
        for (name, value) in [
            ("log_raw", self.log_raw),
            ("hmac_accessor", self.hmac_accessor),
            ("elide_list_responses", self.elide_list_responses),
        ] {
            if let Some(value) = value {
                options.insert(name.into(), value.to_string());
            }
        }
        Some(options)
    }
}
