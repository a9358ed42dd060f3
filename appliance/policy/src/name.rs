//! The one spelling of a policy's name.

use std::fmt;

use crate::builtin::{DEFAULT, RESPONSE_WRAPPING, ROOT};

/// Longest name, in bytes.
pub const MAX_NAME: usize = 256;

/// The canonical name of a policy: trimmed, in lower case, without control or invisible characters and without
/// `/`, `\` and `,`.
///
/// Every comparison is made with this value and never with what a client wrote, so that no spelling of `root`
/// passes for something else.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PolicyName(String);

/// Why a name cannot be used. All are the client's to mend; the texts are for the client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NameError {
    /// Nothing is left after trimming.
    Empty,
    /// Longer than [`MAX_NAME`].
    TooLong,
    /// `.`, `..`, or a character that has no place in a name.
    Malformed,
    /// The policy is built in and cannot be changed.
    CannotUpdate(&'static str),
    /// The policy is built in and cannot be removed.
    CannotDelete(&'static str),
    /// The policy is not for this use.
    CannotAssign(&'static str),
}

impl fmt::Display for NameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("the policy's name is empty"),
            Self::TooLong => write!(f, "the policy's name is longer than {MAX_NAME} bytes"),
            Self::Malformed => f.write_str(
                "the policy's name is '.' or '..', or has a '/', a '\\', a comma, a control character or an invisible one",
            ),
            Self::CannotUpdate(name) => write!(f, "cannot update \"{name}\" policy"),
            Self::CannotDelete(DEFAULT) => f.write_str("cannot delete default policy"),
            Self::CannotDelete(name) => write!(f, "cannot delete \"{name}\" policy"),
            Self::CannotAssign(name) => write!(f, "cannot assign policy \"{name}\""),
        }
    }
}

impl std::error::Error for NameError {}

impl PolicyName {
    /// Makes `text` canonical. Reserved names are names too: ask the `check_` functions before they are used.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        let name = text.trim().to_lowercase();
        if name.is_empty() {
            return Err(NameError::Empty);
        }
        if name.len() > MAX_NAME {
            return Err(NameError::TooLong);
        }
        if matches!(name.as_str(), "." | "..") || name.chars().any(is_forbidden) {
            return Err(NameError::Malformed);
        }
        Ok(Self(name))
    }

    /// The same of what an entity, a group, a role or a user is to give to its tokens, again and again.
    pub fn parse_lasting(text: &str) -> Result<Self, NameError> {
        let name = Self::parse(text)?;
        name.check_assign_lasting()?;
        Ok(name)
    }

    /// The canonical text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it is the policy that allows everything.
    pub fn is_root(&self) -> bool {
        self.0 == ROOT
    }

    /// Refuses the policies whose text is fixed.
    pub fn check_update(&self) -> Result<(), NameError> {
        self.refuse(&[ROOT, RESPONSE_WRAPPING], NameError::CannotUpdate)
    }

    /// Refuses the policies that must stay.
    pub fn check_delete(&self) -> Result<(), NameError> {
        self.refuse(&[ROOT, RESPONSE_WRAPPING, DEFAULT], NameError::CannotDelete)
    }

    /// Refuses what no client may give to a token.
    pub fn check_assign(&self) -> Result<(), NameError> {
        self.refuse(&[RESPONSE_WRAPPING], NameError::CannotAssign)
    }

    /// Refuses what no client may give to an entity, a group, a role or a user: only a token holds `root`.
    pub fn check_assign_lasting(&self) -> Result<(), NameError> {
        self.refuse(&[ROOT, RESPONSE_WRAPPING], NameError::CannotAssign)
    }

    fn refuse(&self, names: &[&'static str], error: fn(&'static str) -> NameError) -> Result<(), NameError> {
        match names.iter().find(|name| **name == self.0) {
            Some(name) => Err(error(name)),
            None => Ok(()),
        }
    }
}

impl fmt::Display for PolicyName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Separators, control characters, white space other than the plain space, and what cannot be seen.
fn is_forbidden(c: char) -> bool {
    matches!(c, '/' | '\\' | ',')
        || c.is_control()
        || (c.is_whitespace() && c != ' ')
        || matches!(c, '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{180e}' | '\u{feff}')
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}')
        || matches!(c, '\u{fe00}'..='\u{fe0f}' | '\u{e0000}'..='\u{e0fff}')
}
