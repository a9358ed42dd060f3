//! The appliance of a state folder, asked by the command line within this process, as its user would ask.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io::{self, Cursor, Write};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use serde_json::{Value, json};
use strongroom_cli::{Io, Prompt};
use strongroom_types::time::SystemClock;
use strongroom_types::{Secret, SecretWriter};

use super::ready::{Appliance, Status};
use crate::files::read_text;

/// See the module.
pub struct Vault {
    address: String,
    ca: PathBuf,
}

impl Vault {
    /// Where the folder's `env` says that it is.
    pub fn of(state: &Path) -> Result<Self, String> {
        let env = read_text(&state.join("env")).unwrap_or_default();
        let address = env.split_once("VAULT_ADDR='").and_then(|(_, rest)| rest.split_once('\''));
        let (address, _) =
            address.ok_or_else(|| format!("{} says no address", state.join("env").display()))?;
        Ok(Self { address: address.to_owned(), ca: state.join("ca.pem") })
    }

    /// For its users.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// The exit code, and what was said: on stdout, and on stderr.
    fn run(&self, words: &[&str], token: Option<&Secret>, stdin: String) -> (u8, Secret, String) {
        let (said, wrong) = (Said::default(), Said::default());
        let token = token.and_then(Secret::expose_str).unwrap_or_default();
        let ca = self.ca.to_string_lossy();
        let env = [
            ("VAULT_ADDR", self.address.as_str()),
            ("VAULT_CACERT", &ca),
            ("VAULT_TOKEN", token),
            ("VAULT_MAX_RETRIES", "0"),
        ];
        let mut io = Io {
            program: "strongroom".into(),
            stdin: Box::new(Cursor::new(stdin)),
            stdout: Box::new(said.clone()),
            stderr: Box::new(wrong.clone()),
            to_terminal: false,
            env: BTreeMap::from(env.map(|(name, value)| (name.to_owned(), value.to_owned()))),
            folder: PathBuf::from("."),
            notice: None,
            clock: Box::new(SystemClock),
            prompt: Box::new(Nobody),
            check_configuration: |_| Ok(Vec::new()),
        };
        let code = strongroom_cli::run(words.iter().map(|word| (*word).to_owned()).collect(), &mut io);
        let wrong = wrong.take();
        (code, said.take(), wrong.expose_str().unwrap_or_default().trim().to_owned())
    }
}

impl Appliance for Vault {
    fn status(&self) -> Status {
        let (code, said, _) = self.run(&["status", "-format=json"], None, String::new());
        let said: Value = serde_json::from_slice(said.expose()).unwrap_or_default();
        match (code, said.get("initialized").and_then(Value::as_bool)) {
            (0, _) => Status::Unsealed,
            (2, Some(false)) => Status::Uninitialised,
            (2, _) => Status::Sealed,
            _ => Status::Silent,
        }
    }

    fn initialise(&self) -> Result<Secret, String> {
        let words = ["operator", "init", "-recovery-shares=0", "-accept-total-loss", "-format=json"];
        match self.run(&words, None, String::new()) {
            (0, said, _) => Ok(said),
            (_, _, wrong) => Err(wrong),
        }
    }

    fn mount_secrets(&self, root_token: &Secret) -> Result<(), String> {
        let mount = json!({
            "type": "kv", "description": "key/value secret storage", "options": {"version": "2"},
        });
        match self.run(&["write", "sys/mounts/secret", "-"], Some(root_token), mount.to_string()) {
            (0, ..) => Ok(()),
            (_, _, wrong) if wrong.contains("already in use") => Ok(()),
            (_, _, wrong) => Err(wrong),
        }
    }
}

/// What is written, kept.
#[derive(Clone)]
struct Said(Rc<RefCell<SecretWriter>>);

impl Default for Said {
    fn default() -> Self {
        Self(Rc::new(RefCell::new(SecretWriter::with_capacity(1024))))
    }
}

impl Said {
    fn take(&self) -> Secret {
        self.0.replace(SecretWriter::with_capacity(0)).finish()
    }
}

impl Write for Said {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.borrow_mut().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// There is nobody to be asked.
struct Nobody;

impl Prompt for Nobody {
    fn hidden(&mut self) -> io::Result<Secret> {
        Err(io::Error::other("nobody is asked here"))
    }
}
