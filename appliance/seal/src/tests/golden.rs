//! A table and its shares as they were written once: today's program has to open them.

use data_encoding::HEXLOWER;
use strongroom_types::Secret;

use crate::share::from_text;
use crate::testing::*;
use crate::*;

const FILE: &str = include_str!("../../tests/golden/table-1.txt");

/// The values of the lines that begin with `name`, in order.
fn golden(name: &str) -> Vec<Vec<u8>> {
    let lines = FILE.lines().filter_map(|line| line.strip_prefix(&format!("{name} ")));
    lines.map(|text| HEXLOWER.decode(text.as_bytes()).unwrap()).collect()
}

fn devices() -> MockDevices {
    MockDevices::with(&["hsm", "tpm"])
}

/// Slots with one of everything.
fn plan() -> [SlotPlan; 2] {
    [
        slot("daily", vec![hsm(), tpm(), GroupPlan::custodians(1, 1)]),
        slot("break-glass", vec![GroupPlan::custodians(2, 3)]),
    ]
}

#[test]
fn the_table_is_read_and_written_as_ever() {
    let bytes = golden("table").remove(0);
    let table = SlotTable::parse(&bytes).unwrap().verify(mac).unwrap();
    assert_eq!(table.seal_bytes(mac).unwrap(), bytes);
    assert_eq!((table.cluster(), table.generation()), (CLUSTER, 1));
    let sets: Vec<String> = smallest_sets(&table).iter().map(|set| format!("{}: {set}", set.slot)).collect();
    let expected = [
        "daily: hsm (pkcs11 on node-1) and tpm (tpm on node-1) and the custodian",
        "break-glass: any 2 of 3 custodians",
    ];
    assert_eq!(sets, expected);
    let Holder::Device(device) = &table.slots()[0].groups[0].holders[0] else { panic!("no device") };
    assert_eq!((device.index, device.kind, device.key.as_str()), (1, DeviceKind::Pkcs11, "root"));
}

#[test]
fn both_slots_open_as_ever() {
    let root_key = Secret::from(golden("root").remove(0));
    let table = SlotTable::parse(&golden("table")[0]).unwrap();
    let mut daily = attempt(table.unverified());
    assert!(ask_devices(&mut daily, &devices()).is_empty());
    daily.offer_share(&golden("share-daily")[0]).unwrap();
    assert!(daily.open().unwrap().unwrap().root_key == root_key);

    let mut glass = attempt(table.unverified());
    for share in &golden("share-break-glass")[1..] {
        let text = HEXLOWER.encode(share);
        glass.offer_share(from_text(&text).unwrap().expose()).unwrap();
    }
    assert!(glass.open().unwrap().unwrap().root_key == root_key);
}

/// Everything but what ML-KEM draws for itself follows from the seed.
#[test]
fn the_same_seed_makes_the_same_shares_and_root_key() {
    let made = made(&plan(), &devices());
    assert_eq!(made.root_key.expose(), golden("root")[0]);
    for slot in &made.shares {
        let shares: Vec<_> = slot.shares.iter().map(|share| share.expose().to_vec()).collect();
        assert_eq!(shares, golden(&format!("share-{}", slot.name)));
    }
    let stored = SlotTable::parse(&golden("table")[0]).unwrap();
    for (slot, old) in made.table.slots().iter().zip(stored.unverified().slots()) {
        assert_eq!((slot.id, &slot.groups), (old.id, &old.groups));
    }
}

/// For a change of the format that is meant: prints a new golden file.
#[test]
#[ignore = "makes the golden file, which must not change by itself"]
fn make() {
    let made = made(&plan(), &devices());
    println!("# cluster c1…, devices and seed as in src/testing.rs");
    println!("root {}", HEXLOWER.encode(made.root_key.expose()));
    println!("table {}", HEXLOWER.encode(&made.table.seal_bytes(mac).unwrap()));
    for slot in &made.shares {
        slot.shares
            .iter()
            .for_each(|share| println!("share-{} {}", slot.name, HEXLOWER.encode(share.expose())));
    }
}
