//! Tokens that were looked up lately, already decrypted: most requests come with one of a few.
//!
//! The store holds at one revision always the same. So what was found at a revision counts at that revision and at no
//! other, and nobody has to say when a token changes. All of it goes, wiped, with the rest of what is in memory when the
//! appliance is sealed.

use std::sync::Arc;

use arc_swap::ArcSwapOption;
use strongroom_store::Revision;

use super::Known;

/// A token at most in each: the last one that was looked up.
const PLACES: usize = 256;

/// See the module.
pub struct Recent {
    places: Vec<ArcSwapOption<(Revision, Arc<Known>)>>,
}

impl Default for Recent {
    fn default() -> Self {
        Self { places: (0..PLACES).map(|_| ArcSwapOption::empty()).collect() }
    }
}

impl Recent {
    /// The token with this key, if it was found at just this revision.
    pub fn get(&self, key: &str, revision: Revision) -> Option<Arc<Known>> {
        let place = self.places.get(place(key))?.load();
        let (found_at, known) = place.as_deref()?;
        (*found_at == revision && known.key == key).then(|| known.clone())
    }

    /// Says that `known` was found at `revision`.
    pub fn put(&self, revision: Revision, known: &Arc<Known>) {
        if let Some(place) = self.places.get(place(&known.key)) {
            place.store(Some(Arc::new((revision, known.clone()))));
        }
    }
}

/// All of a key counts: it begins with a rank, and the tokens of one client are mostly neighbours.
fn place(key: &str) -> usize {
    key.bytes().fold(0_usize, |sum, byte| sum.wrapping_mul(31).wrapping_add(byte.into())) % PLACES
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::tokens::key::Keys;

    /// They had once all been in none: each request decrypted its token anew, and nothing but a benchmark told.
    #[test]
    fn keys_are_spread_over_the_places() {
        let keys = Keys::new(aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, &[7; 32])).unwrap();
        let of_rank = |rank: u32| {
            let own = format!("{rank:026}");
            let token = format!("hvs.{own}{}12345678", keys.disguised(own.as_bytes(), rank));
            place(&keys.of(token.as_bytes()))
        };
        let places: HashSet<usize> = (0..2_000).map(of_rank).collect();
        assert_eq!(places.len(), PLACES);
        let chosen: HashSet<usize> =
            (0..2_000).map(|number: u32| place(&keys.of(&number.to_be_bytes()))).collect();
        assert_eq!(chosen.len(), PLACES);
    }
}
