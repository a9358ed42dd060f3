use strongroom_device_api::{DeviceErrorKind, KeyId};

use crate::testing::*;
use crate::*;

fn device(kind: DeviceKind, node: &str, name: &str) -> HolderPlan {
    HolderPlan::Device { kind, node: node.into(), device: name.into(), key: KeyId::new("root").unwrap() }
}

fn ask(unsealing: &mut Unsealing, devices: &MockDevices) -> Vec<String> {
    let troubles = ask_devices(unsealing, devices);
    troubles
        .iter()
        .map(|trouble| format!("{trouble:?}").split([' ', '{']).next().unwrap().to_owned())
        .collect()
}

fn opens(unsealing: &mut Unsealing, made: &Created) -> bool {
    unsealing.open().unwrap().is_some_and(|opened| opened.root_key == made.root_key)
}

#[test]
fn one_device_alone() {
    let devices = MockDevices::with(&["hsm"]);
    let made = made(&[slot("hsm", vec![hsm()])], &devices);
    assert!(made.shares.is_empty());
    let mut unsealing = attempt(&made.table);
    assert_eq!(unsealing.progress(), Progress::default());
    assert!(unsealing.open().unwrap().is_none());
    assert!(ask(&mut unsealing, &devices).is_empty());
    assert!(opens(&mut unsealing, &made));
}

#[test]
fn hsm_and_tpm_are_both_needed() {
    let mut devices = MockDevices::with(&["hsm", "tpm"]);
    let made = made(&[slot("both", vec![hsm(), tpm()])], &devices);
    for missing in ["hsm", "tpm"] {
        devices.get(missing).set(Mood::Failing(DeviceErrorKind::Gone));
        let mut unsealing = attempt(&made.table);
        let troubles = ask_devices(&mut unsealing, &devices);
        let [trouble @ SealError::DeviceMissing { name, .. }] = troubles.as_slice() else {
            panic!("{troubles:?}")
        };
        assert_eq!((name.as_str(), trouble.device_name()), (missing, Some(missing)));
        let text = trouble.to_string();
        assert!(
            text.contains(&format!("\"{missing}\" is missing")) && text.contains("Put it back"),
            "{text}"
        );
        assert!(!opens(&mut unsealing, &made));

        // Back again: what the other one gave is still there, and it is not asked a second time.
        devices.get(missing).set(Mood::Well);
        let other = if missing == "hsm" { "tpm" } else { "hsm" };
        let calls = devices.get(other).calls.load(std::sync::atomic::Ordering::SeqCst);
        assert!(ask(&mut unsealing, &devices).is_empty());
        assert_eq!(devices.get(other).calls.load(std::sync::atomic::Ordering::SeqCst), calls);
        assert!(opens(&mut unsealing, &made));
    }
    devices.remove("tpm");
    let troubles = ask_devices(&mut attempt(&made.table), &devices);
    assert!(troubles[0].to_string().contains("the configuration names no such device"), "{}", troubles[0]);
}

#[test]
fn every_kind_of_failure_is_sorted_by_what_to_do() {
    use DeviceErrorKind::*;
    let devices = MockDevices::with(&["hsm"]);
    let made = made(&[slot("hsm", vec![hsm()])], &devices);
    for (kind, expected) in [
        (Retry, "DeviceMissing"),
        (Gone, "DeviceMissing"),
        (Unknown, "DeviceMissing"),
        (Login, "DeviceLogin"),
        (Refused, "DeviceRefused"),
        (Misuse, "DeviceRefused"),
        (Fatal, "DeviceRefused"),
    ] {
        devices.get("hsm").set(Mood::Failing(kind));
        let mut unsealing = attempt(&made.table);
        assert_eq!(ask(&mut unsealing, &devices), [expected], "{kind:?}");
        assert!(unsealing.open().unwrap().is_none());
    }
}

#[test]
fn a_lying_device_is_noticed() {
    let devices = MockDevices::with(&["hsm"]);
    let made = made(&[slot("hsm", vec![hsm()])], &devices);
    for lie in [Mood::Lying, Mood::Short] {
        devices.get("hsm").set(lie);
        let mut unsealing = attempt(&made.table);
        assert_eq!(ask(&mut unsealing, &devices), ["DeviceWrong"]);
        assert!(unsealing.open().unwrap().is_none());
    }
}

#[test]
fn another_device_of_the_same_name_is_refused() {
    let made = made(&[slot("hsm", vec![hsm()])], &MockDevices::with(&["hsm"]));
    let exchanged = MockDevices::with(&["other"]).renamed("other", "hsm");
    let mut unsealing = attempt(&made.table);
    assert_eq!(ask(&mut unsealing, &exchanged), ["DeviceRefused"]);
    assert!(unsealing.open().unwrap().is_none());
}

#[test]
fn a_wrap_opens_only_where_it_belongs() {
    let devices = MockDevices::with(&["hsm"]);
    let plan = [slot("a", vec![hsm(), hsm()]), slot("b", vec![hsm(), hsm()])];
    let made = made(&plan, &devices);
    let wrapped =
        |table: &SlotTable, slot: usize, group: usize| match &table.slots[slot].groups[group].holders[0] {
            Holder::Device(device) => device.wrapped.clone(),
            Holder::Custodian { .. } => panic!("no device"),
        };
    for (from, to) in [((0, 0), (0, 1)), ((0, 0), (1, 0)), ((1, 1), (0, 1))] {
        let mut table = made.table.clone();
        let moved = wrapped(&table, from.0, from.1);
        let Holder::Device(device) = &mut table.slots[to.0].groups[to.1].holders[0] else {
            panic!("no device")
        };
        device.wrapped = moved;
        table.slots.retain(|slot| slot.id == made.table.slots[to.0].id);
        let mut unsealing = attempt(&table);
        assert_eq!(ask(&mut unsealing, &devices), ["DeviceRefused"]);
        assert!(unsealing.open().unwrap().is_none());
    }
    let mut elsewhere = made.table.clone();
    elsewhere.cluster.0[0] ^= 1;
    assert_eq!(ask(&mut attempt(&elsewhere), &devices), ["DeviceRefused"]);
}

#[test]
fn the_hsm_and_two_of_five_people() {
    let devices = MockDevices::with(&["hsm"]);
    let made = made(&[slot("split", vec![hsm(), GroupPlan::custodians(2, 5)])], &devices);
    let shares = &made.shares[0].shares;
    let mut unsealing = attempt(&made.table);
    unsealing.offer_share(shares[4].expose()).unwrap();
    unsealing.offer_share(shares[0].expose()).unwrap();
    assert_eq!(unsealing.progress(), Progress { t: 2, n: 5, given: 2 });
    assert!(unsealing.open().unwrap().is_none(), "people alone do not open it");
    assert!(ask(&mut unsealing, &devices).is_empty());
    assert!(opens(&mut unsealing, &made));

    let mut unsealing = attempt(&made.table);
    assert!(ask(&mut unsealing, &devices).is_empty());
    unsealing.offer_share(shares[2].expose()).unwrap();
    assert!(unsealing.open().unwrap().is_none(), "nor does the HSM with one of them");
}

#[test]
fn people_and_devices_in_one_group_count_alike() {
    let devices = MockDevices::with(&["hsm", "tpm"]);
    let holders = vec![
        device(DeviceKind::Pkcs11, NODE, "hsm"),
        HolderPlan::Custodian,
        device(DeviceKind::Tpm, NODE, "tpm"),
        HolderPlan::Custodian,
    ];
    let made = made(&[slot("mixed", vec![GroupPlan { threshold: 2, holders }])], &devices);
    let shares = &made.shares[0].shares;
    assert_eq!(shares.iter().map(|share| share.expose()[17]).collect::<Vec<_>>(), [2, 4]);

    devices.get("tpm").set(Mood::Failing(DeviceErrorKind::Gone));
    let mut unsealing = attempt(&made.table);
    assert_eq!(ask(&mut unsealing, &devices), ["DeviceMissing"]);
    assert_eq!(unsealing.progress(), Progress { t: 2, n: 4, given: 1 });
    unsealing.offer_share(shares[1].expose()).unwrap();
    assert!(opens(&mut unsealing, &made));

    // A person cannot speak for a device.
    let mut posing = shares[0].expose().to_vec();
    posing[17] = 1;
    assert_eq!(attempt(&made.table).offer_share(&posing), Err(ShareError::Wrong { index: 1 }));
}

#[test]
fn any_one_of_two_hsms() {
    let devices = MockDevices::with(&["left", "right"]);
    let group = |name| GroupPlan { threshold: 1, holders: vec![device(DeviceKind::Pkcs11, NODE, name)] };
    let made = made(&[slot("l", vec![group("left")]), slot("r", vec![group("right")])], &devices);
    for (gone, opened_by) in [("left", "r"), ("right", "l")] {
        devices.get(gone).set(Mood::Failing(DeviceErrorKind::Gone));
        let mut unsealing = attempt(&made.table);
        ask_devices(&mut unsealing, &devices);
        let opened = unsealing.open().unwrap().unwrap();
        assert!(opened.root_key == made.root_key && opened.name == opened_by);
        devices.get(gone).set(Mood::Well);
    }
}

#[test]
fn break_glass_opens_without_the_hsm() {
    let mut devices = MockDevices::with(&["hsm"]);
    let made = made(&[slot("hsm", vec![hsm()]), slot("glass", vec![GroupPlan::custodians(3, 5)])], &devices);
    devices.remove("hsm");
    let mut unsealing = attempt(&made.table);
    for share in &made.shares[0].shares[1..4] {
        unsealing.offer_share(share.expose()).unwrap();
    }
    let opened = unsealing.open().unwrap().unwrap();
    assert!(opened.root_key == made.root_key && opened.name == "glass");
}

#[test]
fn devices_of_other_nodes_are_left_alone() {
    let devices = MockDevices::with(&["hsm"]);
    let elsewhere = GroupPlan { threshold: 1, holders: vec![device(DeviceKind::Pkcs11, "node-2", "hsm")] };
    let made = made(&[slot("there", vec![elsewhere])], &devices);
    let calls = devices.get("hsm").calls.load(std::sync::atomic::Ordering::SeqCst);
    let mut unsealing = attempt(&made.table);
    assert!(ask(&mut unsealing, &devices).is_empty());
    assert_eq!(devices.get("hsm").calls.load(std::sync::atomic::Ordering::SeqCst), calls);
    assert!(unsealing.open().unwrap().is_none());
}

#[test]
fn a_refused_login_is_not_tried_with_other_keys_and_each_device_is_reported_once() {
    let devices = MockDevices::with(&["hsm"]);
    let made = made(&[slot("a", vec![hsm(), hsm()]), slot("b", vec![hsm()])], &devices);
    for (kind, expected, calls) in [
        (DeviceErrorKind::Login, "DeviceLogin", 1),
        (DeviceErrorKind::Gone, "DeviceMissing", 1),
        (DeviceErrorKind::Refused, "DeviceRefused", 3),
    ] {
        devices.get("hsm").set(Mood::Failing(kind));
        let before = devices.get("hsm").calls.load(std::sync::atomic::Ordering::SeqCst);
        assert_eq!(ask(&mut attempt(&made.table), &devices), [expected]);
        assert_eq!(devices.get("hsm").calls.load(std::sync::atomic::Ordering::SeqCst) - before, calls);
    }
}

#[test]
fn a_damaged_slot_is_named_and_does_not_stand_in_the_way_of_another() {
    let devices = MockDevices::with(&["hsm"]);
    let made = made(&[slot("hsm", vec![hsm()]), slot("glass", vec![GroupPlan::custodians(1, 1)])], &devices);
    let mut table = made.table.clone();
    *table.slots[0].encapsulated_root_key.last_mut().unwrap() ^= 1;
    let mut unsealing = attempt(&table);
    assert!(ask(&mut unsealing, &devices).is_empty());
    let Err(damaged @ SealError::SlotDamaged { .. }) = unsealing.open() else { panic!("not noticed") };
    assert!(damaged.to_string().contains("keyslot \"hsm\" was altered"), "{damaged}");
    assert_eq!(damaged.device_name(), None);

    unsealing.offer_share(made.shares[0].shares[0].expose()).unwrap();
    let opened = unsealing.open().unwrap().unwrap();
    assert!(opened.root_key == made.root_key && opened.name == "glass");
}
