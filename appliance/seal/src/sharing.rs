//! Pedersen's verifiable secret sharing over P-256: splitting, checking one share alone, combining.
//!
//! The secret is a random scalar `s`, hidden by a random blinding `b`. With polynomials `S` and `B` of degree
//! `k - 1`, `S(0) = s` and `B(0) = b`, holder `i` (from 1) gets `S(i)` and `B(i)`. The commitments
//! `C_j = g^S_j · h^B_j` to the coefficients let anybody check `g^S(i) · h^B(i) = Π C_j^(i^j)`. They say nothing
//! about `s`, whatever the computer, as long as the Feldman set `g^S_j`, which vsss-rs also makes, is thrown away.
//! `k = 1` is the same with constant polynomials: every holder gets `s` and `b`.
//!
//! The types of vsss-rs do not leave this module: their `Debug` prints scalars. Its share is replaced by
//! [`ScalarShare`], which prints nothing and is wiped; so are the polynomials, which vsss-rs keeps in shares.

use std::fmt;

use p256::elliptic_curve::group::GroupEncoding;
use p256::elliptic_curve::{Generate, PrimeField};
use p256::hash2curve::GroupDigest;
use p256::{FieldBytes, NistP256, NonZeroScalar, ProjectivePoint, Scalar};
use strongroom_types::Entropy;
use vsss_rs::pedersen::{self, PedersenOptions};
use vsss_rs::{
    IdentifierPrimeField, PedersenResult, PedersenVerifierSet, ReadableShareSet, Share, ValueGroup,
};
use zeroize::{Zeroize, Zeroizing};

use crate::SealError;
use crate::entropy::CurveRng;

/// The message whose hash is the second generator; see [`second_generator`].
const GENERATOR_MESSAGE: &[u8] = b"second generator";
/// Its domain separation tag.
const GENERATOR_DST: &[u8] = b"strongroom-seal-v1-pedersen-h-P256_XMD:SHA-256_SSWU_RO_";

/// A commitment, as a compressed point (SEC 1): `02` or `03`, then x.
pub(crate) type Commitment = [u8; COMMITMENT_LEN];
/// Length of a [`Commitment`].
pub(crate) const COMMITMENT_LEN: usize = 33;
/// Length of the bytes of a [`Part`].
pub(crate) const PART_LEN: usize = 64;

/// What one holder holds: share ‖ blinding, each a scalar, big-endian.
pub(crate) struct Part {
    /// The holder's number in its group, from 1.
    pub(crate) index: u8,
    /// 64 bytes.
    pub(crate) bytes: Zeroizing<[u8; PART_LEN]>,
}

/// A fresh group.
pub(crate) struct Split {
    /// The scalar; the group secret is derived from it.
    pub(crate) scalar: Zeroizing<[u8; 32]>,
    /// One for each holder, in order.
    pub(crate) parts: Vec<Part>,
    /// `k` of them.
    pub(crate) commitments: Vec<Commitment>,
}

/// A random secret in `n` parts of which `k` give it back; each is checked before it is returned.
pub(crate) fn split(k: u8, n: u8, entropy: &dyn Entropy) -> Result<Split, SealError> {
    let mut rng = CurveRng::new(entropy);
    let mut secret = IdentifierPrimeField(*NonZeroScalar::generate_from_rng(&mut rng).as_ref());
    let mut blinding = IdentifierPrimeField(*NonZeroScalar::generate_from_rng(&mut rng).as_ref());
    let scalar = Zeroizing::new(secret.0.to_repr().into());
    let made =
        if k == 1 { constant(&secret, &blinding, n) } else { polynomial(k, n, &secret, &blinding, &mut rng) };
    secret.0.zeroize();
    blinding.0.zeroize();
    rng.finish()?;

    let (parts, commitments) = made?;
    match parts.iter().all(|part| verify(&commitments, part)) {
        true => Ok(Split { scalar, parts, commitments }),
        false => Err(SealError::Crypto("Pedersen sharing")),
    }
}

type Parts = (Vec<Part>, Vec<Commitment>);

/// `k = 1`, which vsss-rs refuses to split.
fn constant(secret: &ScalarValue, blinding: &ScalarValue, n: u8) -> Result<Parts, SealError> {
    let commitment = ProjectivePoint::GENERATOR * secret.0 + second_generator()? * blinding.0;
    Ok(((1..=n).map(|index| Part::new(index, secret, blinding)).collect(), vec![encode(commitment)]))
}

/// `k ≥ 2`. What vsss-rs keeps of the blinding and the Feldman set is not wiped; it leaves the secret hidden behind a
/// discrete logarithm, and is gone with this function's memory.
fn polynomial(
    k: u8,
    n: u8,
    secret: &ScalarValue,
    blinding: &ScalarValue,
    rng: &mut CurveRng<'_>,
) -> Result<Parts, SealError> {
    let mut options: PedersenOptions<'_, ScalarShare, Verifier> = PedersenOptions {
        secret,
        blinder: Some(*blinding),
        secret_generator: Some(Verifier::generator()),
        blinder_generator: Some(ValueGroup(second_generator()?)),
    };
    let made = pedersen::split_secret_with_ids(k.into(), n.into(), &options, rng, (1..=n).map(identifier));
    options.blinder.zeroize();
    let made = made.map_err(|_| SealError::Crypto("Pedersen sharing"))?;

    let shares = made.secret_shares().iter().zip(made.blinder_shares());
    let parts =
        (1..=n).zip(shares).map(|(index, (share, blinding))| Part::new(index, &share.value, &blinding.value));
    let commitments = <Vec<Verifier> as PedersenVerifierSet<ScalarShare, Verifier>>::blind_verifiers(
        made.pedersen_verifier_set(),
    );
    Ok((parts.collect(), commitments.iter().map(|point| encode(point.0)).collect()))
}

/// Whether `part` fits the group's commitments. Needs no other part.
pub(crate) fn verify(commitments: &[Commitment], part: &Part) -> bool {
    let Some(points) = commitments.iter().map(decode).collect::<Option<Vec<_>>>() else { return false };
    let Ok(h) = second_generator() else { return false };
    let Some((share, blinding)) = part.shares() else { return false };
    let set: Vec<Verifier> = PedersenVerifierSet::<ScalarShare, Verifier>::with_generators_and_verifiers(
        Verifier::generator(),
        ValueGroup(h),
        &points,
    );
    PedersenVerifierSet::verify_share_and_blinder(&set, &share, &blinding).is_ok()
}

/// The scalar from `k` verified parts of different holders; `None` if there are fewer.
pub(crate) fn combine<'a>(
    k: u8,
    parts: impl Iterator<Item = &'a Part>,
) -> Result<Option<Zeroizing<[u8; 32]>>, SealError> {
    let shares: Option<Vec<ScalarShare>> =
        parts.take(k.into()).map(|part| part.shares().map(|(share, _)| share)).collect();
    let shares = shares.ok_or(SealError::Crypto("Pedersen sharing"))?;
    if shares.len() < usize::from(k) {
        return Ok(None);
    }
    let mut secret = match shares.as_slice() {
        [only] => only.value,
        several => several.combine().map_err(|_| SealError::Crypto("Pedersen sharing"))?,
    };
    let scalar = Zeroizing::new(secret.0.to_repr().into());
    secret.0.zeroize();
    Ok(Some(scalar))
}

/// `h`: a point whose logarithm to `g` nobody knows, because it is the hash of a text (RFC 9380).
fn second_generator() -> Result<ProjectivePoint, SealError> {
    hash_to_curve(GENERATOR_MESSAGE, GENERATOR_DST)
}

/// P256_XMD:SHA-256_SSWU_RO_ of RFC 9380.
fn hash_to_curve(message: &[u8], dst: &[u8]) -> Result<ProjectivePoint, SealError> {
    NistP256::hash_from_bytes(&[message], &[dst]).map_err(|_| SealError::Crypto("hash to curve"))
}

fn encode(point: ProjectivePoint) -> Commitment {
    point.to_bytes().into()
}

fn decode(commitment: &Commitment) -> Option<Verifier> {
    Option::from(ProjectivePoint::from_bytes(&(*commitment).into())).map(ValueGroup)
}

fn identifier(index: u8) -> ScalarValue {
    IdentifierPrimeField(Scalar::from(u64::from(index)))
}

impl Part {
    fn new(index: u8, share: &ScalarValue, blinding: &ScalarValue) -> Self {
        let mut bytes = Zeroizing::new([0; PART_LEN]);
        let (first, second) = bytes.split_at_mut(PART_LEN / 2);
        first.copy_from_slice(&share.0.to_repr());
        second.copy_from_slice(&blinding.0.to_repr());
        Self { index, bytes }
    }

    /// From the bytes of a share; `None` if there are not 64. They are checked by [`verify`], not here.
    pub(crate) fn from_bytes(index: u8, from: &[u8]) -> Option<Self> {
        let mut bytes = Zeroizing::new([0; PART_LEN]);
        if from.len() != PART_LEN {
            return None;
        }
        bytes.copy_from_slice(from);
        Some(Self { index, bytes })
    }

    /// Share and blinding; `None` if one of them is not a scalar.
    fn shares(&self) -> Option<(ScalarShare, ScalarShare)> {
        let (share, blinding) = self.bytes.split_at(PART_LEN / 2);
        Some((self.share(share)?, self.share(blinding)?))
    }

    fn share(&self, bytes: &[u8]) -> Option<ScalarShare> {
        let mut repr = FieldBytes::try_from(bytes).ok()?;
        let value: Option<Scalar> = Scalar::from_repr(repr).into();
        repr.zeroize();
        Some(ScalarShare { identifier: identifier(self.index), value: IdentifierPrimeField(value?) })
    }
}

type ScalarValue = IdentifierPrimeField<Scalar>;
type Verifier = ValueGroup<ProjectivePoint>;

/// A share for vsss-rs that is wiped on drop and does not print itself.
#[derive(Clone, Default, PartialEq, Eq)]
struct ScalarShare {
    identifier: ScalarValue,
    value: ScalarValue,
}

impl Drop for ScalarShare {
    fn drop(&mut self) {
        // A coefficient of a polynomial stands in the identifier, so both are secret.
        self.identifier.0.zeroize();
        self.value.0.zeroize();
    }
}

impl fmt::Debug for ScalarShare {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ScalarShare")
    }
}

impl Share for ScalarShare {
    type Identifier = ScalarValue;
    type Value = ScalarValue;

    fn with_identifier_and_value(identifier: ScalarValue, value: ScalarValue) -> Self {
        Self { identifier, value }
    }

    fn identifier(&self) -> &ScalarValue {
        &self.identifier
    }

    fn identifier_mut(&mut self) -> &mut ScalarValue {
        &mut self.identifier
    }

    fn value(&self) -> &ScalarValue {
        &self.value
    }

    fn value_mut(&mut self) -> &mut ScalarValue {
        &mut self.value
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::SystemEntropy;
    use data_encoding::HEXLOWER;
    use strongroom_types::NoEntropy;

    #[test]
    fn the_second_generator_is_made_as_rfc_9380_says() {
        // RFC 9380, appendix J.1.1.
        let dst = b"QUUX-V01-CS02-with-P256_XMD:SHA-256_SSWU_RO_";
        for (message, compressed) in [
            ("", "032c15230b26dbc6fc9a37051158c95b79656e17a1a920b11394ca91c44247d3e4"),
            ("abc", "020bb8b87485551aa43ed54f009230450b492fead5f1cc91658775dac4a3388a0f"),
        ] {
            let point = hash_to_curve(message.as_bytes(), dst).unwrap();
            assert_eq!(HEXLOWER.encode(&encode(point)), compressed, "{message:?}");
        }
    }

    #[test]
    fn the_second_generator_stays_as_it_is() {
        let h = HEXLOWER.encode(&encode(second_generator().unwrap()));
        assert_eq!(h, include_str!("../tests/golden/second-generator.txt").trim());
    }

    /// Share or blinding of a part.
    fn scalar(part: &Part, half: usize) -> Scalar {
        let bytes: [u8; 32] = part.bytes[half * 32..][..32].try_into().unwrap();
        Scalar::from_repr(bytes.into()).unwrap()
    }

    fn point(commitment: &Commitment) -> ProjectivePoint {
        decode(commitment).unwrap().0
    }

    /// The equation of the module's documentation, written out without vsss-rs.
    #[test]
    fn the_commitments_are_pedersens() {
        let h = second_generator().unwrap();
        for (k, n) in [(1, 3), (2, 2), (3, 5)] {
            let split = split(k, n, &SystemEntropy).unwrap();
            assert_eq!((split.commitments.len(), split.parts.len()), (k.into(), n.into()));
            for part in &split.parts {
                let mut power = Scalar::ONE;
                let mut product = ProjectivePoint::IDENTITY;
                for commitment in &split.commitments {
                    product += point(commitment) * power;
                    power *= Scalar::from(u64::from(part.index));
                }
                assert_eq!(product, ProjectivePoint::GENERATOR * scalar(part, 0) + h * scalar(part, 1));
            }
        }
    }

    /// Neither of the secret nor of the other coefficients: here `S(x) = s + a x`, so `a = S(2) - S(1)`.
    #[test]
    fn the_commitments_are_not_the_feldman_set() {
        let split = split(2, 2, &SystemEntropy).unwrap();
        let secret: Scalar = Scalar::from_repr((*split.scalar).into()).unwrap();
        let slope = scalar(&split.parts[1], 0) - scalar(&split.parts[0], 0);
        assert_eq!(scalar(&split.parts[0], 0), secret + slope);
        assert_ne!(point(&split.commitments[0]), ProjectivePoint::GENERATOR * secret);
        assert_ne!(point(&split.commitments[1]), ProjectivePoint::GENERATOR * slope);
        // With the blinding they are.
        let h = second_generator().unwrap();
        let slope_of_blinding = scalar(&split.parts[1], 1) - scalar(&split.parts[0], 1);
        assert_eq!(point(&split.commitments[1]), ProjectivePoint::GENERATOR * slope + h * slope_of_blinding);
    }

    #[test]
    fn any_k_parts_give_the_scalar_and_fewer_give_nothing() {
        let split = split(3, 5, &SystemEntropy).unwrap();
        for chosen in 0u32..32 {
            let parts = split.parts.iter().filter(|part| chosen & (1 << (part.index - 1)) != 0);
            let combined = combine(3, parts).unwrap();
            assert_eq!(combined.is_some(), chosen.count_ones() >= 3);
            assert!(combined.is_none_or(|scalar| scalar == split.scalar));
        }
    }

    #[test]
    fn every_flipped_bit_of_a_part_is_noticed_alone() {
        for (k, n) in [(1, 1), (2, 3)] {
            let mut split = split(k, n, &SystemEntropy).unwrap();
            let part = &mut split.parts[0];
            assert!(verify(&split.commitments, part));
            for bit in (0..PART_LEN * 8).step_by(5) {
                part.bytes[bit / 8] ^= 1 << (bit % 8);
                assert!(!verify(&split.commitments, part), "{k} of {n}, bit {bit}");
                part.bytes[bit / 8] ^= 1 << (bit % 8);
            }
        }
    }

    #[test]
    fn scalars_out_of_range_and_points_off_the_curve_are_refused() {
        let mut split = split(2, 2, &SystemEntropy).unwrap();
        split.parts[0].bytes.fill(0xff);
        assert!(!verify(&split.commitments, &split.parts[0]));
        split.parts[0].bytes.fill(0);
        assert!(!verify(&split.commitments, &split.parts[0]));
        split.commitments[1] = [0; COMMITMENT_LEN];
        assert!(!verify(&split.commitments, &split.parts[1]));
        split.commitments[1] = [0xff; COMMITMENT_LEN];
        assert!(!verify(&split.commitments, &split.parts[1]));
        assert!(!verify(&[], &split.parts[1]));
    }

    #[test]
    fn a_generator_that_fails_makes_no_shares() {
        struct Broken;
        impl Entropy for Broken {
            fn fill(&self, _: &mut [u8]) -> Result<(), NoEntropy> {
                Err(NoEntropy)
            }
        }
        assert!(matches!(split(1, 1, &Broken), Err(SealError::Entropy)));
        assert!(matches!(split(2, 3, &Broken), Err(SealError::Entropy)));
    }

    #[test]
    fn a_share_prints_nothing() {
        let split = split(2, 2, &SystemEntropy).unwrap();
        assert_eq!(format!("{:?}", split.parts[0].shares().unwrap().0), "ScalarShare");
    }
}
