//! Servers that live as long as a test: a development server, and the whole appliance with its bridges and devices.

use std::fs;
use std::io::{self, BufRead, BufReader, Read};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use tempfile::TempDir;

use crate::{Client, binary, repository};

/// The root token of a [`DevServer`].
pub const DEV_ROOT: &str = "root";

/// How long anything may take that normally takes a second: on a busy machine, much longer.
pub const PATIENCE: Duration = Duration::from_secs(90);

/// A port that nobody listens on, and as many after it as are asked for in a row: below the range from which the system
/// takes ports by itself, and never the same one twice.
///
/// Asked by knocking: a listener of our own would live on for a moment in whatever is started meanwhile.
pub fn free_port(in_a_row: u16) -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let start = u16::try_from(std::process::id() % 250).unwrap_or(0) * 40;
    loop {
        let first = 20_000 + (start.wrapping_add(NEXT.fetch_add(in_a_row, Ordering::Relaxed))) % 10_000;
        let is_free = |port| TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err();
        if (first..first + in_a_row).all(is_free) {
            return first;
        }
    }
}

/// Stops a child when dropped: first kindly, then surely.
pub struct Stopped(pub Child);

impl Drop for Stopped {
    fn drop(&mut self) {
        if let Ok(pid) = i32::try_from(self.0.id()) {
            let _ = kill(Pid::from_raw(pid), Signal::SIGTERM);
        }
        let end = Instant::now() + Duration::from_secs(15);
        while Instant::now() < end {
            if !matches!(self.0.try_wait(), Ok(None)) {
                return;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// `strongroom server -dev` on a free port.
pub struct DevServer {
    /// Where it listens.
    pub address: SocketAddr,
    /// Its home folder: the token file of the command line is in it.
    pub home: TempDir,
    ca: Option<Vec<u8>>,
    _process: Stopped,
}

impl DevServer {
    /// Starts one and waits until it answers.
    pub async fn start() -> io::Result<Self> {
        Self::with(&[]).await
    }

    /// The same with more arguments.
    pub async fn with(arguments: &[&str]) -> io::Result<Self> {
        Self::launch(arguments, false).await
    }

    /// One that speaks HTTPS.
    pub async fn with_tls() -> io::Result<Self> {
        Self::launch(&[], true).await
    }

    async fn launch(arguments: &[&str], tls: bool) -> io::Result<Self> {
        let home = tempfile::tempdir()?;
        let port = free_port(1);
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let log = fs::File::create(home.path().join("server.log"))?;
        let child = Command::new(binary("strongroom"))
            .args(["server", "-dev", "-dev-no-store-token"])
            .arg(format!("-dev-root-token-id={DEV_ROOT}"))
            .arg(format!("-dev-listen-address={address}"))
            .args(arguments)
            .args(tls.then(|| format!("-dev-tls-cert-dir={}", home.path().join("tls").display())))
            .env("HOME", home.path())
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()?;
        let process = Stopped(child);
        let mut server = Self { address, home, ca: None, _process: process };
        if tls {
            server.ca = Some(wait_for_file(&server.home.path().join("tls/vault-ca.pem")).await?);
        }
        wait_until_active(&mut server.client()).await?;
        Ok(server)
    }

    /// A client with the root token.
    pub fn client(&self) -> Client {
        let plain = || Client::plain(self.address, DEV_ROOT);
        // A CA that cannot be read was noticed at the start: what follows would not be answered.
        let secure = self.ca.as_ref().and_then(|ca| Client::secure(self.address, ca, DEV_ROOT).ok());
        secure.unwrap_or_else(plain)
    }

    /// As `VAULT_ADDR` has it.
    pub fn url(&self) -> String {
        let scheme = if self.ca.is_some() { "https" } else { "http" };
        format!("{scheme}://{}", self.address)
    }
}

/// Waits for a file that is written at once.
async fn wait_for_file(path: &Path) -> io::Result<Vec<u8>> {
    let end = Instant::now() + PATIENCE;
    loop {
        match fs::read(path) {
            Err(cause) if Instant::now() > end => return Err(cause),
            Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
            read => return read,
        }
    }
}

/// Waits for `sys/health` to say 200.
pub async fn wait_until_active(client: &mut Client) -> io::Result<()> {
    let end = Instant::now() + PATIENCE;
    loop {
        let last = client.send("GET", "sys/health", None).await;
        if last.as_ref().is_ok_and(|answer| answer.status == 200) {
            return Ok(());
        }
        if Instant::now() > end {
            return Err(io::Error::other(format!("the server does not become active: {last:?}")));
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// The whole appliance as `./x run` makes it: supervisor, bridges, SoftHSM, swtpm, daemon, in a folder of its own.
pub struct Appliance {
    /// The state folder; `./x run` has `.strongroom`.
    pub state: PathBuf,
    /// Where it listens.
    pub address: SocketAddr,
    /// What `./x run` printed up to its last line.
    pub printed: String,
    process: Option<Stopped>,
    _folder: TempDir,
}

impl Appliance {
    /// Makes a state folder, starts everything, and waits until it is unsealed.
    pub async fn start() -> io::Result<Self> {
        let folder = tempfile::tempdir()?;
        let state = folder.path().join("state");
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, free_port(1)));
        let mut appliance = Self { state, address, printed: String::new(), process: None, _folder: folder };
        appliance.run().await?;
        Ok(appliance)
    }

    /// Starts everything (again) and waits until it is unsealed.
    pub async fn run(&mut self) -> io::Result<()> {
        self.launch()?;
        self.wait_for_ready_line()?;
        let mut client = self.client()?;
        wait_until_active(&mut client).await
    }

    /// Starts everything and waits for nothing.
    pub fn launch(&mut self) -> io::Result<()> {
        self.process = None;
        let child = Command::new(repository().join("x"))
            .arg("run")
            .env("STRONGROOM_STATE", &self.state)
            .env("STRONGROOM_PORT", self.address.port().to_string())
            .env("STRONGROOM_BIN_DIR", binary("strongroom").parent().unwrap_or(Path::new("/")))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()?;
        self.process = Some(Stopped(child));
        Ok(())
    }

    /// Reads what `./x run` prints up to its last line, and keeps the pipe drained.
    fn wait_for_ready_line(&mut self) -> io::Result<()> {
        let stdout = self.process.as_mut().and_then(|process| process.0.stdout.take());
        let mut lines = BufReader::new(stdout.ok_or(io::ErrorKind::BrokenPipe)?);
        let mut seen = String::new();
        loop {
            let mut line = String::new();
            if lines.read_line(&mut line)? == 0 {
                return Err(io::Error::other(format!("./x run ended:\n{seen}\n{}", self.log())));
            }
            seen.push_str(&line);
            if line.starts_with("Ready") {
                break;
            }
        }
        self.printed = seen;
        std::thread::spawn(move || {
            let mut rest = Vec::new();
            let _ = lines.read_to_end(&mut rest);
        });
        Ok(())
    }

    /// What all its processes have logged.
    pub fn log(&self) -> String {
        fs::read_to_string(self.state.join("log")).unwrap_or_default()
    }

    /// Kills every process of it at once, without warning.
    pub fn kill_everything(&mut self) {
        let state = self.state.to_string_lossy().into_owned();
        for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
            let Ok(pid) = entry.file_name().to_string_lossy().parse() else { continue };
            let arguments = fs::read(entry.path().join("cmdline")).unwrap_or_default();
            if String::from_utf8_lossy(&arguments).contains(&state) {
                let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
            }
        }
        self.process = None;
    }

    /// Stops everything in order.
    pub fn stop(&mut self) {
        self.process = None;
    }

    /// The root token that `./x run` keeps for its user.
    pub fn root_token(&self) -> io::Result<String> {
        Ok(fs::read_to_string(self.state.join("root-token"))?.trim().to_owned())
    }

    /// The file of the CA to trust.
    pub fn ca_file(&self) -> PathBuf {
        self.state.join("ca.pem")
    }

    /// A client with the root token.
    pub fn client(&self) -> io::Result<Client> {
        Client::secure(self.address, &fs::read(self.ca_file())?, &self.root_token().unwrap_or_default())
    }

    /// The process ids of the programs called `name` that belong to this appliance.
    pub fn pids(&self, name: &str) -> Vec<Pid> {
        let state = self.state.to_string_lossy().into_owned();
        let mut found = Vec::new();
        for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
            let Ok(pid) = entry.file_name().to_string_lossy().parse() else { continue };
            let arguments = fs::read(entry.path().join("cmdline")).unwrap_or_default();
            let arguments = String::from_utf8_lossy(&arguments).into_owned();
            let program = arguments.split('\0').next().unwrap_or_default().to_owned();
            if program.ends_with(name) && arguments.contains(&state) && !arguments.contains("\0supervise\0") {
                found.push(Pid::from_raw(pid));
            }
        }
        found
    }

    /// Kills the programs called `name` that belong to this appliance, without warning.
    pub fn kill(&self, name: &str) -> io::Result<()> {
        let pids = self.pids(name);
        if pids.is_empty() {
            return Err(io::Error::other(format!("{name} does not run")));
        }
        for pid in pids {
            kill(pid, Signal::SIGKILL)?;
        }
        Ok(())
    }
}

/// The errors of an answer, joined.
pub fn errors(body: &Value) -> String {
    let texts = body.get("errors").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
    texts.collect::<Vec<_>>().join("; ")
}

/// The daemon alone: a file on disk, one custodian, plain HTTP on loopback, an audit file.
pub struct Plain {
    /// Where it listens.
    pub address: SocketAddr,
    /// Made by init.
    pub root_token: String,
    unseal_key: String,
    folder: TempDir,
    data: PathBuf,
    audit: PathBuf,
    process: Option<Stopped>,
}

impl Plain {
    /// Starts, initialises and unseals one.
    pub async fn start() -> io::Result<Self> {
        Self::make(None, None, "", "").await
    }

    /// The same with the audit file in `folder`.
    pub async fn with_audit_in(folder: &Path) -> io::Result<Self> {
        Self::make(None, Some(folder), "", "").await
    }

    /// The same with the data in `folder`, and more lines in the storage stanza.
    pub async fn with_data_in(folder: &Path, storage: &str) -> io::Result<Self> {
        Self::make(Some(folder), None, storage, "").await
    }

    /// The same with more stanzas.
    pub async fn with(stanzas: &str) -> io::Result<Self> {
        Self::make(None, None, "", stanzas).await
    }

    async fn make(data: Option<&Path>, audit: Option<&Path>, storage: &str, more: &str) -> io::Result<Self> {
        let folder = tempfile::tempdir()?;
        let data = data.unwrap_or(folder.path()).join("data");
        let audit = audit.unwrap_or(folder.path()).join("audit.log");
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, free_port(1)));
        let configuration = format!(
            "storage \"redb\" {{\n  path = {data:?}\n  {storage}\n}}\n\
             listener \"tcp\" {{\n  address = \"{address}\"\n  tls_disable = true\n}}\n\
             audit \"file\" \"log\" {{\n  options {{\n    file_path = {audit:?}\n  }}\n}}\n{more}\n"
        );
        fs::write(folder.path().join("strongroom.hcl"), configuration)?;
        let (root_token, unseal_key) = (String::new(), String::new());
        let mut server = Self { address, root_token, unseal_key, folder, data, audit, process: None };
        server.launch()?;
        let init = serde_json::json!({"secret_shares": 1, "secret_threshold": 1});
        let made = server.insist("PUT", "sys/init", &init).await?;
        let text = |at: &str| made.pointer(at).and_then(Value::as_str).unwrap_or_default().to_owned();
        server.root_token = text("/root_token");
        server.unseal_key = text("/keys/0");
        server.unseal().await?;
        Ok(server)
    }

    /// Starts it (again) and unseals it.
    pub async fn run(&mut self) -> io::Result<()> {
        self.launch()?;
        self.unseal().await
    }

    fn launch(&mut self) -> io::Result<()> {
        self.process = None;
        let log = fs::File::create(self.folder.path().join("log"))?;
        let child = Command::new(binary("strongroom"))
            .arg("server")
            .arg(format!("-config={}", self.folder.path().join("strongroom.hcl").display()))
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()?;
        self.process = Some(Stopped(child));
        Ok(())
    }

    async fn unseal(&mut self) -> io::Result<()> {
        let key = serde_json::json!({"key": self.unseal_key});
        self.insist("PUT", "sys/unseal", &key).await?;
        wait_until_active(&mut self.client()).await
    }

    /// Asks until there is an answer: the listener needs a moment. An end of the process is an error.
    async fn insist(&mut self, method: &str, path: &str, body: &Value) -> io::Result<Value> {
        let end = Instant::now() + PATIENCE;
        let mut client = self.client();
        loop {
            if let Ok(answer) = client.send(method, path, Some(body)).await {
                return match answer.status {
                    200 => Ok(answer.body),
                    status => {
                        Err(io::Error::other(format!("{path}: {status} {}\n{}", answer.body, self.log())))
                    }
                };
            }
            let ended =
                self.process.as_mut().is_some_and(|process| !matches!(process.0.try_wait(), Ok(None)));
            if ended || Instant::now() > end {
                return Err(io::Error::other(format!("the server does not answer:\n{}", self.log())));
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// A client with the root token.
    pub fn client(&self) -> Client {
        Client::plain(self.address, &self.root_token)
    }

    /// Its process id, while it runs.
    pub fn pid(&self) -> Option<u32> {
        self.process.as_ref().map(|process| process.0.id())
    }

    /// The one share that opens it.
    pub fn unseal_key(&self) -> &str {
        &self.unseal_key
    }

    /// Kills it without warning.
    pub fn kill(&mut self) {
        if let Some(process) = &mut self.process {
            let _ = process.0.kill();
            let _ = process.0.wait();
        }
        self.process = None;
    }

    /// Stops it in order.
    pub fn stop(&mut self) {
        self.process = None;
    }

    /// What it has logged since its last start.
    pub fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    /// The audit file.
    pub fn audit_log(&self) -> String {
        fs::read_to_string(&self.audit).unwrap_or_default()
    }

    /// The file of the store.
    pub fn data_file(&self) -> PathBuf {
        if self.data.is_dir() {
            let files = fs::read_dir(&self.data).into_iter().flatten().flatten().map(|entry| entry.path());
            return files
                .max_by_key(|file| fs::metadata(file).map(|m| m.len()).unwrap_or(0))
                .unwrap_or_default();
        }
        self.data.clone()
    }
}

/// A file system of a few bytes, for what happens when it is full. Needs root.
pub struct SmallFilesystem(TempDir);

impl SmallFilesystem {
    /// With room for `bytes`.
    pub fn new(bytes: u64) -> io::Result<Self> {
        let folder = tempfile::tempdir()?;
        let status = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={bytes},mode=0700"), "strongroom-test"])
            .arg(folder.path())
            .status()?;
        if status.success() { Ok(Self(folder)) } else { Err(io::Error::other("mount failed")) }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        self.0.path()
    }

    /// Fills it to the last byte.
    pub fn fill(&self) -> io::Result<()> {
        self.fill_but(0)
    }

    /// Fills it, but for `bytes`.
    pub fn fill_but(&self, bytes: u64) -> io::Result<()> {
        let free = nix::sys::statvfs::statvfs(self.path())?;
        let free = free.blocks_available().saturating_mul(free.fragment_size());
        let file = fs::File::create(self.path().join("ballast"))?;
        let block = vec![0_u8; 4096];
        for _ in 0..free.saturating_sub(bytes) / 4096 {
            if io::Write::write_all(&mut &file, &block).is_err() {
                break;
            }
        }
        Ok(())
    }

    /// Takes the ballast out again.
    pub fn empty(&self) -> io::Result<()> {
        fs::remove_file(self.path().join("ballast"))
    }
}

impl Drop for SmallFilesystem {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.0.path()).status();
    }
}
