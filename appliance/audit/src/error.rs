//! What can go wrong, by who has to act.

use std::fmt;

use strongroom_types::Refusal;
use strongroom_types::error::Kind;

/// Why a request may not go on, or a crash not be made good.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AuditError {
    /// No sink took the line. The operator has to act; the causes name each sink.
    Refused {
        /// `name: what its write said`, for each sink.
        causes: String,
    },
    /// The client sent, or is to be answered, more texts than may be hashed for one line.
    TooManyStrings {
        /// How many there may be.
        limit: usize,
    },
    /// A row of the outbox is not one: the storage is damaged.
    Row,
    /// A row of the outbox is for a sink that the configuration no longer names, and no other sink may take its line.
    SinkGone {
        /// The sink's name.
        name: String,
    },
}

impl fmt::Display for AuditError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused { causes } => write!(
                f,
                "no audit sink takes the line, so the request is refused: {causes}. Mend the sink; nothing is \
                 answered until then"
            ),
            Self::TooManyStrings { limit } => {
                write!(
                    f,
                    "more than {limit} strings in one request or answer: the audit log would have to hash them all"
                )
            }
            Self::Row => f.write_str("a row of the audit outbox is damaged: restore the storage"),
            Self::SinkGone { name } => write!(
                f,
                "lines for the audit sink \"{name}\" are still to be written, and the configuration does not name it: \
                 put its stanza back for one start"
            ),
        }
    }
}

impl std::error::Error for AuditError {}

impl From<AuditError> for Refusal {
    /// For the client: only its own fault is explained to it.
    fn from(error: AuditError) -> Self {
        match error {
            AuditError::TooManyStrings { .. } => Self::new(Kind::TooLarge, error.to_string()),
            AuditError::Refused { .. } | AuditError::Row | AuditError::SinkGone { .. } => Self::internal(),
        }
    }
}

/// Why a sink of the configuration cannot be made. Whoever wrote the stanza is to blame, or the file system.
#[derive(Debug)]
pub enum ConfigError {
    /// An option that this kind of sink does not have.
    Unknown {
        /// The option.
        option: String,
    },
    /// An option whose value makes no sense.
    Value {
        /// The option.
        option: &'static str,
        /// What it may be.
        expected: &'static str,
    },
    /// The sink's file cannot be opened.
    Open {
        /// The file.
        path: std::path::PathBuf,
        /// Why.
        cause: std::io::Error,
    },
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown { option } => write!(f, "an audit sink of this kind has no option \"{option}\""),
            Self::Value { option, expected } => write!(f, "the audit option \"{option}\" must be {expected}"),
            Self::Open { path, cause } => write!(f, "cannot open the audit file {}: {cause}", path.display()),
        }
    }
}

impl std::error::Error for ConfigError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Open { cause, .. } => Some(cause),
            Self::Unknown { .. } | Self::Value { .. } => None,
        }
    }
}
