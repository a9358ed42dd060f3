//! The spine, as its user sees it: `./x run`, the lines it prints, a kill, a restart, a missing device.

use std::process::Command;
use std::time::Duration;

use serde_json::json;
use strongroom_tests::Appliance;
use strongroom_tests::process::errors;

/// The indented lines of what `./x run` printed: those that are to be copied.
fn lines_to_copy(printed: &str) -> String {
    let lines =
        printed.lines().filter_map(|line| line.strip_prefix("    ")).filter(|line| !line.starts_with(' '));
    lines.map(|line| format!("{line}\n")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_printed_lines_store_and_read_a_secret() {
    let appliance = Appliance::start().await.unwrap();
    let lines = lines_to_copy(&appliance.printed);
    assert!(lines.contains("kv put"), "{}", appliance.printed);
    let out =
        Command::new("sh").env_clear().env("PATH", "/usr/bin:/bin").args(["-euc", &lines]).output().unwrap();
    let said = String::from_utf8_lossy(&out.stdout);
    assert!(out.status.success(), "{lines}\n{said}{}", String::from_utf8_lossy(&out.stderr));
    assert!(said.contains("correct-horse"), "{said}");
    let root = format!("Root Token: {}", appliance.root_token().unwrap());
    assert!(appliance.printed.contains(&root), "{}", appliance.printed);
}

/// The lines of the README are those that `./x run` prints, but for the folder.
#[tokio::test(flavor = "multi_thread")]
async fn the_readme_shows_the_printed_lines() {
    let appliance = Appliance::start().await.unwrap();
    let page = std::fs::read_to_string(strongroom_tests::repository().join("README.md")).unwrap();
    let shown = page.split("```sh\n").nth(1).unwrap().split("```").next().unwrap();
    let shown: Vec<_> = shown.lines().map(|line| line.split('#').next().unwrap().trim_end()).collect();
    let printed = lines_to_copy(&appliance.printed);
    let here = appliance.state.to_string_lossy();
    let printed: Vec<_> =
        printed.lines().map(|line| line.replace(&*here, ".strongroom").replace('\'', "")).collect();
    assert_eq!(shown, printed);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_survives_sigkill_and_a_new_run_with_nobody_typing() {
    let mut appliance = Appliance::start().await.unwrap();
    let mut client = appliance.client().unwrap();
    let wrote =
        client.send("POST", "secret/data/kept", Some(&json!({"data": {"word": "kept"}}))).await.unwrap();
    assert_eq!(wrote.status, 200);

    // The daemon alone dies: the supervisor brings it back, and the devices unseal it.
    appliance.kill("strongroom").unwrap();
    strongroom_tests::process::wait_until_active(&mut appliance.client().unwrap()).await.unwrap();
    let read = appliance.client().unwrap().send("GET", "secret/data/kept", None).await.unwrap();
    assert_eq!(read.body["data"]["data"]["word"], "kept");

    // Everything dies; a new run finds it again.
    appliance.kill_everything();
    appliance.run().await.unwrap();
    let read = appliance.client().unwrap().send("GET", "secret/data/kept", None).await.unwrap();
    assert_eq!(read.body["data"]["data"]["word"], "kept");
    let status = appliance.client().unwrap().send("GET", "sys/seal-status", None).await.unwrap();
    assert_eq!(status.body["type"], "pkcs11+tpm");
}

/// What the appliance says and does while the part of its state called `what` is away.
async fn without(appliance: &mut Appliance, what: &str, device: &str) {
    appliance.stop();
    let there = appliance.state.join(what);
    let away = appliance.state.join("away");
    std::fs::rename(&there, &away).unwrap();
    // An empty folder instead: what a new token or a new TPM would be.
    std::fs::create_dir(&there).unwrap();
    appliance.launch().unwrap();
    let mut client = appliance.client().unwrap();
    let end = tokio::time::Instant::now() + strongroom_tests::process::PATIENCE;
    let said = loop {
        if let Ok(status) = client.send("GET", "sys/seal-status", None).await {
            assert_eq!(status.body["sealed"], true, "unsealed without its {what}");
            let said = status.body["warnings"].to_string();
            if said.contains(device) {
                break said;
            }
        }
        assert!(
            tokio::time::Instant::now() < end,
            "nothing is said about the missing {what}: {}",
            appliance.log()
        );
        tokio::time::sleep(Duration::from_millis(200)).await;
    };
    println!("{said}");
    let read = client.send("GET", "secret/data/kept", None).await.unwrap();
    assert_eq!((read.status, errors(&read.body).as_str()), (503, "Vault is sealed"));
    assert!(appliance.log().contains(device), "the log does not name {device}");
    appliance.stop();
    std::fs::remove_dir_all(&there).unwrap();
    std::fs::rename(away, there).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_token_or_the_tpm_nothing_opens_and_the_missing_device_is_named() {
    let mut appliance = Appliance::start().await.unwrap();
    let mut client = appliance.client().unwrap();
    client.send("POST", "secret/data/kept", Some(&json!({"data": {"word": "kept"}}))).await.unwrap();
    without(&mut appliance, "softhsm", "hsm").await;
    without(&mut appliance, "swtpm", "tpm").await;
    appliance.run().await.unwrap();
    let read = appliance.client().unwrap().send("GET", "secret/data/kept", None).await.unwrap();
    assert_eq!(read.body["data"]["data"]["word"], "kept");
}
