//! The frames of RFC 9580, 4.2: a tag, a length, a body; with headers of the old and the new form.

use crate::reader::Reader;
use crate::{KeyError, MAX_KEY};

/// One frame.
#[derive(Clone, Copy)]
pub struct Packet<'a> {
    /// What it is; see [`tag`].
    pub tag: u8,
    /// Without its header.
    pub body: &'a [u8],
}

/// The kinds of packets that a public key is made of.
pub mod tag {
    pub const SIGNATURE: u8 = 2;
    pub const SECRET_KEY: u8 = 5;
    pub const PUBLIC_KEY: u8 = 6;
    pub const SECRET_SUBKEY: u8 = 7;
    pub const MARKER: u8 = 10;
    pub const TRUST: u8 = 12;
    pub const NAME: u8 = 13;
    pub const PUBLIC_SUBKEY: u8 = 14;
    pub const PICTURE: u8 = 17;
    pub const PADDING: u8 = 21;
    /// From here on a reader may skip what it does not know.
    pub const OPTIONAL: u8 = 40;
}

/// All of `bytes`, framed.
pub fn packets(bytes: &[u8]) -> Result<Vec<Packet<'_>>, KeyError> {
    if bytes.len() > MAX_KEY {
        return Err(KeyError::TooLarge);
    }
    let mut reader = Reader(bytes);
    let mut all = Vec::new();
    while !reader.0.is_empty() {
        all.push(packet(&mut reader)?);
    }
    Ok(all)
}

fn packet<'a>(reader: &mut Reader<'a>) -> Result<Packet<'a>, KeyError> {
    let first = reader.byte()?;
    let (tag, length) = match first {
        0..0x80 => return Err(KeyError::Malformed("a packet does not begin as one")),
        0x80..0xc0 => ((first >> 2) & 0x0f, old_length(first & 3, reader)?),
        0xc0.. => (first & 0x3f, new_length(reader)?),
    };
    Ok(Packet { tag, body: reader.take(length)? })
}

fn old_length(kind: u8, reader: &mut Reader<'_>) -> Result<usize, KeyError> {
    match kind {
        0 => reader.byte().map(usize::from),
        1 => reader.length16(),
        2 => long(reader),
        _ => Err(KeyError::Malformed("a packet has no length")),
    }
}

fn new_length(reader: &mut Reader<'_>) -> Result<usize, KeyError> {
    match reader.byte()? {
        short @ 0..192 => Ok(usize::from(short)),
        middle @ 192..224 => Ok((usize::from(middle) - 192) * 256 + usize::from(reader.byte()?) + 192),
        255 => long(reader),
        _ => Err(KeyError::Malformed("a packet comes in parts, which only data may")),
    }
}

fn long(reader: &mut Reader<'_>) -> Result<usize, KeyError> {
    usize::try_from(reader.number32()?).map_err(|_| KeyError::TooLarge)
}

/// Writes `body` as a packet with a header of the new form, with the shortest length. Nothing that is written here is longer than
/// four bytes can say.
pub fn write(tag: u8, body: &[u8], out: &mut Vec<u8>) {
    out.push(0xc0 | tag);
    out.extend_from_slice(&header_length(body.len()));
    out.extend_from_slice(body);
}

/// The length of a header of the new form.
pub fn header_length(length: usize) -> Vec<u8> {
    let long = u32::try_from(length).unwrap_or(u32::MAX);
    let [_, _, high, low] = long.to_be_bytes();
    match long {
        0..192 => vec![low],
        192..8384 => {
            let [.., high, low] = (long - 192).to_be_bytes();
            vec![high + 192, low]
        }
        _ => {
            let [first, second, ..] = long.to_be_bytes();
            vec![255, first, second, high, low]
        }
    }
}
