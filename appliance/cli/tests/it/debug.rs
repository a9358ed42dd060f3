//! `debug` and `monitor`: what is gathered, and what is not.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use crate::support::{Caller, Script, Server};

const SERVER: Script = &[
    ("GET /v1/sys/seal-status", 200, r#"{"sealed":false,"nonce":"n0nce","version":"1"}"#),
    (
        "GET /v1/sys/in-flight-req",
        200,
        r#"{"request_id":"","data":{"1":{"request_path":"auth/token/lookup/hvs.CAESIKMEvaQ1ofA1bcdefgh",
            "client_token":"abc-very-secret","own":"root"}}}"#,
    ),
    ("GET /v1/sys/metrics", 200, "# HELP a b\nroot_total 1\n"),
    ("GET /v1/sys/mounts", 403, r#"{"errors":["permission denied"]}"#),
    ("GET /v1/sys/monitor?log_level=debug&log_format=json", 200, "{\"a\":1}\n{\"b\":2}\n"),
];

#[test]
fn a_bundle_holds_what_the_server_says_and_no_secret() {
    let server = Server::new(SERVER);
    let caller = Caller::of(&server);
    let outcome =
        caller.run("debug -duration=0s -output=b -compress=false -target=requests,metrics -target=mounts");
    assert_eq!((outcome.code, outcome.stderr.as_str()), (0, ""), "{}", outcome.stdout);
    let folder = caller.home.path().join("b");
    let file = |name: &str| fs::read_to_string(folder.join(name)).unwrap();
    let requests = file("requests.json");
    assert!(requests.contains("auth/token/lookup/(withheld)"), "{requests}");
    for secret in ["hvs.", "abc-very-secret", "\"root\"", "n0nce"] {
        for entry in fs::read_dir(&folder).unwrap() {
            let text = fs::read_to_string(entry.unwrap().path()).unwrap();
            assert!(!text.contains(secret), "{secret}: {text}");
        }
    }
    assert!(file("metrics.json").contains("HELP a b"));
    assert!(file("index.json").contains("permission denied") && !folder.join("mounts.json").exists());
    assert_eq!(fs::metadata(folder.join("index.json")).unwrap().permissions().mode() & 0o777, 0o600);
    let again = caller.run("debug -duration=0s -output=b -compress=false");
    assert_eq!(again.code, 1);
    assert!(again.stderr.contains("there already"), "{}", again.stderr);
}

#[test]
fn a_bundle_is_one_file_that_tar_reads() {
    let server = Server::new(SERVER);
    let caller = Caller::of(&server);
    assert_eq!(caller.run("debug -duration=0s -output=b -target=metrics").code, 0);
    let archive = fs::read(caller.home.path().join("b.tar")).unwrap();
    assert_eq!(archive.len() % 512, 0);
    let field = |from: usize, to: usize| {
        String::from_utf8_lossy(&archive[from..to]).trim_matches(['\0', ' ']).to_owned()
    };
    assert_eq!((field(0, 100).as_str(), field(257, 263).as_str()), ("index.json", "ustar"));
    let size = usize::from_str_radix(&field(124, 136), 8).unwrap();
    let index: serde_json::Value = serde_json::from_slice(&archive[512..512 + size]).unwrap();
    assert_eq!(index["targets"], serde_json::json!(["metrics"]));
    let header =
        archive[..148].iter().chain(&archive[156..512]).map(|byte| u32::from(*byte)).sum::<u32>() + 8 * 32;
    assert_eq!(u32::from_str_radix(&field(148, 154), 8).unwrap(), header);
}

#[test]
fn debug_says_what_is_wrong_before_it_waits() {
    let nobody = Caller::at("http://127.0.0.1:1").run("debug");
    assert_eq!(nobody.code, 2, "{}", nobody.stderr);
    let wrong = Caller::at("http://127.0.0.1:1").run("debug -target=nosuch");
    assert!(wrong.code == 1 && wrong.stderr.contains("server-status"), "{}", wrong.stderr);
}

#[test]
fn monitor_prints_the_log_until_it_ends() {
    let server = Server::new(SERVER);
    let outcome = Caller::of(&server).run("monitor -log-level=DEBUG -log-format=json");
    assert_eq!((outcome.code, outcome.stdout.as_str()), (0, "{\"a\":1}\n{\"b\":2}\n"));
    let outcome = Caller::of(&server).run("monitor");
    assert_eq!((outcome.code, outcome.stdout.as_str()), (2, ""), "{}", outcome.stderr);
    assert_eq!(Caller::of(&server).run("monitor -log-level=loud").code, 1);
}
