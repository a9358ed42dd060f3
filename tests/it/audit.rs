//! The audit log: a line before every effect, through two hundred kills; and no effect where the log refuses.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use strongroom_tests::process::{Plain, errors};

/// Kills of the story below.
const KILLS: usize = 200;

/// What the log says was asked for: the paths of its request lines. A line that was cut is not a line.
fn asked(log: &str) -> BTreeSet<String> {
    let lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let requests = lines.filter(|line| line["type"] == "request");
    requests.filter_map(|line| line["request"]["path"].as_str().map(str::to_owned)).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_sigkill_at_200_points_no_committed_write_is_without_its_line() {
    let mut server = Plain::start().await.unwrap();
    server.client().send("POST", "sys/mounts/kv", Some(&json!({"type": "kv"}))).await.unwrap();
    let acknowledged = Arc::new(Mutex::new(BTreeSet::new()));
    for round in 0..KILLS {
        let stop = Arc::new(AtomicBool::new(false));
        let mut load = Vec::new();
        for worker in 0..4 {
            let (mut client, stop, acknowledged) = (server.client(), stop.clone(), acknowledged.clone());
            load.push(tokio::spawn(async move {
                for number in 0.. {
                    if stop.load(Ordering::Relaxed) {
                        return;
                    }
                    let path = format!("kv/r{round}-w{worker}-{number}");
                    match client.send("POST", &path, Some(&json!({"v": "w"}))).await {
                        Ok(answer) if answer.status == 204 => _ = acknowledged.lock().unwrap().insert(path),
                        _ => return,
                    }
                }
            }));
        }
        // Uneven on purpose: after none to a dozen acknowledged writes of this round, and a moment more.
        let enough = acknowledged.lock().unwrap().len() + round * 7 % 13;
        while acknowledged.lock().unwrap().len() < enough && !load.iter().all(|worker| worker.is_finished()) {
            tokio::time::sleep(Duration::from_micros(200)).await;
        }
        tokio::time::sleep(Duration::from_micros((round as u64 * 7919) % 5_000)).await;
        server.kill();
        stop.store(true, Ordering::Relaxed);
        for worker in load {
            worker.await.unwrap();
        }
        server.run().await.unwrap();
    }
    let listed = server.client().send("LIST", "kv", None).await.unwrap();
    let keys = listed.body["data"]["keys"].as_array().unwrap();
    let committed: BTreeSet<String> =
        keys.iter().map(|key| format!("kv/{}", key.as_str().unwrap())).collect();
    let asked = asked(&server.audit_log());
    let without: Vec<&String> = committed.iter().filter(|path| !asked.contains(*path)).collect();
    println!("{KILLS} kills, {} writes committed", committed.len());
    assert!(without.is_empty(), "committed without a line: {without:?}");
    let acknowledged = acknowledged.lock().unwrap();
    let lost: Vec<&String> = acknowledged.difference(&committed).collect();
    assert!(lost.is_empty(), "acknowledged and lost: {lost:?}");
    assert!(acknowledged.len() > KILLS, "there was load: {}", acknowledged.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_denied_request_leaves_a_line_and_no_secret() {
    let server = Plain::start().await.unwrap();
    let mut nobody = server.client();
    nobody.token = "hvs.not-a-token".into();
    let refused =
        nobody.send("POST", "sys/mounts/sneaky", Some(&json!({"type": "kv-canary"}))).await.unwrap();
    assert_eq!(refused.status, 403);
    nobody.token.clear();
    assert_eq!(nobody.send("GET", "sys/policies/acl/default", None).await.unwrap().status, 403);
    let log = server.audit_log();
    let asked = asked(&log);
    assert!(asked.contains("sys/mounts/sneaky") && asked.contains("sys/policies/acl/default"), "{log}");
    assert!(log.contains("permission denied"), "{log}");
    for secret in ["not-a-token", "kv-canary", server.root_token.as_str()] {
        assert!(!log.contains(secret), "{secret} stands in the log");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn where_the_log_refuses_nothing_has_an_effect() {
    if !nix::unistd::geteuid().is_root() {
        println!("skipped: a small file system for the log needs root");
        return;
    }
    let small = strongroom_tests::process::SmallFilesystem::new(2 << 20).unwrap();
    let mut server = Plain::with_audit_in(small.path()).await.unwrap();
    let mut client = server.client();
    client.send("POST", "sys/mounts/kv", Some(&json!({"type": "kv"}))).await.unwrap();
    client.send("POST", "kv/before", Some(&json!({"v": "w"}))).await.unwrap();
    small.fill().unwrap();
    // What still fits into the last block of the log may go through, the last one without its answer; then nothing does.
    let (mut refused, mut withheld) = (Vec::new(), 0);
    for number in 0..200 {
        let path = format!("kv/after-{number}");
        let answer = client.send("POST", &path, Some(&json!({"v": "w"}))).await.unwrap();
        match errors(&answer.body) {
            _ if answer.status < 300 => {}
            said if said.contains("the audit log did not accept the request: nothing was done") => {
                refused.push(path)
            }
            said if said.contains("its answer is withheld") => withheld += 1,
            said => panic!("{}: {said}", answer.status),
        }
    }
    assert!(withheld <= 1, "{withheld} answers were withheld");
    assert!(refused.len() > 100, "only {} were refused", refused.len());
    assert!(client.send("GET", "kv/before", None).await.unwrap().status >= 500, "a read is an effect, too");
    small.empty().unwrap();
    assert_eq!(client.send("GET", "kv/before", None).await.unwrap().status, 200, "it goes on by itself");
    for path in refused {
        assert_eq!(client.send("GET", &path, None).await.unwrap().status, 404, "{path} had an effect");
    }
    server.stop();
}
