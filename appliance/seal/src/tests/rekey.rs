use strongroom_device_api::DeviceErrorKind;
use strongroom_types::{Entropy, NoEntropy};

use crate::testing::*;
use crate::*;

fn opened(table: &SlotTable, shares: &[strongroom_types::Secret], devices: &MockDevices) -> Option<Opened> {
    let mut unsealing = attempt(table);
    ask_devices(&mut unsealing, devices);
    for share in shares {
        let _ = unsealing.offer_share(share.expose());
    }
    unsealing.open().unwrap()
}

#[test]
fn new_shares_open_where_the_old_ones_did_and_beside_the_same_devices() {
    let devices = MockDevices::with(&["hsm"]);
    let made = made(&[slot("daily", vec![hsm(), GroupPlan::custodians(2, 3)])], &devices);
    let like = &made.table.slots()[0];
    let new = run(new_shares(&made.table, like, (3, 5), &devices, &SeededEntropy::new(9))).unwrap();
    assert_eq!((new.slot.name.as_str(), new.slot.people(), new.shares.len()), ("daily", Some((3, 5)), 5));
    assert!(new.slot.id != like.id && new.slot.groups[0].devices().count() == 1);

    let both = made.table.with_slots(vec![new.slot.clone(), like.clone().kept_until_then()]).unwrap();
    let root_key = new_root_key(&SeededEntropy::new(10)).unwrap();
    let both = replace_root_key(&both, &root_key, &SeededEntropy::new(11)).unwrap();
    let old_shares = &made.shares[0].shares;
    for (shares, name) in [(&new.shares[2..], "daily"), (&old_shares[1..], "daily, replaced")] {
        let opened = opened(&both, shares, &devices).unwrap();
        assert!(opened.root_key == root_key && opened.name == name);
        assert!(attempt(&both).agreed().is_none());
    }
    assert!(opened(&both, &new.shares[..2], &devices).is_none());
    let without = both.with_slots(vec![both.slots()[0].clone()]).unwrap();
    assert!(opened(&without, old_shares, &devices).is_none());
    // Without the device the people alone open nothing, however many they are.
    assert!(opened(&both, &new.shares, &MockDevices::default()).is_none());
}

#[test]
fn people_agree_without_a_device_and_devices_agree_to_nothing() {
    let devices = MockDevices::with(&["hsm"]);
    let plan = [slot("daily", vec![hsm()]), slot("people", vec![hsm(), GroupPlan::custodians(2, 3)])];
    let made = made(&plan, &devices);
    let mut unsealing = attempt(&made.table);
    ask_devices(&mut unsealing, &devices);
    assert!(unsealing.agreed().is_none(), "a device has agreed");
    let shares = &made.shares[0].shares;
    let mut people = Unsealing::new(&made.table, "", &SystemEntropy).unwrap();
    people.offer_share(shares[0].expose()).unwrap();
    assert!(people.offer_share(shares[0].expose()).is_err() && people.agreed().is_none());
    people.offer_share(shares[2].expose()).unwrap();
    assert_eq!(people.agreed(), Some(made.table.slots()[1].id));
    assert!(people.open().unwrap().is_none(), "they agree, and hold no more than their part of the key");
}

#[test]
fn a_group_of_people_and_devices_agrees_by_people_only() {
    let devices = MockDevices::with(&["hsm"]);
    let mut mixed = GroupPlan::custodians(2, 2);
    mixed.holders.extend(hsm().holders);
    let made = made(&[slot("mixed", vec![mixed])], &devices);
    assert_eq!(made.table.slots()[0].people(), None);
    let mut unsealing = attempt(&made.table);
    ask_devices(&mut unsealing, &devices);
    unsealing.offer_share(made.shares[0].shares[0].expose()).unwrap();
    assert!(unsealing.agreed().is_none());
    unsealing.offer_share(made.shares[0].shares[1].expose()).unwrap();
    assert!(unsealing.agreed().is_some());
}

#[test]
fn a_device_that_fails_or_lies_makes_no_new_shares() {
    let devices = MockDevices::with(&["hsm"]);
    let made = made(&[slot("daily", vec![hsm(), GroupPlan::custodians(2, 3)])], &devices);
    for mood in [Mood::Failing(DeviceErrorKind::Gone), Mood::Lying, Mood::Short, Mood::Swollen] {
        devices.get("hsm").set(mood);
        let like = &made.table.slots()[0];
        assert!(run(new_shares(&made.table, like, (2, 3), &devices, &SeededEntropy::new(9))).is_err());
    }
}

/// Fails at the draw with this number.
struct Failing(SeededEntropy, std::sync::atomic::AtomicI64);

impl Entropy for Failing {
    fn fill(&self, out: &mut [u8]) -> Result<(), NoEntropy> {
        match self.1.fetch_sub(1, std::sync::atomic::Ordering::SeqCst) {
            0 => Err(NoEntropy),
            _ => self.0.fill(out),
        }
    }
}

#[test]
fn a_generator_that_fails_at_any_draw_makes_no_new_shares() {
    let devices = MockDevices::default();
    let made = made(&[slot("people", vec![GroupPlan::custodians(2, 3)])], &devices);
    let mut draws = 0;
    loop {
        let entropy = Failing(SeededEntropy::new(1), draws.into());
        let like = &made.table.slots()[0];
        match run(new_shares(&made.table, like, (2, 2), &devices, &entropy)) {
            Err(SealError::Entropy) => draws += 1,
            Ok(_) => break,
            Err(other) => panic!("{other}"),
        }
        assert!(draws < 200);
    }
    assert!(draws > 3);
}

#[test]
fn a_kept_slot_has_one_name_however_often_it_is_kept() {
    let made = made(&[slot("people", vec![GroupPlan::custodians(1, 1)])], &MockDevices::default());
    let kept = made.table.slots()[0].clone().kept_until_then();
    assert_eq!((kept.name.as_str(), kept.replaced()), ("people, replaced", Some("people")));
    assert_eq!(kept.clone().kept_until_then(), kept);
    assert_eq!(made.table.slots()[0].replaced(), None);
    let twice = made.table.with_slots(vec![kept.clone(), kept]);
    assert!(matches!(twice, Err(PlanError::SameSlotName)));
    assert!(matches!(made.table.with_slots(Vec::new()), Err(PlanError::Slots)));
}
