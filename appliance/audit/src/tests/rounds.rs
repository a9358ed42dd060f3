use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use super::*;
use crate::testing::Mood;

/// On a clock that moves on by itself when everybody waits.
fn run<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap()
        .block_on(future)
}

fn line(broker: &Broker) -> u64 {
    broker.before(&Asked::new(1, json!({})).event()).unwrap().ticket()
}

/// Whether `synced(after)` ends within a second of the paused clock.
async fn ends(broker: &Broker, after: u64) -> Option<u64> {
    tokio::time::timeout(Duration::from_secs(1), broker.synced(after)).await.ok()
}

#[test]
fn one_sync_covers_many_lines_and_nothing_new_needs_none() {
    let a = sink();
    let broker = broker(&[&a]);
    run(async {
        assert_eq!(ends(&broker, 0).await, None);
        for _ in 0..50 {
            line(&broker);
        }
        assert_eq!(broker.synced(0).await, 50);
        assert_eq!(a.syncs(), 1);
        assert_eq!(ends(&broker, 50).await, None);
        assert_eq!(a.syncs(), 1);
        assert_eq!(broker.synced(7).await, 50);
    });
}

#[test]
fn rounds_are_a_tenth_of_a_second_apart() {
    let a = sink();
    let broker = broker(&[&a]);
    run(async {
        let start = tokio::time::Instant::now();
        for round in 0..20 {
            let ticket = line(&broker);
            assert_eq!(broker.synced(ticket - 1).await, ticket);
            assert_eq!(start.elapsed().as_millis().div_ceil(100), round);
        }
    });
}

#[test]
fn response_lines_are_synced_too() {
    let a = sink();
    let broker = broker(&[&a]);
    run(async {
        let asked = Asked::new(1, json!({}));
        let audited = broker.before(&asked.event()).unwrap();
        assert_eq!(broker.synced(0).await, 1);
        let response = ResponseEvent { answer: Ok(&Reply::Empty), clear: Clear::NOTHING };
        broker.after(&audited, &asked.event(), &response).unwrap();
        assert_eq!(ends(&broker, 1).await, None);
    });
    a.lose_unsynced();
    assert_eq!(a.lines().len(), 2);
}

#[test]
fn a_caller_who_goes_away_loses_nothing() {
    let a = sink();
    let broker = broker(&[&a]);
    run(async {
        for _ in 0..20 {
            let ticket = line(&broker);
            {
                // Polled once and dropped, with its round perhaps under way.
                let mut waiting = pin!(broker.synced(ticket - 1));
                let _: Poll<u64> = waiting.as_mut().poll(&mut Context::from_waker(Waker::noop()));
            }
            assert_eq!(ends(&broker, ticket - 1).await, Some(ticket));
        }
    });
}

/// Core's loop waits for what comes next while its end waits for what is there.
#[test]
fn several_may_wait_for_different_tickets() {
    let a = sink();
    let broker = Arc::new(broker(&[&a]));
    run(async {
        let wait = |after| {
            let broker = broker.clone();
            tokio::spawn(async move { broker.synced(after).await })
        };
        let (late, early) = (wait(2), wait(0));
        tokio::task::yield_now().await;
        line(&broker);
        assert_eq!(early.await.unwrap(), 1);
        assert!(!late.is_finished());
        assert_eq!(broker.synced(0).await, 1);
        line(&broker);
        assert_eq!(broker.synced(1).await, 2);
        line(&broker);
        assert_eq!(late.await.unwrap(), 3);
        assert_eq!(a.syncs(), 3);
    });
}

#[test]
fn a_sink_that_has_lost_lines_covers_nothing_any_more() {
    let a = sink();
    let broker = broker(&[&a]);
    run(async {
        line(&broker);
        a.fail_sync();
        assert_eq!(ends(&broker, 0).await, None);
        assert!(matches!(broker.before(&Asked::new(2, json!({})).event()), Err(AuditError::Refused { .. })));
        assert_eq!(broker.sync_now(), 0);
    });
}

#[test]
fn another_sink_covers_only_what_it_has_taken() {
    let (a, b) = (sink(), sink());
    let broker = broker(&[&a, &b]);
    run(async {
        line(&broker);
        a.fail_sync();
        // `b` has taken every line of this round.
        assert_eq!(ends(&broker, 0).await, Some(1));
        // `a` takes no more, `b` goes on.
        line(&broker);
        assert_eq!(ends(&broker, 1).await, Some(2));
    });

    let (a, b) = (sink(), sink());
    let broker = super::broker(&[&a, &b]);
    run(async {
        b.set(Mood::Refusing);
        line(&broker);
        b.set(Mood::Well);
        line(&broker);
        a.fail_sync();
        // The first line was in `a` only, which has lost it: its row must stay.
        assert_eq!(ends(&broker, 0).await, None);
        line(&broker);
        assert_eq!(ends(&broker, 0).await, None);
    });
}

#[test]
fn both_sinks_synced_cover_what_each_of_them_missed() {
    let (a, b) = (sink(), sink());
    let broker = broker(&[&a, &b]);
    run(async {
        a.set(Mood::Refusing);
        line(&broker);
        a.set(Mood::Well);
        b.set(Mood::Refusing);
        line(&broker);
        assert_eq!(ends(&broker, 0).await, Some(2));
    });
}

/// Writers on threads, rounds between them: a ticket that is said to be covered is on the disk.
#[test]
fn covered_tickets_are_on_the_disk_under_load() {
    let a = sink();
    let broker = Arc::new(broker(&[&a]));
    let writers: Vec<_> = (0..4u64)
        .map(|writer| {
            let broker = broker.clone();
            std::thread::spawn(move || {
                let one =
                    |n| broker.before(&Asked::new(writer * 1000 + n, json!({})).event()).unwrap().ticket();
                (0..250).map(one).max().unwrap()
            })
        })
        .collect();
    let mut seen = 0;
    for _ in 0..200 {
        let covered = broker.sync_now();
        assert!(covered >= seen);
        seen = covered;
        assert!(a.synced_lines() as u64 >= covered, "fewer lines are on the disk than tickets are covered");
    }
    for writer in writers {
        writer.join().unwrap();
    }
    assert_eq!(broker.sync_now(), 1000);
}
