//! Bridges die under load: nobody notices, and they are back within five seconds.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use serde_json::json;
use strongroom_tests::Appliance;

/// What is promised. It takes a fifth of a second; the rest is for a busy machine.
const WITHIN: Duration = Duration::from_secs(5);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_bridge_fails_no_request_and_is_back_within_five_seconds() {
    let appliance = Appliance::start().await.unwrap();
    let stop = Arc::new(AtomicBool::new(false));
    let served = Arc::new(AtomicU64::new(0));
    let mut load = Vec::new();
    for worker in 0..8 {
        let (mut client, stop, served) = (appliance.client().unwrap(), stop.clone(), served.clone());
        load.push(tokio::spawn(async move {
            let mut failed = Vec::new();
            let mut round = 0;
            while !stop.load(Ordering::Relaxed) {
                round += 1;
                let path = format!("secret/data/load-{worker}-{}", round % 10);
                let wrote = client.send("POST", &path, Some(&json!({"data": {"round": round}}))).await;
                let read = client.send("GET", &path, None).await;
                for (what, answer) in [("write", wrote), ("read", read)] {
                    match answer {
                        Ok(answer) if answer.status == 200 => _ = served.fetch_add(1, Ordering::Relaxed),
                        other => failed.push(format!("{what} {path}: {other:?}")),
                    }
                }
            }
            failed
        }));
    }
    for name in ["hsm-bridge", "tpm-bridge", "hsm-bridge", "tpm-bridge"] {
        let before = appliance.pids(name);
        assert_eq!(before.len(), 1, "{name} runs once");
        appliance.kill(name).unwrap();
        let killed = Instant::now();
        let end = killed + WITHIN;
        while appliance.pids(name).is_empty() || appliance.pids(name) == before {
            assert!(Instant::now() < end, "{name} is not back within {WITHIN:?}: {}", appliance.log());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        println!("{name} was back after {:?}", killed.elapsed());
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
    stop.store(true, Ordering::Relaxed);
    for worker in load {
        let failed = worker.await.unwrap();
        assert!(failed.is_empty(), "{failed:#?}");
    }
    assert!(served.load(Ordering::Relaxed) > 100, "there was load");

    // What they are for still works: a new daemon is unsealed by the new bridges.
    appliance.kill("strongroom").unwrap();
    strongroom_tests::process::wait_until_active(&mut appliance.client().unwrap()).await.unwrap();
}
