//! The forms that a key comes in, and what is none.

use data_encoding::BASE64;

use super::{Dead, at, binary, file, refused, today};
use crate::packet::{header_length, packets, write};
use crate::{Failed, KeyError, MAX_KEY, Recipient};

#[test]
fn a_key_is_one_in_each_form() {
    let fingerprint = |given: &[u8]| at(given, today()).unwrap().fingerprint();
    let (armoured, bytes) = (file("curve"), binary("curve"));
    let expected = fingerprint(&bytes);
    let base64 = BASE64.encode(&bytes);
    let lines: Vec<&str> =
        base64.as_bytes().chunks(60).map(|line| std::str::from_utf8(line).unwrap()).collect();
    let text = String::from_utf8(armoured.clone()).unwrap();
    for given in [
        armoured.clone(),
        BASE64.encode(&armoured).into_bytes(),
        base64.clone().into_bytes(),
        base64.trim_end_matches('=').as_bytes().to_vec(),
        lines.join("\r\n").into_bytes(),
        text.replace('\n', "\r\n").into_bytes(),
        text.replace("BLOCK-----\n\n", "BLOCK-----\nComment: of a custodian\nVersion: 1\n\n").into_bytes(),
        format!("\n{text}\n\n").into_bytes(),
    ] {
        assert_eq!(fingerprint(&given), expected, "{}", String::from_utf8_lossy(&given));
    }
    // Headers of the newer form, and packets that say nothing.
    let mut newer = Vec::new();
    for packet in packets(&bytes).unwrap() {
        write(packet.tag, packet.body, &mut newer);
        write(10, b"PGP", &mut newer);
        write(60, b"?", &mut newer);
    }
    assert_eq!(fingerprint(&newer), expected);
}

#[test]
fn what_is_no_key_is_refused() {
    let bytes = binary("curve");
    let text = String::from_utf8(file("curve")).unwrap();
    for given in [
        b"".as_slice(),
        b"  \n",
        b"keybase:somebody",
        b"-----BEGIN PGP MESSAGE-----\n\nAAAA\n-----END PGP MESSAGE-----\n",
        b"AAAA",
        b"\x99",
        b"\xff\xff\xff\xff\xff\xff",
        &text.as_bytes()[..text.len() / 2],
        format!("{text}{text}").as_bytes(),
        &[bytes.clone(), bytes.clone()].concat(),
        &bytes[..bytes.len() - 1],
        &bytes[1..],
    ] {
        let why = refused(given);
        assert!(matches!(why, KeyError::Malformed(_)), "{why:?}: {}", String::from_utf8_lossy(given));
    }
    assert_eq!(refused(&vec![0x80; 2 * MAX_KEY + 1]), KeyError::TooLarge);
    assert_eq!(refused(&[bytes.clone(), vec![0xfc; MAX_KEY]].concat()), KeyError::TooLarge);
    // Another version of the format, and parts, which only data may come in.
    let mut other = bytes.clone();
    other[2] = 6;
    assert!(matches!(refused(&other), KeyError::Unsupported(_)));
    for header in [[0xc6, 0xe1], [0x9b, 0x04]] {
        assert!(matches!(refused(&[&header, bytes.as_slice()].concat()), KeyError::Malformed(_)));
    }
}

#[test]
fn no_beginning_of_a_key_is_taken_for_more_than_it_is() {
    for name in ["curve", "rsa", "two-revoked"] {
        let bytes = binary(name);
        for length in 0..bytes.len() {
            if let Ok(recipient) = at(&bytes[..length], today()) {
                assert!(
                    name == "two-revoked",
                    "{name}: {length} bytes of {}: {}",
                    bytes.len(),
                    recipient.fingerprint()
                );
            }
        }
    }
}

#[test]
fn lengths_are_written_as_they_are_read() {
    for length in [0, 1, 191, 192, 193, 8383, 8384, 8385, 60_000] {
        let body = vec![7; length];
        let mut out = Vec::new();
        write(13, &body, &mut out);
        let read = packets(&out).unwrap();
        assert_eq!((read.len(), read[0].tag, read[0].body.len()), (1, 13, length));
        assert_eq!(out.len(), 1 + header_length(length).len() + length);
    }
}

#[test]
fn without_randomness_there_is_no_recipient() {
    let failed = Recipient::parse(&file("curve"), today(), &Dead).err().unwrap();
    assert!(matches!(failed, KeyError::Untried(Failed::NoEntropy(_))));
}

/// Points that every key of the moment agrees on the same secret with, and points beside their curve.
#[test]
fn points_that_give_the_secret_away_are_refused() {
    use crate::message::{Cipher, Lock};
    let recipient = |lock| Recipient { fingerprint: [0; 20], chosen: [0; 20], lock, cipher: Cipher::Aes256 };
    let encrypted = |lock| recipient(lock).encrypt(b"x", &super::Dice::default());
    for first in [0, 1] {
        let mut point = [0; 32];
        point[0] = first;
        assert_eq!(encrypted(Lock::X25519(point)).unwrap_err(), Failed::Rejected);
        let Ok(older) = Lock::ecdh(crate::key::Curve::X25519, &point, (8, 7)) else { panic!() };
        assert_eq!(encrypted(older).unwrap_err(), Failed::Rejected);
    }
    let beside = [[4].as_slice(), &[1; 64]].concat();
    let Ok(older) = Lock::ecdh(crate::key::Curve::Nist(crate::key::Nist::P256), &beside, (8, 7)) else {
        panic!()
    };
    assert_eq!(encrypted(older).unwrap_err(), Failed::Rejected);
    let even = Lock::Rsa { n: vec![0xfe; 256], e: vec![1, 0, 1] };
    let odd = Lock::Rsa { n: vec![0xff; 256], e: vec![1] };
    for lock in [even, odd] {
        assert_eq!(encrypted(lock).unwrap_err(), Failed::Rejected);
    }
}
