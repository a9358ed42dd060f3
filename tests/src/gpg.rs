//! GnuPG as custodians use it: makes keys, and decrypts what was encrypted for them. Its folder and its agent end with the test.

use std::fs::{self, Permissions};
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

/// One person's GnuPG, with keys under names.
pub struct Gpg {
    home: TempDir,
}

impl Gpg {
    /// An empty one.
    ///
    /// # Panics
    /// Where GnuPG is not installed: nothing else says that what we encrypt can be read.
    #[allow(clippy::panic, clippy::new_without_default)] // tests only
    pub fn new() -> Self {
        let Ok(home) = tempfile::tempdir() else { panic!("there is no temporary folder") };
        let made = fs::set_permissions(home.path(), Permissions::from_mode(0o700));
        assert!(made.is_ok(), "{made:?}");
        let gpg = Self { home };
        let said = gpg.run(&["--version"], b"");
        assert!(said.status.success(), "gpg does not start: apt-get install gpg gpg-agent, or ./x test");
        gpg
    }

    /// Runs it.
    #[allow(clippy::panic)] // tests only
    pub fn run(&self, arguments: &[&str], input: &[u8]) -> Output {
        let child = Command::new("gpg")
            .arg("--homedir")
            .arg(self.home.path())
            .args(["--batch", "--quiet", "--no-tty", "--pinentry-mode", "loopback", "--passphrase", ""])
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn();
        let mut child = match child {
            Ok(child) => child,
            Err(cause) => panic!("gpg is not here ({cause}): apt-get install gpg gpg-agent, or ./x test"),
        };
        // Whoever does not read it has what it needs.
        let _ = child.stdin.take().map(|mut stdin| stdin.write_all(input));
        child.wait_with_output().unwrap_or_else(|cause| panic!("gpg: {cause}"))
    }

    /// The same for what has to succeed.
    fn must(&self, arguments: &[&str], input: &[u8]) -> Vec<u8> {
        let said = self.run(arguments, input);
        assert!(said.status.success(), "gpg {arguments:?}: {}", String::from_utf8_lossy(&said.stderr));
        said.stdout
    }

    /// Makes `name` a primary key that signs and a subkey that encrypts; `times` may set GnuPG's clock. Its fingerprint.
    pub fn make(&self, name: &str, (primary, subkey): (&str, &str), times: &[&str]) -> String {
        let who = format!("{name} <{name}@example.com>");
        self.must(&[times, &["--quick-generate-key", &who, primary, "sign,cert", "never"]].concat(), b"");
        let fingerprint = self.fingerprint(name);
        self.must(&[times, &["--quick-add-key", &fingerprint, subkey, "encr", "never"]].concat(), b"");
        fingerprint
    }

    fn fingerprint(&self, name: &str) -> String {
        let listed = self.must(&["--list-keys", "--with-colons", &format!("{name}@example.com")], b"");
        let listed = String::from_utf8_lossy(&listed).into_owned();
        let line = listed.lines().find_map(|line| line.strip_prefix("fpr:"));
        line.map(|line| line.trim_matches(':').to_owned()).unwrap_or_default()
    }

    /// The public key of `name`: binary, or with `--armor` among `options`.
    pub fn public(&self, name: &str, options: &[&str]) -> Vec<u8> {
        self.must(&[options, &["--export", &format!("{name}@example.com")]].concat(), b"")
    }

    /// Lets all of `name` have been over since the end of its first month.
    pub fn expire(&self, name: &str) {
        let print = self.fingerprint(name);
        self.must(
            &["--faked-system-time", "20240101T000000", "--quick-set-expire", &print, "2024-02-01"],
            b"",
        );
    }

    /// Revokes all of `name`, by the certificate that GnuPG has laid aside for it.
    pub fn revoke(&self, name: &str) {
        let place = format!("openpgp-revocs.d/{}.rev", self.fingerprint(name));
        let text = fs::read_to_string(self.home.path().join(place)).unwrap_or_default();
        // A colon keeps it from being imported by accident.
        self.must(&["--import"], text.replace("\n:---", "\n---").as_bytes());
    }

    /// What comes out of `message`, which is read whole and unchanged.
    pub fn decrypt(&self, message: &[u8]) -> String {
        let said = self.run(&["--decrypt"], message);
        let complaint = String::from_utf8_lossy(&said.stderr).into_owned();
        assert!(said.status.success(), "gpg --decrypt: {complaint}");
        assert!(!complaint.contains("WARNING"), "{complaint}");
        String::from_utf8_lossy(&said.stdout).into_owned()
    }
}

impl Drop for Gpg {
    fn drop(&mut self) {
        let agent = Command::new("gpgconf")
            .arg("--homedir")
            .arg(self.home.path())
            .args(["--kill", "gpg-agent"])
            .output();
        // With its folder gone it ends by itself, after a while.
        drop(agent);
    }
}
