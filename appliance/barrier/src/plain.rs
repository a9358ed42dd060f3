//! Keys of the few records that are read before there is a keyring. Their first byte is 0; all other keys begin with
//! another one.

/// The keyring: see the [crate's documentation](crate).
pub const KEYRING: &[u8] = b"\0keyring";
/// The table of keyslots.
pub const SLOT_TABLE: &[u8] = b"\0slots";
/// Which cluster this is.
pub const CLUSTER: &[u8] = b"\0cluster";
