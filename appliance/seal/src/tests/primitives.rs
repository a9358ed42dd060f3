//! Known answers for each primitive as this crate uses it. The derivations were computed by an implementation of their
//! own, not by this one.

use aws_lc_rs::digest::{SHA3_256, SHA256, digest};
use data_encoding::HEXLOWER;
use strongroom_types::{Entropy, NoEntropy};
use zeroize::Zeroizing;

use crate::derive::{Place, Purpose, derive, unwrap, wrap};
use crate::keys::slot_key;
use crate::share::group_digest;
use crate::testing::CLUSTER;
use crate::*;

fn hex(text: &str) -> Vec<u8> {
    HEXLOWER.decode(text.as_bytes()).unwrap()
}

fn derivation(name: &str) -> Vec<u8> {
    let file = include_str!("../../tests/golden/derivations.txt");
    hex(file.lines().find_map(|line| line.strip_prefix(&format!("{name} "))).unwrap())
}

const PLACE: Place = Place { cluster: CLUSTER, slot: SlotId([0x51; 16]) };

#[test]
fn derivations_stay_as_they_are() {
    assert_eq!(PLACE.context(Purpose::HolderWrap, &[&[3], &[7]]), derivation("context"));
    let scalars = [Zeroizing::new([1; 32]), Zeroizing::new([2; 32])];
    for (group, scalar) in (0..).zip(&scalars) {
        let secret = derive(scalar.as_slice(), &PLACE.context(Purpose::GroupSecret, &[&[group]])).unwrap();
        assert_eq!(secret.to_vec(), derivation(&format!("group-secret-{group}")));
    }
    assert_eq!(slot_key(PLACE, &scalars).unwrap().to_vec(), derivation("slot-key"));
    assert_eq!(slot_key(PLACE, &scalars[..1]).unwrap().to_vec(), derivation("slot-key-of-one"));
    let wrapping = derive(&[1; 32], &PLACE.context(Purpose::RootKeyWrap, &[])).unwrap();
    assert_eq!(wrapping.to_vec(), derivation("root-key-wrap"));
    let commitments = [(2, 0x11), (3, 0x22)].map(|(sign, x)| {
        let mut point = [x; 33];
        point[0] = sign;
        point
    });
    assert_eq!(group_digest(PLACE, 1, &commitments).to_vec(), derivation("share-digest"));
}

#[test]
fn no_two_contexts_are_the_same_bytes() {
    use Purpose::*;
    let mut seen = std::collections::BTreeSet::new();
    let other = Place { slot: SlotId([0x52; 16]), ..PLACE };
    for purpose in [GroupSecret, SlotKey, RootKeyWrap, HolderWrap, PrivateKeyWrap, RootKey, ShareDigest] {
        for place in [PLACE, other] {
            for fields in [&[][..], &[&b"ab"[..]], &[b"a", b"b"], &[b"", b"ab"], &[b"ab", b""]] {
                assert!(seen.insert(place.context(purpose, fields)));
            }
        }
    }
}

#[test]
fn hkdf_sha256() {
    // RFC 5869, appendix A.3: no salt, no info.
    let expected = "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d";
    assert_eq!(derive(&[0x0b; 22], b"").unwrap().to_vec(), hex(expected));
}

/// Gives these bytes.
struct Fixed(Vec<u8>);

impl Entropy for Fixed {
    fn fill(&self, out: &mut [u8]) -> Result<(), NoEntropy> {
        out.copy_from_slice(&self.0);
        Ok(())
    }
}

#[test]
fn aes_256_gcm() {
    // "The Galois/Counter Mode of Operation", test case 16.
    let key = Zeroizing::new(
        <[u8; 32]>::try_from(hex("feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308"))
            .unwrap(),
    );
    let nonce = hex("cafebabefacedbaddecaf888");
    let aad = hex("feedfacedeadbeeffeedfacedeadbeefabaddad2");
    let plain = hex(
        "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39",
    );
    let sealed = hex(
        "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662\
         76fc6ece0f4e1768cddf8853bb2d551b",
    );
    let wrapped = wrap(&key, &aad, &plain, &Fixed(nonce.clone())).unwrap();
    assert_eq!(wrapped, [nonce, sealed].concat());
    assert_eq!(unwrap(&key, &aad, &wrapped).unwrap().unwrap().expose(), plain);

    for at in 0..wrapped.len() {
        let mut changed = wrapped.clone();
        changed[at] ^= 1;
        assert!(unwrap(&key, &aad, &changed).unwrap().is_none(), "byte {at}");
        assert!(unwrap(&key, &aad, &wrapped[..at]).unwrap().is_none(), "{at} bytes");
    }
    assert!(unwrap(&key, &aad[1..], &wrapped).unwrap().is_none());
    assert!(unwrap(&Zeroizing::new([0; 32]), &aad, &wrapped).unwrap().is_none());
}

#[test]
fn digests() {
    // FIPS 180-2 and FIPS 202, of "abc".
    let sha256 = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    let sha3_256 = "3a985da74fe225b2045c172d6bd390bd855f086e3e9d525b46bfe24511431532";
    assert_eq!(digest(&SHA256, b"abc").as_ref(), hex(sha256));
    assert_eq!(digest(&SHA3_256, b"abc").as_ref(), hex(sha3_256));
}
