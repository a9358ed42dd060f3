//! A listener with a service of our own behind it, and the means to talk to it.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use serde_json::json;
use strongroom_core::ResponseRules;
use strongroom_http::{
    Address, Bound, CustomHeaders, Limits, Listener, MinVersion, Pem, Seating, Service, Tls, bind, serve,
};
use strongroom_types::request::BodyError;
use strongroom_types::{BoxFuture, Operation, Received, Refusal, Reply, Request, Stream};
use tokio::runtime::Runtime;
use tokio::sync::{Notify, watch};

use crate::streams::{Flood, Lines};

/// Long enough for anything that is to happen, short enough that a failing test ends.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// What the service has seen, and what it waits for.
#[derive(Default)]
pub struct Seen {
    pub begun: AtomicUsize,
    pub ended: AtomicUsize,
    /// Bodies that are held.
    pub held: AtomicUsize,
    pub go: Notify,
    pub rules: Mutex<Arc<ResponseRules>>,
    /// Streams that go on.
    pub streams: AtomicUsize,
}

impl Seen {
    pub fn begun(&self) -> usize {
        self.begun.load(Ordering::SeqCst)
    }

    pub fn ended(&self) -> usize {
        self.ended.load(Ordering::SeqCst)
    }
}

/// `echo` tells what came, `hold` does the same once it is let go, `status/N` has that status and a body, `wait` waits until it is let go, `unread` ignores its body,
/// `stream` and `flood` go on (see `streams.rs`), anything else is 404.
struct Fake(Arc<Seen>);

impl Service for Fake {
    fn handle(&self, request: Request<Received>) -> BoxFuture<'_, Result<Reply, Refusal>> {
        Box::pin(async move {
            self.0.begun.fetch_add(1, Ordering::SeqCst);
            let answer = self.answer(request).await;
            self.0.ended.fetch_add(1, Ordering::SeqCst);
            answer
        })
    }

    fn response_rules(&self) -> Arc<ResponseRules> {
        self.0.rules.lock().unwrap().clone()
    }
}

impl Fake {
    async fn answer(&self, request: Request<Received>) -> Result<Reply, Refusal> {
        let Request { head, stage: Received { mut body } } = request;
        match head.path.as_str() {
            "echo" | "hold" => {
                let raw = match head.operation.is_write() {
                    true => body.read(1024 * 1024).await,
                    false => Ok(Vec::new().into()),
                };
                let raw = raw.map_err(|error| match error {
                    BodyError::TooLarge => {
                        Refusal::new(strongroom_types::error::Kind::TooLarge, "http: request body too large")
                    }
                    BodyError::Crowded => {
                        Refusal::new(strongroom_types::error::Kind::TooMany, "too many large bodies")
                    }
                    BodyError::Broken => Refusal::bad_request("the request body did not arrive whole"),
                })?;
                if head.path.as_str() == "hold" {
                    self.0.held.fetch_add(1, Ordering::SeqCst);
                    self.0.go.notified().await;
                }
                Ok(Reply::data(json!({
                    "bytes": raw.len(),
                    "operation": head.operation.name(),
                    "token": head.token.as_ref().and_then(|token| token.expose_str()),
                })))
            }
            "wait" => {
                self.0.go.notified().await;
                Ok(Reply::data(json!({ "waited": true })))
            }
            "long" => Ok(Reply::data(json!({ "x": "x".repeat(8 * 1024 * 1024) }))),
            "unread" => Ok(Reply::Empty),
            "stream" => Ok(Reply::Stream(Stream::new("text/plain", Lines::new(&self.0)))),
            "flood" => Ok(Reply::Stream(Stream::new("text/plain", Flood(Lines::new(&self.0))))),
            "fault" => Err(Refusal::internal()),
            "health" if head.operation == Operation::Head => {
                Ok(Reply::Json { status: 200, body: json!({ "a": 1 }) })
            }
            path if path.starts_with("status/") => {
                Ok(Reply::Json { status: path[7..].parse().unwrap_or(500), body: json!({ "a": 1 }) })
            }
            _ => Err(Refusal::not_found()),
        }
    }
}

/// A running listener; drained when dropped.
pub struct Server {
    pub address: SocketAddr,
    pub url: String,
    pub seen: Arc<Seen>,
    stop: watch::Sender<bool>,
    runtime: Option<Runtime>,
    serving: Option<tokio::task::JoinHandle<()>>,
}

/// Limits whose times a test can wait for.
pub fn limits() -> Limits {
    Limits {
        head_time: Duration::from_millis(300),
        handshake_time: Duration::from_millis(500),
        body_time: Duration::from_millis(500),
        drain_time: Duration::from_millis(500),
        idle_time: Duration::from_secs(10),
        ..Limits::default()
    }
}

/// What an operator might add.
pub fn headers() -> CustomHeaders {
    let mut headers = CustomHeaders::default();
    headers.add("4xx", "X-Custom", &["refused".into(), "by us".into()]).unwrap();
    headers.add("default", "X-Custom", &["any".into()]).unwrap();
    headers
}

/// Where it listens, if it is TCP.
pub fn address(bound: &Bound) -> SocketAddr {
    match bound.address() {
        Address::Tcp(address) => *address,
        Address::Unix { .. } => ([0, 0, 0, 0], 0).into(),
    }
}

impl Server {
    pub fn plain(limits: Limits) -> Self {
        let address = Address::Tcp("127.0.0.1:0".parse().unwrap());
        Self::start(
            bind(Listener { address, tls: None, limits, headers: headers(), metrics: Default::default() })
                .unwrap(),
        )
    }

    pub fn tls(limits: Limits, min_version: MinVersion) -> Self {
        let address = Address::Tcp("127.0.0.1:0".parse().unwrap());
        Self::start(
            bind(Listener {
                address,
                tls: Some(tls(min_version)),
                limits,
                headers: headers(),
                metrics: Default::default(),
            })
            .unwrap(),
        )
    }

    pub fn start(bound: Bound) -> Self {
        Self::seated(vec![bound], Seating { connections: 2000 })
    }

    /// Several listeners that share their seats; the first one's address is the server's.
    pub fn seated(listeners: Vec<Bound>, seating: Seating) -> Self {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let seen = Arc::new(Seen::default());
        let (stop, stopped) = watch::channel(false);
        let address = address(&listeners[0]);
        let url = listeners[0].url();
        let serving = runtime.spawn(serve(listeners, Arc::new(Fake(seen.clone())), seating, stopped));
        Self { address, url, seen, stop, runtime: Some(runtime), serving: Some(serving) }
    }

    pub fn stop(&self) {
        self.stop.send_replace(true);
    }

    /// Stops, and returns once nothing is left.
    pub fn end(mut self) {
        self.stop();
        let (serving, runtime) = (self.serving.take().unwrap(), self.runtime.take().unwrap());
        runtime.block_on(async { tokio::time::timeout(PATIENCE, serving).await }).unwrap().unwrap();
    }

    /// A plain connection.
    pub fn connect(&self) -> Wire {
        let socket = TcpStream::connect(self.address).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        socket.set_nodelay(true).unwrap();
        Wire(socket)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.stop.send(true);
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_timeout(Duration::from_secs(2));
        }
    }
}

/// A connection on which a test writes what it likes.
pub struct Wire(pub TcpStream);

impl Wire {
    pub fn send(&mut self, text: impl AsRef<[u8]>) -> &mut Self {
        // The other end may have closed already, which is what some tests are about.
        let _ = self.0.write_all(text.as_ref());
        self
    }

    /// One answer: its status, and its body if it has a Content-Length.
    pub fn answer(&mut self) -> (u16, String) {
        let (head, status) = self.head();
        let length = head
            .lines()
            .find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ").map(str::to_owned))
            .map_or(0, |length| length.trim().parse().unwrap());
        let mut body = vec![0; length];
        self.0.read_exact(&mut body).unwrap();
        (status, String::from_utf8(body).unwrap())
    }

    /// The status of an answer, or None if the other end closes instead.
    pub fn rest_or_answer(&mut self) -> Option<u16> {
        let mut first = [0];
        match self.0.peek(&mut first) {
            Ok(1) => Some(self.answer().0),
            _ => None,
        }
    }

    pub fn head(&mut self) -> (String, u16) {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            assert_eq!(
                self.0.read(&mut byte).unwrap(),
                1,
                "closed after {:?}",
                String::from_utf8_lossy(&head)
            );
            head.push(byte[0]);
        }
        let head = String::from_utf8(head).unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        (head, status)
    }

    /// Everything until the other end closes.
    pub fn rest(&mut self) -> String {
        let mut rest = Vec::new();
        let mut piece = [0; 4096];
        loop {
            match self.0.read(&mut piece) {
                Ok(0) => break,
                Ok(length) => rest.extend_from_slice(&piece[..length]),
                Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => break,
                Err(error) => panic!("not closed: {error}"),
            }
        }
        String::from_utf8_lossy(&rest).into_owned()
    }
}

/// A certificate authority, and a certificate of it for 127.0.0.1, made once.
pub struct Ca {
    _folder: tempfile::TempDir,
    pub ca: PathBuf,
    pub certificate: PathBuf,
    pub key: PathBuf,
}

pub fn ca() -> &'static Ca {
    static CA: OnceLock<Ca> = OnceLock::new();
    CA.get_or_init(|| {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        openssl(&format!(
            "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -subj /CN=ca -keyout {} -out {}",
            path("ca.key").display(),
            path("ca.pem").display()
        ));
        let (certificate, key) = issue(&folder, "leaf");
        Ca { ca: path("ca.pem"), certificate, key, _folder: folder }
    })
}

impl Ca {
    /// A further certificate of the same authority.
    pub fn issue(&self, name: &str) -> (PathBuf, PathBuf) {
        issue(&self._folder, name)
    }
}

fn issue(folder: &tempfile::TempDir, name: &str) -> (PathBuf, PathBuf) {
    let path = |ending: &str| folder.path().join(format!("{name}.{ending}"));
    std::fs::write(path("ext"), "subjectAltName=IP:127.0.0.1,DNS:localhost\nbasicConstraints=CA:FALSE\n")
        .unwrap();
    openssl(&format!(
        "req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN={name} -keyout {} -out {}",
        path("key").display(),
        path("csr").display()
    ));
    openssl(&format!(
        "x509 -req -in {} -CA {ca}.pem -CAkey {ca}.key -CAcreateserial -days 30 -extfile {} -out {}",
        path("csr").display(),
        path("ext").display(),
        path("pem").display(),
        ca = folder.path().join("ca").display(),
    ));
    (path("pem"), path("key"))
}

pub fn tls(min_version: MinVersion) -> Tls {
    let ca = ca();
    Tls { certificate: Pem::File(ca.certificate.clone()), key: Pem::File(ca.key.clone()), min_version }
}

fn openssl(arguments: &str) {
    let output = command("openssl", arguments);
    assert!(output.status.success(), "openssl {arguments}: {}", String::from_utf8_lossy(&output.stderr));
}

/// Runs a foreign program to its end, without input.
#[allow(clippy::disallowed_methods)] // a test's foreign client
pub fn command(program: &str, arguments: &str) -> std::process::Output {
    Command::new(program)
        .args(arguments.split_whitespace())
        .stdin(std::process::Stdio::null())
        .output()
        .unwrap_or_else(|error| panic!("{program}: {error}"))
}
