//! The host behind the API: no request reaches its files or programs, and the daemon keeps its own to itself.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use strongroom_tests::process::{PATIENCE, Plain, Stopped, errors, free_port};
use strongroom_tests::{Client, binary};

use super::token;

#[tokio::test(flavor = "multi_thread")]
async fn cve_2025_6000_2026_5051_and_ghsa_j6wc_no_request_names_a_file_or_a_program() {
    let server = Plain::start().await.unwrap();
    let mut root = server.client();
    let target = tempfile::tempdir().unwrap();
    let file = target.path().join("planted.sh");
    let script = "#!/bin/sh\ntouch /tmp/strongroom-owned\n";
    for options in [
        json!({ "file_path": file, "mode": "0755", "prefix": script }),
        json!({ "path": file, "mode": "0777", "prefix": script, "format": "jsonx" }),
        json!({ "file_path": format!("{}/../planted.sh", target.path().display()) }),
        json!({ "file_path": "stdout" }),
        json!({ "address": "127.0.0.1:1", "socket_type": "tcp" }),
    ] {
        for kind in ["file", "socket", "syslog", "http", "FILE", ""] {
            for name in ["planted", "log", "log/below", "planted/"] {
                for method in ["PUT", "POST"] {
                    let body = json!({ "type": kind, "options": options, "path": file, "file_path": file });
                    let answer = root.send(method, &format!("sys/audit/{name}"), Some(&body)).await.unwrap();
                    assert_eq!(answer.status, 400, "{name} {body}: {}", answer.body);
                }
            }
        }
    }
    let gone = root.send("DELETE", "sys/audit/log", None).await.unwrap();
    assert_eq!((gone.status, errors(&gone.body).contains("configuration")), (400, true), "{}", gone.body);
    for (path, body) in [
        (
            "sys/plugins/catalog/secret/x",
            json!({"command": "../../bin/sh", "sha256": "00", "args": ["-c", "id"]}),
        ),
        ("sys/plugins/catalog/x", json!({"command": "sh"})),
        ("sys/mounts/x", json!({"type": "plugin", "plugin_name": "../../bin/sh"})),
        ("sys/mounts/x", json!({"type": "../kv"})),
        ("sys/mounts/x", json!({"type": "kv\u{0}"})),
        ("sys/mounts/x", json!({"type": "KV"})),
    ] {
        let answer = root.send("PUT", path, Some(&body)).await.unwrap();
        assert!((400..500).contains(&answer.status), "{path} {body}: {}", answer.status);
    }
    assert_eq!(fs::read_dir(target.path()).unwrap().count(), 0, "something was written");
    let sinks = root.send("GET", "sys/audit", None).await.unwrap().body["data"].clone();
    assert_eq!(sinks.as_object().unwrap().keys().collect::<Vec<_>>(), ["log/"]);
}

/// Starts the server under `umask 0` and gives back its folder once it is initialised.
async fn under_umask_0(folder: &Path) -> (Stopped, Client) {
    let port = free_port(1);
    let configuration = format!(
        "storage \"redb\" {{\n path = {:?}\n}}\nlistener \"tcp\" {{\n address = \"127.0.0.1:{port}\"\n tls_disable = true\n}}\n\
         audit \"file\" \"log\" {{\n options {{\n file_path = {:?}\n }}\n}}\npid_file = {:?}\n",
        folder.join("data"),
        folder.join("audit.log"),
        folder.join("pid"),
    );
    let file = folder.join("strongroom.hcl");
    fs::write(&file, configuration).unwrap();
    let log = fs::File::create(folder.join("log")).unwrap();
    let child = Command::new("sh")
        .args(["-c", "umask 0; exec \"$0\" server \"-config=$1\""])
        .arg(binary("strongroom"))
        .arg(&file)
        .stdin(Stdio::null())
        .stdout(log.try_clone().unwrap())
        .stderr(log)
        .spawn()
        .unwrap();
    let process = Stopped(child);
    let mut client = Client::plain(([127, 0, 0, 1], port).into(), "");
    let end = Instant::now() + PATIENCE;
    loop {
        let wish = json!({"secret_shares": 1, "secret_threshold": 1});
        if let Ok(made) = client.send("PUT", "sys/init", Some(&wish)).await {
            let key = made.body["keys"][0].clone();
            client.token = made.body["root_token"].as_str().unwrap().to_owned();
            assert_eq!(
                client.send("PUT", "sys/unseal", Some(&json!({ "key": key }))).await.unwrap().status,
                200
            );
            return (process, client);
        }
        let said = || fs::read_to_string(folder.join("log")).unwrap();
        assert!(Instant::now() < end, "no answer:\n{}", said());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn cve_2021_38553_files_are_their_owners_alone_under_any_umask() {
    let folder = tempfile::tempdir().unwrap();
    let (_process, mut client) = under_umask_0(folder.path()).await;
    client.send("POST", "sys/mounts/kv", Some(&json!({"type": "kv"}))).await.unwrap();
    client.send("POST", "kv/x", Some(&json!({"v": "w"}))).await.unwrap();
    let mut open: Vec<PathBuf> = vec![folder.path().join("data"), folder.path().join("audit.log")];
    let mut seen = 0;
    while let Some(path) = open.pop() {
        let mode = fs::metadata(&path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode & 0o077, 0, "{} has mode {mode:o}", path.display());
        assert!(path.is_dir() || mode & 0o111 == 0, "{} may be executed", path.display());
        seen += usize::from(path.is_file());
        open.extend(fs::read_dir(&path).into_iter().flatten().map(|entry| entry.unwrap().path()));
    }
    assert!(seen >= 2, "{seen} files");
}

/// C44: what the kernel says of the running daemon.
#[tokio::test(flavor = "multi_thread")]
async fn c44_the_running_daemon_has_given_up_what_it_does_not_need() {
    let server = Plain::start().await.unwrap();
    let proc = PathBuf::from(format!("/proc/{}", server.pid().unwrap()));
    let status = fs::read_to_string(proc.join("status")).unwrap();
    let value = |name: &str| {
        let line = status.lines().find(|line| line.starts_with(name)).unwrap_or_default();
        line.split_whitespace().nth(1).unwrap_or_default().to_owned()
    };
    assert_eq!(value("NoNewPrivs:"), "1");
    assert_eq!(value("Seccomp:"), "2", "no filter");
    for thread in fs::read_dir(proc.join("task")).unwrap() {
        let status = fs::read_to_string(thread.unwrap().path().join("status")).unwrap();
        assert!(status.contains("Seccomp:\t2"), "a thread without a filter:\n{status}");
    }
    let limits = fs::read_to_string(proc.join("limits")).unwrap();
    let core = limits.lines().find(|line| line.starts_with("Max core file size")).unwrap();
    assert!(core.split_whitespace().filter(|word| *word == "0").count() == 2, "{core}");
    // What is not dumpable belongs to root, whoever runs it.
    let owner = fs::metadata(proc.join("environ")).map(|file| std::os::unix::fs::MetadataExt::uid(&file));
    assert_eq!(owner.unwrap(), 0);
    // Nothing secret came by the command line or the environment.
    for part in ["cmdline", "environ"] {
        let text = String::from_utf8_lossy(&fs::read(proc.join(part)).unwrap()).into_owned();
        assert!(!text.contains(&server.root_token) && !text.contains(server.unseal_key()));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn cve_2021_45042_and_2023_3774_odd_input_is_stored_or_refused_and_ends_nothing() {
    let mut server = Plain::start().await.unwrap();
    let mut root = server.client();
    for (mount, version) in [("kv1", "1"), ("kv2", "2")] {
        let kind = json!({"type": "kv", "options": {"version": version}});
        root.send("POST", &format!("sys/mounts/{mount}"), Some(&kind)).await.unwrap();
    }
    let deep = |levels: usize| (0..levels).fold(json!(1), |inner, _| json!([inner]));
    let odd: Vec<String> = [
        json!({"": ""}),
        json!({"\u{0}": "\u{0}", "\u{202e}": "\u{feff}", "\u{10ffff}": "😀"}),
        json!({"a": deep(90)}),
        json!({"a": "x".repeat(500_000)}),
        json!({"a": i64::MIN, "b": u64::MAX, "c": f64::MAX, "d": f64::MIN_POSITIVE}),
        Value::Object((0..5000).map(|n| (n.to_string(), json!(n))).collect()),
    ]
    .iter()
    .map(Value::to_string)
    .chain(
        [
            r#"{"a": 1e400, "b": -0.0, "c": 123456789012345678901234567890.5e-10}"#,
            r#"{"a": 1, "a": 2, "a": {"a": 3}}"#,
            r#"{"a": "\ud800"}"#,
            r#"{"a": NaN}"#,
            "\u{feff}{}",
            "null",
            "[]",
            "{\"a\":",
            "\0",
        ]
        .map(str::to_owned),
    )
    .collect();
    for body in &odd {
        for (path, whole) in [("kv1/odd", body.clone()), ("kv2/data/odd", format!("{{\"data\":{body}}}"))] {
            let answer = root.send_raw("POST", path, &[], whole.into_bytes()).await.unwrap();
            assert!(answer.status < 500, "{path}: {} {}", answer.status, answer.body);
            assert!(root.send("GET", path, None).await.unwrap().status < 500);
        }
    }
    for options in [
        json!({"version": "2", "cas": true}),
        json!({"delete_version_after": "9223372036854775807s", "max_versions": i64::MAX}),
        json!({"max_versions": -1, "delete_version_after": "-1s"}),
        json!({"options": {"cas": -1}, "data": {}}),
        json!({"options": {"cas": i64::MAX}, "data": {}}),
        json!({"options": null, "data": null}),
        json!({"versions": [0, -1, i64::MAX, "x", 1e30]}),
        json!({"versions": "1,2,,x"}),
        json!({"custom_metadata": {"k": "v".repeat(600)}}),
    ] {
        for path in [
            "kv2/config",
            "kv2/data/odd",
            "kv2/metadata/odd",
            "kv2/delete/odd",
            "kv2/undelete/odd",
            "kv2/destroy/odd",
        ] {
            let answer = root.send("POST", path, Some(&options)).await.unwrap();
            assert!(answer.status < 500, "{path} {options}: {}", answer.body);
        }
    }
    for query in [
        "version=-1",
        "version=9223372036854775808",
        "version=1e3",
        "version=",
        "list=true&after=%00",
        "depth=-5",
    ] {
        for path in ["kv2/data/odd", "kv2/subkeys/odd", "kv2/metadata/odd", "kv2/metadata"] {
            let answer = root.send("GET", &format!("{path}?{query}"), None).await.unwrap();
            assert!(answer.status < 500, "{path}?{query}: {}", answer.body);
        }
    }
    // It has neither ended nor been started again, and goes on.
    let pid = server.pid().unwrap();
    assert!(Path::new(&format!("/proc/{pid}")).exists());
    assert!(!server.log().contains("panicked"), "{}", server.log());
    token(&mut root, json!({"policies": ["default"]})).await;
    server.kill();
    server.run().await.unwrap();
}

#[test]
fn cve_2021_38553_the_state_folder_of_x_run_is_its_owners_alone() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("state");
    let made = Command::new("sh")
        .args(["-c", "umask 0; exec \"$0\" setup \"-state=$1\""])
        .arg(binary("strongroom"))
        .arg(&state)
        .output()
        .unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let said = String::from_utf8_lossy(&made.stdout).into_owned();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&state), 0o700);
    for secret in ["server.key", "hsm-pin"] {
        let path = state.join(secret);
        assert_eq!(mode(&path), 0o600, "{secret}");
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.len() > 3 && !said.contains(text.trim()), "{secret} is printed");
        // Nor does any other file repeat it.
        for other in fs::read_dir(&state).unwrap() {
            let other = other.unwrap().path();
            let is_it = !other.is_file() || other == path;
            assert!(
                is_it || !fs::read_to_string(&other).unwrap().contains(text.trim()),
                "{}",
                other.display()
            );
        }
    }
}
