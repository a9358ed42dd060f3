use std::error::Error;

use strongroom_device_api::{DeviceErrorKind, KeyId};
use strongroom_types::{Entropy, NoEntropy, Secret};

use crate::testing::*;
use crate::*;

fn people(k: u8, n: u8) -> GroupPlan {
    GroupPlan::custodians(k, n)
}

fn refused(plan: &[SlotPlan]) -> SealError {
    let devices = MockDevices::with(&["hsm", "tpm"]);
    run(create(CLUSTER, plan, &devices, &SeededEntropy::new(1))).err().unwrap()
}

#[test]
fn plans_that_make_no_sense_are_refused() {
    let one = || slot("a", vec![people(1, 1)]);
    let many = (0..17).map(|n| slot(&n.to_string(), vec![people(1, 1)])).collect::<Vec<_>>();
    let twice = GroupPlan { threshold: 1, holders: [hsm().holders, hsm().holders].concat() };
    let holders = |n: usize| GroupPlan { threshold: 1, holders: vec![HolderPlan::Custodian; n] };
    let named = |node: &str, device: &str| {
        slot("a", vec![GroupPlan::device(DeviceKind::Tpm, node, device, KeyId::new("k").unwrap())])
    };
    for (plan, expected) in [
        (vec![], PlanError::Slots),
        (many, PlanError::Slots),
        (vec![slot("a", vec![])], PlanError::Groups),
        (vec![slot("a", vec![people(1, 1); 5])], PlanError::Groups),
        (vec![slot("a", vec![holders(0)])], PlanError::Holders),
        (vec![slot("a", vec![holders(256)])], PlanError::Holders),
        (vec![slot("a", vec![people(0, 1)])], PlanError::Threshold),
        (vec![slot("a", vec![people(3, 2)])], PlanError::Threshold),
        (vec![slot("", vec![people(1, 1)])], PlanError::Name),
        (vec![slot("a\nb", vec![people(1, 1)])], PlanError::Name),
        (vec![slot(&"x".repeat(65), vec![people(1, 1)])], PlanError::Name),
        (vec![named("", "hsm")], PlanError::Name),
        (vec![named("node-1", "\0")], PlanError::Name),
        (vec![one(), one()], PlanError::SameSlotName),
        (vec![slot("a", vec![twice])], PlanError::SameDeviceTwice),
    ] {
        let error = refused(&plan);
        assert!(
            matches!(&error, SealError::Plan(cause) if *cause == expected),
            "{error:?} is not {expected:?}"
        );
        assert_eq!(error.source().unwrap().to_string(), error.to_string());
    }
}

#[test]
fn nothing_is_made_with_a_device_that_fails_or_lies() {
    use DeviceErrorKind::*;
    for (mood, expected) in [
        (Mood::Failing(Gone), "DeviceMissing"),
        (Mood::Failing(Login), "DeviceLogin"),
        (Mood::Failing(Refused), "DeviceRefused"),
        (Mood::Lying, "DeviceWrong"),
        (Mood::Short, "DeviceWrong"),
        (Mood::Swollen, "DeviceWrong"),
    ] {
        let devices = MockDevices::with(&["hsm", "tpm"]);
        devices.get("tpm").set(mood);
        let plan = [slot("both", vec![hsm(), tpm()])];
        let error = run(create(CLUSTER, &plan, &devices, &SeededEntropy::new(1))).err().unwrap();
        assert!(format!("{error:?}").starts_with(expected), "{error:?}");
        assert_eq!(error.device_name(), Some("tpm"));
    }
    let error =
        run(create(CLUSTER, &[slot("a", vec![hsm()])], &MockDevices::default(), &SeededEntropy::new(1)));
    assert!(matches!(error, Err(SealError::DeviceMissing { .. })));
}

/// Fails after some draws, or gives the same byte for ever.
struct Broken(Option<u8>, std::sync::atomic::AtomicI64);

impl Entropy for Broken {
    fn fill(&self, out: &mut [u8]) -> Result<(), NoEntropy> {
        if self.1.fetch_sub(1, std::sync::atomic::Ordering::SeqCst) <= 0 {
            out.fill(self.0.ok_or(NoEntropy)?);
            return Ok(());
        }
        SystemEntropy.fill(out)
    }
}

#[test]
fn a_generator_that_fails_at_any_draw_makes_nothing() {
    let plan = [slot("a", vec![people(2, 3)])];
    let devices = MockDevices::default();
    let mut draws = 0;
    loop {
        let entropy = Broken(None, draws.into());
        match run(create(CLUSTER, &plan, &devices, &entropy)) {
            Ok(_) => break,
            Err(error) => assert!(matches!(error, SealError::Entropy), "draw {draws}: {error:?}"),
        }
        draws += 1;
    }
    assert!(draws > 5, "{draws} draws");
}

/// No scalar is all bits one, or zero: who waits for a better one waits for ever.
#[test]
fn a_generator_that_is_stuck_is_noticed() {
    for stuck in [0x00, 0xff] {
        for group in [people(1, 1), people(2, 3)] {
            let entropy = Broken(Some(stuck), 0.into());
            let made = run(create(CLUSTER, &[slot("a", vec![group])], &MockDevices::default(), &entropy));
            assert!(matches!(made, Err(SealError::Entropy)));
        }
    }
}

#[test]
fn the_largest_group_can_be_made() {
    let made = made(&[slot("a", vec![people(2, 255)])], &MockDevices::default());
    let mut unsealing = attempt(&made.table);
    for share in &made.shares[0].shares[253..] {
        unsealing.offer_share(share.expose()).unwrap();
    }
    assert!(unsealing.open().unwrap().unwrap().root_key == made.root_key);
}

#[test]
fn clusters_share_nothing() {
    let plan = [slot("a", vec![people(2, 3)])];
    let [first, second] = [1, 2]
        .map(|seed| run(create(CLUSTER, &plan, &MockDevices::default(), &SeededEntropy::new(seed))).unwrap());
    assert!(first.root_key != second.root_key && first.root_key.len() == 32);
    assert_ne!(first.table.slots[0].id, second.table.slots[0].id);
    assert_ne!(first.table.slots[0].groups[0].commitments, second.table.slots[0].groups[0].commitments);
}

#[test]
fn the_root_key_is_replaced_while_no_holder_is_there() {
    let devices = MockDevices::with(&["hsm"]);
    let made = made(&[slot("hsm", vec![hsm()]), slot("glass", vec![people(2, 3)])], &devices);
    let next_key = Secret::from(vec![7; 32]);
    let next = replace_root_key(&made.table, &next_key, &SeededEntropy::new(3)).unwrap();
    assert_eq!((next.generation(), next.cluster()), (2, CLUSTER));
    for (old, new) in made.table.slots().iter().zip(next.slots()) {
        assert_eq!((&old.groups, old.id, &old.name), (&new.groups, new.id, &new.name));
        assert_ne!(old.encapsulated_root_key, new.encapsulated_root_key);
    }

    let opened = |table: &SlotTable, by_people: bool| {
        let mut unsealing = attempt(table);
        if by_people {
            for share in &made.shares[0].shares[..2] {
                unsealing.offer_share(share.expose()).unwrap();
            }
        } else {
            ask_devices(&mut unsealing, &devices);
        }
        unsealing.open().unwrap().unwrap().root_key
    };
    for by_people in [false, true] {
        assert!(opened(&next, by_people) == next_key);
        assert!(opened(&made.table, by_people) == made.root_key);
    }

    // What is encapsulated to one slot does not open in another.
    let mut swapped = next.clone();
    swapped.slots[0].encapsulated_root_key = next.slots[1].encapsulated_root_key.clone();
    let mut unsealing = attempt(&swapped);
    ask_devices(&mut unsealing, &devices);
    assert!(matches!(unsealing.open(), Err(SealError::SlotDamaged { .. })));
}

#[test]
fn a_root_key_of_another_length_is_refused() {
    let made = made(&[slot("a", vec![people(1, 1)])], &MockDevices::default());
    for length in [0, 31, 33] {
        let wrong = Secret::from(vec![7; length]);
        assert!(replace_root_key(&made.table, &wrong, &SeededEntropy::new(3)).is_err());
    }
    let mut last = made.table;
    last.generation = u64::MAX;
    assert!(matches!(
        replace_root_key(&last, &Secret::from(vec![7; 32]), &SeededEntropy::new(3)),
        Err(SealError::Table(TableError::Generation))
    ));
}
