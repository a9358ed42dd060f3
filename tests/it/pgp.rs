//! What is encrypted for people's OpenPGP keys, read by GnuPG.

use strongroom_openpgp::{KeyError, Recipient};
use strongroom_tests::gpg::Gpg;
use strongroom_types::{Clock, Entropy, NoEntropy, Timestamp};

/// The system's generator.
struct System;

impl Entropy for System {
    fn fill(&self, out: &mut [u8]) -> Result<(), NoEntropy> {
        use std::io::Read;
        let mut source = std::fs::File::open("/dev/urandom").map_err(|_| NoEntropy)?;
        source.read_exact(out).map_err(|_| NoEntropy)
    }
}

fn now() -> Timestamp {
    strongroom_types::time::SystemClock.now()
}

#[test]
fn gnupg_reads_what_is_encrypted_for_keys_of_each_algorithm() {
    let gpg = Gpg::new();
    // A share and a token are as short; and lengths whose headers take one byte, two, and five.
    let texts = ["0102ff".repeat(27), "x".repeat(150), "y".repeat(5000), "z".repeat(9000)];
    for (primary, subkey) in [
        ("rsa2048", "rsa2048"),
        ("rsa3072", "rsa3072"),
        ("rsa4096", "rsa4096"),
        ("ed25519", "cv25519"),
        ("nistp256", "nistp256"),
        ("nistp384", "nistp384"),
        ("nistp521", "nistp521"),
        // A signature over another kind of subkey.
        ("ed25519", "rsa2048"),
        ("nistp384", "cv25519"),
    ] {
        let name = format!("{primary}-{subkey}");
        let fingerprint = gpg.make(&name, (primary, subkey), &[]);
        for given in [gpg.public(&name, &[]), gpg.public(&name, &["--armor"])] {
            let recipient =
                Recipient::parse(&given, now(), &System).unwrap_or_else(|why| panic!("{name}: {why}"));
            assert_eq!(recipient.fingerprint().to_uppercase(), fingerprint);
            for text in &texts {
                let message = recipient.encrypt(text.as_bytes(), &System).unwrap();
                assert_eq!(&gpg.decrypt(&message), text, "{name}");
            }
        }
    }
}

#[test]
fn gnupg_refuses_a_message_that_was_changed() {
    let gpg = Gpg::new();
    gpg.make("one", ("ed25519", "cv25519"), &[]);
    let recipient = Recipient::parse(&gpg.public("one", &[]), now(), &System).unwrap();
    let mut message = recipient.encrypt(&[b'a'; 164], &System).unwrap();
    let place = message.len() - 100;
    message[place] ^= 1;
    assert!(!gpg.run(&["--decrypt"], &message).status.success());
}

#[test]
fn a_key_that_was_revoked_a_minute_ago_is_refused() {
    let gpg = Gpg::new();
    gpg.make("gone", ("ed25519", "cv25519"), &[]);
    assert!(Recipient::parse(&gpg.public("gone", &[]), now(), &System).is_ok());
    gpg.revoke("gone");
    let why = Recipient::parse(&gpg.public("gone", &[]), now(), &System).err();
    assert_eq!(why, Some(KeyError::Revoked));
}
