//! The daemon alone as its first user finds it: HTTPS, a file on disk, custodians, and not initialised yet.

use std::fs;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::process::{PATIENCE, Stopped, free_port, wait_until_active};
use crate::{Client, binary};

/// See the module.
pub struct Fresh {
    /// Where it listens.
    pub address: SocketAddr,
    folder: TempDir,
    _process: Stopped,
}

/// What init has given for one custodian.
pub struct Opened {
    /// The root token.
    pub root_token: String,
    /// The one key that unseals.
    pub unseal_key: String,
}

impl Fresh {
    /// Starts one and waits until it answers.
    pub async fn start() -> io::Result<Self> {
        let folder = tempfile::tempdir()?;
        let state = folder.path().join("state");
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, free_port(1)));
        // A CA and a certificate; what else it makes is for devices, and not used.
        let made = Command::new(binary("strongroom"))
            .args(["setup", "-module=/bin/true", "-swtpm=/bin/true"])
            .arg(format!("-state={}", state.display()))
            .arg(format!("-address={address}"))
            .output()?;
        if !made.status.success() {
            return Err(io::Error::other(String::from_utf8_lossy(&made.stderr).into_owned()));
        }
        let text = format!(
            "storage \"redb\" {{\n  path = {data:?}\n}}\n\
             listener \"tcp\" {{\n  address = \"{address}\"\n  tls_cert_file = {certificate:?}\n  tls_key_file = {key:?}\n}}\n\
             listener \"unix\" {{\n  address = {socket:?}\n}}\n\
             audit \"file\" \"file\" {{\n  path = {audit:?}\n}}\n\
             api_addr = \"https://{address}\"\n",
            data = state.join("data/fresh.redb"),
            certificate = state.join("server.pem"),
            key = state.join("server.key"),
            socket = state.join("api.sock"),
            audit = state.join("audit.log"),
        );
        let configuration = state.join("fresh.hcl");
        fs::write(&configuration, text)?;
        let log = fs::File::create(state.join("log"))?;
        let child = Command::new(binary("strongroom"))
            .arg("server")
            .arg(format!("-config={}", configuration.display()))
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()?;
        let fresh = Self { address, folder, _process: Stopped(child) };
        let mut client = fresh.client("")?;
        let end = Instant::now() + PATIENCE;
        while client.send("GET", "sys/health", None).await.is_err() {
            if Instant::now() > end {
                return Err(io::Error::other(format!("the server does not answer:\n{}", fresh.log())));
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Ok(fresh)
    }

    /// Initialises it for one custodian and unseals it.
    pub async fn open(&self) -> io::Result<Opened> {
        let mut client = self.client("")?;
        let init = json!({"secret_shares": 1, "secret_threshold": 1});
        let made = self.insist(&mut client, "sys/init", &init).await?;
        let text = |at: &str| made.pointer(at).and_then(Value::as_str).unwrap_or_default().to_owned();
        let opened = Opened { root_token: text("/root_token"), unseal_key: text("/keys/0") };
        self.insist(&mut client, "sys/unseal", &json!({"key": opened.unseal_key})).await?;
        wait_until_active(&mut client).await?;
        Ok(opened)
    }

    async fn insist(&self, client: &mut Client, path: &str, body: &Value) -> io::Result<Value> {
        let answer = client.send("PUT", path, Some(body)).await?;
        match answer.status {
            200 => Ok(answer.body),
            status => Err(io::Error::other(format!("{path}: {status} {}\n{}", answer.body, self.log()))),
        }
    }

    /// A client with `token`.
    pub fn client(&self, token: &str) -> io::Result<Client> {
        Client::secure(self.address, &fs::read(self.ca_file())?, token)
    }

    /// As `VAULT_ADDR` has it.
    pub fn url(&self) -> String {
        format!("https://{}", self.address)
    }

    /// The file of the CA to trust.
    pub fn ca_file(&self) -> PathBuf {
        self.folder.path().join("state/ca.pem")
    }

    /// The Unix socket on which it listens, too.
    pub fn socket(&self) -> PathBuf {
        self.folder.path().join("state/api.sock")
    }

    /// The audit file.
    pub fn audit_file(&self) -> PathBuf {
        self.folder.path().join("state/audit.log")
    }

    /// What it has logged.
    pub fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("state/log")).unwrap_or_default()
    }
}
