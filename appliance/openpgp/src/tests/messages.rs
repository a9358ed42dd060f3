//! Messages, taken apart by their recipient.

use aws_lc_rs::agreement::{self, PrivateKey, UnparsedPublicKey, agree};
use aws_lc_rs::cipher::{self, DecryptingKey, DecryptionContext, UnboundCipherKey};
use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use aws_lc_rs::hkdf::{HKDF_SHA256, KeyType, Salt};
use aws_lc_rs::iv::FixedLength;
use aws_lc_rs::key_wrap::{AES_128, AesKek, KeyWrap};
use data_encoding::HEXLOWER;

use super::{Dice, at, file, today};
use crate::key;
use crate::packet::packets;

/// Of the subkey of `newer.asc`, which nobody uses.
const PRIVATE: &str = "30c15738e6954131cc0268c314adf9c95bae15cf4b26fb4a176333391e8bac43";

struct Length;

impl KeyType for Length {
    fn len(&self) -> usize {
        16
    }
}

/// The session key of a message for `newer.asc`: RFC 9580, 5.1.6.
fn session(locked: &[u8]) -> Vec<u8> {
    let own = HEXLOWER.decode(PRIVATE.as_bytes()).unwrap();
    let own = PrivateKey::from_private_key(&agreement::X25519, &own).unwrap();
    let (ephemeral, rest) = locked.split_at(32);
    assert_eq!((rest[0], rest[1], rest.len()), (41, 9, 42), "a length, AES-256, and its key wrapped");
    let kek = agree(&own, UnparsedPublicKey::new(&agreement::X25519, ephemeral), (), |secret| {
        let input = [ephemeral, own.compute_public_key().unwrap().as_ref(), secret].concat();
        let mut key = [0; 16];
        let derived = Salt::new(HKDF_SHA256, &[]).extract(&input);
        derived.expand(&[b"OpenPGP X25519"], Length).unwrap().fill(&mut key).map_err(drop).map(|()| key)
    });
    let mut key = [0; 32];
    AesKek::new(&AES_128, &kek.unwrap()).unwrap().unwrap(&rest[2..], &mut key).unwrap();
    key.to_vec()
}

#[test]
fn a_message_is_two_packets_and_its_key_reads_it() {
    let recipient = at(&file("newer"), today()).unwrap();
    let text = b"0102030405060708090a0b0c0d0e0f";
    let message = recipient.encrypt(text, &Dice::default()).unwrap();
    let packets = packets(&message).unwrap();
    assert_eq!(packets.iter().map(|packet| packet.tag).collect::<Vec<_>>(), [1, 18]);
    let (head, locked) = packets[0].body.split_at(10);
    assert_eq!(head, [&[3], key::id(&recipient.chosen), &[25]].concat());
    assert_eq!(packets[1].body[0], 1);
    let mut data = packets[1].body[1..].to_vec();
    let unbound = UnboundCipherKey::new(&cipher::AES_256, &session(locked)).unwrap();
    let context = DecryptionContext::Iv128(FixedLength::from([0; 16]));
    let plain = DecryptingKey::cfb128(unbound).unwrap().decrypt(&mut data, context).unwrap().to_vec();
    assert_eq!(plain[14..16], plain[16..18]);
    let (body, check) = plain.split_at(plain.len() - 20);
    assert_eq!(digest(&SHA1_FOR_LEGACY_USE_ONLY, body).as_ref(), check);
    let literal = &body[18..body.len() - 2];
    assert_eq!(literal, [&[0xcb, 36, b'b', 0, 0, 0, 0, 0], text.as_slice()].concat());
}

#[test]
fn no_two_messages_share_a_session_key_and_none_shows_its_text() {
    let dice = Dice::default();
    for name in ["rsa", "curve", "nistp256", "nistp384", "nistp521", "newer"] {
        let recipient = at(&file(name), today()).unwrap();
        let (one, two) =
            (recipient.encrypt(b"secret", &dice).unwrap(), recipient.encrypt(b"secret", &dice).unwrap());
        assert!(!one.windows(6).any(|bytes| bytes == b"secret"));
        let bodies =
            |message: &[u8]| packets(message).unwrap().iter().map(|p| p.body.to_vec()).collect::<Vec<_>>();
        let (one, two) = (bodies(&one), bodies(&two));
        assert!(one[0] != two[0] && one[1] != two[1], "{name}");
        assert_eq!(one[1].len(), two[1].len(), "{name}");
    }
}
