//! Configurations as operators write them, and their mistakes. `tests/config/good/NAME.warnings` and
//! `tests/config/bad/NAME.problems` hold what is to be said, one a line, without the file's name.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::*;

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/config").join(name)
}

/// A copy of `file` that nobody else may change, whatever the checkout's umask was.
fn own(file: &Path) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let copy = folder.path().join(file.file_name().unwrap());
    fs::write(&copy, fs::read(file).unwrap()).unwrap();
    fs::set_permissions(&copy, PermissionsExt::from_mode(0o600)).unwrap();
    (folder, copy)
}

/// Each configuration of a folder, with the file of what is to be said about it.
fn corpus(name: &str, said: &str) -> Vec<(PathBuf, String)> {
    let files = files_of(&folder(name)).unwrap();
    assert!(files.len() > 2, "the corpus is not there");
    files
        .into_iter()
        .map(|file| (file.clone(), fs::read_to_string(file.with_extension(said)).unwrap()))
        .collect()
}

fn lines(file: &Path, remarks: &[report::Remark]) -> String {
    let prefix = format!("{}:", file.display());
    let line = |remark: &report::Remark| {
        let text = remark.to_string();
        format!("{}\n", text.strip_prefix(&prefix).expect("the file is named").trim_start())
    };
    remarks.iter().map(line).collect()
}

#[test]
fn good_configurations_are_read_and_warned_about() {
    for (file, expected) in corpus("good", "warnings") {
        let (_folder, file) = own(&file);
        let (_, report) = load(std::slice::from_ref(&file)).unwrap_or_else(|report| panic!("{report}"));
        assert_eq!(lines(&file, &report.warnings), expected, "{}", file.display());
    }
}

#[test]
fn all_problems_of_a_file_are_named_with_their_places() {
    let mut wrong = Vec::new();
    for (file, expected) in corpus("bad", "problems") {
        let (_folder, file) = own(&file);
        let report = load(std::slice::from_ref(&file)).expect_err("a mistake is refused");
        let said = lines(&file, &report.problems);
        if said != expected {
            wrong.push(format!("{}\n{said}", file.display()));
        }
    }
    assert!(wrong.is_empty(), "said otherwise:\n{}", wrong.join("\n"));
}

#[test]
fn every_word_of_a_production_file_arrives() {
    let (_folder, file) = own(&folder("good/production.hcl"));
    let (config, _) = load(&[file]).unwrap();
    let [tls, plain, unix] = config.listeners.as_slice() else { panic!("three listeners") };
    assert_eq!(
        tls.at,
        At::Tls {
            address: "[::]:8200".parse().unwrap(),
            cert: "/etc/strongroom/server.crt".into(),
            key: "/etc/strongroom/server.key".into(),
            min_version: MinVersion::Tls12,
        }
    );
    assert_eq!((tls.limits.body_bytes, tls.limits.request_time.as_secs()), (1 << 20, 30));
    assert_eq!(tls.limits.all_bodies_bytes, 64 << 20);
    assert_eq!(tls.limits.connections, Limits::default().connections);
    assert_eq!(config.json, JsonLimits { depth: 20, members: MAX_JSON_MEMBERS });
    let mut headers = CustomHeaders::default();
    headers.add("default", "X-Frame-Options", &["DENY".into()]).unwrap();
    let policy = ["default-src 'none'".into(), "frame-ancestors 'none'".into()];
    headers.add("default", "Content-Security-Policy", &policy).unwrap();
    headers.add("4xx", "X-Custom", &["refused".into()]).unwrap();
    assert_eq!(tls.headers, headers);
    assert_eq!(plain.at, At::Plain { address: "127.0.0.1:8202".parse().unwrap() });
    assert_eq!(unix.at, At::Unix { path: "/run/strongroom/api.sock".into(), mode: 0o660 });
    let reserve = Reserve { at_least: 1 << 30, ..Reserve::default() };
    let path = PathBuf::from("/var/lib/strongroom/store.redb");
    assert_eq!(config.storage, Storage::Redb { path, cache: 64 << 20, reserve });
    let device = |kind, name: &str, socket: &str, key_id: &str, peer_uid| {
        let (name, key_id) = (name.to_owned(), key_id.to_owned());
        Seal::Device(Device { kind, name, socket: socket.into(), key_id, peer_uid, allow_same_uid: false })
    };
    assert_eq!(
        config.seals,
        [
            device(DeviceKind::Pkcs11, "hsm", "/run/strongroom/hsm.sock", "strongroom-root", Some(901)),
            device(DeviceKind::Tpm, "board", "/run/strongroom/tpm.sock", "root.2026", Some(902)),
            Seal::Custodians { threshold: 2, shares: 5 },
        ]
    );
    let [disk, console] = config.audit.as_slice() else { panic!("two sinks") };
    let options = |sink: &Audit| sink.options.iter().map(|(k, v)| format!("{k}={v}")).collect::<Vec<_>>();
    assert_eq!(options(disk), ["file_path=/var/log/strongroom/audit.log", "mode=0644"], "never executable");
    assert_eq!(
        (disk.kind.as_str(), disk.name.as_str(), disk.description.as_str()),
        ("file", "to-disk", "all of it")
    );
    assert_eq!(options(console), ["file_path=stdout", "log_raw=false"]);
    assert_eq!((config.default_lease_ttl, config.max_lease_ttl), (3600, 768 * 3600));
    assert_eq!(config.api_addr.as_deref(), Some("https://strongroom.example.com:8200"));
    assert_eq!((config.node.as_str(), config.cluster_name.as_deref()), ("node-a", Some("prod")));
    assert_eq!(config.key_memory, 4 << 20);
}

#[test]
fn metrics_are_open_only_where_a_listener_says_so() {
    let (_folder, file) = own(&folder("good/telemetry.hcl"));
    let (config, _) = load(&[file]).unwrap();
    let open = |open, only| MetricsAccess { open, only };
    let found: Vec<MetricsAccess> = config.listeners.iter().map(|listener| listener.metrics).collect();
    assert_eq!(found, [open(true, false), open(true, true), open(false, false)]);
    let telemetry = Telemetry {
        prefix: "strongroom".into(),
        filters: vec![("strongroom.route".into(), false), ("strongroom.route.read".into(), true)],
        ..Telemetry::default()
    };
    assert_eq!(config.telemetry, telemetry);
    let (_folder, file) = own(&folder("good/production.hcl"));
    let (config, _) = load(&[file]).unwrap();
    assert!(config.listeners.iter().all(|listener| listener.metrics == MetricsAccess::default()));
}

#[test]
fn files_of_a_folder_add_up_in_order_and_the_last_word_counts() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
    write("10-listener.hcl", "listener \"tcp\" { tls_disable = true }\ncluster_name = \"a\"");
    write("20-storage.json", r#"{"storage": {"inmem": {}}, "cluster_name": "b"}"#);
    write("README", "not a configuration");
    let (config, _) = load(&[folder.path().to_owned()]).unwrap();
    assert_eq!((config.listeners.len(), config.storage), (1, Storage::Memory));
    assert_eq!(config.cluster_name.as_deref(), Some("b"));

    write("30-more.hcl", "listener \"unix\" { address = \"s\" }\nclustername = \"c\"");
    let report = load(&[folder.path().to_owned()]).unwrap_err();
    assert!(report.to_string().contains("30-more.hcl:2:1: unknown key \"clustername\""), "{report}");
}

#[test]
fn lockouts_are_set_for_all_and_for_a_kind() {
    let folder = tempfile::tempdir().unwrap();
    let base = "storage \"inmem\" {}\nlistener \"tcp\" { tls_disable = true }\n";
    let with = |text: &str| {
        fs::write(folder.path().join("a.hcl"), format!("{base}{text}")).unwrap();
        load(&[folder.path().to_owned()]).map(|(config, _)| config).map_err(|report| report.to_string())
    };
    let text = "user_lockout \"all\" {\n  lockout_threshold = \"7\"\n  lockout_duration = \"10m\"\n}\n\
                user_lockout \"userpass\" {\n  lockout_counter_reset = \"1m\"\n  disable_lockout = \"true\"\n}\n";
    let read = with(text).unwrap().user_lockout;
    let (all, own) = (read["all"], read["userpass"]);
    assert_eq!((all.threshold, all.duration, all.counter_reset, all.disable), (7, 600, 0, None));
    assert_eq!((own.threshold, own.counter_reset, own.disable), (0, 60, Some(true)));
    for wrong in [
        "user_lockout \"token\" {}",
        "user_lockout \"all\" { lockout_threshold = 0 }",
        "user_lockout \"all\" { lockout_duration = 0 }",
        "user_lockout \"all\" { lockout_thresold = 3 }",
        "user_lockout \"all\" {}\nuser_lockout \"all\" {}",
    ] {
        assert!(with(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn what_is_not_there_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let report = load(&[folder.path().to_owned(), folder.path().join("none.hcl")]).unwrap_err().to_string();
    assert!(report.contains("the folder has no .hcl or .json file"), "{report}");
    assert!(report.contains("none.hcl: cannot be read"), "{report}");
}

#[test]
fn a_configuration_that_others_may_change_is_refused() {
    let (folder, file) = own(&folder("good/legacy.hcl"));
    let load_with = |path: &Path, mode: u32| {
        fs::set_permissions(path, PermissionsExt::from_mode(mode)).unwrap();
        load(&[path.to_owned()]).map(|_| ()).map_err(|report| report.to_string())
    };
    for mode in [0o600, 0o640, 0o644, 0o444] {
        load_with(&file, mode).unwrap();
    }
    for mode in [0o620, 0o602, 0o666, 0o664] {
        let said = load_with(&file, mode).unwrap_err();
        assert!(
            said.contains("legacy.hcl") && said.contains(&format!("(mode {mode:04o}): chmod go-w")),
            "{said}"
        );
    }
    // Nor in a folder: whoever may put a file there configures the server.
    load_with(&file, 0o600).unwrap();
    for (mode, is_well) in [(0o755, true), (0o1777, true), (0o777, false), (0o770, false)] {
        assert_eq!(load_with(folder.path(), mode).is_ok(), is_well, "{mode:o}");
    }
    fs::set_permissions(&file, PermissionsExt::from_mode(0o660)).unwrap();
    assert!(load_with(folder.path(), 0o755).unwrap_err().contains("legacy.hcl"));
}
