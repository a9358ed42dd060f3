//! What can go wrong, by who has to act.

use std::fmt;

use strongroom_os::ArenaError;
use strongroom_store::StoreError;
use strongroom_types::NoEntropy;

/// Why the barrier did not do it.
#[derive(Debug)]
pub enum BarrierError {
    /// The keys have been wiped.
    Sealed,
    /// A record does not decrypt: changed, moved, cut or foreign. Never ignored.
    Damaged,
    /// The store holds no keyring: it was never initialised, or it is not this cluster's.
    NoKeyring,
    /// The keyring does not open with this root key.
    WrongRootKey,
    /// A record needs a name: the root of a view can be listed only.
    NoName,
    /// The keyring is being changed already; try again when that is done.
    Busy,
    /// The stored keyring is not the one in use: a change of it was committed without being installed.
    Superseded,
    /// The slot table of a change is no newer than the one in force.
    StaleTable,
    /// The keyring holds as many terms as it can, or as rotations alone may add.
    TooManyTerms,
    /// No room for another key.
    Memory(ArenaError),
    /// No randomness.
    Entropy(NoEntropy),
    /// A primitive that cannot fail has failed: its name.
    Crypto(&'static str),
    /// The store's error.
    Store(StoreError),
}

impl fmt::Display for BarrierError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sealed => f.write_str("the barrier is sealed"),
            Self::Damaged => f.write_str(
                "a stored record does not decrypt: it was changed, moved, cut or brought from elsewhere; restore the store",
            ),
            Self::NoKeyring => f.write_str("the store holds no keyring: initialise it, or point to the right store"),
            Self::WrongRootKey => f.write_str(
                "the root key does not open the keyring: one of the two is of another cluster or of an older backup, \
                 or the keyring was changed; restore the store",
            ),
            Self::NoName => f.write_str("a record needs a name"),
            Self::Busy => f.write_str("another change of the keyring is under way: try again"),
            Self::Superseded => f.write_str(
                "the stored keyring is not the one in use: try again; if it stays so, seal and unseal",
            ),
            Self::StaleTable => f.write_str("the keyslots have been changed meanwhile: read them again"),
            Self::TooManyTerms => f.write_str(
                "the keyring is full of terms, and none is ever retired: the newest one stays in use; what is left is \
                 for new root keys",
            ),
            Self::Memory(cause) => cause.fmt(f),
            Self::Entropy(cause) => cause.fmt(f),
            Self::Crypto(what) => write!(f, "{what} fails, which it cannot: replace the machine"),
            Self::Store(cause) => cause.fmt(f),
        }
    }
}

impl std::error::Error for BarrierError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Memory(cause) => Some(cause),
            Self::Entropy(cause) => Some(cause),
            Self::Store(cause) => Some(cause),
            _ => None,
        }
    }
}

impl From<ArenaError> for BarrierError {
    fn from(cause: ArenaError) -> Self {
        Self::Memory(cause)
    }
}

impl From<NoEntropy> for BarrierError {
    fn from(cause: NoEntropy) -> Self {
        Self::Entropy(cause)
    }
}

impl From<StoreError> for BarrierError {
    fn from(cause: StoreError) -> Self {
        Self::Store(cause)
    }
}
