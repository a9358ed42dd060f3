//! Randomness as a parameter.
//!
//! One thing does not come from here: the ML-KEM key pair and its encapsulations, which aws-lc-rs draws from its
//! own generator only.

use std::convert::Infallible;

use aws_lc_rs::rand::{SecureRandom, SystemRandom};
use p256::elliptic_curve::rand_core::{TryCryptoRng, TryRng};
use strongroom_types::{Entropy, NoEntropy};

use crate::SealError;

/// The generator of aws-lc-rs.
pub struct SystemEntropy;

impl Entropy for SystemEntropy {
    fn fill(&self, out: &mut [u8]) -> Result<(), NoEntropy> {
        SystemRandom::new().fill(out).map_err(|_| NoEntropy)
    }
}

/// An [`Entropy`] as p256 and vsss-rs want it: it must not fail.
///
/// A failure is remembered instead, and [`CurveRng::finish`] refuses all that was made. The filler is a valid
/// scalar other than zero, so that no rejection sampling waits for a better one. For the same reason a generator that
/// never gives a valid scalar (all bits one, all bits zero) fails once it has been asked [`MAX_BYTES`].
pub(crate) struct CurveRng<'a> {
    entropy: &'a dyn Entropy,
    left: usize,
    failed: bool,
}

const FILLER: u8 = 0x55;
/// Four times what the largest group needs: 2 polynomials of 255 scalars.
const MAX_BYTES: usize = 4 * 2 * 255 * 32;

impl<'a> CurveRng<'a> {
    pub(crate) fn new(entropy: &'a dyn Entropy) -> Self {
        Self { entropy, left: MAX_BYTES, failed: false }
    }

    /// Whether every draw was random; to be asked before anything made with it is used.
    pub(crate) fn finish(self) -> Result<(), SealError> {
        if self.failed { Err(SealError::Entropy) } else { Ok(()) }
    }
}

impl TryRng for CurveRng<'_> {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        let mut bytes = [0; 4];
        self.try_fill_bytes(&mut bytes)?;
        Ok(u32::from_le_bytes(bytes))
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        let mut bytes = [0; 8];
        self.try_fill_bytes(&mut bytes)?;
        Ok(u64::from_le_bytes(bytes))
    }

    fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), Infallible> {
        let left = self.left.checked_sub(out.len());
        self.left = left.unwrap_or_default();
        if left.is_none() || self.entropy.fill(out).is_err() {
            self.failed = true;
            out.fill(FILLER);
        }
        Ok(())
    }
}

impl TryCryptoRng for CurveRng<'_> {}
