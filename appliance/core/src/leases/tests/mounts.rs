//! Leases end with their mount, and it waits for them.

use strongroom_types::error::Kind;

use super::*;

fn marks(active: &Active) -> usize {
    let names = strongroom_barrier::Name::new(["doomed"]).unwrap();
    active.system.at(active.snapshot().unwrap()).list(&names, None, None).unwrap().len()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_mount_gave_is_taken_back_before_its_records_go() {
    let rig = rig().await;
    let active = active(&rig);
    let ids = [lease(&rig, &rig.root).await, lease(&rig, &rig.root).await];
    let view = active.mounts.load().at("db/").unwrap().view.clone();
    rig.put("db/fault", &rig.root, json!({"text": "it is down"})).await.unwrap();
    rig.delete("sys/mounts/db", &rig.root).await.unwrap();
    for id in &ids {
        assert_eq!(look_up(&rig, id).await.unwrap_err().1, "invalid lease");
        assert_eq!(renew(&rig, id, 0).await.unwrap_err().1, "lease not found");
    }
    // The engine cannot, and finds again all that it needs for the next attempt.
    for _ in 0..3 {
        sweep_all(&active).await;
        take_back(&active).await;
    }
    let before = records(&active, &view);
    assert!(before >= 4, "{before}");
    assert_eq!(look_up(&rig, &ids[0]).await.unwrap()["data"]["revoke_error"], "it is down");
    // Something else stands there by now; nothing of it ends with the old one.
    let rig = machine(rig).await;
    let new = lease(&rig, &rig.root).await;
    let fault = strongroom_barrier::Write::delete(strongroom_barrier::Name::new(["fault"]).unwrap());
    let mut batch = strongroom_store::Batch::default();
    view.seal(&fault, &mut batch).unwrap();
    active.store.commit(batch).await.unwrap();
    rig.clock.advance(120);
    take_back(&active).await;
    take_back(&active).await;
    sweep_all(&active).await;
    assert_eq!(records(&active, &view), 0);
    look_up(&rig, &new).await.unwrap();
    assert_eq!(users(&rig).await.len(), 1);
    rig.clock.advance(700);
    sweep_all(&active).await;
    assert_eq!(marks(&active), 0);
}

/// GHSA-c36x and CVE-2019-18616 in small: what is removed leaves no lease behind, whichever of several steps fails.
#[tokio::test(flavor = "multi_thread")]
async fn cve_2019_18616_a_removed_mount_leaves_no_lease_behind() {
    let mut rig = rig().await;
    for _ in 0..3 {
        lease(&rig, &rig.root).await;
    }
    rig.delete("sys/mounts/db", &rig.root).await.unwrap();
    rig.restart();
    rig.unseal().await;
    let active = active(&rig);
    take_back(&active).await;
    assert_eq!(stored(&active), 0);
    assert_eq!(marks(&active), 1);
    sweep_all(&active).await;
    rig.clock.advance(700);
    sweep_all(&active).await;
    assert_eq!(marks(&active), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn only_force_frees_a_mount_that_cannot_be_asked() {
    let rig = rig().await;
    let active = active(&rig);
    lease(&rig, &rig.root).await;
    let view = active.mounts.load().at("db/").unwrap().view.clone();
    rig.put("db/fault", &rig.root, json!({"text": "it is down"})).await.unwrap();
    rig.delete("sys/mounts/db", &rig.root).await.unwrap();
    take_back(&active).await;
    sweep_all(&active).await;
    assert!(records(&active, &view) > 0);
    rig.put("sys/leases/revoke-force/db", &rig.root, json!({})).await.unwrap();
    rig.clock.advance(20);
    take_back(&active).await;
    sweep_all(&active).await;
    assert_eq!((records(&active, &view), stored(&active)), (0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mount_that_moves_ends_what_it_gave_by_its_old_path() {
    let rig = rig().await;
    let active = active(&rig);
    let old = lease(&rig, &rig.root).await;
    rig.put("sys/remount", &rig.root, json!({"from": "db", "to": "db2"})).await.unwrap();
    assert_eq!(renew(&rig, &old, 0).await.unwrap_err().1, "lease not found");
    rig.clock.advance(1);
    let new = rig.get("db2/creds/app", &rig.root).await.unwrap()["lease_id"].as_str().unwrap().to_owned();
    take_back(&active).await;
    assert_eq!(users_of(&rig, "db2").await.len(), 1);
    assert!(new.starts_with("db2/creds/app/"));
    look_up(&rig, &new).await.unwrap();
    rig.delete("sys/mounts/db2", &rig.root).await.unwrap();
    take_back(&active).await;
    assert_eq!(stored(&active), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_moved_auth_method_keeps_its_users_and_ends_the_tokens_of_the_old_path() {
    let mut rig = rig().await;
    rig.put("sys/auth/door", &rig.root, json!({"type": "door"})).await.unwrap();
    rig.put("auth/door/who/ann", &rig.root, json!({"token_policies": "default"})).await.unwrap();
    let before = rig.get("sys/auth/door", &rig.root).await.unwrap()["data"].clone();
    let login = async |rig: &Rig, at: &str| {
        let answer = rig.put(&format!("auth/{at}/login/ann"), "", json!({"word": "open"})).await;
        answer.map(|answer| answer["auth"]["client_token"].as_str().unwrap().to_owned())
    };
    let old = login(&rig, "door").await.unwrap();
    rig.get("auth/token/lookup-self", &old).await.unwrap();

    // Whoever is to be told by a later move is there before an earlier one is done.
    for (from, to) in [("door", "gate"), ("gate", "door"), ("door", "deep/gate")] {
        let body = json!({"from": format!("auth/{from}"), "to": format!("auth/{to}/")});
        rig.put("sys/remount", &rig.root, body).await.unwrap();
        assert_eq!(login(&rig, from).await.unwrap_err().0, Kind::Denied);
        login(&rig, to).await.unwrap();
    }
    rig.clock.advance(1);
    let new = login(&rig, "deep/gate").await.unwrap();
    take_back(&active(&rig)).await;
    assert_eq!(rig.get("auth/token/lookup-self", &old).await.unwrap_err().0, Kind::Denied);
    for _ in 0..2 {
        assert_eq!(
            rig.get("auth/token/lookup-self", &new).await.unwrap()["data"]["path"],
            "auth/deep/gate/login/ann"
        );
        assert_eq!(rig.get("sys/auth/deep/gate", &rig.root).await.unwrap()["data"], before);
        let listed = rig.get("sys/auth", &rig.root).await.unwrap()["data"].clone();
        assert!(listed["deep/gate/"].is_object() && listed["door/"].is_null());
        rig.restart();
        rig.unseal().await;
    }
}
