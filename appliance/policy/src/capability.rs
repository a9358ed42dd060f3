//! What a stanza may grant, as a set.

use std::ops::BitOr;

use strongroom_types::Operation;

/// A set of the capabilities `create`, `delete`, `deny`, `list`, `patch`, `read`, `scan`, `sudo` and `update`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Capabilities(u16);

/// Each capability and its word, in the order in which clients are told of them.
const WORDS: [(Capabilities, &str); 9] = [
    (Capabilities::CREATE, "create"),
    (Capabilities::DELETE, "delete"),
    (Capabilities::DENY, "deny"),
    (Capabilities::LIST, "list"),
    (Capabilities::PATCH, "patch"),
    (Capabilities::READ, "read"),
    (Capabilities::SCAN, "scan"),
    (Capabilities::SUDO, "sudo"),
    (Capabilities::UPDATE, "update"),
];

impl Capabilities {
    /// Nothing.
    pub const NONE: Self = Self(0);
    /// Refuses everything, whatever else is granted on the same path.
    pub const DENY: Self = Self(1);
    /// Make what is not there yet.
    pub const CREATE: Self = Self(1 << 1);
    /// Read.
    pub const READ: Self = Self(1 << 2);
    /// Change what is there.
    pub const UPDATE: Self = Self(1 << 3);
    /// Delete.
    pub const DELETE: Self = Self(1 << 4);
    /// List the names below a path.
    pub const LIST: Self = Self(1 << 5);
    /// Use paths that need more than the verb.
    pub const SUDO: Self = Self(1 << 6);
    /// Change a part of what is there.
    pub const PATCH: Self = Self(1 << 7);
    /// List all names below a path, recursively.
    pub const SCAN: Self = Self(1 << 8);

    /// The capability that `word` names.
    pub fn from_word(word: &str) -> Option<Self> {
        WORDS.iter().find(|(_, known)| *known == word).map(|(capability, _)| *capability)
    }

    /// The capability that `operation` asks for. None for help, which is always allowed.
    pub fn needed_for(operation: Operation) -> Self {
        match operation {
            Operation::Read | Operation::Head => Self::READ,
            Operation::List => Self::LIST,
            Operation::Scan => Self::SCAN,
            Operation::Create => Self::CREATE,
            Operation::Update => Self::UPDATE,
            Operation::Patch => Self::PATCH,
            Operation::Delete => Self::DELETE,
            Operation::Help => Self::NONE,
        }
    }

    /// Whether all of `other` is in it.
    pub fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Whether it refuses everything: because of `deny`, or because it grants nothing.
    pub fn is_deny(self) -> bool {
        self == Self::NONE || self.contains(Self::DENY)
    }

    /// The words in alphabetical order; `deny` alone where it refuses everything.
    pub fn words(self) -> Vec<&'static str> {
        if self.is_deny() {
            return vec!["deny"];
        }
        WORDS.iter().filter(|(capability, _)| self.contains(*capability)).map(|(_, word)| *word).collect()
    }
}

impl BitOr for Capabilities {
    type Output = Self;

    /// What either grants; `deny` voids all else.
    fn bitor(self, other: Self) -> Self {
        let both = Self(self.0 | other.0);
        if both.contains(Self::DENY) { Self::DENY } else { both }
    }
}
