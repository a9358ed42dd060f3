use strongroom_barrier::View;

use super::*;
use crate::testing::{Rig, START};

const MOUNT: MountId = MountId([1; 16]);

async fn rig() -> (Rig, Arc<crate::active::Active>) {
    let rig = Rig::new().await;
    let active = match &*rig.core.state() {
        crate::lifecycle::State::Active(active) => active.clone(),
        _ => panic!("sealed"),
    };
    (rig, active)
}

fn knock(alias: &str, is_known: bool) -> Knock {
    Knock { alias: alias.to_owned(), is_known, turn: None, role: None }
}

fn rules() -> Rules {
    Rules::for_tests(3, 60, 30)
}

fn fail(lockouts: &Lockouts, alias: &str, at: i64) -> Verdict {
    lockouts.failed(MOUNT, &knock(alias, true), rules(), START.plus_secs(at))
}

fn ask(lockouts: &Lockouts, alias: &str, at: i64) -> Verdict {
    lockouts.before(MOUNT, &knock(alias, !alias.starts_with("nobody")), rules(), START.plus_secs(at))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_count_locks_for_its_time_and_what_follows_does_not_prolong_it() {
    let (_rig, active) = rig().await;
    let all = &active.lockouts;
    assert_eq!([fail(all, "ann", 0), fail(all, "ann", 1), fail(all, "ann", 2)], [Verdict::Open; 3]);
    assert_eq!((fail(all, "ann", 3), ask(all, "ann", 50)), (Verdict::Locked, Verdict::Locked));
    // Not even by the right proof.
    assert_eq!(all.succeeded(MOUNT, &knock("ann", true), rules(), START.plus_secs(50)), Verdict::Locked);
    assert_eq!((ask(all, "ann", 61), ask(all, "ann", 62)), (Verdict::Locked, Verdict::Open));
    assert_eq!((ask(all, "bob", 3), ask(all, "Ann", 3)), (Verdict::Open, Verdict::Open));
    assert_eq!(all.before(MountId([2; 16]), &knock("ann", true), rules(), START), Verdict::Open);
    // It begins anew, and is forgotten in time.
    assert_eq!([fail(all, "ann", 62), fail(all, "ann", 63), fail(all, "ann", 93)], [Verdict::Open; 3]);
    assert_eq!(fail(all, "ann", 94), Verdict::Open);
    assert_eq!(all.succeeded(MOUNT, &knock("ann", true), rules(), START.plus_secs(94)), Verdict::Open);
    assert_eq!([fail(all, "ann", 95), fail(all, "ann", 96)], [Verdict::Open; 2]);
    // A clock that was wrong locks for one time, not for years.
    assert_eq!(
        all.failed(MOUNT, &knock("cat", true), Rules::for_tests(1, 60, 30), START.plus_secs(1_000_000)),
        Verdict::Open
    );
    let one = Rules::for_tests(1, 60, 30);
    assert_eq!(all.before(MOUNT, &knock("cat", true), one, START), Verdict::Locked);
    assert_eq!(all.before(MOUNT, &knock("cat", true), one, START.plus_secs(60)), Verdict::Open);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_any_number_of_guesses_at_once_only_so_many_are_told_anything() {
    let (_rig, active) = rig().await;
    let guesses = (0..64).map(|_| {
        let active = active.clone();
        std::thread::spawn(move || {
            (0..50).filter(|_| fail(&active.lockouts, "ann", 0) == Verdict::Open).count()
        })
    });
    let told: usize = guesses.collect::<Vec<_>>().into_iter().map(|one| one.join().unwrap()).sum();
    assert_eq!(told, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn cve_2023_6337_names_of_nobody_take_neither_memory_nor_storage_without_bound() {
    let (rig, active) = rig().await;
    let all = &active.lockouts;
    for _ in 0..3 {
        fail(all, "ann", 0);
    }
    let before = rig.store.snapshot().unwrap().revision();
    for number in 0..200_000_i64 {
        all.failed(
            MOUNT,
            &knock(&format!("nobody-{number}"), false),
            rules(),
            START.plus_secs(number / 10_000),
        );
    }
    let held: usize = all.parts.iter().map(|part| part.lock().unwrap().len()).sum();
    assert!(held <= PARTS * MOST_UNKNOWN + 1, "{held}");
    assert_eq!(rig.store.snapshot().unwrap().revision(), before);
    // Nor are long names kept, which are counted all the same.
    let long = knock(&"nobody".repeat(10_000), false);
    let told = [(); 4].map(|()| all.failed(MOUNT, &long, rules(), START.plus_secs(20)));
    assert_eq!(told, [Verdict::Open, Verdict::Open, Verdict::Open, Verdict::Locked]);
    assert_eq!(all.before(MOUNT, &knock(&"nobody".repeat(10_001), false), rules(), START), Verdict::Open);
    assert!(all.parts.iter().all(|part| part.lock().unwrap().keys().all(|(_, alias)| alias.len() <= 64)));
    // The latest are remembered, and somebody who exists is not forgotten for them.
    assert_eq!(
        (ask(all, "ann", 20), all.locked(MOUNT, rules(), START)),
        (Verdict::Locked, vec!["ann".to_owned()])
    );
    for _ in 0..2 {
        all.failed(MOUNT, &knock("nobody-199999", false), rules(), START.plus_secs(20));
    }
    assert_eq!(ask(all, "nobody-199999", 20), Verdict::Locked);
    flush(&active).await.unwrap();
    let again = Lockouts::load(View::clone(all.view()), &active.snapshot().unwrap()).unwrap();
    assert_eq!((ask(&again, "ann", 20), ask(&again, "nobody-199999", 20)), (Verdict::Locked, Verdict::Open));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_has_run_out_leaves_nothing() {
    let (rig, active) = rig().await;
    fail(&active.lockouts, "ann", 0);
    fail(&active.lockouts, "bob", 0);
    flush(&active).await.unwrap();
    let stored = || {
        active.lockouts.view.at(active.snapshot().unwrap()).list(&name_of_mount(MOUNT).unwrap(), None, None)
    };
    assert_eq!(stored().unwrap(), ["ann", "bob"]);
    assert_eq!(active.lockouts.succeeded(MOUNT, &knock("bob", true), rules(), START), Verdict::Open);
    active.lockouts.tidy(&|_| Some(rules()), START.plus_secs(29));
    flush(&active).await.unwrap();
    assert_eq!(stored().unwrap(), ["ann"]);
    active.lockouts.tidy(&|_| Some(rules()), START.plus_secs(30));
    flush(&active).await.unwrap();
    assert!(stored().unwrap().is_empty());
    // Nor do the failures of a method that is gone.
    fail(&active.lockouts, "ann", 0);
    active.lockouts.tidy(&|_| None, START);
    assert_eq!(ask(&active.lockouts, "ann", 0), Verdict::Open);
    drop(rig);
}

#[test]
fn a_count_is_stored_as_it_is_drawn() {
    let record = CountRecord { v: 1, failures: 2, last: START };
    let wanted = serde_json::json!({"v": 1, "failures": 2, "last": START});
    assert_eq!(serde_json::to_value(&record).unwrap(), wanted);
}
