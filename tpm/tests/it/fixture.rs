//! A swtpm in a temporary folder, and bridges to it.

use std::fs::{self, File};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use strongroom_device_api::{Client, ClientOptions, PeerRule};
use tempfile::TempDir;

use crate::bridge::Bridge;

pub(crate) const BRIDGE: &str = env!("CARGO_BIN_EXE_tpm-bridge");

/// Two ports that follow each other, the simulator's and its control's, kept from other tests by a lock: also while
/// the simulator is off, and from other runs.
pub(crate) struct Ports {
    pub(crate) first: u16,
    _lock: File,
}

impl Ports {
    pub(crate) fn take() -> Self {
        let locks = std::env::temp_dir().join(format!("strongroom-tpm-tests-{}", nix::unistd::geteuid()));
        fs::create_dir_all(&locks).unwrap();
        // Below the range from which the system takes ports by itself.
        for first in (10_000..20_000).step_by(2) {
            let lock = File::create(locks.join(first.to_string())).unwrap();
            // Asked by knocking: a listener of our own would live on for a moment in whatever is started meanwhile.
            let free = |port| TcpStream::connect(("127.0.0.1", port)).is_err();
            if lock.try_lock().is_ok() && free(first) && free(first + 1) {
                return Self { first, _lock: lock };
            }
        }
        panic!("no free ports");
    }
}

/// A folder with a TPM's state, and the simulator that runs on it.
pub(crate) struct Tpm {
    folder: TempDir,
    pub(crate) ports: Ports,
    simulator: Option<Child>,
}

impl Tpm {
    pub(crate) fn new() -> Self {
        let mut tpm = Self { folder: tempfile::tempdir().unwrap(), ports: Ports::take(), simulator: None };
        fs::create_dir(tpm.path("pinned")).unwrap();
        tpm.power_on("one");
        tpm
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Starts the simulator on the state in the folder `name`: another name is another TPM.
    pub(crate) fn power_on(&mut self, name: &str) {
        fs::create_dir_all(self.path(name)).unwrap();
        let port = self.ports.first;
        let child = Command::new("swtpm")
            .args(["socket", "--tpm2", "--tpmstate"])
            .arg(format!("dir={}", self.path(name).display()))
            .args(["--server", &format!("type=tcp,port={port},bindaddr=127.0.0.1")])
            .args(["--ctrl", &format!("type=tcp,port={},bindaddr=127.0.0.1", port + 1)])
            .args(["--flags", "not-need-init,startup-clear"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        self.simulator = Some(child);
        let limit = Instant::now() + Duration::from_secs(20);
        // The control port: a connection to the other one would count as the TPM's user.
        while TcpStream::connect(("127.0.0.1", port + 1)).is_err() {
            assert!(Instant::now() < limit, "swtpm does not start");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    pub(crate) fn power_off(&mut self) {
        if let Some(mut simulator) = self.simulator.take() {
            let _ = simulator.kill();
            let _ = simulator.wait();
        }
    }

    /// Runs a tool of tpm2-tools on the TPM. Nothing else may be connected to it.
    pub(crate) fn tool(&self, program: &str, args: &[&str]) -> Output {
        let tcti = format!("swtpm:host=127.0.0.1,port={}", self.ports.first);
        let output = Command::new(program).args(args).env("TPM2TOOLS_TCTI", tcti).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        output
    }

    /// The usual arguments.
    pub(crate) fn args(&self) -> Vec<String> {
        let path = |name| self.path(name).to_str().unwrap().to_owned();
        let tcti = format!("swtpm:host=127.0.0.1,port={}", self.ports.first);
        [
            "--tcti",
            &tcti,
            "--state",
            &path("pinned"),
            "--socket",
            &path("socket"),
            "--enrol",
            "--allow-same-uid",
        ]
        .map(str::to_owned)
        .into()
    }

    /// A bridge with the usual arguments, ready.
    pub(crate) fn bridge(&self) -> Bridge {
        Bridge::start(Command::new(BRIDGE).args(self.args()))
    }

    /// A client of the bridge.
    pub(crate) fn client(&self) -> Arc<Client> {
        Client::new(ClientOptions::new(self.path("socket"), PeerRule::SAME_UID))
    }
}

impl Drop for Tpm {
    fn drop(&mut self) {
        self.power_off();
    }
}
