//! A SoftHSM token in a temporary folder, and bridges to it.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::Arc;

use strongroom_device_api::{Client, ClientOptions, PeerRule};
use tempfile::TempDir;

use crate::bridge::Bridge;

pub(crate) const SOFTHSM: &str = "/usr/lib/softhsm/libsofthsm2.so";
pub(crate) const BRIDGE: &str = env!("CARGO_BIN_EXE_hsm-bridge");
pub(crate) const PIN: &str = "648219";
pub(crate) const LABEL: &str = "strongroom";

/// A folder with a token.
pub(crate) struct Token {
    folder: TempDir,
}

impl Token {
    pub(crate) fn new() -> Self {
        let token = Self { folder: tempfile::tempdir().unwrap() };
        fs::create_dir(token.path("tokens")).unwrap();
        let config = format!(
            "directories.tokendir = {}\nobjectstore.backend = file\nlog.level = ERROR\n",
            token.path("tokens").display()
        );
        fs::write(token.path("softhsm2.conf"), config).unwrap();
        let args = ["--init-token", "--free", "--label", LABEL, "--so-pin", "87654321", "--pin", PIN];
        assert!(token.tool("softhsm2-util", &args).status.success());
        token.write_pin(PIN);
        token
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes the PIN file as a new file.
    pub(crate) fn write_pin(&self, pin: &str) {
        let next = self.path("pin.next");
        fs::write(&next, format!("{pin}\n")).unwrap();
        fs::set_permissions(&next, fs::Permissions::from_mode(0o600)).unwrap();
        fs::rename(next, self.path("pin")).unwrap();
    }

    /// Runs a tool on the token.
    pub(crate) fn tool(&self, program: &str, args: &[&str]) -> Output {
        Command::new(program).args(args).env("SOFTHSM2_CONF", self.path("softhsm2.conf")).output().unwrap()
    }

    /// The usual arguments.
    pub(crate) fn args(&self) -> Vec<String> {
        let path = |name| self.path(name).to_str().unwrap().to_owned();
        let mut args: Vec<String> =
            ["--module", SOFTHSM, "--token", LABEL, "--allow-same-uid"].map(str::to_owned).into();
        for (flag, name) in [("--pin-file", "pin"), ("--latch", "latch"), ("--socket", "socket")] {
            args.extend([flag.to_owned(), path(name)]);
        }
        args
    }

    /// A command for a bridge, not started yet.
    pub(crate) fn command(&self, args: &[String]) -> Command {
        let mut command = Command::new(BRIDGE);
        command.args(args).env_clear().env("SOFTHSM2_CONF", self.path("softhsm2.conf"));
        command.stdin(Stdio::null());
        command
    }

    /// A bridge with the usual arguments, ready.
    pub(crate) fn bridge(&self) -> Bridge {
        Bridge::start(&mut self.command(&self.args()))
    }

    /// A client of the bridge.
    pub(crate) fn client(&self) -> Arc<Client> {
        Client::new(ClientOptions::new(self.path("socket"), PeerRule::SAME_UID))
    }
}

/// What a bridge says that does not start.
pub(crate) fn refusal(mut command: Command) -> String {
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    String::from_utf8(output.stderr).unwrap()
}

/// The argument after `flag` replaced by `value`.
pub(crate) fn with(mut args: Vec<String>, flag: &str, value: &str) -> Vec<String> {
    let at = args.iter().position(|arg| arg == flag).unwrap();
    args[at + 1] = value.to_owned();
    args
}

/// Whether a file exists.
pub(crate) fn exists(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok()
}
