//! A person's public key as it is exported (RFC 9580, 10.1): the primary key, then names and subkeys, each with the signatures that
//! follow it.

use crate::KeyError;
use crate::key::PublicKey;
use crate::packet::{Packet, packets, tag};
use crate::signature::Signature;

/// All of it; nothing is checked yet.
pub struct Certificate<'a> {
    /// Signs the rest.
    pub primary: PublicKey<'a>,
    /// Over the primary key alone.
    pub direct: Vec<Signature<'a>>,
    /// Names and pictures.
    pub names: Vec<Name<'a>>,
    /// Further keys of the same person.
    pub subkeys: Vec<Subkey<'a>>,
}

/// A name of the person, or a picture.
pub struct Name<'a> {
    packet: Packet<'a>,
    /// Over it.
    pub signatures: Vec<Signature<'a>>,
}

/// A further key.
pub struct Subkey<'a> {
    /// It.
    pub key: PublicKey<'a>,
    /// Over it.
    pub signatures: Vec<Signature<'a>>,
}

impl<'a> Certificate<'a> {
    /// From packets; there is one person's key in them.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, KeyError> {
        let mut packets = packets(bytes)?.into_iter();
        let first = packets.next().ok_or(KeyError::Malformed("it is empty"))?;
        let primary = match first.tag {
            tag::PUBLIC_KEY => PublicKey::parse(first.body)?,
            tag::SECRET_KEY | tag::SECRET_SUBKEY => return Err(KeyError::Private),
            _ => return Err(KeyError::Malformed("it does not begin with a public key")),
        };
        let mut certificate = Self { primary, direct: Vec::new(), names: Vec::new(), subkeys: Vec::new() };
        // Where the signature that comes next belongs.
        let mut last = tag::PUBLIC_KEY;
        for packet in packets {
            match packet.tag {
                tag::SIGNATURE => certificate.of(last).push(Signature::parse(packet.body)?),
                tag::NAME | tag::PICTURE => {
                    certificate.names.push(Name { packet, signatures: Vec::new() });
                    last = tag::NAME;
                }
                tag::PUBLIC_SUBKEY => {
                    let key = PublicKey::parse(packet.body)?;
                    certificate.subkeys.push(Subkey { key, signatures: Vec::new() });
                    last = tag::PUBLIC_SUBKEY;
                }
                tag::SECRET_KEY | tag::SECRET_SUBKEY => return Err(KeyError::Private),
                tag::PUBLIC_KEY => {
                    return Err(KeyError::Malformed("it is more than one key; give one at a time"));
                }
                tag::MARKER | tag::TRUST | tag::PADDING | tag::OPTIONAL.. => {}
                _ => return Err(KeyError::Malformed("a packet in it is none of a key's")),
            }
        }
        Ok(certificate)
    }

    /// Every signature, wherever it stands.
    pub fn signatures(&self) -> impl Iterator<Item = &Signature<'a>> {
        let names = self.names.iter().map(|name| &name.signatures);
        let subkeys = self.subkeys.iter().map(|subkey| &subkey.signatures);
        names.chain(subkeys).chain([&self.direct]).flatten()
    }

    /// The signatures of what came last.
    fn of(&mut self, last: u8) -> &mut Vec<Signature<'a>> {
        let Self { direct, names, subkeys, .. } = self;
        match last {
            tag::NAME => names.last_mut().map(|name| &mut name.signatures),
            tag::PUBLIC_SUBKEY => subkeys.last_mut().map(|subkey| &mut subkey.signatures),
            _ => None,
        }
        .unwrap_or(direct)
    }
}

impl Name<'_> {
    /// The name and its key as they are signed.
    pub fn hashed(&self, primary: &PublicKey<'_>) -> Vec<u8> {
        let kind = if self.packet.tag == tag::PICTURE { 0xd1 } else { 0xb4 };
        let length = u32::try_from(self.packet.body.len()).unwrap_or(u32::MAX);
        [&primary.hashed(), [kind].as_slice(), &length.to_be_bytes(), self.packet.body].concat()
    }
}
