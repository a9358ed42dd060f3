//! What the disk shows: no value, no name, in no usual encoding.

use std::path::Path;

use data_encoding::{BASE64, BASE64URL_NOPAD, HEXLOWER};
use serde_json::json;
use strongroom_tests::Appliance;

const VALUE: &str = "canary-value-Kx7Qm2Zp9Lw4";
const NAME: &str = "canary-name-Rt5Yb8Nc3Vd6";
const KEY: &str = "canary-key-Hj2Wq7Sf4Gz1";
const POLICY: &str = "canary-policy-bd9xk3m7";

/// `canary` as it might lie on a disk: UTF-8, UTF-16 of both orders, hexadecimal, base64 at each of the three shifts.
fn forms(canary: &str) -> Vec<(String, Vec<u8>)> {
    let bytes = canary.as_bytes();
    let wide = |of: fn(u16) -> [u8; 2]| canary.encode_utf16().flat_map(of).collect::<Vec<u8>>();
    let mut forms = vec![
        ("UTF-8".to_owned(), bytes.to_vec()),
        ("UTF-16LE".to_owned(), wide(u16::to_le_bytes)),
        ("UTF-16BE".to_owned(), wide(u16::to_be_bytes)),
        ("hex".to_owned(), HEXLOWER.encode(bytes).into_bytes()),
    ];
    for shift in 0..3 {
        for (name, encoding) in [("base64", &BASE64), ("base64url", &BASE64URL_NOPAD)] {
            let shifted = [&b"\0\0"[..shift], bytes].concat();
            let text = encoding.encode(&shifted).into_bytes();
            // What depends on the neighbours is left out at both ends.
            forms.push((format!("{name} at {shift}"), text[4..text.len() - 4].to_vec()));
        }
    }
    forms
}

fn search(folder: &Path, forms: &[(String, Vec<u8>)], found: &mut Vec<String>) -> u64 {
    let mut searched = 0;
    for entry in std::fs::read_dir(folder).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() {
            searched += search(&path, forms, found);
            continue;
        }
        let Ok(bytes) = std::fs::read(&path) else { continue };
        searched += bytes.len() as u64;
        for (form, wanted) in forms {
            if memchr::memmem::find(&bytes, wanted).is_some() {
                found.push(format!("{form} in {}", path.display()));
            }
        }
    }
    searched
}

#[tokio::test(flavor = "multi_thread")]
async fn the_state_folder_shows_no_value_and_no_name() {
    let mut appliance = Appliance::start().await.unwrap();
    let mut client = appliance.client().unwrap();
    let secret = json!({"data": {KEY: VALUE}});
    for path in [format!("secret/data/{NAME}"), format!("secret/data/folder/{NAME}/deep")] {
        assert_eq!(client.send("POST", &path, Some(&secret)).await.unwrap().status, 200);
        assert_eq!(client.send("GET", &path, None).await.unwrap().body["data"]["data"][KEY], VALUE);
    }
    let rules = json!({"policy": format!("path \"secret/data/{NAME}\" {{ capabilities = [\"read\"] }}")});
    assert_eq!(
        client.send("POST", &format!("sys/policies/acl/{POLICY}"), Some(&rules)).await.unwrap().status,
        204
    );
    let made = client.send("POST", "auth/token/create", Some(&json!({"policies": [POLICY]}))).await.unwrap();
    let token = made.body["auth"]["client_token"].as_str().unwrap().to_owned();
    appliance.stop();

    // Paths stand in the audit log in clear, as in every Vault: it is searched for values and tokens only.
    let mut found = Vec::new();
    let values: Vec<_> = [VALUE, token.as_str()].into_iter().flat_map(forms).collect();
    let searched = search(&appliance.state, &values, &mut found);
    let names: Vec<_> = [NAME, KEY, POLICY].into_iter().flat_map(forms).collect();
    search(&appliance.state.join("data"), &names, &mut found);
    assert!(found.is_empty(), "{found:#?}");
    assert!(searched > 100_000, "the state folder was searched: {searched} bytes");
}
