//! `strongroom server` as a process: mistakes, `-dev`, signals, what it gives up at start.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may fail")]
#![allow(clippy::disallowed_methods, reason = "a test starts what it tests")]

use std::fs;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread::sleep;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;

const BINARY: &str = env!("CARGO_BIN_EXE_strongroom");

struct Server {
    folder: TempDir,
    port: u16,
    child: Child,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Server {
    /// Starts one with these arguments, in which `$D` is a folder of its own and `$P` a free port.
    fn start(arguments: &[&str], files: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port();
        let path = folder.path().to_str().unwrap().to_owned();
        let fill = |text: &str| text.replace("$D", &path).replace("$P", &port.to_string());
        for (name, text) in files {
            fs::write(folder.path().join(name), fill(text)).unwrap();
            fs::set_permissions(folder.path().join(name), PermissionsExt::from_mode(0o600)).unwrap();
        }
        let log = fs::File::create(folder.path().join("log")).unwrap();
        let child = Command::new(BINARY)
            .arg("server")
            .args(arguments.iter().map(|argument| fill(argument)))
            .env("HOME", folder.path())
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        Self { folder, port, child }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn log(&self) -> String {
        fs::read_to_string(self.file("log")).unwrap()
    }

    fn wait_for(&self, line: &str) {
        for _ in 0..1200 {
            if self.log().contains(line) {
                return;
            }
            sleep(Duration::from_millis(25));
        }
        panic!("{line:?} did not come:\n{}", self.log());
    }

    fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.child.id().try_into().unwrap()), signal).unwrap();
    }

    fn end(&mut self) -> ExitStatus {
        self.child.wait().unwrap()
    }

    /// The whole answer to a GET.
    fn get(&self, path: &str) -> String {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).unwrap();
        write!(stream, "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }
}

const STARTED: &str = "==> Strongroom server started! Log data will stream in below:";

const MEMORY: &str = r#"
    storage "inmem" {}
    listener "tcp" { address = "127.0.0.1:$P" tls_disable = true }
    audit "file" "log" { path = "$D/audit.log" }
    pid_file = "$D/pid"
    ui = true
"#;

#[test]
fn a_wrong_configuration_ends_it_with_every_problem() {
    let wrong = "storage \"raft\" {}\nlistener \"tcp\" { adress = \"127.0.0.1:$P\" tls_disable = true }\n";
    let mut server = Server::start(&["-config=$D/wrong.hcl"], &[("wrong.hcl", wrong)]);
    assert_eq!(server.end().code(), Some(1));
    let said = server.log();
    assert!(said.contains("wrong.hcl:1:1: storage \"raft\": "), "{said}");
    assert!(
        said.contains("wrong.hcl:2:18: listener \"tcp\": unknown key \"adress\", did you mean \"address\"?"),
        "{said}"
    );
    assert!(!said.contains("==>"), "{said}");
}

#[test]
fn what_cannot_be_opened_is_named_before_anything_is_promised() {
    let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let configuration = format!(
        "storage \"inmem\" {{}}\nlistener \"tcp\" {{ address = \"{}\" tls_disable = true }}\n",
        taken.local_addr().unwrap()
    );
    let mut server = Server::start(&["-config=$D/a.hcl"], &[("a.hcl", &configuration)]);
    assert_eq!(server.end().code(), Some(1));
    assert!(server.log().contains("another process does"), "{}", server.log());

    let configuration =
        "storage \"redb\" { path = \"$D/none/store\" }\nlistener \"tcp\" { tls_disable = true }\n";
    let mut server = Server::start(&["-config=$D/a.hcl"], &[("a.hcl", configuration)]);
    assert_eq!(server.end().code(), Some(1));
    assert!(server.log().starts_with("storage: "), "{}", server.log());
}

#[test]
fn a_development_server_says_its_keys_and_keeps_its_token() {
    let mut server =
        Server::start(&["-dev", "-dev-root-token-id=root", "-dev-listen-address=127.0.0.1:$P"], &[]);
    server.wait_for("Root Token: root");
    let log = server.log();
    for line in ["==> Strongroom server configuration:", STARTED, "\nUnseal Key: ", "\nRoot Token: root\n"] {
        assert!(log.contains(line), "{line} in {log}");
    }
    assert!(log.contains(&format!("$ export VAULT_ADDR='http://127.0.0.1:{}'", server.port)));
    let token = server.file(".vault-token");
    assert_eq!(fs::read_to_string(&token).unwrap(), "root");
    assert_eq!(fs::metadata(&token).unwrap().permissions().mode() & 0o777, 0o600);
    assert!(server.get("/v1/sys/health").starts_with("HTTP/1.1 200"));
    server.signal(Signal::SIGTERM);
    assert!(server.end().success(), "{}", server.log());
}

#[test]
fn a_development_server_with_tls_is_believed_by_who_has_its_ca() {
    let arguments =
        ["-dev", "-dev-tls-cert-dir=$D/tls", "-dev-listen-address=127.0.0.1:$P", "-dev-no-store-token"];
    let server = Server::start(&arguments, &[]);
    server.wait_for("Root Token: ");
    assert!(!server.file(".vault-token").exists());
    let ca = server.file("tls/vault-ca.pem");
    assert!(server.log().contains(&format!("$ export VAULT_CACERT='{}'", ca.display())));
    let ask = |ca: &Path| {
        let url = format!("https://127.0.0.1:{}/v1/sys/health", server.port);
        Command::new("curl")
            .args(["-sf", "--cacert", ca.to_str().unwrap(), &url])
            .output()
            .unwrap()
            .status
            .success()
    };
    assert!(ask(&ca));
    let other = Server::start(&arguments, &[]);
    other.wait_for("Root Token: ");
    assert!(!ask(&other.file("tls/vault-ca.pem")), "another server's CA says nothing of this one");
}

#[test]
fn sighup_reopens_the_audit_file_and_sigterm_ends_in_order() {
    let mut server = Server::start(&["-config=$D"], &[("a.hcl", MEMORY)]);
    server.wait_for(STARTED);
    assert!(server.log().contains("a.hcl:6:5: ui has no meaning here and is ignored"));
    let pid = fs::read_to_string(server.file("pid")).unwrap();
    assert_eq!(pid.trim(), server.child.id().to_string());
    let audit = server.file("audit.log");
    fs::rename(&audit, server.file("audit.1")).unwrap();
    server.signal(Signal::SIGHUP);
    server.wait_for("audit sink \"log\" reopened");
    assert!(audit.exists());
    assert!(server.get("/v1/sys/health").starts_with("HTTP/1.1 501"), "not initialised");
    server.signal(Signal::SIGTERM);
    assert!(server.end().success(), "{}", server.log());
    assert!(!server.file("pid").exists());
}

/// A certificate for 127.0.0.1 that signs itself, and its key.
fn certificate(folder: &Path, name: &str) {
    let file = |ending: &str| folder.join(format!("{name}.{ending}"));
    let made = Command::new("openssl")
        .args([
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-nodes",
            "-days",
            "30",
        ])
        .args(["-subj", "/CN=server", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout"])
        .arg(file("key"))
        .arg("-out")
        .arg(file("pem"))
        .output()
        .unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
}

#[test]
fn sighup_reloads_log_level_certificate_and_audit_file_and_keeps_what_it_cannot() {
    const TEXT: &str = r#"
        storage "inmem" {}
        listener "tcp" { address = "127.0.0.1:$P" tls_cert_file = "$D/server.pem" tls_key_file = "$D/server.key" }
        audit "file" "log" { path = "$D/audit.log" }
        log_level = "LEVEL"
    "#;
    let folder = tempfile::tempdir().unwrap();
    certificate(folder.path(), "first");
    certificate(folder.path(), "second");
    let text = |name: &str| fs::read_to_string(folder.path().join(name)).unwrap();
    let (first_pem, first_key) = (text("first.pem"), text("first.key"));
    let files =
        [("a.hcl", TEXT.replace("LEVEL", "warn")), ("server.pem", first_pem), ("server.key", first_key)];
    let files = files.each_ref().map(|(name, text)| (*name, text.as_str()));
    let mut server = Server::start(&["-config=$D/a.hcl"], &files);
    server.wait_for(STARTED);
    let put = |name: &str, text: &str| {
        let text = text
            .replace("$D", server.folder.path().to_str().unwrap())
            .replace("$P", &server.port.to_string());
        fs::write(server.file(name), text).unwrap();
    };
    let is_served = |name: &str| {
        let url = format!("https://127.0.0.1:{}/v1/sys/seal-status", server.port);
        let ca = folder.path().join(format!("{name}.pem"));
        Command::new("curl").args(["-sf", "--cacert"]).arg(ca).arg(url).output().unwrap().status.success()
    };
    assert!(is_served("first") && !is_served("second"));

    // What is quiet says nothing of it, and does it: the audit file is there again.
    fs::rename(server.file("audit.log"), server.file("audit.1")).unwrap();
    server.signal(Signal::SIGHUP);
    for _ in 0..1200 {
        if server.file("audit.log").exists() {
            break;
        }
        sleep(Duration::from_millis(25));
    }
    assert!(server.file("audit.log").exists() && !server.log().contains("INFO"), "{}", server.log());

    put("a.hcl", &TEXT.replace("LEVEL", "debug"));
    put("server.pem", &text("second.pem"));
    put("server.key", &text("second.key"));
    server.signal(Signal::SIGHUP);
    server.wait_for("INFO  certificate reloaded");
    for line in ["INFO  the log level is debug", "INFO  audit sink \"log\" reopened"] {
        assert!(server.log().contains(line), "{line}: {}", server.log());
    }
    assert!(is_served("second") && !is_served("first"));

    // A configuration that is wrong and a pair that does not belong together change nothing.
    put("a.hcl", &TEXT.replace("LEVEL", "loud"));
    put("server.key", &text("first.key"));
    server.signal(Signal::SIGHUP);
    server.wait_for("the certificate in use stays");
    let said = server.log();
    assert!(said.contains("a.hcl:5:9: log_level must be trace, debug, info, warn or error"), "{said}");
    assert!(said.contains("the log level stays"), "{said}");
    assert!(is_served("second"));
    server.signal(Signal::SIGTERM);
    assert!(server.end().success(), "{}", server.log());
}

#[test]
fn it_gives_up_what_it_does_not_need() {
    let server = Server::start(&["-config=$D"], &[("a.hcl", MEMORY)]);
    server.wait_for(STARTED);
    let folder = PathBuf::from(format!("/proc/{}", server.child.id()));
    for task in fs::read_dir(folder.join("task")).unwrap() {
        let status = fs::read_to_string(task.unwrap().path().join("status")).unwrap();
        let field =
            |name: &str| status.lines().find_map(|line| line.strip_prefix(name)).unwrap().trim().to_owned();
        assert_eq!(field("NoNewPrivs:"), "1");
        assert_eq!(field("Seccomp:"), "2", "the filter that refuses exec");
    }
    let limits = fs::read_to_string(folder.join("limits")).unwrap();
    let core = limits.lines().find(|line| line.starts_with("Max core file size")).unwrap();
    assert_eq!(core.split_whitespace().nth(4), Some("0"), "{core}");
}

#[test]
fn called_through_a_link_it_is_the_same() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["vault", "bao"] {
        let link = folder.path().join(name);
        std::os::unix::fs::symlink(BINARY, &link).unwrap();
        let out = Command::new(&link).arg("-version").output().unwrap();
        let said = String::from_utf8(out.stdout).unwrap();
        assert!(said.starts_with("Strongroom v1.20.0"), "{name}: {said}");
        let help = Command::new(&link).args(["server", "-help"]).output().unwrap();
        assert!(help.status.success());
    }
}
