//! Randomness as a parameter: the daemon has one system generator, tests have a seed.

use std::fmt;

/// A source of random bytes.
pub trait Entropy: Send + Sync {
    /// Fills all of `out`, or fails; never leaves bytes that are not random behind an `Ok`.
    fn fill(&self, out: &mut [u8]) -> Result<(), NoEntropy>;
}

impl dyn Entropy + '_ {
    /// `N` random bytes.
    pub fn draw<const N: usize>(&self) -> Result<[u8; N], NoEntropy> {
        let mut out = [0; N];
        self.fill(&mut out)?;
        Ok(out)
    }
}

/// The system's generator fails: nothing that needs randomness may go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoEntropy;

impl fmt::Display for NoEntropy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the system's random generator fails: restart; if it stays so, replace the machine")
    }
}

impl std::error::Error for NoEntropy {}

impl From<NoEntropy> for crate::Refusal {
    fn from(_: NoEntropy) -> Self {
        Self::internal()
    }
}
