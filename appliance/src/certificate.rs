//! A certificate for this machine, from an authority that exists for a moment: it signs one certificate, and its
//! key is wiped without ever having been written. Whoever trusts it trusts that one certificate; to renew is to
//! make both anew. For `strongroom setup` and `server -dev-tls`; production brings its own.

use std::collections::BTreeSet;
use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;
use std::time::Duration;

use aws_lc_rs::encoding::{AsDer, PublicKeyX509Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair};
use signature::{Keypair, Signer};
use strongroom_types::{Secret, Timestamp};
use x509_cert::Certificate;
use x509_cert::builder::profile::BuilderProfile;
use x509_cert::builder::{self, Builder, CertificateBuilder};
use x509_cert::certificate::TbsCertificate;
use x509_cert::der::asn1::{BitString, Ia5String, OctetString, UtcTime};
use x509_cert::der::oid::db::rfc5280::ID_KP_SERVER_AUTH;
use x509_cert::der::oid::db::rfc5912::ECDSA_WITH_SHA_256;
use x509_cert::der::pem::{LineEnding, encode_string};
use x509_cert::der::{self, DecodePem, Document, EncodePem};
use x509_cert::ext::pkix::name::GeneralName;
use x509_cert::ext::pkix::{
    AuthorityKeyIdentifier, BasicConstraints, ExtendedKeyUsage, KeyUsage, KeyUsages, SubjectAltName,
    SubjectKeyIdentifier,
};
use x509_cert::ext::{Extension, ToExtension};
use x509_cert::name::Name;
use x509_cert::serial_number::SerialNumber;
use x509_cert::spki::{
    self, AlgorithmIdentifierOwned, DynSignatureAlgorithmIdentifier, EncodePublicKey,
    SignatureBitStringEncoding, SubjectPublicKeyInfo, SubjectPublicKeyInfoRef,
};
use x509_cert::time::{Time, Validity};

/// How long both certificates are good for: some clients refuse more.
const DAYS: i64 = 397;
/// When so little is left, it is time for new ones.
const RENEW_DAYS: i64 = 30;
/// How much the clocks of clients may be behind.
const SLACK_SECS: i64 = 3600;
const DAY_SECS: i64 = 86_400;

/// What was made, as PEM.
pub struct Issued {
    /// To be trusted by clients.
    pub ca: String,
    /// The server's certificate.
    pub certificate: String,
    /// Its private key, PKCS#8.
    pub key: Secret,
}

/// Why none could be made.
#[derive(Debug)]
pub enum CertificateError {
    /// No key can be made, or none be used: the machine or the program is at fault.
    Crypto,
    /// The certificate cannot be encoded: a name or a time is out of bounds.
    Encoding(builder::Error),
}

impl fmt::Display for CertificateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Crypto => f.write_str(
                "a primitive failed that cannot fail: this is a fault of the program or the machine",
            ),
            Self::Encoding(cause) => write!(f, "the certificate cannot be made: {cause}"),
        }
    }
}

impl std::error::Error for CertificateError {}

impl<E: Into<builder::Error>> From<E> for CertificateError {
    fn from(cause: E) -> Self {
        Self::Encoding(cause.into())
    }
}

/// An authority and one certificate for `localhost`, the loopback addresses and `more`.
pub fn issue(more: &[IpAddr], now: Timestamp) -> Result<Issued, CertificateError> {
    let validity = || -> Result<Validity, CertificateError> {
        Ok(Validity::new(time(now.plus_secs(-SLACK_SECS))?, time(now.plus_secs(DAYS * DAY_SECS))?))
    };
    let authority = Key::new()?;
    // The serial number tells the authorities of several state folders apart.
    let number = serial()?;
    let name = format!("CN=Strongroom local CA {},O=Strongroom", data_encoding::HEXLOWER.encode(&number));
    let issuer = Name::from_str(&name)?;
    let profile = Authority { name: issuer.clone() };
    let ca = build(&authority, profile, number, validity()?, &authority)?;

    let key = Key::new()?;
    let profile = Server { issuer, subject: Name::from_str("CN=localhost")?, names: names(more)? };
    let certificate = build(&authority, profile, serial()?, validity()?, &key)?;
    Ok(Issued {
        ca: ca.to_pem(LineEnding::LF)?,
        certificate: certificate.to_pem(LineEnding::LF)?,
        key: key.to_pem()?,
    })
}

/// Whether the certificate in `pem` should be replaced: it ends soon, or is none.
pub fn needs_renewal(pem: &str, now: Timestamp) -> bool {
    let ends = Certificate::from_pem(pem).ok().map(|certificate| {
        let until = certificate.tbs_certificate().validity().not_after.to_unix_duration();
        i64::try_from(until.as_secs()).unwrap_or(i64::MAX)
    });
    ends.is_none_or(|ends| ends < now.plus_secs(RENEW_DAYS * DAY_SECS).secs())
}

fn build<P: BuilderProfile>(
    signer: &Key,
    profile: P,
    number: [u8; 16],
    validity: Validity,
    subject: &Key,
) -> Result<Certificate, CertificateError> {
    let public = SubjectPublicKeyInfo::from_key(&subject.public)?;
    let builder = CertificateBuilder::new(profile, SerialNumber::new(&number)?, validity, public)?;
    Ok(builder.build::<_, Signature>(signer)?)
}

/// Positive, and of full length.
fn serial() -> Result<[u8; 16], CertificateError> {
    let mut number = [0; 16];
    aws_lc_rs::rand::fill(&mut number).map_err(|_| CertificateError::Crypto)?;
    let [first, ..] = &mut number;
    *first = *first & 0x3f | 0x40;
    Ok(number)
}

/// A P-256 key as the certificate builder wants it; wiped when dropped.
struct Key {
    pair: EcdsaKeyPair,
    public: PublicKey,
}

/// A `SubjectPublicKeyInfo`.
#[derive(Clone)]
struct PublicKey(Document);

/// An ECDSA signature in DER.
struct Signature(Vec<u8>);

impl Key {
    fn new() -> Result<Self, CertificateError> {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING);
        let pair = pair.map_err(|_| CertificateError::Crypto)?;
        let spki: PublicKeyX509Der<'_> = pair.public_key().as_der().map_err(|_| CertificateError::Crypto)?;
        let public = PublicKey(Document::try_from(spki.as_ref())?);
        Ok(Self { pair, public })
    }

    fn to_pem(&self) -> Result<Secret, CertificateError> {
        let pkcs8 = self.pair.to_pkcs8v1().map_err(|_| CertificateError::Crypto)?;
        let pem = encode_string("PRIVATE KEY", LineEnding::LF, pkcs8.as_ref());
        pem.map(Secret::from).map_err(|_| CertificateError::Crypto)
    }
}

impl Keypair for Key {
    type VerifyingKey = PublicKey;

    fn verifying_key(&self) -> PublicKey {
        self.public.clone()
    }
}

impl EncodePublicKey for PublicKey {
    fn to_public_key_der(&self) -> spki::Result<Document> {
        Ok(self.0.clone())
    }
}

impl DynSignatureAlgorithmIdentifier for Key {
    fn signature_algorithm_identifier(&self) -> spki::Result<AlgorithmIdentifierOwned> {
        Ok(AlgorithmIdentifierOwned { oid: ECDSA_WITH_SHA_256, parameters: None })
    }
}

impl Signer<Signature> for Key {
    fn try_sign(&self, message: &[u8]) -> Result<Signature, signature::Error> {
        let signature = self.pair.sign(&SystemRandom::new(), message).map_err(|_| signature::Error::new())?;
        Ok(Signature(signature.as_ref().to_vec()))
    }
}

impl SignatureBitStringEncoding for Signature {
    fn to_bitstring(&self) -> der::Result<BitString> {
        BitString::from_bytes(&self.0)
    }
}

fn time(when: Timestamp) -> Result<Time, CertificateError> {
    let since = Duration::from_secs(when.secs().unsigned_abs());
    Ok(Time::UtcTime(UtcTime::from_unix_duration(since)?))
}

fn names(more: &[IpAddr]) -> Result<SubjectAltName, CertificateError> {
    let loopback = [IpAddr::from([127, 0, 0, 1]), IpAddr::from([0, 0, 0, 0, 0, 0, 0, 1])];
    let addresses: BTreeSet<IpAddr> =
        loopback.iter().chain(more).copied().filter(|ip| !ip.is_unspecified()).collect();
    let mut names = vec![GeneralName::DnsName(Ia5String::new("localhost")?)];
    for address in addresses {
        let bytes = match address {
            IpAddr::V4(v4) => v4.octets().to_vec(),
            IpAddr::V6(v6) => v6.octets().to_vec(),
        };
        names.push(GeneralName::IpAddress(OctetString::new(bytes)?));
    }
    Ok(SubjectAltName(names))
}

/// The authority's own certificate.
struct Authority {
    name: Name,
}

impl BuilderProfile for Authority {
    fn get_issuer(&self, _: &Name) -> Name {
        self.name.clone()
    }

    fn get_subject(&self) -> Name {
        self.name.clone()
    }

    fn build_extensions(
        &self,
        key: SubjectPublicKeyInfoRef<'_>,
        _: SubjectPublicKeyInfoRef<'_>,
        tbs: &TbsCertificate,
    ) -> builder::Result<Vec<Extension>> {
        let constraints = BasicConstraints { ca: true, path_len_constraint: Some(0) };
        let id = SubjectKeyIdentifier::try_from(key)?;
        let mut extensions = vec![constraints.to_extension(tbs.subject(), &[])?];
        extensions
            .push(KeyUsage(KeyUsages::KeyCertSign | KeyUsages::CRLSign).to_extension(tbs.subject(), &[])?);
        extensions.push(id.to_extension(tbs.subject(), &[])?);
        Ok(extensions)
    }
}

/// The server's certificate.
struct Server {
    issuer: Name,
    subject: Name,
    names: SubjectAltName,
}

impl BuilderProfile for Server {
    fn get_issuer(&self, _: &Name) -> Name {
        self.issuer.clone()
    }

    fn get_subject(&self) -> Name {
        self.subject.clone()
    }

    /// All that strict clients ask for: both key identifiers, the usages, and the names where they belong.
    fn build_extensions(
        &self,
        key: SubjectPublicKeyInfoRef<'_>,
        issuer: SubjectPublicKeyInfoRef<'_>,
        tbs: &TbsCertificate,
    ) -> builder::Result<Vec<Extension>> {
        let issuer = SubjectKeyIdentifier::try_from(issuer)?;
        let authority = AuthorityKeyIdentifier { key_identifier: Some(issuer.0), ..Default::default() };
        let constraints = BasicConstraints { ca: false, path_len_constraint: None };
        let subject = tbs.subject();
        let mut extensions = vec![constraints.to_extension(subject, &[])?];
        extensions.push(KeyUsage(KeyUsages::DigitalSignature.into()).to_extension(subject, &[])?);
        extensions.push(ExtendedKeyUsage(vec![ID_KP_SERVER_AUTH]).to_extension(subject, &[])?);
        extensions.push(SubjectKeyIdentifier::try_from(key)?.to_extension(subject, &[])?);
        extensions.push(authority.to_extension(subject, &[])?);
        extensions.push(self.names.to_extension(subject, &[])?);
        Ok(extensions)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::process::Command;

    use super::*;

    fn now() -> Timestamp {
        use strongroom_types::Clock;
        strongroom_types::time::SystemClock.now()
    }

    #[test]
    #[allow(clippy::disallowed_methods)] // asks another implementation
    fn a_strict_verifier_accepts_it() {
        let issued = issue(&["10.1.2.3".parse().unwrap()], now()).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str, text: &str| {
            let path = folder.path().join(name);
            fs::write(&path, text).unwrap();
            path
        };
        let ca = file("ca.pem", &issued.ca);
        let certificate = file("server.pem", &issued.certificate);
        let key = file("server.key", issued.key.expose_str().unwrap());
        let openssl = |arguments: &[&std::ffi::OsStr]| {
            let out = Command::new("openssl").args(arguments).output().unwrap();
            (out.status.success(), String::from_utf8_lossy(&out.stdout).into_owned())
        };
        let (ca, certificate, key) = (ca.as_os_str(), certificate.as_os_str(), key.as_os_str());
        for name in [
            ["-verify_ip", "127.0.0.1"],
            ["-verify_ip", "::1"],
            ["-verify_ip", "10.1.2.3"],
            ["-verify_hostname", "localhost"],
        ] {
            let [flag, name] = name.map(std::ffi::OsStr::new);
            let options =
                ["verify", "-x509_strict", "-purpose", "sslserver", "-CAfile"].map(std::ffi::OsStr::new);
            let (good, said) = openssl(&[&options[..], &[ca, flag, name, certificate]].concat());
            assert!(good, "{name:?}: {said}");
        }
        let public = |what: &[&str], file: &std::ffi::OsStr| {
            let what: Vec<_> = what.iter().map(std::ffi::OsStr::new).chain([file]).collect();
            openssl(&what)
        };
        let of_key = public(&["pkey", "-pubout", "-in"], key);
        assert!(of_key.0);
        assert_eq!(of_key, public(&["x509", "-pubkey", "-noout", "-in"], certificate));
    }

    #[test]
    fn it_is_renewed_in_time() {
        let issued = issue(&[], now()).unwrap();
        assert!(!needs_renewal(&issued.certificate, now()));
        assert!(!needs_renewal(&issued.certificate, now().plus_secs((DAYS - RENEW_DAYS - 1) * DAY_SECS)));
        assert!(needs_renewal(&issued.certificate, now().plus_secs((DAYS - RENEW_DAYS + 1) * DAY_SECS)));
        assert!(needs_renewal("", now()));
    }
}
