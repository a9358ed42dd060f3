//! The keyring: every key that is drawn at random, and how it is stored.
//!
//! The record at [`plain::KEYRING`] is a [frame](crate::frame) of term 0, whose data key derives from the root key. In
//! it:
//!
//! ```text
//! ┌─────────────┬─────────────────┬───────────────┬───────────────┬───
//! │ version = 1 │ generation, u64 │ index key, 32 │ table key, 32 │ term …
//! └─────────────┴─────────────────┴───────────────┴───────────────┴───
//! term   ┌─────────────┬──────────────────────┬─────────┐
//!        │ number, u32 │ installed, i64 in ns │ key, 32 │
//!        └─────────────┴──────────────────────┴─────────┘
//! ```
//!
//! All numbers are big-endian. There is at least one term, their numbers ascend from 1 or more, and the last one is in
//! use. *Generation* is that of the slot table.

use std::sync::Arc;

use strongroom_os::{Arena, Kept};
use strongroom_types::id::ClusterId;
use strongroom_types::{Entropy, Secret, Timestamp};
use zeroize::Zeroizing;

use crate::frame::{self, Frame};
use crate::purpose::{KEY_LEN, Purpose, derive};
use crate::{BarrierError, plain};

/// Most terms of a keyring: a rotation a day for ten years.
pub(crate) const MAX_TERMS: usize = 3660;
/// Of these, what is kept for new root keys: whoever may rotate must not be able to end rekeying.
const RESERVED_TERMS: usize = 360;

/// What a new term is for.
pub(crate) enum Occasion {
    /// A rotation of the data keys alone.
    Rotation,
    /// Another root key, which may use the reserve.
    NewRoot,
}

const VERSION: u8 = 1;
const HEADER_LEN: usize = 1 + 8 + 2 * KEY_LEN;
const TERM_LEN: usize = 4 + 8 + KEY_LEN;
/// The term of the keyring's own frame: no data key has it.
const NO_TERM: u32 = 0;

/// The keys of an unsealed barrier. A clone shares them: they are wiped when the last one is dropped.
#[derive(Clone)]
pub(crate) struct Keyring {
    /// Opens the stored keyring; derived from the root key, which is not kept.
    keyring_key: Arc<Kept>,
    /// Names derive from it. Never changes.
    pub(crate) index_key: Arc<Kept>,
    /// Authenticates the slot table.
    pub(crate) table_key: Arc<Kept>,
    /// Of the slot table.
    pub(crate) generation: u64,
    /// In order; never empty.
    pub(crate) terms: Vec<Term>,
    /// As it is stored, or is to be.
    pub(crate) record: Arc<[u8]>,
}

/// A generation of the data keys.
#[derive(Clone)]
pub(crate) struct Term {
    pub(crate) number: u32,
    pub(crate) installed: Timestamp,
    pub(crate) key: Arc<Kept>,
}

impl Keyring {
    /// A new one, under `root_key`.
    pub(crate) fn create(
        cluster: ClusterId,
        root_key: &Secret,
        arena: &Arc<Arena>,
        entropy: &dyn Entropy,
        now: Timestamp,
    ) -> Result<Self, BarrierError> {
        let keyring = Self {
            keyring_key: keyring_key(cluster, root_key, arena)?,
            index_key: random_key(arena, entropy)?,
            table_key: random_key(arena, entropy)?,
            generation: 1,
            terms: vec![Term { number: 1, installed: now, key: random_key(arena, entropy)? }],
            record: Arc::default(),
        };
        keyring.sealed(cluster, entropy)
    }

    /// The one that `record` holds: hostile bytes until the frame has opened.
    pub(crate) fn open(
        cluster: ClusterId,
        root_key: &Secret,
        record: &[u8],
        arena: &Arc<Arena>,
    ) -> Result<Self, BarrierError> {
        let keyring_key = keyring_key(cluster, root_key, arena)?;
        let frame = Frame::parse(record)?;
        if frame.term != NO_TERM {
            return Err(BarrierError::Damaged);
        }
        let plain =
            keyring_key.with(|key| frame.open(key, &associated(cluster))).map_err(|error| match error {
                BarrierError::Damaged => BarrierError::WrongRootKey,
                other => other,
            })?;
        Ok(Self { record: record.into(), ..Self::parse(keyring_key, plain.expose(), arena)? })
    }

    fn parse(keyring_key: Arc<Kept>, plain: &[u8], arena: &Arc<Arena>) -> Result<Self, BarrierError> {
        let mut rest = plain;
        if take::<1>(&mut rest)? != &[VERSION] {
            return Err(BarrierError::Damaged);
        }
        let generation = u64::from_be_bytes(*take(&mut rest)?);
        let index_key = Arc::new(arena.keep(take::<KEY_LEN>(&mut rest)?)?);
        let table_key = Arc::new(arena.keep(take::<KEY_LEN>(&mut rest)?)?);
        let mut terms: Vec<Term> = Vec::new();
        while !rest.is_empty() {
            let number = u32::from_be_bytes(*take(&mut rest)?);
            let installed = Timestamp::from_nanos(i64::from_be_bytes(*take(&mut rest)?));
            let key = Arc::new(arena.keep(take::<KEY_LEN>(&mut rest)?)?);
            if number <= terms.last().map_or(NO_TERM, |term| term.number) || terms.len() == MAX_TERMS {
                return Err(BarrierError::Damaged);
            }
            terms.push(Term { number, installed, key });
        }
        if terms.is_empty() {
            return Err(BarrierError::Damaged);
        }
        Ok(Self { keyring_key, index_key, table_key, generation, terms, record: Arc::default() })
    }

    /// The same with the record that is to be stored.
    pub(crate) fn sealed(self, cluster: ClusterId, entropy: &dyn Entropy) -> Result<Self, BarrierError> {
        let plain = self.plain();
        let record =
            self.keyring_key.with(|key| frame::seal(key, NO_TERM, &associated(cluster), &plain, entropy))?;
        Ok(Self { record: record.into(), ..self })
    }

    fn plain(&self) -> Zeroizing<Vec<u8>> {
        // Whole from the start: a vector that grows leaves copies of keys behind.
        let mut plain = Zeroizing::new(Vec::with_capacity(HEADER_LEN + self.terms.len() * TERM_LEN));
        plain.push(VERSION);
        plain.extend_from_slice(&self.generation.to_be_bytes());
        self.index_key.with(|key| plain.extend_from_slice(key));
        self.table_key.with(|key| plain.extend_from_slice(key));
        for term in &self.terms {
            plain.extend_from_slice(&term.number.to_be_bytes());
            plain.extend_from_slice(&term.installed.nanos().to_be_bytes());
            term.key.with(|key| plain.extend_from_slice(key));
        }
        plain
    }

    /// The same with one more term, which is then in use.
    pub(crate) fn with_new_term(
        mut self,
        occasion: Occasion,
        arena: &Arc<Arena>,
        entropy: &dyn Entropy,
        now: Timestamp,
    ) -> Result<Self, BarrierError> {
        let last = self.terms.last().map_or(NO_TERM, |term| term.number);
        let number = last.checked_add(1).ok_or(BarrierError::TooManyTerms)?;
        let most = match occasion {
            Occasion::Rotation => MAX_TERMS - RESERVED_TERMS,
            Occasion::NewRoot => MAX_TERMS,
        };
        if self.terms.len() >= most {
            return Err(BarrierError::TooManyTerms);
        }
        self.terms.push(Term { number, installed: now, key: random_key(arena, entropy)? });
        Ok(self)
    }

    /// The same for a later slot table.
    pub(crate) fn with_generation(self, generation: u64) -> Result<Self, BarrierError> {
        match generation > self.generation {
            true => Ok(Self { generation, ..self }),
            false => Err(BarrierError::StaleTable),
        }
    }

    /// The same under another root key.
    pub(crate) fn under(
        mut self,
        cluster: ClusterId,
        root_key: &Secret,
        arena: &Arc<Arena>,
    ) -> Result<Self, BarrierError> {
        self.keyring_key = keyring_key(cluster, root_key, arena)?;
        Ok(self)
    }

    /// The key of term `number`.
    pub(crate) fn term(&self, number: u32) -> Option<&Term> {
        let at = self.terms.binary_search_by_key(&number, |term| term.number).ok()?;
        self.terms.get(at)
    }
}

fn keyring_key(cluster: ClusterId, root_key: &Secret, arena: &Arc<Arena>) -> Result<Arc<Kept>, BarrierError> {
    if root_key.len() != KEY_LEN {
        return Err(BarrierError::WrongRootKey);
    }
    let context = Purpose::KeyringKey.context(&[&cluster.0]);
    arena.keep_with(KEY_LEN, |key| derive(root_key.expose(), &[], &context, key)).map(Arc::new)
}

fn random_key(arena: &Arc<Arena>, entropy: &dyn Entropy) -> Result<Arc<Kept>, BarrierError> {
    arena.keep_with(KEY_LEN, |key| Ok(entropy.fill(key)?)).map(Arc::new)
}

fn associated(cluster: ClusterId) -> Vec<u8> {
    Purpose::Keyring.context(&[&[frame::VERSION], &cluster.0, plain::KEYRING])
}

fn take<'a, const N: usize>(rest: &mut &'a [u8]) -> Result<&'a [u8; N], BarrierError> {
    let (head, tail) = rest.split_first_chunk().ok_or(BarrierError::Damaged)?;
    *rest = tail;
    Ok(head)
}

#[cfg(test)]
mod tests {
    use strongroom_os::Protection;

    use super::*;

    /// Authentic, for the frame has opened, but of no sense: a defect of ours, or a later format.
    #[test]
    fn a_keyring_has_one_encoding() {
        let arena = Arena::new(1 << 20, Protection::BestEffort).unwrap();
        let key = || Arc::new(arena.keep(&[7; KEY_LEN]).unwrap());
        let term = |number: u32| [&number.to_be_bytes(), [0; 8].as_slice(), &[number as u8; 32]].concat();
        let head = [&[VERSION], 3u64.to_be_bytes().as_slice(), &[1; 32], &[2; 32]].concat();
        let parse = |plain: &[u8]| Keyring::parse(key(), plain, &arena);

        let good = [head.clone(), term(1), term(2), term(9)].concat();
        let keyring = parse(&good).unwrap();
        assert_eq!(*keyring.plain(), good);
        assert!(keyring.term(2).is_some() && keyring.term(3).is_none() && keyring.term(0).is_none());

        let many = (1..=MAX_TERMS as u32 + 1).flat_map(term).collect();
        for bad in [
            head.clone(),
            [head.clone(), term(0)].concat(),
            [head.clone(), term(2), term(1)].concat(),
            [head.clone(), term(1), term(1)].concat(),
            [vec![2], good[1..].to_vec()].concat(),
            [head.clone(), many].concat(),
        ] {
            assert!(matches!(parse(&bad), Err(BarrierError::Damaged)));
        }
        for len in (0..good.len()).filter(|len| len.checked_sub(head.len()).is_none_or(|l| l % TERM_LEN != 0))
        {
            assert!(matches!(parse(&good[..len]), Err(BarrierError::Damaged)));
        }
    }

    #[test]
    fn rotations_leave_terms_for_new_root_keys_and_a_full_keyring_takes_none() {
        struct Ones;
        impl Entropy for Ones {
            fn fill(&self, out: &mut [u8]) -> Result<(), strongroom_types::NoEntropy> {
                out.fill(1);
                Ok(())
            }
        }
        let arena = Arena::new(1 << 20, Protection::BestEffort).unwrap();
        let root_key = Secret::copy_of(&[1; KEY_LEN]);
        let now = Timestamp::from_secs(0);
        let keyring = Keyring::create(ClusterId([1; 16]), &root_key, &arena, &Ones, now).unwrap();
        let first = keyring.terms[0].clone();
        let next = |terms: usize, occasion: Occasion| {
            let mut keyring = keyring.clone();
            keyring.terms = (1..=terms as u32).map(|number| Term { number, ..first.clone() }).collect();
            keyring.with_new_term(occasion, &arena, &Ones, now).map(|keyring| keyring.terms.len())
        };
        let for_all = MAX_TERMS - RESERVED_TERMS;
        assert_eq!(next(for_all - 1, Occasion::Rotation).unwrap(), for_all);
        assert!(matches!(next(for_all, Occasion::Rotation), Err(BarrierError::TooManyTerms)));
        assert_eq!(next(for_all, Occasion::NewRoot).unwrap(), for_all + 1);
        assert_eq!(next(MAX_TERMS - 1, Occasion::NewRoot).unwrap(), MAX_TERMS);
        assert!(matches!(next(MAX_TERMS, Occasion::NewRoot), Err(BarrierError::TooManyTerms)));
    }
}
