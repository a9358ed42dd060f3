//! Known answers for each primitive, through the same calls as the barrier makes: a broken library, or one built for
//! another machine, must not get as far as a record.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)] // the lints spare tests, not what tests share

mod common;

use aws_lc_rs::aead::{AES_256_GCM, AES_256_GCM_SIV, Aad, Algorithm, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::hkdf::{HKDF_SHA256, KeyType, Salt};
use aws_lc_rs::hmac::{self, HMAC_SHA256};
use common::{hex, unhex};

struct Length(usize);

impl KeyType for Length {
    fn len(&self) -> usize {
        self.0
    }
}

#[test]
fn hkdf_sha256_rfc_5869() {
    // Appendix A.1 to A.3: key, salt, info, output.
    let bytes = |from: u8, to: u8| hex(&(from..=to).collect::<Vec<u8>>());
    for [key, salt, info, output] in [
        [
            &hex(&[0x0b; 22]),
            "000102030405060708090a0b0c",
            "f0f1f2f3f4f5f6f7f8f9",
            "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865",
        ],
        [
            &bytes(0x00, 0x4f),
            &bytes(0x60, 0xaf),
            &bytes(0xb0, 0xff),
            "b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c\
             59045a99cac7827271cb41c65e590e09da3275600c2f09b8367793a9aca3db71\
             cc30c58179ec3e87c14c01d5c1f3434f1d87",
        ],
        [
            &hex(&[0x0b; 22]),
            "",
            "",
            "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8",
        ],
    ] {
        let output = unhex(output);
        // All of it, and the 32 bytes that the barrier takes.
        for len in [output.len(), 32] {
            let mut key_out = vec![0; len];
            let prk = Salt::new(HKDF_SHA256, &unhex(salt)).extract(&unhex(key));
            let info = unhex(info);
            prk.expand(&[&info], Length(len)).unwrap().fill(&mut key_out).unwrap();
            assert_eq!(key_out, output[..len]);
        }
    }
}

#[test]
fn hmac_sha256_rfc_4231() {
    for [key, data, tag] in [
        [
            &hex(&[0x0b; 20]),
            &hex(b"Hi There"),
            "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7",
        ],
        [
            &hex(b"Jefe"),
            &hex(b"what do ya want for nothing?"),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
        ],
        [
            &hex(&[0xaa; 131]),
            &hex(b"Test Using Larger Than Block-Size Key - Hash Key First"),
            "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
        ],
    ] {
        let key = hmac::Key::new(HMAC_SHA256, &unhex(key));
        assert_eq!(hex(hmac::sign(&key, &unhex(data)).as_ref()), tag);
    }
}

/// Seals and opens by each of the calls that the barrier uses with `algorithm`; `expected` is ciphertext and tag.
fn known_answer(algorithm: &'static Algorithm, [key, nonce, aad, plain, expected]: [&str; 5]) {
    let key = LessSafeKey::new(UnboundKey::new(algorithm, &unhex(key)).unwrap());
    let nonce = || Nonce::try_assume_unique_for_key(&unhex(nonce)).unwrap();
    let (aad, plain, expected) = (unhex(aad), unhex(plain), unhex(expected));
    let (ciphertext, tag) = expected.split_at(plain.len());
    if algorithm == &AES_256_GCM {
        let (mut sealed, mut sealed_tag) = (vec![0; plain.len()], [0; 16]);
        key.seal_out_of_place_scatter(nonce(), Aad::from(&aad), &plain, &mut sealed, &[], &mut sealed_tag)
            .unwrap();
        assert_eq!((sealed.as_slice(), sealed_tag.as_slice()), (ciphertext, tag));
        let mut opened = vec![0; plain.len()];
        key.open_separate_gather(nonce(), Aad::from(&aad), ciphertext, tag, &mut opened).unwrap();
        assert_eq!(opened, plain);
    } else {
        let mut sealed = plain.clone();
        let sealed_tag = key.seal_in_place_separate_tag(nonce(), Aad::from(&aad), &mut sealed).unwrap();
        assert_eq!((sealed.as_slice(), sealed_tag.as_ref()), (ciphertext, tag));
        let mut opened = expected.clone();
        assert_eq!(key.open_in_place(nonce(), Aad::from(&aad), &mut opened).unwrap(), plain);
    }
}

#[test]
fn aes_256_gcm() {
    const KEY: &str = "feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308";
    const PLAIN: &str = "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2449a6b525\
                         b16aedf5aa0de657ba637b39";
    // The submission of GCM to NIST, test cases 13 to 16.
    let zeros = hex(&[0; 32]);
    for vector in [
        [&zeros, "000000000000000000000000", "", "", "530f8afbc74536b9a963b4f1c4cb738b"],
        [
            &zeros,
            "000000000000000000000000",
            "",
            "00000000000000000000000000000000",
            "cea7403d4d606b6e074ec5d3baf39d18d0d1c8a799996bf0265b98b5d48ab919",
        ],
        [
            KEY,
            "cafebabefacedbaddecaf888",
            "",
            &format!("{PLAIN}1aafd255"),
            "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa8cb08e48590dbb3da7b08b1056828838\
             c5f61e6393ba7a0abcc9f662898015adb094dac5d93471bdec1a502270e3cc6c",
        ],
        [
            KEY,
            "cafebabefacedbaddecaf888",
            "feedfacedeadbeeffeedfacedeadbeefabaddad2",
            PLAIN,
            "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa8cb08e48590dbb3da7b08b1056828838\
             c5f61e6393ba7a0abcc9f66276fc6ece0f4e1768cddf8853bb2d551b",
        ],
    ] {
        known_answer(&AES_256_GCM, vector);
    }
}

#[test]
fn aes_256_gcm_siv_rfc_8452() {
    // Appendix C.2.
    let key = format!("01{:062}", 0);
    let nonce = "030000000000000000000000";
    for vector in [
        [&key, nonce, "", "", "07f5f4169bbf55a8400cd47ea6fd400f"],
        [&key, nonce, "", "0100000000000000", "c2ef328e5c71c83b843122130f7364b761e0b97427e3df28"],
        [
            &key,
            nonce,
            "",
            "01000000000000000000000000000000",
            "85a01b63025ba19b7fd3ddfc033b3e76c9eac6fa700942702e90862383c6c366",
        ],
        [&key, nonce, "01", "0200000000000000", "1de22967237a813291213f267e3b452f02d01ae33e4ec854"],
    ] {
        known_answer(&AES_256_GCM_SIV, vector);
    }
}
