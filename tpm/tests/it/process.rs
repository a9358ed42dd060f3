//! The bridge as a process: flags, users, the end.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::process::{Command, Stdio};

use strongroom_device_api::DeviceErrorKind::{Gone, Refused};
use strongroom_device_api::{Client, ClientOptions, KeyDevice, PeerRule};

use crate::bridge::{Bridge, fails};
use crate::fixture::{BRIDGE, Tpm};

#[test]
fn a_wrong_flag_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().to_str().unwrap();
    let rest = ["--socket", "/no/such/folder/socket", "--allow-same-uid"];
    for (args, flag) in [
        (vec!["--tcti", "tabrmd", "--state", state], "--tcti"),
        (vec!["--tcti", "device:/no/such/device", "--state", "/no/such/folder"], "--state"),
        (vec!["--tcti", "device:/no/such/device", "--state", state, "--pcrs", "sha1:7"], "--pcrs"),
        (vec!["--tcti", "device:/no/such/device", "--state", state], "--socket"),
    ] {
        let output = Command::new(BRIDGE).args(args).args(rest).stdin(Stdio::null()).output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.lines().last().unwrap().starts_with(&format!("tpm-bridge: {flag}")), "{said}");
    }
}

#[tokio::test]
async fn sigterm_ends_it_cleanly_and_the_library_is_silent() {
    let tpm = Tpm::new();
    let mut bridge = Bridge::start(Command::new(BRIDGE).args(tpm.args()).env("TSS2_LOG", "all+TRACE"));
    tpm.client().random(16).await.unwrap();
    assert_eq!(fs::metadata(tpm.path("socket")).unwrap().mode() & 0o777, 0o600);
    assert_eq!(fs::metadata(tpm.path("pinned/primary")).unwrap().mode() & 0o777, 0o600);
    assert_eq!(bridge.terminate(), Some(0));
    assert!(!tpm.path("socket").exists());
    assert!(bridge.log().lines().all(|line| line.starts_with("tpm-bridge: ")), "{}", bridge.log());
}

#[test]
fn a_tpm_that_hangs_ends_the_bridge() {
    let tpm = Tpm::new();
    // Takes connections and never answers.
    let deaf = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let tcti = format!("swtpm:host=127.0.0.1,port={}", deaf.local_addr().unwrap().port());
    let mut args = tpm.args();
    args[1] = tcti;
    let output =
        Command::new(BRIDGE).args(&args).args(["--hang-limit", "1"]).stdin(Stdio::null()).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(70), "{said}");
    assert!(said.contains("has not come back for 1 s"), "{said}");
}

#[tokio::test]
async fn each_end_answers_only_the_user_it_is_told() {
    if !nix::unistd::geteuid().is_root() {
        println!("skipped: a second user needs root");
        return;
    }
    const OTHER: u32 = 61_001;
    let tpm = Tpm::new();
    for folder in ["", "pinned"] {
        chown(tpm.path(folder), Some(OTHER), Some(OTHER)).unwrap();
    }
    // The program may lie in a folder that other users cannot enter.
    fs::copy(BRIDGE, tpm.path("bridge")).unwrap();
    fs::set_permissions(tpm.path("bridge"), fs::Permissions::from_mode(0o755)).unwrap();
    let bridge_for = |peer: &str| {
        let mut command = Command::new("setpriv");
        let id = OTHER.to_string();
        command.args(["--reuid", &id, "--regid", &id, "--clear-groups"]).arg(tpm.path("bridge"));
        command.args(tpm.args().iter().filter(|arg| *arg != "--allow-same-uid")).args(["--peer-uid", peer]);
        Bridge::start(&mut command)
    };
    let client = |uid| {
        let peer = PeerRule { uid: Some(uid), allow_same_uid: false };
        let mut options = ClientOptions::new(tpm.path("socket"), peer);
        options.start_deadline = std::time::Duration::from_secs(2);
        Client::new(options)
    };

    let mut bridge = bridge_for("0");
    client(OTHER).health().await.unwrap();
    fails(client(OTHER + 1).health().await, Refused, "61001");
    bridge.kill();
    let bridge = bridge_for("61002");
    fails(client(OTHER).health().await, Gone, "");
    assert!(bridge.log().contains("runs as user 0; it must be user 61002"), "{}", bridge.log());
}
