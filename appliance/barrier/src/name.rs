//! Names of records, in clear: what [`crate::View`] encrypts segment by segment.

use std::fmt;

/// Longest segment of a name, in bytes: its length on disk is one byte that counts blocks of 16.
pub const MAX_SEGMENT: usize = 4000;
/// Most segments of a name.
pub const MAX_SEGMENTS: usize = 200;
/// Longest name, in bytes of all its segments: twice the longest path. No key on disk is longer than 23 KiB.
pub const MAX_NAME: usize = 16 * 1024;

/// The name of a record within a [`crate::View`]: one or more segments, none empty.
///
/// A segment may hold any text, also a slash: two different lists of segments are two different names.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Name {
    segments: Vec<String>,
    rank: Option<u32>,
}

/// Why a list of segments is no name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NameError {
    /// A segment is empty.
    Empty,
    /// A segment or the whole is too long.
    TooLong,
}

impl Name {
    /// From segments; an empty list is the root of a view, which can be listed but not read.
    pub fn new<S: Into<String>>(segments: impl IntoIterator<Item = S>) -> Result<Self, NameError> {
        let segments: Vec<String> = segments.into_iter().map(Into::into).collect();
        if segments.iter().any(String::is_empty) {
            return Err(NameError::Empty);
        }
        let len: usize = segments.iter().map(String::len).sum();
        if segments.len() > MAX_SEGMENTS || len > MAX_NAME || segments.iter().any(|s| s.len() > MAX_SEGMENT) {
            return Err(NameError::TooLong);
        }
        Ok(Self { segments, rank: None })
    }

    /// `prefix`, then the segments of the canonical path `path`.
    pub fn below(prefix: &str, path: &str) -> Result<Self, NameError> {
        Self::new(std::iter::once(prefix).chain(path.split('/').filter(|s| !s.is_empty())))
    }

    /// The segments.
    pub fn segments(&self) -> &[String] {
        &self.segments
    }

    /// The same, but its record stands among those beside it by this rank, which the disk shows, and no longer anywhere: what is
    /// made one after the other, and ends so, then shares the disk's pages. The rank is part of the name: with another or
    /// without one it is another record. Nothing is below a name with a rank.
    pub fn ranked(self, rank: impl Into<Option<u32>>) -> Self {
        Self { rank: rank.into(), ..self }
    }

    /// See [`Name::ranked`].
    pub fn rank(&self) -> Option<u32> {
        self.rank
    }

    /// This name with one more segment.
    pub fn child(&self, segment: impl Into<String>) -> Result<Self, NameError> {
        Self::new(self.segments.iter().cloned().chain([segment.into()]))
    }
}

impl fmt::Display for NameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Empty => "a part of the name is empty",
            Self::TooLong => "the name is too long",
        })
    }
}

impl std::error::Error for NameError {}
