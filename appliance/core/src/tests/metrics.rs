//! What was counted and measured.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use strongroom_audit::testing::Mood;
use strongroom_types::{Operation, Reply};

use super::sweep::{active, sweep_all};
use crate::census;
use crate::lifecycle::State;
use crate::testing::{Rig, request};

/// The metrics as Prometheus gets them.
pub async fn text(rig: &Rig) -> String {
    let asked = request(Operation::Read, "sys/metrics?format=prometheus", &rig.root, None);
    match rig.core.handle(asked).await {
        Ok(Reply::Raw { body, content_type, .. }) => {
            assert!(content_type.starts_with("text/plain"));
            String::from_utf8(body).unwrap()
        }
        _ => panic!("no text"),
    }
}

pub fn value(text: &str, name: &str) -> f64 {
    let line = text.lines().find(|line| line.split_once(' ').is_some_and(|(found, _)| found == name));
    line.unwrap_or_else(|| panic!("no {name}:\n{text}")).rsplit_once(' ').unwrap().1.parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_happens_is_counted_under_the_names_that_dashboards_know() {
    let rig = Rig::new().await;
    rig.mount().await;
    rig.put("sys/auth/door", &rig.root, json!({"type": "door"})).await.unwrap();
    rig.put("auth/door/who/me", &rig.root, json!({"token_policies": "default"})).await.unwrap();
    let before = text(&rig).await;
    for _ in 0..10 {
        rig.get("toy/a", &rig.root).await.unwrap_err();
    }
    rig.put("toy/a", &rig.root, json!({"b": 1})).await.unwrap();
    for word in ["open", "wrong"] {
        let _ = rig.put("auth/door/login/me", "", json!({ "word": word })).await;
    }
    rig.put("sys/quotas/rate-limit/q", &rig.root, json!({"path": "toy", "rate": 1, "interval": 60}))
        .await
        .unwrap();
    for _ in 0..3 {
        let _ = rig.get("toy/a", &rig.root).await;
    }
    let after = text(&rig).await;
    let grown = |name: &str| value(&after, name) - value(&before, name);
    // The metrics themselves, ten, the write, the quota, three.
    assert!((grown("vault_core_handle_request_count") - 16.0).abs() < 0.1, "{after}");
    assert!((grown("vault_core_handle_login_request_count") - 2.0).abs() < 0.1);
    assert!((grown("vault_quota_rate_limit_violation") - 2.0).abs() < 0.1);
    assert!((grown("vault_audit_log_request_count") - 18.0).abs() < 0.1);
    assert!((grown("vault_audit_log_response_count") - 18.0).abs() < 0.1);
    assert!((value(&after, "vault_core_in_flight_requests") - 1.0).abs() < 0.1, "this one");
    let cluster = rig.get("sys/health", "").await.unwrap()["cluster_name"].as_str().unwrap().to_owned();
    let of = |name: &str, more: &str| value(&after, &format!("{name}{{cluster=\"{cluster}\"{more}}}"));
    assert!((of("vault_core_unsealed", "") - 1.0).abs() < 0.1);
    assert!((of("vault_core_mount_table_num_entries", ",type=\"auth\",local=\"false\"") - 1.0).abs() < 0.1);
    assert!(value(&after, "process_resident_memory_bytes") > 1e6);
    // As JSON, the same.
    let all = rig.get("sys/metrics", &rig.root).await.unwrap();
    let named = |list: &str, name: &str| -> Value {
        all[list].as_array().unwrap().iter().find(|one| one["Name"] == name).cloned().unwrap()
    };
    assert_eq!(named("Gauges", "vault.core.unsealed")["Value"], json!(1.0));
    assert_eq!(named("Counters", "vault.quota.rate_limit.violation")["Count"], 2);
    assert_eq!(named("Samples", "vault.core.handle_login_request")["Count"], 2);
}

#[tokio::test]
async fn a_line_that_no_sink_takes_is_counted() {
    let rig = Rig::new().await;
    rig.sink.set(Mood::Refusing);
    rig.get("sys/mounts", &rig.root).await.unwrap_err();
    rig.sink.set(Mood::Well);
    let text = text(&rig).await;
    assert!((value(&text, "vault_audit_log_request_failure") - 1.0).abs() < 0.1);
    assert!(value(&text, "vault_audit_log_response_failure").abs() < 0.1);
}

/// Names of metrics, labels, types and numbers, as the text format wants them; each name once, and its samples together.
fn check(text: &str) {
    let is_name = |name: &str| {
        !name.is_empty()
            && !name.starts_with(|c: char| c.is_ascii_digit())
            && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
    };
    let (mut families, mut samples) = (BTreeSet::new(), BTreeSet::new());
    let (mut family, mut kind) = ("", "");
    for line in text.lines() {
        if let Some(help) = line.strip_prefix("# HELP ") {
            family = help.split_once(' ').unwrap().0;
            assert!(is_name(family) && families.insert(family), "{line}");
            kind = "";
        } else if let Some(typed) = line.strip_prefix("# TYPE ") {
            let (name, of) = typed.split_once(' ').unwrap();
            assert!(
                name == family && kind.is_empty() && ["gauge", "counter", "summary"].contains(&of),
                "{line}"
            );
            kind = of;
        } else {
            let (sample, number) = line.rsplit_once(' ').unwrap();
            assert!(number.parse::<f64>().is_ok() && samples.insert(sample), "{line}");
            let (name, labels) = sample.split_once('{').unwrap_or((sample, "}"));
            let parts = ["", "_sum", "_count"].map(|part| format!("{family}{part}"));
            let may_be = if kind == "summary" { &parts[..] } else { &parts[..1] };
            assert!(may_be.iter().any(|part| part == name) && !kind.is_empty(), "{line}");
            let labels = labels.strip_suffix('}').unwrap();
            for label in labels.split("\",").filter(|label| !label.is_empty()) {
                let (label, value) = label.split_once("=\"").unwrap();
                let value = value.strip_suffix('"').unwrap_or(value);
                assert!(is_name(label) && !value.contains(['"', '\n']), "{line}");
            }
        }
    }
    assert!(families.len() > 30 && text.ends_with('\n'));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_text_is_as_prometheus_wants_it_whatever_the_mounts_are_called() {
    let rig = Rig::new().await;
    census::count(&active(&rig)).unwrap();
    // The first three read the same.
    for path in ["a-b", "a_b", "a/b", "ü", "sys-other", "9"] {
        rig.put(&format!("sys/mounts/{path}"), &rig.root, json!({"type": "toy"})).await.unwrap();
        rig.put(&format!("{path}/x"), &rig.root, json!({"b": 1})).await.unwrap();
        rig.get(&format!("{path}/x"), &rig.root).await.unwrap();
    }
    rig.token(json!({"ttl": "1h"})).await;
    let text = text(&rig).await;
    check(&text);
    assert!((value(&text, "vault_route_read_a_b__count") - 3.0).abs() < 0.1, "{text}");
    assert!((value(&text, "vault_route_create_9__count") - 1.0).abs() < 0.1);
    assert!(value(&text, "vault_route_update_auth_token__count") > 0.9);
    let all = rig.get("sys/metrics", &rig.root).await.unwrap();
    let samples = all["Samples"].as_array().unwrap();
    let read = samples.iter().find(|one| one["Name"] == "vault.route.read.9-").unwrap();
    assert!(read["Count"] == 1 && read["Max"].as_f64() >= read["Min"].as_f64());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mount_that_is_gone_is_not_in_the_metrics() {
    let rig = Rig::new().await;
    rig.mount().await;
    rig.get("toy/a", &rig.root).await.unwrap_err();
    assert!(text(&rig).await.contains("vault_route_read_toy_"));
    rig.delete("sys/mounts/toy", &rig.root).await.unwrap();
    assert!(!text(&rig).await.contains("vault_route_read_toy_"));
}

/// What is kept is what somebody finds who counts anew.
async fn agrees(rig: &Rig) -> census::Count {
    let active = active(rig);
    let (rules, kept) = active.census.kept().unwrap();
    let kept = kept.count;
    assert_eq!(kept, census::look(&active, &rules).unwrap().1.count);
    kept
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_and_leases_are_counted_as_they_come_and_go() {
    let mut rig = Rig::new().await;
    rig.token(json!({"ttl": "9h"})).await;
    assert!(active(&rig).census.count().is_none(), "nobody has counted");
    assert!(!text(&rig).await.contains("vault_token_count"));
    census::count(&active(&rig)).unwrap();
    let before = agrees(&rig).await;
    assert_eq!((before.tokens, before.leases), (2, 1), "root has no lease");
    rig.put("sys/mounts/db", &rig.root, json!({"type": "vending"})).await.unwrap();
    rig.put("db/role/app", &rig.root, json!({"ttl": "10m"})).await.unwrap();
    rig.put("sys/auth/door", &rig.root, json!({"type": "door"})).await.unwrap();
    rig.put("auth/door/who/me", &rig.root, json!({"token_policies": "default"})).await.unwrap();
    rig.put("auth/door/login/me", "", json!({"word": "open"})).await.unwrap();
    let mut ids = Vec::new();
    for _ in 0..3 {
        let given = rig.get("db/creds/app", &rig.root).await.unwrap();
        ids.push(given["lease_id"].as_str().unwrap().to_owned());
    }
    let root = rig.token(json!({"policies": ["root"]})).await;
    let family = rig.token(json!({"policies": ["root"], "ttl": "10m"})).await;
    rig.put("auth/token/create", &family, json!({"ttl": "10m"})).await.unwrap();
    rig.token(json!({"type": "batch", "ttl": "10m", "policies": ["default"]})).await;
    let now = agrees(&rig).await;
    assert_eq!((now.tokens - before.tokens, now.leases - before.leases), (4, 6));
    // Renewed, revoked, failed, and expired: parent and child in one batch.
    rig.put("sys/leases/renew", &rig.root, json!({"lease_id": ids[0]})).await.unwrap();
    rig.put("sys/leases/revoke", &rig.root, json!({"lease_id": ids[1]})).await.unwrap();
    rig.put("auth/token/revoke", &rig.root, json!({ "token": root })).await.unwrap();
    assert_eq!(agrees(&rig).await.tokens, now.tokens - 1);
    rig.put("db/fault", &rig.root, json!({"text": "it is down"})).await.unwrap();
    for _ in 0..8 {
        rig.clock.advance(4 * 3600);
        sweep_all(&active(&rig)).await;
    }
    let then = agrees(&rig).await;
    assert_eq!((then.tokens, then.leases, then.irrevocable), (2, 3, 2));
    let shown = text(&rig).await;
    check(&shown);
    assert!((value(&shown, "vault_expire_num_irrevocable_leases") - 2.0).abs() < 0.1);
    assert!((value(&shown, "vault_expire_renew_count") - 1.0).abs() < 0.1);
    assert!((value(&shown, "vault_expire_register_count") - 3.0).abs() < 0.1);
    assert!(value(&shown, "vault_expire_lease_expiration_error") > 11.9);
    // That of before, and the two of the family; who has logged in lives longer.
    assert!((value(&shown, "vault_expire_lease_expiration") - 3.0).abs() < 0.1, "{shown}");
    for made in ["auth_method=\"door\",creation_ttl=\"+Inf\"", "auth_method=\"token\",creation_ttl=\"10m\""] {
        assert!(shown.contains(made), "{shown}");
    }
    rig.delete("db/fault", &rig.root).await.unwrap();
    rig.put("sys/leases/revoke-prefix/db", &rig.root, json!({})).await.unwrap();
    sweep_all(&active(&rig)).await;
    assert_eq!(agrees(&rig).await, census::Count { tokens: 2, leases: 1, irrevocable: 0 });
    // Another process counts anew.
    rig.restart();
    rig.unseal().await;
    census::count(&active(&rig)).unwrap();
    assert_eq!(agrees(&rig).await.tokens, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_made_while_they_are_counted_is_counted_once() {
    let mut rig = Rig::new().await;
    for _ in 0..20 {
        rig.restart();
        rig.unseal().await;
        let core = rig.core.clone();
        let counting = tokio::task::spawn_blocking(move || match &*core.state() {
            State::Active(active) => census::count(active).unwrap(),
            _ => panic!("sealed"),
        });
        for _ in 0..10 {
            rig.token(json!({"ttl": "1h"})).await;
        }
        counting.await.unwrap();
        agrees(&rig).await;
    }
}

#[tokio::test]
async fn c20_no_path_no_name_and_no_token_is_in_the_metrics() {
    let rig = Rig::new().await;
    const CANARY: &str = "canary-of-the-metrics";
    rig.put("sys/mounts/shown", &rig.root, json!({"type": "toy"})).await.unwrap();
    rig.put(&format!("shown/{CANARY}"), &rig.root, json!({ CANARY: CANARY })).await.unwrap();
    rig.put(
        &format!("sys/policies/acl/{CANARY}"),
        &rig.root,
        json!({"policy": format!("path \"{CANARY}\" {{ capabilities = [\"read\"] }}")}),
    )
    .await
    .unwrap();
    rig.put(
        &format!("sys/quotas/rate-limit/{CANARY}"),
        &rig.root,
        json!({"path": format!("shown/{CANARY}"), "rate": 1}),
    )
    .await
    .unwrap();
    rig.token(json!({"policies": [CANARY], "meta": {CANARY: CANARY}, "display_name": CANARY})).await;
    for _ in 0..3 {
        let _ = rig.get(&format!("shown/{CANARY}"), &rig.root).await;
        let _ = rig.get(&format!("{CANARY}/{CANARY}"), CANARY).await;
    }
    let shown = format!("{}{}", text(&rig).await, rig.get("sys/metrics", &rig.root).await.unwrap());
    assert!(shown.contains("vault_route_read_shown_"), "{shown}");
    let plain = CANARY.replace('-', "_");
    assert!(!shown.contains(CANARY) && !shown.contains(&plain) && !shown.contains(&rig.root), "{shown}");
}
