//! A path as access lists are asked about it.

/// Canonical, without `/v1/` and a leading slash; for list and scan with a slash at its end.
#[derive(Clone, Copy, Debug)]
pub struct AclPath<'a> {
    /// The path.
    pub text: &'a str,
    /// Which of its segments, counted from 0, are names that are the same in any case. Here they are in lower case; a
    /// policy may write them in any: what it denies to `Admin` it denies to `admin` (CVE-2026-89322).
    pub folded: &'a [usize],
}

impl<'a> From<&'a str> for AclPath<'a> {
    /// A path all of which is exact.
    fn from(text: &'a str) -> Self {
        Self { text, folded: &[] }
    }
}
