//! A public key or subkey (RFC 9580, 5.5.2), version 4.

use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use strongroom_types::Timestamp;

use crate::reader::Reader;
use crate::{Fingerprint, KeyError};

/// One key.
pub struct PublicKey<'a> {
    body: &'a [u8],
    /// When it was made.
    pub created: Timestamp,
    /// RFC 9580, 9.1.
    pub algorithm: u8,
    /// Its numbers.
    pub material: Material<'a>,
}

/// The numbers of a key, if it is of an algorithm that something is done with here.
pub enum Material<'a> {
    /// Signs, encrypts or both.
    Rsa { n: &'a [u8], e: &'a [u8] },
    /// Signs, in the older or the newer form.
    Ed25519([u8; 32]),
    /// Signs.
    Ecdsa { curve: Nist, point: &'a [u8] },
    /// Encrypts (RFC 6637): the curve, the point without its prefix if it is an X25519 one, and how keys are derived and wrapped.
    Ecdh { curve: Curve, point: &'a [u8], hash: u8, cipher: u8 },
    /// Encrypts, in the newer form.
    X25519([u8; 32]),
    /// Of another algorithm or curve.
    Other,
}

/// The curves of NIST.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Nist {
    P256,
    P384,
    P521,
}

/// A curve to agree on keys with.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Curve {
    Nist(Nist),
    X25519,
}

const ED25519: &[u8] = &[0x2b, 0x06, 0x01, 0x04, 0x01, 0xda, 0x47, 0x0f, 0x01];

/// What stands before the 32 bytes of a point of the older form.
const NATIVE: u8 = 0x40;

impl Nist {
    /// Its object identifier, without tag and length.
    pub fn oid(self) -> &'static [u8] {
        match self {
            Self::P256 => &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07],
            Self::P384 => &[0x2b, 0x81, 0x04, 0x00, 0x22],
            Self::P521 => &[0x2b, 0x81, 0x04, 0x00, 0x23],
        }
    }

    /// Bytes of a number.
    pub fn width(self) -> usize {
        match self {
            Self::P256 => 32,
            Self::P384 => 48,
            Self::P521 => 66,
        }
    }

    fn of(oid: &[u8]) -> Option<Self> {
        [Self::P256, Self::P384, Self::P521].into_iter().find(|curve| curve.oid() == oid)
    }

    /// Refuses what is no uncompressed point.
    fn point(self, bytes: &[u8]) -> Result<&[u8], KeyError> {
        match bytes.first() {
            Some(4) if bytes.len() == 1 + 2 * self.width() => Ok(bytes),
            _ => Err(KeyError::Malformed("a point of it is none of its curve")),
        }
    }
}

impl Curve {
    /// Its object identifier, without tag and length.
    pub fn oid(self) -> &'static [u8] {
        match self {
            Self::Nist(curve) => curve.oid(),
            Self::X25519 => &[0x2b, 0x06, 0x01, 0x04, 0x01, 0x97, 0x55, 0x01, 0x05, 0x01],
        }
    }
}

/// RFC 9580, 9.1.
pub mod algorithm {
    pub const RSA: u8 = 1;
    pub const RSA_ENCRYPT: u8 = 2;
    pub const RSA_SIGN: u8 = 3;
    pub const ECDH: u8 = 18;
    pub const ECDSA: u8 = 19;
    pub const EDDSA: u8 = 22;
    pub const X25519: u8 = 25;
    pub const ED25519: u8 = 27;

    /// For people.
    pub fn name(id: u8) -> String {
        let known = match id {
            RSA..=RSA_SIGN => "RSA",
            16 | 20 => "ElGamal",
            17 => "DSA",
            ECDH => "ECDH on this curve",
            ECDSA => "ECDSA on this curve",
            EDDSA => "EdDSA on this curve",
            X25519 => "X25519",
            26 => "X448",
            ED25519 => "Ed25519",
            28 => "Ed448",
            id => return format!("algorithm {id}"),
        };
        known.to_owned()
    }
}

impl<'a> PublicKey<'a> {
    /// From the body of its packet.
    pub fn parse(body: &'a [u8]) -> Result<Self, KeyError> {
        let mut reader = Reader(body);
        match reader.byte()? {
            4 => {}
            version => return Err(KeyError::Unsupported(format!("a key of OpenPGP's version {version}"))),
        }
        let created = Timestamp::from_secs(reader.number32()?.into());
        let algorithm = reader.byte()?;
        let material = Material::parse(algorithm, reader)?;
        Ok(Self { body, created, algorithm, material })
    }

    /// As it is hashed, for fingerprints and signatures.
    pub fn hashed(&self) -> Vec<u8> {
        let [.., high, low] = self.body.len().to_be_bytes();
        [&[0x99, high, low], self.body].concat()
    }

    /// What it is known by. SHA-1 is what version 4 has; that two keys were made to share one harms only who made them.
    pub fn fingerprint(&self) -> Fingerprint {
        let mut fingerprint = Fingerprint::default();
        let digest = digest(&SHA1_FOR_LEGACY_USE_ONLY, &self.hashed());
        fingerprint.iter_mut().zip(digest.as_ref()).for_each(|(to, from)| *to = *from);
        fingerprint
    }
}

/// The last eight bytes of a fingerprint.
pub fn id(fingerprint: &Fingerprint) -> &[u8] {
    fingerprint.last_chunk::<8>().map_or(&[], |id| id.as_slice())
}

impl<'a> Material<'a> {
    fn parse(algorithm: u8, mut reader: Reader<'a>) -> Result<Self, KeyError> {
        let material = match algorithm {
            algorithm::RSA..=algorithm::RSA_SIGN => Self::rsa(&mut reader)?,
            algorithm::EDDSA => match oid(&mut reader)? {
                ED25519 => Self::Ed25519(native(reader.number()?)?),
                _ => return Ok(Self::Other),
            },
            algorithm::ECDSA => match Nist::of(oid(&mut reader)?) {
                Some(curve) => Self::Ecdsa { curve, point: curve.point(reader.number()?)? },
                None => return Ok(Self::Other),
            },
            algorithm::ECDH => match Self::ecdh(&mut reader)? {
                Some(material) => material,
                None => return Ok(Self::Other),
            },
            algorithm::X25519 => Self::X25519(reader.array()?),
            algorithm::ED25519 => Self::Ed25519(reader.array()?),
            _ => return Ok(Self::Other),
        };
        reader.end()?;
        Ok(material)
    }

    fn rsa(reader: &mut Reader<'a>) -> Result<Self, KeyError> {
        let (n, e) = (reader.number()?, reader.number()?);
        let bits = n.first().map_or(0, |first| 8 * n.len() - first.leading_zeros() as usize);
        match bits {
            2048..=8192 => Ok(Self::Rsa { n, e }),
            bits => Err(KeyError::Unsupported(format!("RSA with {bits} bits (2048 to 8192 are)"))),
        }
    }

    fn ecdh(reader: &mut Reader<'a>) -> Result<Option<Self>, KeyError> {
        let oid = oid(reader)?;
        let curve = match Nist::of(oid) {
            Some(curve) => Curve::Nist(curve),
            None if oid == Curve::X25519.oid() => Curve::X25519,
            None => return Ok(None),
        };
        let point = reader.number()?;
        let point = match curve {
            Curve::Nist(nist) => nist.point(point)?,
            Curve::X25519 => {
                native(point)?;
                point.get(1..).unwrap_or_default()
            }
        };
        // The length of what follows, and a 1.
        let [3, 1, hash, cipher] = reader.array()? else {
            return Err(KeyError::Malformed("it does not say how its keys are derived"));
        };
        Ok(Some(Self::Ecdh { curve, point, hash, cipher }))
    }
}

/// A curve's object identifier, with its length before it.
fn oid<'a>(reader: &mut Reader<'a>) -> Result<&'a [u8], KeyError> {
    let length = reader.byte()?;
    reader.take(length.into())
}

/// The 32 bytes of a point of the older form.
fn native(point: &[u8]) -> Result<[u8; 32], KeyError> {
    match point.split_first() {
        Some((&NATIVE, rest)) => rest.try_into().ok(),
        _ => None,
    }
    .ok_or(KeyError::Malformed("a point of it is none of its curve"))
}
