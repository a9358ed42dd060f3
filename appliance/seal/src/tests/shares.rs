use data_encoding::{BASE64, HEXLOWER, HEXUPPER};
use strongroom_types::Secret;
use strongroom_types::id::ClusterId;

use crate::share::{SHARE_LEN, from_text};
use crate::testing::*;
use crate::*;

fn people(k: u8, n: u8) -> Created {
    made(&[slot("people", vec![GroupPlan::custodians(k, n)])], &MockDevices::default())
}

fn changed(share: &Secret, at: usize, by: u8) -> Vec<u8> {
    let mut bytes = share.expose().to_vec();
    bytes[at] ^= by;
    bytes
}

const INDEX_AT: usize = 1 + 16;

#[test]
fn any_k_of_n_open_and_fewer_do_not() {
    let made = people(3, 5);
    let shares = &made.shares[0].shares;
    assert_eq!(shares.len(), 5);
    for chosen in 0u32..32 {
        let mut unsealing = attempt(&made.table);
        for (number, share) in shares.iter().enumerate().filter(|(number, _)| chosen & (1 << number) != 0) {
            assert_eq!(usize::from(share.expose()[INDEX_AT]), number + 1);
            unsealing.offer_share(share.expose()).unwrap();
        }
        let opened = unsealing.open().unwrap();
        assert_eq!(opened.is_some(), chosen.count_ones() >= 3, "shares {chosen:05b}");
        assert!(opened.is_none_or(|opened| opened.root_key == made.root_key && opened.name == "people"));
    }
}

#[test]
fn one_share_of_one_and_one_of_several() {
    for n in [1, 3] {
        let made = people(1, n);
        for share in &made.shares[0].shares {
            let mut unsealing = attempt(&made.table);
            assert_eq!(
                unsealing.offer_share(share.expose()).unwrap(),
                Progress { t: 1, n: n.into(), given: 1 }
            );
            assert!(unsealing.open().unwrap().unwrap().root_key == made.root_key);
        }
    }
}

#[test]
fn a_wrong_share_is_refused_when_it_is_entered_and_its_index_named() {
    let made = people(2, 3);
    let share = &made.shares[0].shares[1];
    let mut unsealing = attempt(&made.table);
    for at in INDEX_AT + 1..SHARE_LEN {
        assert_eq!(
            unsealing.offer_share(&changed(share, at, 0x10)),
            Err(ShareError::Wrong { index: 2 }),
            "byte {at}"
        );
    }
    // The index is what the share says: another one does not fit, existing or not.
    assert_eq!(unsealing.offer_share(&changed(share, INDEX_AT, 2 ^ 3)), Err(ShareError::Wrong { index: 3 }));
    assert_eq!(
        unsealing.offer_share(&changed(share, INDEX_AT, 2 ^ 200)),
        Err(ShareError::Wrong { index: 200 })
    );
    assert_eq!(unsealing.progress().given, 0);
    assert_eq!(unsealing.nonce(), "");
    assert!(ShareError::Wrong { index: 3 }.to_string().starts_with("key 3 is wrong"));

    // Nothing of that stands in the way of the right ones.
    for share in &made.shares[0].shares[..2] {
        unsealing.offer_share(share.expose()).unwrap();
    }
    assert!(unsealing.open().unwrap().unwrap().root_key == made.root_key);
}

#[test]
fn a_share_of_another_cluster_slot_or_group_is_told_from_a_wrong_one() {
    let two_groups = vec![GroupPlan::custodians(1, 1), GroupPlan::custodians(1, 1)];
    let plan = [slot("a", two_groups), slot("b", vec![GroupPlan::custodians(1, 1)])];
    let devices = MockDevices::default();
    let first = made(&plan, &devices);
    let other = run(create(ClusterId([0xC2; 16]), &plan, &devices, &SeededEntropy::new(1))).unwrap();
    let again = run(create(CLUSTER, &plan, &devices, &SeededEntropy::new(2))).unwrap();

    let mut unsealing = attempt(&first.table);
    for foreign in [&other, &again] {
        for share in foreign.shares.iter().flat_map(|slot| &slot.shares) {
            assert_eq!(unsealing.offer_share(share.expose()), Err(ShareError::ForAnother));
        }
    }
    for at in 1..INDEX_AT {
        assert_eq!(
            unsealing.offer_share(&changed(&first.shares[0].shares[0], at, 1)),
            Err(ShareError::ForAnother)
        );
    }
    // The slot is known, but no longer in the table.
    let mut smaller = first.table.clone();
    smaller.slots.remove(1);
    assert_eq!(
        attempt(&smaller).offer_share(first.shares[1].shares[0].expose()),
        Err(ShareError::ForAnother)
    );
    // The same share said to be of the slot's other group.
    let mut swapped = first.shares[0].shares[1].expose()[..INDEX_AT].to_vec();
    swapped.extend_from_slice(&first.shares[0].shares[0].expose()[INDEX_AT..]);
    assert_eq!(unsealing.offer_share(&swapped), Err(ShareError::Wrong { index: 1 }));
}

#[test]
fn an_exchanged_record_is_told_too() {
    let (first, second) = (people(2, 3), made_with_seed(5));
    // The commitments of another group under this slot's name: no share of either fits.
    let mut exchanged = first.table.clone();
    exchanged.slots[0].groups[0].commitments = second.table.slots[0].groups[0].commitments.clone();
    for share in [&first.shares[0].shares[0], &second.shares[0].shares[0]] {
        assert_eq!(attempt(&exchanged).offer_share(share.expose()), Err(ShareError::ForAnother));
    }
}

fn made_with_seed(seed: u8) -> Created {
    let plan = [slot("people", vec![GroupPlan::custodians(2, 3)])];
    run(create(CLUSTER, &plan, &MockDevices::default(), &SeededEntropy::new(seed))).unwrap()
}

#[test]
fn a_share_counts_once() {
    let made = people(2, 3);
    let shares = &made.shares[0].shares;
    let mut unsealing = attempt(&made.table);
    unsealing.offer_share(shares[1].expose()).unwrap();
    assert_eq!(unsealing.offer_share(shares[1].expose()), Err(ShareError::AlreadyGiven { index: 2 }));
    assert_eq!(unsealing.progress(), Progress { t: 2, n: 3, given: 1 });
    assert!(unsealing.open().unwrap().is_none());
    // A wrong one of the same index is wrong, not known.
    assert_eq!(unsealing.offer_share(&changed(&shares[1], 30, 1)), Err(ShareError::Wrong { index: 2 }));
    unsealing.offer_share(shares[0].expose()).unwrap();
    unsealing.offer_share(shares[2].expose()).unwrap();
    assert_eq!(unsealing.progress(), Progress { t: 2, n: 3, given: 2 });
    assert!(unsealing.open().unwrap().unwrap().root_key == made.root_key);
}

#[test]
fn an_attempt_has_a_nonce_and_can_be_given_up() {
    let made = people(2, 3);
    let shares = &made.shares[0].shares;
    let mut unsealing = attempt(&made.table);
    assert_eq!((unsealing.progress(), unsealing.nonce()), (Progress { t: 2, n: 3, given: 0 }, ""));
    unsealing.offer_share(shares[0].expose()).unwrap();
    let first = unsealing.nonce().to_owned();
    assert_eq!(first.len(), 36);

    unsealing.reset(&SeededEntropy::new(10)).unwrap();
    assert_eq!((unsealing.progress().given, unsealing.nonce()), (0, ""));
    unsealing.offer_share(shares[1].expose()).unwrap();
    assert!(unsealing.nonce().len() == 36 && unsealing.nonce() != first);
    assert!(unsealing.open().unwrap().is_none(), "what was given before counts no more");
    unsealing.offer_share(shares[0].expose()).unwrap();
    assert!(unsealing.open().unwrap().is_some());

    // Opened: nothing given is kept.
    assert_eq!((unsealing.progress().given, unsealing.nonce()), (0, ""));
    assert!(unsealing.open().unwrap().is_none());
}

#[test]
fn text_is_hexadecimal_or_base64() {
    let share = &people(1, 1).shares[0].shares[0];
    let bytes = share.expose();
    assert_eq!(bytes.len(), SHARE_LEN);
    let hex = HEXLOWER.encode(bytes);
    for text in [hex.clone(), HEXUPPER.encode(bytes), BASE64.encode(bytes), format!("  {hex}\n")] {
        assert!(from_text(&text).unwrap() == *share, "{text}");
    }
    let cut = &hex[..hex.len() - 2];
    for text in
        ["", "zz", "00", cut, &hex[1..], &format!("{hex}00"), &format!("{hex} {hex}"), "AAAA", "\u{e9}"]
    {
        assert_eq!(from_text(text).err(), Some(ShareError::Malformed), "{text}");
    }
    assert_eq!(from_text(&"0".repeat(1_000_000)).err(), Some(ShareError::Malformed));
}

#[test]
fn bytes_that_are_no_share_are_malformed() {
    let made = people(1, 1);
    let share = &made.shares[0].shares[0];
    let mut unsealing = attempt(&made.table);
    for length in 0..SHARE_LEN {
        assert_eq!(unsealing.offer_share(&share.expose()[..length]), Err(ShareError::Malformed));
    }
    let longer = [share.expose(), &[0]].concat();
    for bytes in [longer, changed(share, 0, 3), changed(share, INDEX_AT, 1), vec![0xff; SHARE_LEN]] {
        assert_eq!(unsealing.offer_share(&bytes), Err(ShareError::Malformed));
    }
}

#[test]
fn refusals_say_what_to_do_and_repeat_nothing() {
    for (error, says) in [
        (ShareError::Malformed, "hexadecimal or base64"),
        (ShareError::ForAnother, "another cluster or another keyslot"),
        (ShareError::Wrong { index: 7 }, "key 7 is wrong"),
        (ShareError::AlreadyGiven { index: 7 }, "key 7 has already been provided"),
    ] {
        assert!(error.to_string().contains(says), "{error}");
    }
}
