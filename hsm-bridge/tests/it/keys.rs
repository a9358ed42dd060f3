//! Keys and wraps on a real token.

use std::sync::Arc;

use strongroom_device_api::{DeviceErrorKind, KeyDevice, Wrapped, conformance};
use strongroom_types::Secret;

use crate::bridge::{fails, key};
use crate::fixture::{LABEL, PIN, SOFTHSM, Token};

#[tokio::test]
async fn softhsm_behind_the_bridge_conforms() {
    let token = Token::new();
    let _bridge = token.bridge();
    conformance::run(|| async { token.client() as Arc<dyn KeyDevice> }).await.unwrap();
}

#[tokio::test]
async fn every_changed_bit_of_a_wrap_is_refused() {
    let token = Token::new();
    let _bridge = token.bridge();
    let client = token.client();
    client.ensure_key(&key("root")).await.unwrap();
    let wrapped = client.wrap(&key("root"), b"aad", &Secret::from(vec![6; 64])).await.unwrap();
    for bit in 0..wrapped.0.len() * 8 {
        let mut changed = Wrapped(wrapped.0.clone());
        changed.0[bit / 8] ^= 1 << (bit % 8);
        let outcome = client.unwrap(&key("root"), b"aad", &changed).await;
        fails(outcome, DeviceErrorKind::Refused, "");
    }
    client.unwrap(&key("root"), b"aad", &wrapped).await.unwrap();
}

#[tokio::test]
async fn a_key_cannot_leave_the_token_and_keeps_its_id() {
    let token = Token::new();
    let mut bridge = token.bridge();
    let plain = Secret::from(vec![6; 64]);
    token.client().ensure_key(&key("root")).await.unwrap();
    let wrapped = token.client().wrap(&key("root"), b"", &plain).await.unwrap();
    assert_eq!(bridge.terminate(), Some(0));

    let id: String = "root".bytes().map(|byte| format!("{byte:02x}")).collect();
    let login = ["--module", SOFTHSM, "--token-label", LABEL, "--login", "--pin", PIN];
    let list = token.tool("pkcs11-tool", &[&login[..], &["--list-objects"]].concat());
    let list = String::from_utf8(list.stdout).unwrap();
    assert_eq!(list.matches("Secret Key Object").count(), 1, "{list}");
    assert!(list.contains("AES length 32") && list.contains(&id), "{list}");
    let access = list.lines().find(|line| line.contains("Access:")).unwrap();
    for word in ["sensitive", "always sensitive", "never extractable", "local"] {
        assert!(access.contains(word), "{access}");
    }
    let value = ["--read-object", "--type", "secrkey", "--id", &id];
    let value = token.tool("pkcs11-tool", &[&login[..], &value].concat());
    assert!(!value.status.success() || value.stdout.len() < 32, "{value:?}");

    let _bridge = token.bridge();
    token.client().ensure_key(&key("root")).await.unwrap();
    assert!(token.client().unwrap(&key("root"), b"", &wrapped).await.unwrap() == plain);
}

#[tokio::test]
async fn a_key_that_could_leave_or_has_a_double_is_not_used() {
    let token = Token::new();
    let login = ["--module", SOFTHSM, "--token-label", LABEL, "--login", "--pin", PIN];
    // "planted" and "double", in hex.
    let planted = [
        "--keygen",
        "--key-type",
        "AES:32",
        "--id",
        "706c616e746564",
        "--private",
        "--sensitive",
        "--extractable",
    ];
    let double = ["--keygen", "--key-type", "AES:32", "--id", "646f75626c65", "--private", "--sensitive"];
    for made in [&planted[..], &double, &double] {
        let output = token.tool("pkcs11-tool", &[&login[..], made].concat());
        assert!(output.status.success(), "{output:?}");
    }
    let _bridge = token.bridge();
    for (id, why) in [("planted", "it is extractable"), ("double", "2 keys")] {
        for outcome in [
            token.client().ensure_key(&key(id)).await,
            token.client().wrap(&key(id), b"", &Secret::from(vec![1])).await.map(drop),
        ] {
            let error = outcome.unwrap_err();
            assert_eq!(error.kind, DeviceErrorKind::Refused, "{error}");
            assert!(error.message.contains(why), "{error}");
        }
    }
}

#[tokio::test]
async fn many_at_a_time_make_one_key() {
    let token = Token::new();
    let _bridge = token.bridge();
    let client = token.client();
    let calls: Vec<_> = (0..24)
        .map(|_| {
            let client = Arc::clone(&client);
            tokio::spawn(async move { client.ensure_key(&key("root")).await })
        })
        .collect();
    for call in calls {
        call.await.unwrap().unwrap();
    }
    // Two keys with one id would be refused.
    client.wrap(&key("root"), b"", &Secret::from(vec![1])).await.unwrap();
}
