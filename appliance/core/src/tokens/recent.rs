//! Tokens that were looked up lately, already decrypted: most requests come with one of a few.
//!
//! The store holds at one revision always the same. So what was found at a revision counts at that revision and at no
//! other, and nobody has to say when a token changes. All of it goes, wiped, with the rest of what is in memory when the
//! appliance is sealed.

use std::sync::Arc;

use arc_swap::ArcSwapOption;
use strongroom_store::Revision;

use super::Known;

/// As many as the first two digits of a key can say.
const PLACES: usize = 256;

/// See the module.
pub struct Recent {
    /// By the first two digits of the key, which is a MAC: as good as random.
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
        let place = self.place(key)?.load();
        let (found_at, known) = place.as_deref()?;
        (*found_at == revision && known.key == key).then(|| known.clone())
    }

    /// Says that `known` was found at `revision`.
    pub fn put(&self, revision: Revision, known: &Arc<Known>) {
        if let Some(place) = self.place(&known.key) {
            place.store(Some(Arc::new((revision, known.clone()))));
        }
    }

    fn place(&self, key: &str) -> Option<&ArcSwapOption<(Revision, Arc<Known>)>> {
        let digits = key.get(..2)?;
        self.places.get(usize::from_str_radix(digits, 16).ok()?)
    }
}
