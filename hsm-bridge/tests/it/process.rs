//! The bridge as a process: flags, users, sockets, the end.

use std::fs;
use std::io::Write;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::Path;
use std::process::Command;

use strongroom_device_api::{Client, ClientOptions, DeviceErrorKind, KeyDevice, PeerRule};

use crate::bridge::{Bridge, until_done};
use crate::fixture::{BRIDGE, PIN, Token, exists, refusal, with};

#[test]
fn a_wrong_flag_is_named() {
    let token = Token::new();
    let args = || token.args();
    for (args, flag, why) in [
        (with(args(), "--module", "/no/such.so"), "--module /no/such.so", "no such file"),
        (with(args(), "--module", "/etc/passwd"), "--module /etc/passwd", "not a PKCS#11 module"),
        (
            with(args(), "--socket", "/no/such/folder/socket"),
            "--socket /no/such/folder/socket",
            "No such file",
        ),
        ([args(), vec!["--pin-fd".into(), "9".into()]].concat(), "--pin-file", "exclude"),
        ([args(), vec!["--surprise".into()]].concat(), "--surprise", "no such flag"),
    ] {
        let refusal = refusal(token.command(&args));
        assert!(refusal.contains(flag) && refusal.contains(why), "{refusal}");
    }
    let no_peer: Vec<String> = args().into_iter().filter(|arg| arg != "--allow-same-uid").collect();
    assert!(refusal(token.command(&no_peer)).contains("--peer-uid"));
}

#[tokio::test]
async fn a_pin_file_that_others_can_read_is_not_used() {
    let token = Token::new();
    fs::set_permissions(token.path("pin"), fs::Permissions::from_mode(0o640)).unwrap();
    let _bridge = token.bridge();
    let error = token.client().health().await.unwrap_err();
    assert_eq!(error.kind, DeviceErrorKind::Login);
    assert!(error.message.contains("--pin-file") && error.message.contains("0600"), "{error}");
    // Nothing was tried, so nothing is latched, and the mended file is used at once.
    assert!(!exists(&token.path("latch")));
    fs::set_permissions(token.path("pin"), fs::Permissions::from_mode(0o600)).unwrap();
    until_done(|| async { token.client().health().await }).await;
}

#[tokio::test]
async fn the_pin_can_come_by_a_descriptor() {
    let token = Token::new();
    let args = with(token.args(), "--pin-file", "0");
    let args: Vec<String> = args.iter().map(|arg| arg.replace("--pin-file", "--pin-fd")).collect();
    let (read, mut write) = std::io::pipe().unwrap();
    write.write_all(PIN.as_bytes()).unwrap();
    drop(write);
    let mut command = token.command(&args);
    command.stdin(read);
    let mut bridge = Bridge::start(&mut command);
    token.client().health().await.unwrap();
    assert!(!bridge.log().contains(PIN));
    assert_eq!(bridge.terminate(), Some(0));
}

#[tokio::test]
async fn sigterm_ends_it_cleanly_and_the_socket_is_private() {
    let token = Token::new();
    let mut bridge = token.bridge();
    token.client().health().await.unwrap();
    assert_eq!(fs::metadata(token.path("socket")).unwrap().mode() & 0o777, 0o600);
    let limits = fs::read_to_string(format!("/proc/{}/limits", bridge.child.id())).unwrap();
    let core = limits.lines().find(|line| line.starts_with("Max core file size")).unwrap();
    assert_eq!(core.split_whitespace().nth(4), Some("0"), "{core}");
    assert_eq!(bridge.terminate(), Some(0));
    assert!(!exists(&token.path("socket")));
}

#[tokio::test]
async fn a_dead_bridges_socket_is_taken_over_and_a_live_ones_is_not() {
    let token = Token::new();
    let mut first = token.bridge();
    assert!(refusal(token.command(&token.args())).contains("another process serves it"));
    first.kill();
    assert!(exists(&token.path("socket")));
    let mut second = token.bridge();
    token.client().health().await.unwrap();
    second.kill();
    fs::remove_file(token.path("socket")).unwrap();
    fs::write(token.path("socket"), "precious").unwrap();
    assert!(refusal(token.command(&token.args())).contains("--socket"));
    assert_eq!(fs::read(token.path("socket")).unwrap(), b"precious");
}

/// Gives `folder` and what is in it to `uid`.
fn give(folder: &Path, uid: u32) {
    chown(folder, Some(uid), Some(uid)).unwrap();
    for entry in fs::read_dir(folder).unwrap().flatten() {
        if entry.file_type().unwrap().is_dir() {
            give(&entry.path(), uid);
        } else {
            chown(entry.path(), Some(uid), Some(uid)).unwrap();
        }
    }
}

#[tokio::test]
async fn each_end_answers_only_the_user_it_is_told() {
    if !nix::unistd::geteuid().is_root() {
        println!("skipped: a second user needs root");
        return;
    }
    const OTHER: u32 = 61_001;
    let token = Token::new();
    give(&token.path(""), OTHER);
    // The program may lie in a folder that other users cannot enter.
    // Not copied here: a child of another test would hold it open, and what is open for writing is not run.
    let copied = Command::new("install").arg("-m755").arg(BRIDGE).arg(token.path("bridge")).status().unwrap();
    assert!(copied.success());
    let bridge_for = |peer: &str| {
        let mut command = Command::new("setpriv");
        let id = OTHER.to_string();
        command.args(["--reuid", &id, "--regid", &id, "--clear-groups"]).arg(token.path("bridge"));
        command.args(token.args().iter().filter(|arg| *arg != "--allow-same-uid")).args(["--peer-uid", peer]);
        command.env("SOFTHSM2_CONF", token.path("softhsm2.conf"));
        Bridge::start(&mut command)
    };
    let client = |uid| {
        let mut options =
            ClientOptions::new(token.path("socket"), PeerRule { uid: Some(uid), allow_same_uid: false });
        options.start_deadline = std::time::Duration::from_secs(2);
        Client::new(options)
    };

    let mut bridge = bridge_for("0");
    assert_eq!(fs::metadata(token.path("socket")).unwrap().mode() & 0o777, 0o660);
    client(OTHER).health().await.unwrap();
    // The client's end: this is not the user that it was told.
    let error = client(OTHER + 1).health().await.unwrap_err();
    assert_eq!(error.kind, DeviceErrorKind::Refused);
    bridge.kill();
    // The bridge's end: root is not the daemon.
    let bridge = bridge_for("61002");
    assert_eq!(client(OTHER).health().await.unwrap_err().kind, DeviceErrorKind::Gone);
    assert!(bridge.log().contains("runs as user 0; it must be user 61002"), "{}", bridge.log());
}
