//! What can be wrong with a key. All of it is for whoever gave it, and repeats nothing of it but fingerprints.

use std::fmt;

use strongroom_types::NoEntropy;

/// Why a key is not used.
#[derive(Debug, PartialEq, Eq)]
pub enum KeyError {
    /// No key at all, or one that is cut or changed.
    Malformed(&'static str),
    /// More than is read.
    TooLarge,
    /// The half that its owner must keep.
    Private,
    /// Well-formed, and not built here.
    Unsupported(String),
    /// Its owner, or somebody in their place, has revoked it.
    Revoked,
    /// Over.
    Expired,
    /// Nothing in it may be encrypted to: each part with its reason.
    Unusable(String),
    /// Encrypting for it does not work.
    Untried(Failed),
}

impl fmt::Display for KeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed(what) => write!(f, "this is no OpenPGP key: {what}"),
            Self::TooLarge => f.write_str(
                "this key is too large: export it without other people's signatures, with \
                 gpg --export --export-options export-minimal",
            ),
            Self::Private => f.write_str(
                "this is a private key, which its owner must not give to anybody: give the public one, of gpg --export",
            ),
            Self::Unsupported(what) => write!(f, "{what} is not supported"),
            Self::Revoked => f.write_str("this key has been revoked"),
            Self::Expired => f.write_str("this key has expired"),
            Self::Unusable(why) => write!(f, "nothing in this key can be encrypted to: {why}"),
            Self::Untried(cause) => cause.fmt(f),
        }
    }
}

impl std::error::Error for KeyError {}

/// Why nothing was encrypted.
#[derive(Debug, PartialEq, Eq)]
pub enum Failed {
    /// The generator fails.
    NoEntropy(NoEntropy),
    /// The key's numbers are none of its algorithm: no point of its curve, no modulus.
    Rejected,
}

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoEntropy(cause) => cause.fmt(f),
            Self::Rejected => f.write_str("this key's numbers are none of its algorithm"),
        }
    }
}

impl std::error::Error for Failed {}

impl From<NoEntropy> for Failed {
    fn from(cause: NoEntropy) -> Self {
        Self::NoEntropy(cause)
    }
}

impl From<aws_lc_rs::error::Unspecified> for Failed {
    fn from(_: aws_lc_rs::error::Unspecified) -> Self {
        Self::Rejected
    }
}
