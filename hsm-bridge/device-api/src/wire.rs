//! The protocol between the daemon and a bridge: frames over a Unix stream socket.
//!
//! ```text
//! frame    = length u32 ‖ body                     length of the body, 1 to 65,532: a frame has at most 64 KiB
//! body     = 1 ‖ hello | 2 ‖ welcome | 3 ‖ request | 4 ‖ reply
//!
//! hello    = "SRKD" ‖ lowest u8 ‖ highest u8       the client's first frame: the versions that it speaks
//! welcome  = "SRKD" ‖ version u8 ‖ window u16      the server's first: the version that both use, or 0 for none,
//!                                                  and how many requests may be unanswered at a time
//! request  = id u64 ‖ deadline u32 ‖ flags u8 ‖ operation u8 ‖ fields
//!            deadline: milliseconds from now in which the answer is of use; after it nothing is begun
//!            flags: bit 0: repeating is harmless; the others are 0
//! reply    = id u64 ‖ 0 ‖ operation u8 ‖ fields    done
//!          | id u64 ‖ kind u8 ‖ text               not done; kind 1 Retry, 2 Gone, 3 Unknown, 4 Login,
//!                                                  5 Refused, 6 Misuse, 7 Fatal
//!
//! operation      fields of the request             fields of the reply
//! 1 identity     -                                 text kind ‖ text model ‖ text serial
//! 2 health       -                                 -
//! 3 random       count u16                         bytes
//! 4 ensure key   text key id                       -
//! 5 wrap         text key id ‖ bytes aad ‖ bytes   bytes
//! 6 unwrap       text key id ‖ bytes aad ‖ bytes   bytes
//!
//! text, bytes = length u16 ‖ that many bytes; a text is UTF-8
//! ```
//!
//! Numbers are big-endian. Replies come in any order. The list of operations is closed: a number that is not
//! on it is answered with Refused. Anything else that is not as drawn, a byte too many too, ends the connection.
//! Invariant: nothing here panics or allocates more than a frame, whatever the bytes are.

mod reader;
mod writer;

use std::fmt;

use strongroom_types::Secret;

use crate::{DeviceError, DeviceErrorKind, Identity, KeyId, Wrapped};
use reader::Reader;
use writer::Writer;

/// Largest frame, with its length.
pub const MAX_FRAME: usize = 64 * 1024;
/// Largest body of a frame.
pub const MAX_BODY: usize = MAX_FRAME - 4;
/// The version of the protocol that this crate speaks.
pub const VERSION: u8 = 1;

const MAGIC: &[u8; 4] = b"SRKD";
const FLAG_HARMLESS: u8 = 1;
/// Longest text of an error or an identity; a longer one is cut.
const MAX_TEXT: usize = 1024;

/// What is sent.
pub enum Frame {
    /// The client's first.
    Hello {
        /// Lowest version that the client speaks.
        lowest: u8,
        /// Highest version that the client speaks.
        highest: u8,
    },
    /// The server's first.
    Welcome {
        /// The version in use; 0 if there is none that both speak.
        version: u8,
        /// How many requests may be unanswered at a time.
        window: u16,
    },
    /// From the client.
    Request(Request),
    /// From the server.
    Reply(Reply),
}

/// One call.
pub struct Request {
    /// Chosen by the client; different from those of its other unanswered requests.
    pub id: u64,
    /// In how many milliseconds the answer is of no use any more.
    pub deadline_ms: u32,
    /// Whether repeating is harmless.
    pub harmless: bool,
    /// What is asked.
    pub call: Call,
}

/// The closed list of operations, with what each is given.
pub enum Call {
    /// Which device.
    Identity,
    /// Whether it works.
    Health,
    /// So many random bytes.
    Random(u16),
    /// Find or make a key.
    EnsureKey(KeyId),
    /// Wrap a secret.
    Wrap(KeyId, Vec<u8>, Secret),
    /// Unwrap it.
    Unwrap(KeyId, Vec<u8>, Wrapped),
}

/// The answer to the request with the same id.
pub struct Reply {
    /// Of the request.
    pub id: u64,
    /// What came of it.
    pub outcome: Result<Answer, DeviceError>,
}

/// For each operation, what it answers.
pub enum Answer {
    /// To [`Call::Identity`].
    Identity(Identity),
    /// To [`Call::Health`].
    Health,
    /// To [`Call::Random`].
    Random(Secret),
    /// To [`Call::EnsureKey`].
    EnsureKey,
    /// To [`Call::Wrap`].
    Wrap(Wrapped),
    /// To [`Call::Unwrap`].
    Unwrap(Secret),
}

impl Call {
    /// The operation's number and name.
    pub fn operation(&self) -> (u8, &'static str) {
        match self {
            Self::Identity => (1, "identity"),
            Self::Health => (2, "health"),
            Self::Random(_) => (3, "random"),
            Self::EnsureKey(_) => (4, "ensure key"),
            Self::Wrap(..) => (5, "wrap"),
            Self::Unwrap(..) => (6, "unwrap"),
        }
    }

    /// Whether doing it twice does no more than doing it once. True of all of today's: a key is found or made, and
    /// a wrap leaves nothing behind. An operation that counts or signs will say no.
    pub fn is_harmless(&self) -> bool {
        match self {
            Self::Identity | Self::Health | Self::Random(_) => true,
            Self::EnsureKey(_) | Self::Wrap(..) | Self::Unwrap(..) => true,
        }
    }
}

/// Why bytes are not a frame. The peer is to blame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WireError {
    /// Larger than [`MAX_FRAME`], or empty.
    Size(usize),
    /// Not as drawn; what was being read.
    Malformed(&'static str),
    /// A request whose operation is not on the list: to be answered with Refused.
    UnknownOperation {
        /// Of the request.
        id: u64,
        /// The number.
        operation: u8,
    },
}

impl fmt::Display for WireError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Size(size) => write!(f, "a frame of {size} bytes; 1 to {MAX_BODY} are allowed"),
            Self::Malformed(what) => write!(f, "a frame is malformed at its {what}"),
            Self::UnknownOperation { operation, .. } => {
                write!(f, "operation {operation} is not on the list of this version of the bridge")
            }
        }
    }
}

impl std::error::Error for WireError {}

impl Frame {
    /// The whole frame, with its length. Secret, because its fields may be.
    pub fn encode(&self) -> Result<Secret, WireError> {
        let mut out = Writer::new();
        match self {
            Self::Hello { lowest, highest } => {
                out.put(&[1]);
                out.put(MAGIC);
                out.put(&[*lowest, *highest]);
            }
            Self::Welcome { version, window } => {
                out.put(&[2]);
                out.put(MAGIC);
                out.put(&[*version]);
                out.put(&window.to_be_bytes());
            }
            Self::Request(request) => {
                out.put(&[3]);
                out.put(&request.id.to_be_bytes());
                out.put(&request.deadline_ms.to_be_bytes());
                out.put(&[if request.harmless { FLAG_HARMLESS } else { 0 }]);
                out.call(&request.call);
            }
            Self::Reply(reply) => {
                out.put(&[4]);
                out.put(&reply.id.to_be_bytes());
                match &reply.outcome {
                    Ok(answer) => out.answer(answer),
                    Err(error) => {
                        out.put(&[kind_number(error.kind)]);
                        out.text(&error.message);
                    }
                }
            }
        }
        out.finish()
    }

    /// From a body: what follows the length.
    pub fn decode(body: &[u8]) -> Result<Self, WireError> {
        if body.is_empty() || body.len() > MAX_BODY {
            return Err(WireError::Size(body.len()));
        }
        let mut input = Reader(body);
        let frame = match input.byte("kind")? {
            1 => {
                input.magic()?;
                Self::Hello { lowest: input.byte("lowest version")?, highest: input.byte("highest version")? }
            }
            2 => {
                input.magic()?;
                Self::Welcome { version: input.byte("version")?, window: input.u16("window")? }
            }
            3 => Self::Request(input.request()?),
            4 => Self::Reply(input.reply()?),
            _ => return Err(WireError::Malformed("kind")),
        };
        input.end()?;
        Ok(frame)
    }
}

/// What the fuzzers call: any bytes as a body. A frame that decodes is encoded to the same bytes again.
pub fn fuzz(body: &[u8]) {
    if let Ok(frame) = Frame::decode(body) {
        let again = frame.encode().map(|frame| frame.expose().get(4..) == Some(body));
        assert!(again == Ok(true), "a frame has two encodings");
    }
}

/// The length of the body that follows, from a frame's first four bytes.
pub(crate) fn body_length(prefix: [u8; 4]) -> Result<usize, WireError> {
    let length = usize::try_from(u32::from_be_bytes(prefix)).unwrap_or(usize::MAX);
    if length == 0 || length > MAX_BODY { Err(WireError::Size(length)) } else { Ok(length) }
}

fn kind_number(kind: DeviceErrorKind) -> u8 {
    match kind {
        DeviceErrorKind::Retry => 1,
        DeviceErrorKind::Gone => 2,
        DeviceErrorKind::Unknown => 3,
        DeviceErrorKind::Login => 4,
        DeviceErrorKind::Refused => 5,
        DeviceErrorKind::Misuse => 6,
        DeviceErrorKind::Fatal => 7,
    }
}

fn kind_of(number: u8) -> Option<DeviceErrorKind> {
    use DeviceErrorKind::{Fatal, Gone, Login, Misuse, Refused, Retry, Unknown};
    [Retry, Gone, Unknown, Login, Refused, Misuse, Fatal]
        .into_iter()
        .find(|kind| kind_number(*kind) == number)
}
