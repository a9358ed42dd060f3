//! Why there is no answer that counts.

use std::fmt;

use zeroize::Zeroizing;

/// Why there is no such answer.
#[derive(Debug)]
pub enum ClientError {
    /// No connection, no handshake, or no answer in time.
    Unreachable {
        /// What was tried.
        request: String,
        /// Why.
        cause: String,
    },
    /// The server says no.
    Refused(Refused),
    /// The answer is not what it should be.
    Strange(String),
    /// Nothing was asked, because the caller wants to see this instead.
    Instead(String),
}

/// A status of 400 or more.
#[derive(Debug)]
pub struct Refused {
    /// The status.
    pub status: u16,
    /// The method and the URL.
    pub request: String,
    /// The namespace, if any.
    pub namespace: String,
    /// `errors` of the body; None when it is no such JSON.
    pub errors: Option<Vec<String>>,
    /// The body.
    pub raw: Zeroizing<Vec<u8>>,
}

impl Refused {
    /// Whether `text` is one of the errors.
    pub fn says(&self, text: &str) -> bool {
        self.errors.iter().flatten().any(|error| error == text)
    }
}

impl fmt::Display for ClientError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreachable { request, cause } => write!(f, "{request}: {cause}"),
            Self::Strange(what) | Self::Instead(what) => f.write_str(what),
            Self::Refused(refused) => refused.fmt(f),
        }
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Error making API request.\n\n")?;
        if !self.namespace.is_empty() {
            writeln!(f, "Namespace: {}", self.namespace)?;
        }
        writeln!(f, "URL: {}", self.request)?;
        match &self.errors {
            Some(errors) => {
                write!(f, "Code: {}. Errors:\n\n", self.status)?;
                errors.iter().try_for_each(|error| writeln!(f, "* {error}"))
            }
            None => {
                write!(f, "Code: {}. Raw Message:\n\n{}", self.status, String::from_utf8_lossy(&self.raw))
            }
        }
    }
}

impl std::error::Error for ClientError {}
