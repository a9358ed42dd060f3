//! Keys as people have them, and as nobody should take them. GnuPG decrypts what is made here in `tests/it/pgp.rs` of the workspace.

mod forms;
mod keys;
mod messages;

use std::sync::atomic::{AtomicU64, Ordering};

use strongroom_types::{Entropy, NoEntropy, Timestamp};

use crate::{KeyError, Recipient};

/// Another sequence of bytes for each draw, the same in each run.
#[derive(Default)]
struct Dice(AtomicU64);

impl Entropy for Dice {
    fn fill(&self, out: &mut [u8]) -> Result<(), NoEntropy> {
        for byte in out {
            let number = self.0.fetch_add(1, Ordering::Relaxed);
            *byte = (number.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56) as u8;
        }
        Ok(())
    }
}

/// A generator that fails.
struct Dead;

impl Entropy for Dead {
    fn fill(&self, _: &mut [u8]) -> Result<(), NoEntropy> {
        Err(NoEntropy)
    }
}

/// Long after every key here was made.
fn today() -> Timestamp {
    Timestamp::parse("2026-11-25T12:00:00Z").unwrap()
}

fn file(name: &str) -> Vec<u8> {
    std::fs::read(format!("{}/src/tests/keys/{name}.asc", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

/// The packets of a file.
fn binary(name: &str) -> Vec<u8> {
    crate::text::decode(&file(name)).unwrap().expose().to_vec()
}

fn at(given: &[u8], now: Timestamp) -> Result<Recipient, KeyError> {
    Recipient::parse(given, now, &Dice::default())
}

/// Why `given` is refused today.
fn refused(given: &[u8]) -> KeyError {
    match at(given, today()) {
        Ok(recipient) => panic!("{} was taken", recipient.fingerprint()),
        Err(why) => why,
    }
}
