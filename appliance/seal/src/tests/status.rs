use strongroom_device_api::KeyId;

use crate::testing::*;
use crate::*;

fn two_hsms() -> GroupPlan {
    let holder =
        |name: &str| GroupPlan::device(DeviceKind::Pkcs11, NODE, name, KeyId::new("root").unwrap()).holders;
    GroupPlan { threshold: 1, holders: [holder("left"), holder("right")].concat() }
}

fn table(groups: Vec<GroupPlan>) -> SlotTable {
    made(&[slot("first", groups)], &MockDevices::with(&["hsm", "tpm", "left", "right"])).table
}

#[test]
fn the_kind_is_what_the_first_slot_is_made_of() {
    let people = || GroupPlan::custodians(2, 5);
    let mixed = GroupPlan { threshold: 2, holders: [tpm().holders, people().holders].concat() };
    for (groups, expected) in [
        (vec![people()], "shamir"),
        (vec![hsm()], "pkcs11"),
        (vec![tpm(), hsm()], "pkcs11+tpm"),
        (vec![two_hsms()], "pkcs11"),
        (vec![people(), hsm()], "pkcs11+shamir"),
        (vec![mixed], "tpm+shamir"),
    ] {
        assert_eq!(kind(&table(groups)), expected);
    }
}

#[test]
fn smallest_sets_read_as_people_speak() {
    let mixed =
        GroupPlan { threshold: 2, holders: [hsm().holders, GroupPlan::custodians(1, 3).holders].concat() };
    for (groups, expected) in [
        (vec![GroupPlan::custodians(1, 1)], "the custodian"),
        (vec![hsm(), GroupPlan::custodians(2, 5)], "hsm (pkcs11 on node-1) and any 2 of 5 custodians"),
        (vec![hsm(), tpm()], "hsm (pkcs11 on node-1) and tpm (tpm on node-1)"),
        (vec![two_hsms()], "any 1 of: left (pkcs11 on node-1), right (pkcs11 on node-1)"),
        (vec![mixed], "any 2 of: hsm (pkcs11 on node-1), 3 custodians"),
    ] {
        let sets = smallest_sets(&table(groups));
        assert_eq!((sets.len(), sets[0].slot.as_str(), sets[0].to_string().as_str()), (1, "first", expected));
    }
}

#[test]
fn progress_is_that_of_the_slot_that_is_nearest_to_opening() {
    let devices = MockDevices::with(&["hsm"]);
    let people = |k, n| vec![GroupPlan::custodians(k, n)];
    let made = made(&[slot("hsm", vec![hsm()]), slot("a", people(2, 3)), slot("b", people(3, 5))], &devices);
    let mut unsealing = attempt(&made.table);
    assert_eq!(unsealing.progress(), Progress { t: 2, n: 3, given: 0 });
    let [a, b] = made.shares.as_slice() else { panic!("two slots with people") };
    unsealing.offer_share(b.shares[0].expose()).unwrap();
    assert_eq!(unsealing.progress(), Progress { t: 3, n: 5, given: 1 });
    unsealing.offer_share(a.shares[0].expose()).unwrap();
    assert_eq!(unsealing.progress(), Progress { t: 2, n: 3, given: 1 });
    unsealing.offer_share(b.shares[1].expose()).unwrap();
    assert_eq!(unsealing.progress(), Progress { t: 3, n: 5, given: 2 });
}

#[test]
fn errors_say_what_to_do() {
    for (error, says) in [
        (SealError::Entropy, "replace the machine"),
        (SealError::Crypto("HKDF-SHA256"), "HKDF-SHA256 failed"),
        (SealError::DeviceWrong { name: "hsm".into() }, "\"hsm\" gave back other bytes"),
        (SealError::Table(TableError::TooLarge), "larger than its limit"),
        (SealError::Table(TableError::Mac), "was altered: restore the storage"),
        (SealError::Table(TableError::Malformed("threshold")), "damaged at its threshold"),
        (SealError::Table(TableError::Version(9)), "version 9"),
    ] {
        assert!(error.to_string().contains(says), "{error}");
    }
}
