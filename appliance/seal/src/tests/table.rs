use proptest::prelude::*;

use crate::table::MAX_TABLE;
use crate::testing::*;
use crate::*;

/// A table with one of everything, its bytes, and what opens it.
struct Bench {
    devices: MockDevices,
    made: Created,
    bytes: Vec<u8>,
}

fn bench() -> Bench {
    let devices = MockDevices::with(&["hsm", "tpm"]);
    let plan = [slot("hsm and people", vec![hsm(), GroupPlan::custodians(2, 3)]), slot("tpm", vec![tpm()])];
    let made = made(&plan, &devices);
    let bytes = made.table.seal_bytes(mac).unwrap();
    Bench { devices, made, bytes }
}

impl Bench {
    /// What becomes of `bytes`, by the way in which core treats them: parse, open the first slot, verify.
    fn fate(&self, bytes: &[u8]) -> Fate {
        let Ok(stored) = SlotTable::parse(bytes) else { return Fate::Malformed };
        let mut table = stored.unverified().clone();
        table.slots.truncate(1);
        let mut unsealing = attempt(&table);
        ask_devices(&mut unsealing, &self.devices);
        for share in &self.made.shares[0].shares[..2] {
            let _ = unsealing.offer_share(share.expose());
        }
        let opened = unsealing.open().ok().flatten();
        match (opened.is_some_and(|opened| opened.root_key == self.made.root_key), stored.verify(mac)) {
            (false, Err(TableError::Mac)) => Fate::Shut,
            (true, Err(TableError::Mac)) => Fate::Unverified,
            (_, Ok(_)) => Fate::Accepted,
            (_, Err(other)) => panic!("{other}"),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Malformed,
    /// Did not open, and is not verified.
    Shut,
    /// Opened, and is not verified.
    Unverified,
    Accepted,
}

#[test]
fn what_was_written_is_read() {
    let bench = bench();
    let stored = SlotTable::parse(&bench.bytes).unwrap();
    assert_eq!(*stored.unverified(), bench.made.table);
    let table = stored.verify(mac).unwrap();
    assert_eq!((table.generation(), table.cluster(), table.slots().len()), (1, CLUSTER, 2));
    assert_eq!(table.seal_bytes(mac).unwrap(), bench.bytes);
    assert_eq!(bench.fate(&bench.bytes), Fate::Accepted);
}

#[test]
fn every_flipped_byte_is_refused() {
    let bench = bench();
    for at in 0..bench.bytes.len() {
        for by in [1, 0x80] {
            let mut bytes = bench.bytes.clone();
            bytes[at] ^= by;
            let verified = SlotTable::parse(&bytes).map(|stored| stored.verify(mac));
            assert!(!matches!(verified, Ok(Ok(_))), "byte {at}");
        }
    }
}

/// What the root key hangs on does not open at all when it was altered, MAC or no MAC.
#[test]
fn flips_in_the_first_slots_secrets_do_not_even_open_it() {
    let bench = bench();
    let find = |part: &[u8]| {
        let at = bench.bytes.windows(part.len()).position(|window| window == part).unwrap();
        at..at + part.len()
    };
    let slot = &bench.made.table.slots[0];
    let parts = [
        find(&CLUSTER.0),
        find(&slot.id.0),
        find(slot.groups[0].commitments.as_flattened()),
        find(slot.groups[1].commitments.as_flattened()),
        find(&slot.groups[0].devices().next().unwrap().wrapped.0),
    ];
    let long = [&slot.public_key, &slot.wrapped_private_key, &slot.encapsulated_root_key];
    let long = long.into_iter().flat_map(|part| {
        let range = find(part);
        [range.start, range.end - 1].into_iter().chain(range.step_by(61))
    });
    for at in parts.into_iter().flatten().chain(long) {
        let mut bytes = bench.bytes.clone();
        bytes[at] ^= 1;
        // A commitment that begins with 2 or 3 is a point or its negative; the parser takes both.
        assert!(
            matches!(bench.fate(&bytes), Fate::Malformed | Fate::Shut),
            "byte {at}: {:?}",
            bench.fate(&bytes)
        );
    }
    // The rest is the MAC's: an older generation, another name.
    let mut bytes = bench.bytes.clone();
    bytes[4 + 1 + 16 + 7] ^= 3;
    assert_eq!(bench.fate(&bytes), Fate::Unverified);
}

#[test]
fn cut_and_lengthened_tables_are_refused() {
    let bench = bench();
    for length in 0..bench.bytes.len() {
        assert!(SlotTable::parse(&bench.bytes[..length]).is_err(), "{length} bytes");
    }
    for tail in [&[0][..], &[0; 32], &bench.bytes] {
        assert!(SlotTable::parse(&[&bench.bytes, tail].concat()).is_err());
    }
    assert_eq!(SlotTable::parse(&vec![0; MAX_TABLE + 1]), Err(TableError::TooLarge));
    let mut later = bench.bytes.clone();
    later[4] = 2;
    assert_eq!(SlotTable::parse(&later), Err(TableError::Version(2)));
}

#[test]
fn another_key_does_not_verify() {
    let bench = bench();
    let stored = SlotTable::parse(&bench.bytes).unwrap();
    assert_eq!(stored.clone().verify(|_| [0; 32]), Err(TableError::Mac));
    assert_eq!(stored.verify(|bytes| mac(&bytes[1..])), Err(TableError::Mac));
}

#[test]
fn counts_and_names_have_their_limits() {
    let made = bench().made.table;
    let malformed = |change: &dyn Fn(&mut SlotTable)| {
        let mut table = made.clone();
        change(&mut table);
        let bytes = table.seal_bytes(mac).unwrap();
        match SlotTable::parse(&bytes) {
            Err(TableError::Malformed(what)) => what,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(malformed(&|table| table.slots.clear()), "number of slots");
    assert_eq!(malformed(&|table| table.slots = vec![table.slots[1].clone(); 17]), "number of slots");
    assert_eq!(malformed(&|table| table.slots[1] = table.slots[0].clone()), "slot names");
    assert_eq!(malformed(&|table| table.slots[1].id = table.slots[0].id), "slot names");
    assert_eq!(malformed(&|table| table.slots[0].name.clear()), "slot name");
    assert_eq!(malformed(&|table| table.slots[0].name = "a\u{7}".into()), "slot name");
    assert_eq!(malformed(&|table| table.slots[0].name = "x".repeat(65)), "slot name");
    assert_eq!(malformed(&|table| table.slots[0].groups.clear()), "number of groups");
    assert_eq!(
        malformed(&|table| table.slots[0].groups = vec![table.slots[1].groups[0].clone(); 5]),
        "number of groups"
    );
    assert_eq!(malformed(&|table| table.slots[0].groups[0].threshold = 0), "threshold");
    assert_eq!(malformed(&|table| table.slots[0].groups[0].threshold = 2), "threshold");
    assert_eq!(malformed(&|table| table.slots[0].groups[0].holders.clear()), "number of holders");
    assert_eq!(malformed(&|table| table.slots[0].groups[0].commitments[0][0] = 4), "commitments");
    assert_eq!(malformed(&|table| with_device(table, |device| device.node.clear())), "node name");
    assert_eq!(malformed(&|table| with_device(table, |device| device.device = "\n".into())), "device name");
    assert_eq!(
        malformed(&|table| with_device(table, |device| device.wrapped.0 = vec![0; 8193])),
        "wrapped share"
    );
}

fn with_device(table: &mut SlotTable, change: impl FnOnce(&mut DeviceHolder)) {
    let Holder::Device(device) = &mut table.slots[0].groups[0].holders[0] else { panic!("no device") };
    change(device);
}

#[test]
fn what_cannot_be_stored_is_not_written() {
    let made = bench().made.table;
    for change in [
        (|table| with_device(table, |device| device.wrapped.0 = vec![0; 70_000])) as fn(&mut SlotTable),
        |table| with_device(table, |device| device.wrapped.0 = vec![0; 8000]),
        |table| table.slots[0].name = "x".repeat(256),
    ] {
        let mut table = made.clone();
        change(&mut table);
        let copies = (0..16).map(|n| Slot { id: SlotId([n; 16]), ..table.slots[0].clone() });
        table.slots = copies.collect();
        assert_eq!(table.seal_bytes(mac), Err(TableError::TooLarge));
    }
}

/// Whatever the bytes are: no panic, and what is accepted is written again as it was.
fn read_hostile(bytes: &[u8]) {
    let Ok(stored) = SlotTable::parse(bytes) else { return };
    let table = stored.unverified();
    let mut stored_mac = [0; 32];
    stored_mac.copy_from_slice(&bytes[bytes.len() - 32..]);
    assert_eq!(table.seal_bytes(|_| stored_mac).unwrap(), bytes);
    let mut unsealing = attempt(table);
    let _ = (kind(table), smallest_sets(table), unsealing.progress());
    let devices = MockDevices::with(&["hsm", "tpm"]);
    ask_devices(&mut unsealing, &devices);
    let _ = unsealing.open();
    let _ = replace_root_key(table, &vec![7; 32].into(), &SeededEntropy::new(3));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn any_bytes_do_no_harm(bytes in prop::collection::vec(any::<u8>(), 0..2000)) {
        read_hostile(&bytes);
        read_hostile(&[b"SRKS\x01", bytes.as_slice()].concat());
    }

    #[test]
    fn mutated_tables_do_no_harm(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        cut in prop::option::of((any::<prop::sample::Index>(), 0usize..40)),
        paste in prop::option::of((any::<prop::sample::Index>(), prop::collection::vec(any::<u8>(), 0..40))),
    ) {
        static VALID: std::sync::OnceLock<Vec<u8>> = std::sync::OnceLock::new();
        let mut bytes = VALID.get_or_init(|| bench().bytes).clone();
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        if let Some((at, count)) = cut {
            let at = at.index(bytes.len());
            bytes.drain(at..(at + count).min(bytes.len()));
        }
        if let Some((at, more)) = paste {
            let at = at.index(bytes.len());
            bytes.splice(at..at, more);
        }
        read_hostile(&bytes);
    }
}
