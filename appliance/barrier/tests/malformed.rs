//! Whatever lies in the store: an error, never a panic and no endless loop.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)] // the lints spare tests, not what tests share

mod common;

use common::*;
use proptest::prelude::*;
use strongroom_barrier::{BarrierError, Minute, plain};

/// A key within the test's view, whose tail is a valid segment now and then.
fn key(kind: u8, good: &[u8], tail: &[u8], how: u8) -> Vec<u8> {
    let head = [&[kind], [0; 16].as_slice(), &MOUNT.0].concat();
    match how % 4 {
        0 => [&head, tail].concat(),
        3 => [&head, [0xFE].as_slice(), tail].concat(),
        1 => [&head, good.get(33..).unwrap_or_default(), tail].concat(),
        _ => [good, &[0xFF], tail].concat(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_record_is_refused(value in proptest::collection::vec(any::<u8>(), 0..200), valid_header: bool) {
        let bench = Bench::new();
        let at = bench.put("a", "x");
        let mut value = value;
        if valid_header && value.len() > 5 {
            value[..5].copy_from_slice(&[1, 0, 0, 0, 1]);
        }
        bench.disk.lock().unwrap().records.insert(at, value.clone());
        prop_assert!(matches!(bench.reader().get(&name("a")), Err(BarrierError::Damaged)));
        bench.disk.lock().unwrap().records.insert(plain::KEYRING.to_vec(), value);
        let opened = bench.reopened(&root_key());
        prop_assert!(matches!(opened, Err(BarrierError::Damaged | BarrierError::WrongRootKey)));
    }

    #[test]
    fn any_keys_end_a_list_a_walk_and_a_sweep(
        tails in proptest::collection::vec((proptest::collection::vec(any::<u8>(), 0..90), any::<u8>(), 0u8..4), 1..12),
    ) {
        let bench = Bench::new();
        let good = bench.put("a/b", "x");
        for (tail, how, kind) in tails {
            let foreign = key(kind, &good, &tail, how);
            if foreign != good {
                bench.disk.lock().unwrap().records.insert(foreign, tail);
            }
        }
        let reader = bench.reader();
        for at in ["", "a", "a/b"] {
            let _ = reader.list(&name(at), None, None);
            let _ = reader.walk(&name(at), &mut |_| true);
        }
        let _ = reader.due(Minute::of(NOW), None, 100);
        prop_assert_eq!(bench.get("a/b"), Some("x".to_owned()));
    }
}
