use proptest::prelude::*;

use super::*;
use crate::outbox::decode;
use crate::testing::Mood;

fn rows(broker: &Broker, count: u64) -> Vec<Vec<u8>> {
    let row = |number| {
        broker.before(&Asked::new(number, json!({"n": number})).event()).unwrap().outbox_row().unwrap()
    };
    (1..=count).map(row).collect()
}

#[test]
fn only_lines_that_are_missing_are_written_again_in_order() {
    let a = sink();
    let rows = rows(&broker(&[&a]), 10);
    let before = a.lines();
    // A crash that took nothing, one that took some, one that took all.
    assert_eq!(broker(&[&a]).restore(rows.clone()), Ok(0));
    assert_eq!(a.lines(), before);

    let other = sink();
    let kept: String = before[..6].iter().map(|line| format!("{line}\n")).collect();
    other.write(kept.as_bytes()).unwrap();
    assert_eq!(broker(&[&other]).restore(rows.clone()), Ok(4));
    assert_eq!(other.lines(), before);

    let gone = sink();
    assert_eq!(broker(&[&gone]).restore(rows), Ok(10));
    assert_eq!(gone.lines(), before);
}

#[test]
fn what_was_restored_is_synced_and_covers_the_past() {
    let a = sink();
    let rows = rows(&broker(&[&a]), 3);
    a.lose_unsynced();
    let next = Broker::new(vec![(SinkConfig::new("a", a.clone()), salt(1))], clock(), 8);
    assert_eq!(next.restore(rows), Ok(3));
    a.lose_unsynced();
    assert_eq!(a.lines().len(), 3);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    assert_eq!(runtime.block_on(next.synced(0)), 7);
}

#[test]
fn a_row_holds_the_lines_of_the_sinks_that_took_it() {
    let (a, b) = (sink(), sink());
    let broker = broker(&[&a, &b]);
    b.set(Mood::Refusing);
    let row = rows(&broker, 1).remove(0);
    b.set(Mood::Well);
    assert_eq!(decode(&row).unwrap().len(), 1);
    a.lose_unsynced();
    assert_eq!(broker.restore(vec![row]), Ok(1));
    assert_eq!((a.lines().len(), b.lines().len()), (1, 0));
}

#[test]
fn a_sink_that_still_refuses_stops_the_start() {
    let (a, b) = (sink(), sink());
    let rows = rows(&broker(&[&a, &b]), 2);
    a.lose_unsynced();
    b.lose_unsynced();
    a.set(Mood::Refusing);
    // One of two is enough, as for requests.
    assert_eq!(broker(&[&a, &b]).restore(rows.clone()), Ok(2));
    b.lose_unsynced();
    b.set(Mood::Refusing);
    b.lose_unsynced();
    let only_a = broker(&[&a]);
    assert!(matches!(only_a.restore(rows.clone()), Err(AuditError::Refused { .. })));
    a.set(Mood::Well);
    a.fail_sync();
    assert!(matches!(only_a.restore(rows), Err(AuditError::Refused { .. })));
}

#[test]
fn lines_of_a_sink_that_is_gone_go_elsewhere_unless_they_are_raw() {
    let (a, raw) = (sink(), sink());
    let named = |name: &str, sink: &Arc<testing::MemorySink>, log_raw| {
        let config = SinkConfig { log_raw, ..SinkConfig::new(name, sink.clone()) };
        Broker::new(vec![(config, salt(7))], clock(), 1)
    };
    let hashed_row = rows(&named("old", &sink(), false), 1);
    let raw_row = rows(&named("old", &raw, true), 1);
    let gone = Err(AuditError::SinkGone { name: "old".into() });
    assert_eq!(named("new", &a, false).restore(raw_row), gone);
    assert!(a.lines().is_empty());
    assert_eq!(named("new", &a, false).restore(hashed_row.clone()), Ok(1));
    assert_eq!(a.lines().len(), 1);
    assert_eq!(broker(&[]).restore(hashed_row), gone);
}

#[test]
fn damaged_rows_are_told() {
    let row = rows(&broker(&[&sink()]), 1).remove(0);
    for length in 0..row.len() {
        assert!(matches!(decode(&row[..length]), Err(AuditError::Row)), "{length} bytes");
    }
    for at in [0, 1, 2, 6, 7, 8, row.len() - 1] {
        let mut changed = row.clone();
        changed[at] ^= 0x80;
        assert!(matches!(decode(&changed), Err(AuditError::Row)), "byte {at}");
    }
    assert_eq!(broker(&[&sink()]).restore(vec![row[1..].to_vec()]), Err(AuditError::Row));
}

proptest! {
    #[test]
    fn any_bytes_are_read_without_harm(row in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = decode(&row);
        let mut versioned = vec![1, 0, 0, 0, 0];
        versioned.extend(row);
        let _ = decode(&versioned);
    }
}
