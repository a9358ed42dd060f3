//! Each fuzz target for a moment, on stable, with the same mutations every time.

use std::panic::catch_unwind;

use data_encoding::HEXLOWER;
use strongroom_tests::fuzz::TARGETS;
use strongroom_tests::repository;

/// Inputs for each target.
const RUNS: u64 = 200_000;

/// xorshift64*: the same sequence every time, so that a failure can be repeated.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) as usize % sides.max(1)
    }
}

/// One of `pool`, changed in a few places.
fn mutate(pool: &[Vec<u8>], dice: &mut Dice) -> Vec<u8> {
    let mut input = pool[dice.roll(pool.len())].clone();
    for _ in 0..1 + dice.roll(4) {
        let at = dice.roll(input.len() + 1);
        match dice.roll(7) {
            0 if at < input.len() => input[at] ^= 1 << dice.roll(8),
            1 if at < input.len() => input[at] = dice.roll(256) as u8,
            2 => input.truncate(at),
            3 => input.insert(at.min(input.len()), dice.roll(256) as u8),
            4 => input.insert(at.min(input.len()), b"{}[]\",:/%.+-*\\\n\0"[dice.roll(16)]),
            5 => {
                let other = &pool[dice.roll(pool.len())];
                let from = dice.roll(other.len() + 1);
                input.extend_from_slice(&other[from..]);
            }
            _ if at < input.len() => _ = input.remove(at),
            _ => {}
        }
    }
    input.truncate(4096);
    input
}

#[test]
fn no_parser_of_foreign_bytes_panics() {
    for target in TARGETS {
        let mut pool: Vec<Vec<u8>> = target.seeds.iter().map(|seed| seed.to_vec()).collect();
        let corpus = repository().join("tests/fuzz/corpus").join(target.name);
        for entry in std::fs::read_dir(corpus).into_iter().flatten().flatten() {
            pool.push(std::fs::read(entry.path()).unwrap());
        }
        let mut dice = Dice(0x5eed);
        for run in 0..RUNS {
            let input = if (run as usize) < pool.len() {
                pool[run as usize].clone()
            } else {
                mutate(&pool, &mut dice)
            };
            let outcome = catch_unwind(|| (target.run)(&input));
            assert!(outcome.is_ok(), "{} on {}", target.name, HEXLOWER.encode(&input));
        }
        println!("{}: {RUNS} inputs", target.name);
    }
}
