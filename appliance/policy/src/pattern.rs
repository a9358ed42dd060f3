//! The path of a stanza, and which of two that match is the better.

use std::cmp::Reverse;

use strongroom_types::path::{ApiPath, MAX_PATH, PathError};

use crate::path::AclPath;

/// Most segments in a stanza's path.
pub const MAX_SEGMENTS: usize = 128;

/// The path of a stanza: `secret/data/app`, `secret/*`, `secret/+/app`.
///
/// `*` is a wildcard only as the last character and stands for any rest of the path. `+` is a wildcard only as
/// a whole segment and stands for any one segment. Elsewhere both are plain characters, as in Vault.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Pattern {
    /// Without a leading slash, and without the `*` at the end.
    text: String,
    open_ended: bool,
}

/// The order of patterns that match one path: the greatest is the best. Two different patterns never tie.
///
/// The fields are compared from the first to the last; each is such that more is better.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Priority<'a> {
    /// Where the first `+` or the `*` stands, in bytes.
    first_wildcard: usize,
    /// Does not end in `*`.
    closed: bool,
    /// How many segments are `+`: fewer are better.
    plus_segments: Reverse<usize>,
    /// In bytes, without the `*`.
    length: usize,
    /// Without the `*`.
    text: &'a str,
}

impl Pattern {
    /// From the text of a stanza, or what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text.contains("+*") {
            return Err("invalid use of wildcards ('+*' is forbidden)".into());
        }
        if text.contains("{{") {
            return Err("templated paths ('{{…}}') are not supported yet".into());
        }
        let text = text.strip_prefix('/').unwrap_or(text);
        let (text, open_ended) = match text.strip_suffix('*') {
            Some(text) => (text, true),
            None => (text, false),
        };
        if text.split('/').count() > MAX_SEGMENTS {
            return Err(format!("the path has more than {MAX_SEGMENTS} segments"));
        }
        // What `*` stands for goes on from here: the last segment is not all there yet.
        let whole = if open_ended { format!("{text}x") } else { text.to_owned() };
        match ApiPath::from_text(&whole) {
            Ok(_) => Ok(Self { text: text.to_owned(), open_ended }),
            Err(PathError::TooLong) => {
                Err(format!("the path or a segment is too long (at most {MAX_PATH} bytes)"))
            }
            // Such a path is never asked for in this spelling: a `deny` on it would only seem to work.
            Err(error) => Err(error.message().into()),
        }
    }

    /// Without a leading slash, and without the `*` at the end.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether it ends in `*`.
    pub fn is_open_ended(&self) -> bool {
        self.open_ended
    }

    /// Whether it stands for one path only.
    pub fn is_exact(&self) -> bool {
        !self.open_ended && self.plus_segments() == 0
    }

    /// Whether anything of it is not in lower case.
    pub fn has_upper_case(&self) -> bool {
        self.text.to_lowercase() != self.text
    }

    /// If it matches `path`: the pattern with those of its own segments in lower case that are names in any case there.
    pub fn folded(&self, path: AclPath<'_>) -> Option<Self> {
        let last = self.text.split('/').count() - 1;
        let mut given = path.text.split('/');
        let mut own = Vec::new();
        for (at, segment) in self.text.split('/').enumerate() {
            let there = given.next()?;
            let (folds, goes_on) = (path.folded.contains(&at), self.open_ended && at == last);
            let segment = match (folds, goes_on) {
                _ if segment == "+" => Some(segment.into()),
                (false, false) => (segment == there).then(|| segment.into()),
                (false, true) => there.starts_with(segment).then(|| segment.into()),
                (true, false) => Some(segment.to_lowercase()).filter(|own| own == there),
                (true, true) => beginning(segment, there),
            };
            own.push(segment?);
        }
        let is_whole = self.open_ended || given.next().is_none();
        is_whole.then(|| Self { text: own.join("/"), open_ended: self.open_ended })
    }

    /// Where it stands among all that match the same path.
    pub fn priority(&self) -> Priority<'_> {
        Priority {
            first_wildcard: self.first_plus().unwrap_or(self.text.len()),
            closed: !self.open_ended,
            plus_segments: Reverse(self.plus_segments()),
            length: self.text.len(),
            text: &self.text,
        }
    }

    /// Whether it speaks of paths at or below `mount` (`secret/`): it names every segment of the mount, by
    /// itself or by `+`.
    pub fn reaches(&self, mount: &str) -> bool {
        let mut own = self.text.split('/');
        mount
            .trim_end_matches('/')
            .split('/')
            .all(|segment| own.next().is_some_and(|s| s == "+" || s == segment))
    }

    fn plus_segments(&self) -> usize {
        self.text.split('/').filter(|segment| *segment == "+").count()
    }

    /// Where the first segment that is `+` begins.
    fn first_plus(&self) -> Option<usize> {
        let before: Vec<&str> = self.text.split('/').take_while(|segment| *segment != "+").collect();
        let start = before.iter().map(|segment| segment.len() + 1).sum();
        (self.plus_segments() > 0).then_some(start)
    }
}

/// `text` in lower case, as `name` begins with it. A letter at the end of a word can be another than within it (Σ).
fn beginning(text: &str, name: &str) -> Option<String> {
    let ended = text.to_lowercase();
    let mut within = format!("{text}x").to_lowercase();
    within.pop();
    [ended, within].into_iter().find(|text| name.starts_with(text))
}

impl std::fmt::Display for Pattern {
    /// As it stands in the policy.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}{}", self.text, if self.open_ended { "*" } else { "" })
    }
}
