//! A refused PIN is tried once: counted with the spy module of OpenSC, which logs each call to the real one.

use std::fs;
use std::path::Path;
use std::process::Command;

use strongroom_device_api::{DeviceErrorKind, KeyDevice};

use crate::bridge::{Bridge, until_done};
use crate::fixture::{BRIDGE, LABEL, PIN, SOFTHSM, Token, exists, with};

const SPIES: [&str; 2] =
    ["/usr/lib/x86_64-linux-gnu/pkcs11-spy.so", "/usr/lib/aarch64-linux-gnu/pkcs11-spy.so"];

/// A bridge whose calls to the module are logged.
fn spied(token: &Token) -> Bridge {
    let Some(spy) = SPIES.into_iter().find(|spy| exists(Path::new(spy))) else {
        panic!("pkcs11-spy.so is missing: install opensc-pkcs11");
    };
    let mut command = token.command(&with(token.args(), "--module", spy));
    command.env("PKCS11SPY", SOFTHSM).env("PKCS11SPY_OUTPUT", token.path("spy.log"));
    Bridge::start(&mut command)
}

fn logins(token: &Token) -> usize {
    let log = fs::read(token.path("spy.log")).unwrap();
    String::from_utf8_lossy(&log).lines().filter(|line| line.contains("C_Login")).count()
}

/// Calls a few times, further apart than attempts to open are; the last error.
async fn refused(token: &Token) -> strongroom_device_api::DeviceError {
    for _ in 0..2 {
        token.client().health().await.unwrap_err();
        tokio::time::sleep(std::time::Duration::from_millis(600)).await;
    }
    token.client().health().await.unwrap_err()
}

#[tokio::test]
async fn a_wrong_pin_is_tried_once_until_the_operator_or_its_source_says_otherwise() {
    let token = Token::new();
    token.write_pin("000000");
    let mut bridge = spied(&token);
    let error = refused(&token).await;
    assert_eq!(error.kind, DeviceErrorKind::Login);
    assert!(error.message.contains("clear-latch"), "{error}");
    assert_eq!(logins(&token), 1);
    let latch = fs::read_to_string(token.path("latch")).unwrap();
    assert!(latch.contains("state refused") && !latch.contains("000000"), "{latch}");
    assert!(!bridge.log().contains("000000"), "{}", bridge.log());

    // Another start does not try it either.
    bridge.kill();
    let bridge = spied(&token);
    assert_eq!(refused(&token).await.kind, DeviceErrorKind::Login);
    assert_eq!(logins(&token), 1);

    // The operator has it tried again, once, by the bridge that runs.
    let clear =
        Command::new(BRIDGE).args(["clear-latch", "--latch"]).arg(token.path("latch")).status().unwrap();
    assert!(clear.success() && !exists(&token.path("latch")));
    refused(&token).await;
    assert_eq!(logins(&token), 2);

    // A new source is tried by itself.
    token.write_pin(PIN);
    until_done(|| async { token.client().health().await }).await;
    assert_eq!(logins(&token), 3);
    assert!(!exists(&token.path("latch")));
    assert!(bridge.log().contains("a wrong PIN was tried before"), "{}", bridge.log());
}

#[tokio::test]
async fn a_login_that_was_cut_off_is_judged_by_the_tokens_counter() {
    let token = Token::new();
    token.write_pin("000000");
    let mut bridge = spied(&token);
    bridge.kill();
    assert_eq!(logins(&token), 1);
    // As if it had been killed before it could write what the token said.
    let latch = fs::read_to_string(token.path("latch")).unwrap();
    fs::write(token.path("latch"), latch.replace("refused", "trying")).unwrap();
    let _bridge = spied(&token);
    assert_eq!(refused(&token).await.kind, DeviceErrorKind::Login);
    assert_eq!(logins(&token), 1);
}

#[tokio::test]
async fn a_login_that_was_cut_off_before_the_token_saw_it_is_tried_again() {
    let token = Token::new();
    token.write_pin("000000");
    let mut bridge = spied(&token);
    bridge.kill();
    let latch = fs::read_to_string(token.path("latch")).unwrap();
    fs::write(token.path("latch"), latch.replace("refused", "trying")).unwrap();
    // A login by hand with the right PIN: the token's counter says now that nothing wrong was tried.
    let by_hand = ["--module", SOFTHSM, "--token-label", LABEL, "--login", "--pin", PIN, "--list-objects"];
    assert!(token.tool("pkcs11-tool", &by_hand).status.success());
    let _bridge = spied(&token);
    assert_eq!(logins(&token), 2);
}

#[tokio::test]
async fn without_a_latch_nothing_logs_in() {
    let token = Token::new();
    let spy = with(token.args(), "--latch", token.path("missing/latch").to_str().unwrap());
    let mut bridge = Bridge::start(&mut token.command(&spy));
    let error = token.client().health().await.unwrap_err();
    assert_eq!(error.kind, DeviceErrorKind::Login);
    assert!(error.message.contains("--latch"), "{error}");
    bridge.kill();
}
