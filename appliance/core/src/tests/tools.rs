//! `sys/tools`.

use serde_json::{Value, json};
use strongroom_types::error::Kind;

use crate::testing::Rig;

#[tokio::test(flavor = "multi_thread")]
async fn hashes_are_those_of_the_standards() {
    let rig = Rig::new().await;
    let sum = async |path: &str, body: Value| {
        rig.put(path, &rig.root, body).await.unwrap()["data"]["sum"].as_str().unwrap().to_owned()
    };
    // FIPS 180-4 and 202: of "abc".
    let abc = json!({"input": "YWJj"});
    assert!(sum("sys/tools/hash", abc.clone()).await.starts_with("ba7816bf8f01cfea"));
    assert!(sum("sys/tools/hash/sha2-224", abc.clone()).await.starts_with("23097d223405d822"));
    assert!(sum("sys/tools/hash/sha3-256", abc.clone()).await.starts_with("3a985da74fe225b2"));
    assert!(sum("sys/tools/hash/sha3-512", abc.clone()).await.starts_with("b751850b1a57168a"));
    // The algorithm of the path wins.
    let both = json!({"input": "YWJj", "algorithm": "sha2-512", "format": "base64"});
    assert!(sum("sys/tools/hash/sha2-256", both).await.starts_with("ungWv48Bz+pB"));
    for body in [json!({"input": "#"}), json!({"algorithm": "md5"}), json!({"format": "octal"})] {
        assert_eq!(rig.put("sys/tools/hash", &rig.root, body).await.unwrap_err().0, Kind::BadRequest);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn random_bytes_are_as_many_as_are_asked_for() {
    let rig = Rig::new().await;
    for (path, body, length) in [
        ("sys/tools/random", json!({"format": "hex"}), 64),
        ("sys/tools/random", json!({"bytes": 3}), 4),
        ("sys/tools/random/3", json!({"format": "hex"}), 6),
        ("sys/tools/random/platform", json!({"format": "hex", "bytes": 1}), 2),
        ("sys/tools/random/platform/131072", json!({"format": "hex"}), 262_144),
    ] {
        let drawn = rig.put(path, &rig.root, body).await.unwrap()["data"]["random_bytes"].clone();
        assert_eq!(drawn.as_str().unwrap().len(), length, "{path}");
    }
    for (path, body) in [
        ("sys/tools/random", json!({"bytes": 0})),
        ("sys/tools/random", json!({"bytes": 131_073})),
        ("sys/tools/random/platform/x", json!({})),
        ("sys/tools/random/99999999999999999999", json!({})),
        ("sys/tools/random/moon", json!({})),
        ("sys/tools/random/seal/8", json!({})),
        ("sys/tools/random", json!({"source": "all"})),
        ("sys/tools/random", json!({"format": "octal"})),
    ] {
        assert_eq!(
            rig.put(path, &rig.root, body.clone()).await.unwrap_err().0,
            Kind::BadRequest,
            "{path} {body}"
        );
    }
}
