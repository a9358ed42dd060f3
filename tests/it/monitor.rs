//! The server's log as operators follow it: with the command line, and with a foreign client over HTTP/2.

use std::io::Read;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Instant;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};
use strongroom_tests::process::{DEV_ROOT, PATIENCE, Plain, Stopped};
use strongroom_tests::{Client, DevServer, Fresh, binary};

/// A program that follows a log, and what it has printed so far.
pub struct Follower {
    process: Stopped,
    printed: Arc<Mutex<String>>,
    reader: JoinHandle<()>,
}

impl Follower {
    pub fn start(command: &mut Command) -> Self {
        let command = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut process = Stopped(command.spawn().unwrap());
        let mut stdout = process.0.stdout.take().unwrap();
        let printed = Arc::<Mutex<String>>::default();
        let own = printed.clone();
        let reader = std::thread::spawn(move || {
            let mut piece = [0; 4096];
            while let Ok(length @ 1..) = stdout.read(&mut piece) {
                own.lock().unwrap().push_str(&String::from_utf8_lossy(&piece[..length]));
            }
        });
        Self { process, printed, reader }
    }

    pub fn printed(&self) -> String {
        self.printed.lock().unwrap().clone()
    }

    /// Waits until it has printed `text`.
    pub fn until(&self, text: &str) {
        let end = Instant::now() + PATIENCE;
        while !self.printed().contains(text) {
            assert!(Instant::now() < end, "{text:?} does not come:\n{}", self.printed());
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
    }

    pub fn interrupt(&self) {
        kill(Pid::from_raw(self.process.0.id().try_into().unwrap()), Signal::SIGINT).unwrap();
    }

    /// Waits for its end: its exit code, and all that it has printed, errors last.
    pub fn end(mut self) -> (Option<i32>, String) {
        let end = Instant::now() + PATIENCE;
        let status = loop {
            if let Some(status) = self.process.0.try_wait().unwrap() {
                break status;
            }
            assert!(Instant::now() < end, "it does not end:\n{}", self.printed());
            std::thread::sleep(std::time::Duration::from_millis(20));
        };
        self.reader.join().unwrap();
        let mut printed = self.printed.lock().unwrap().clone();
        self.process.0.stderr.take().unwrap().read_to_string(&mut printed).unwrap();
        (status.code(), printed)
    }
}

/// `strongroom monitor`.
fn monitor(url: &str, token: &str, ca: Option<&Path>, arguments: &[&str]) -> Follower {
    let mut command = Command::new(binary("strongroom"));
    command.arg("monitor").args(arguments).env("VAULT_ADDR", url).env("VAULT_TOKEN", token);
    Follower::start(command.envs(ca.map(|file| ("VAULT_CACERT", file))))
}

/// Waits until so many follow the log of the server behind `root`.
pub async fn followers(root: &mut Client, wanted: usize) {
    let end = Instant::now() + PATIENCE;
    loop {
        let shown = root.send("GET", "sys/in-flight-req", None).await.unwrap().body;
        let all = shown["data"].as_object().unwrap().values();
        let found = all.filter(|one| one["request_path"] == "/v1/sys/monitor").count();
        if found == wanted {
            return;
        }
        assert!(Instant::now() < end, "{found} follow the log, not {wanted}");
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
}

async fn rotate(root: &mut Client) {
    assert_eq!(root.send("POST", "sys/rotate", None).await.unwrap().status, 204);
}

const ROTATED: &str = "[INFO]  core: a new term encrypts from here on\n";

#[tokio::test(flavor = "multi_thread")]
async fn the_command_line_follows_the_log_until_it_is_interrupted_or_the_server_seals_or_stops() {
    let mut server = Plain::start().await.unwrap();
    let url = format!("http://{}", server.address);
    let mut root = server.client();
    let follow = |arguments: &[&str]| monitor(&url, &server.root_token, None, arguments);
    let (first, second) = (follow(&[]), follow(&["-log-format=json", "-log-level=error"]));
    followers(&mut root, 2).await;
    // What the server itself does not write any more is still seen by who asks for it.
    let level = json!({"level": "error"});
    assert_eq!(root.send("POST", "sys/loggers", Some(&level)).await.unwrap().status, 204);
    let before = server.log();
    rotate(&mut root).await;
    first.until(ROTATED);
    assert_eq!(server.log(), before);
    first.interrupt();
    let (code, printed) = first.end();
    assert!(code == Some(0) && printed.contains(ROTATED), "{code:?} {printed}");
    followers(&mut root, 1).await;
    let third = follow(&["-log-format=json"]);
    followers(&mut root, 2).await;
    assert_eq!(root.send("POST", "sys/seal", None).await.unwrap().status, 204);
    let (code, printed) = third.end();
    // On a slow machine the server has something else to say before.
    let line: Value = serde_json::from_str(printed.lines().last().unwrap()).unwrap();
    assert_eq!((code, &line["@message"]), (Some(0), &json!("sealed: every key is wiped")));
    assert_eq!(second.end(), (Some(0), String::new()), "nothing went wrong");
    server.run().await.unwrap();
    let last = follow_until_it_stops(&server).await;
    server.stop();
    let (code, printed) = last.end();
    assert_eq!(code, Some(0), "{printed}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_line_ends_with_the_pipe_that_it_writes_to() {
    let server = DevServer::start().await.unwrap();
    let mut root = server.client();
    let child = Command::new(binary("strongroom"))
        .arg("monitor")
        .envs([("VAULT_ADDR", server.url().as_str()), ("VAULT_TOKEN", DEV_ROOT)])
        .stdout(Stdio::piped())
        .spawn();
    let mut process = Stopped(child.unwrap());
    followers(&mut root, 1).await;
    drop(process.0.stdout.take());
    rotate(&mut root).await;
    followers(&mut root, 0).await;
    assert_eq!(process.0.wait().unwrap().code(), Some(0));
}

async fn follow_until_it_stops(server: &Plain) -> Follower {
    let last = monitor(&format!("http://{}", server.address), &server.root_token, None, &[]);
    followers(&mut server.client(), 1).await;
    last
}

#[tokio::test(flavor = "multi_thread")]
async fn a_foreign_client_follows_it_over_http_2_until_its_token_is_revoked() {
    let server = Fresh::start().await.unwrap();
    let opened = server.open().await.unwrap();
    let mut root = server.client(&opened.root_token).unwrap();
    let policy = json!({"policy": r#"path "sys/monitor" { capabilities = ["read", "sudo"] }"#});
    root.send("PUT", "sys/policies/acl/operators", Some(&policy)).await.unwrap();
    let made =
        root.send("POST", "auth/token/create", Some(&json!({"policies": ["operators"]}))).await.unwrap();
    let token = made.body["auth"]["client_token"].as_str().unwrap().to_owned();
    let url = format!("{}/v1/sys/monitor?log_level=debug", server.url());
    let curl = Follower::start(
        Command::new("curl")
            .args(["-sSN", "--http2", "-w", "status %{http_code}, HTTP/%{http_version}", "--cacert"])
            .arg(server.ca_file())
            .arg(format!("-HX-Vault-Token: {token}"))
            .arg(url),
    );
    followers(&mut root, 1).await;
    // The listeners say something that is of no importance to the server's own log.
    let mut stranger = std::net::TcpStream::connect(server.address).unwrap();
    std::io::Write::write_all(&mut stranger, b"GET / HTTP/1.1\r\n\r\n").unwrap();
    curl.until("[DEBUG] http: a TLS handshake failed: ");
    assert!(!server.log().contains("handshake"), "{}", server.log());
    rotate(&mut root).await;
    curl.until(ROTATED);
    assert_eq!(
        root.send("POST", "auth/token/revoke", Some(&json!({ "token": token }))).await.unwrap().status,
        204
    );
    let (code, printed) = curl.end();
    assert_eq!(code, Some(0), "{printed}");
    assert!(printed.contains("monitor: ended: the token has ended"), "{printed}");
    assert!(printed.ends_with("status 200, HTTP/2"), "{printed}");
    assert!(!printed.contains(&token) && !printed.contains(&opened.root_token), "{printed}");
    followers(&mut root, 0).await;
}
