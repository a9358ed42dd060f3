//! Which key is chosen, and which are refused.

use data_encoding::HEXUPPER;
use strongroom_types::Timestamp;

use super::{at, binary, file, refused, today};
use crate::message::Cipher;
use crate::packet::{packets, tag, write};
use crate::{KeyError, key};

/// The fingerprint and the id of the key that is encrypted to.
fn chosen(name: &str, when: Timestamp) -> (String, String) {
    let recipient = at(&file(name), when).unwrap_or_else(|why| panic!("{name}: {why}"));
    (recipient.fingerprint(), HEXUPPER.encode(key::id(&recipient.chosen)))
}

#[test]
fn keys_of_each_algorithm_are_taken() {
    for (name, primary, subkey) in [
        ("curve", "7b3e2cd3a786b5a65b94d12962cd1d275d885379", "2B200064CACF7470"),
        ("nistp256", "18e3f1b2588761c757928df728ac3f484cb51a0e", "F091ADD4AAE586BB"),
        ("nistp384", "c94a76aa4e759b587e3a20d5d43990741374e208", "60BE81D33D17451E"),
        ("nistp521", "9c2c446e563eaac207d3bd981f5ee3dee53da897", "26993D346861E5D2"),
        ("newer", "b28f9556ead476901a83c84d8cc6752f706c74b9", "5463EAC5F0F76B72"),
    ] {
        let (fingerprint, id) = chosen(name, today());
        assert_eq!(fingerprint, primary);
        if name != "newer" {
            assert_eq!(id, subkey);
        }
        assert_ne!(id, fingerprint[24..].to_uppercase(), "a subkey encrypts");
    }
    chosen("rsa", today());
    let (fingerprint, id) = chosen("alone", today());
    assert_eq!(id, fingerprint[24..].to_uppercase(), "the primary key encrypts where it says so");
}

#[test]
fn the_newest_subkey_is_taken_that_was_not_revoked() {
    let newer = chosen("two", today()).1;
    assert_eq!(newer, "20FC609E61389965");
    assert_eq!(chosen("two-revoked", today()).1, "B638622DF26DB305");
    let before = Timestamp::parse("2024-02-01T00:00:00Z").unwrap();
    assert_eq!(chosen("two", before).1, "B638622DF26DB305", "the newer one was not there yet");
}

#[test]
fn an_expired_key_is_refused() {
    let (during, after) = (
        Timestamp::parse("2024-05-01T00:00:00Z").unwrap(),
        Timestamp::parse("2024-06-02T00:00:00Z").unwrap(),
    );
    assert!(at(&file("sub"), during).is_ok());
    let why = at(&file("sub"), after).err().unwrap().to_string();
    assert!(why.contains("has expired") && why.contains("not meant for encrypting"), "{why}");
    assert_eq!(refused(&file("expired")), KeyError::Expired);
    assert!(at(&file("expired"), during).is_ok());
    // One that was made to last.
    assert!(at(&file("renewed"), today()).is_ok());
    let early = Timestamp::parse("2023-12-31T23:59:59Z").unwrap();
    assert!(matches!(at(&file("curve"), early), Err(KeyError::Unusable(_))), "it is not there yet");
}

#[test]
fn a_revoked_key_is_refused() {
    assert_eq!(refused(&file("revoked")), KeyError::Revoked);
}

#[test]
fn what_cannot_be_encrypted_to_is_named() {
    for (name, text) in [
        ("signing", "not meant for encrypting"),
        ("elgamal", "ElGamal, which is not supported"),
        ("brainpool", "ECDH on this curve, which is not supported"),
        ("dsa", "a primary key of DSA"),
        ("sha1", "SHA-1"),
    ] {
        let why = refused(&file(name)).to_string();
        assert!(why.contains(text), "{name}: {why}");
    }
}

#[test]
fn ciphers_are_those_that_the_owner_reads() {
    assert_eq!(at(&file("curve"), today()).unwrap().cipher, Cipher::Aes256);
    assert_eq!(at(&file("aes128"), today()).unwrap().cipher, Cipher::Aes128);
    assert_eq!(Cipher::preferred(Some(&[2])), Cipher::Aes128);
    assert_eq!(Cipher::preferred(None), Cipher::Aes256);
}

/// Nothing that somebody changed on the way is taken for what it was; and whatever is still taken is encrypted to as before.
#[test]
fn no_changed_bit_leads_to_another_key() {
    for name in ["curve", "rsa", "nistp384", "newer", "two"] {
        let whole = binary(name);
        let before = at(&whole, today()).unwrap();
        let mut taken = 0;
        for at_byte in 0..whole.len() {
            // One bit of each byte; of a short key all of them.
            for bit in if name == "curve" { 0..8 } else { at_byte % 8..at_byte % 8 + 1 } {
                let mut changed = whole.clone();
                changed[at_byte] ^= 1 << bit;
                let Ok(after) = at(&changed, today()) else { continue };
                taken += 1;
                assert_eq!(after.fingerprint, before.fingerprint, "{name}: bit {bit} of byte {at_byte}");
                let older = name == "two" && after.chosen != before.chosen;
                assert!(older || after.chosen == before.chosen, "{name}: bit {bit} of byte {at_byte}");
            }
        }
        // Who is said to have signed stands outside of what is signed, and so does a second mention of it.
        assert!(taken < whole.len() * 2, "{name}: {taken} changes were not noticed");
    }
}

/// The packets of `name`, chosen by number.
fn pieces(name: &str, which: std::ops::Range<usize>) -> Vec<u8> {
    let (bytes, mut out) = (binary(name), Vec::new());
    for packet in &packets(&bytes).unwrap()[which] {
        write(packet.tag, packet.body, &mut out);
    }
    out
}

#[test]
fn a_subkey_that_the_owner_did_not_sign_is_not_encrypted_to() {
    // Primary key, name, signature, subkey, binding: another one's subkey with its own binding, and with this one's.
    let foreign = pieces("nistp256", 3..5);
    let why = refused(&[pieces("curve", 0..3), foreign.clone()].concat()).to_string();
    assert!(why.contains("F091ADD4AAE586BB is not signed by the primary key"), "{why}");
    let mixed = [pieces("curve", 0..3), pieces("nistp256", 3..4), pieces("curve", 4..5)].concat();
    assert!(refused(&mixed).to_string().contains("is not signed by the primary key"));
    // Beside the right one it is passed over.
    let beside = [pieces("curve", 0..5), foreign].concat();
    assert_eq!(HEXUPPER.encode(key::id(&at(&beside, today()).unwrap().chosen)), "2B200064CACF7470");
    // Without its binding, and without a name that is signed, there is nothing.
    assert!(matches!(refused(&pieces("curve", 0..4)), KeyError::Unusable(_)));
    assert!(matches!(
        refused(&[pieces("curve", 0..2), pieces("curve", 3..5)].concat()),
        KeyError::Unusable(_)
    ));
}

#[test]
fn a_revocation_counts_whoever_added_it() {
    let foreign = pieces("revoked", 1..2);
    for place in 1..=5 {
        let added = [pieces("curve", 0..place), foreign.clone(), pieces("curve", place..5)].concat();
        assert_eq!(refused(&added), KeyError::Revoked);
    }
}

#[test]
fn a_private_key_is_refused_as_one() {
    let bytes = binary("curve");
    let public = &packets(&bytes).unwrap()[0];
    for kind in [tag::SECRET_KEY, tag::SECRET_SUBKEY] {
        let mut secret = Vec::new();
        write(kind, public.body, &mut secret);
        assert_eq!(refused(&secret), KeyError::Private);
        assert_eq!(refused(&[binary("curve"), secret].concat()), KeyError::Private);
    }
    let text = String::from_utf8(file("curve")).unwrap().replace("PUBLIC", "PRIVATE");
    assert_eq!(refused(text.as_bytes()), KeyError::Private);
}

#[test]
fn more_than_is_looked_at_is_refused() {
    let signed = pieces("curve", 2..3);
    let many = [pieces("curve", 0..2), signed.repeat(200), pieces("curve", 3..5)].concat();
    assert_eq!(refused(&many), KeyError::TooLarge);
    assert_eq!(refused(&signed.repeat(1000)), KeyError::TooLarge);
}
