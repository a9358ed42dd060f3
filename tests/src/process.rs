//! Servers that live as long as a test: a development server, and the whole appliance with its bridges and devices.

use std::fs;
use std::io::{self, BufRead, BufReader, Read};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
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

/// A free port, and `next`, if asked for two in a row.
pub fn free_port(in_a_row: u16) -> u16 {
    loop {
        let Ok(first) = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)) else { continue };
        let Ok(address) = first.local_addr() else { continue };
        let rest = (1..in_a_row).map(|n| TcpListener::bind((Ipv4Addr::LOCALHOST, address.port().saturating_add(n))));
        if rest.collect::<io::Result<Vec<_>>>().is_ok() {
            return address.port();
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
    _process: Stopped,
}

impl DevServer {
    /// Starts one and waits until it answers.
    pub async fn start() -> io::Result<Self> {
        Self::with(&[]).await
    }

    /// The same with more arguments.
    pub async fn with(arguments: &[&str]) -> io::Result<Self> {
        let home = tempfile::tempdir()?;
        let port = free_port(1);
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let log = fs::File::create(home.path().join("server.log"))?;
        let child = Command::new(binary("strongroom"))
            .args(["server", "-dev", "-dev-no-store-token"])
            .arg(format!("-dev-root-token-id={DEV_ROOT}"))
            .arg(format!("-dev-listen-address={address}"))
            .args(arguments)
            .env("HOME", home.path())
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()?;
        let process = Stopped(child);
        let server = Self { address, home, _process: process };
        wait_until_active(&mut server.client()).await?;
        Ok(server)
    }

    /// A client with the root token.
    pub fn client(&self) -> Client {
        Client::plain(self.address, DEV_ROOT)
    }

    /// As `VAULT_ADDR` has it.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
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
    process: Option<Stopped>,
    _folder: TempDir,
}

impl Appliance {
    /// Makes a state folder, starts everything, and waits until it is unsealed.
    pub async fn start() -> io::Result<Self> {
        let folder = tempfile::tempdir()?;
        let state = folder.path().join("state");
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, free_port(1)));
        let mut appliance = Self { state, address, process: None, _folder: folder };
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
                return Err(io::Error::other(format!("./x run ended:\n{seen}")));
            }
            seen.push_str(&line);
            if line.starts_with("Ready") {
                break;
            }
        }
        std::thread::spawn(move || {
            let mut rest = Vec::new();
            let _ = lines.read_to_end(&mut rest);
        });
        Ok(())
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
