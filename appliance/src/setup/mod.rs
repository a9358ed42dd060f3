//! `strongroom setup`: the state folder of `./x run`. Everything in it that is text is written here; the SoftHSM
//! token and the TPM's state are made by their own programs. `strongroom setup ready` ([`ready`]) waits for what runs there.
//!
//! ```text
//! state/                0700
//!   strongroom.hcl      the daemon's configuration        ┐
//!   supervise.hcl       the programs and their order      ├ written anew each time
//!   softhsm2.conf, env  for SoftHSM, for a user's shell   ┘
//!   ca.pem              to be trusted                     ┐
//!   server.pem .key     for 127.0.0.1, ::1, localhost     ├ written once, and again before they end
//!   hsm-pin             of the token                      ┘ written once
//!   softhsm/ swtpm/     the devices
//!   tpm/                which TPM it is
//!   data/ audit.log log root-token run/
//! ```
//!
//! The authority's key is never written: it signs one certificate, and is gone (see [`crate::certificate`]).

mod client;
mod ready;
mod texts;

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use strongroom_types::Clock;
use strongroom_types::time::SystemClock;

use crate::certificate::{self, Issued};
use crate::config::stanza::parse_address;
use crate::files::{make_folder, read_text, replace};
use crate::say;

const USAGE: &str =
    "Usage: strongroom setup -state=DIR [-address=127.0.0.1:8200] [-module=FILE] [-swtpm=FILE]

  Writes the state folder of ./x run: configuration, certificate, PIN. What is there already is kept, but for
  the configuration, which is written anew. Says on the last line whether the folder is \"new\" or \"known\".
  \"strongroom setup ready\" waits for the appliance that runs there, and initialises it once.";

/// Where SoftHSM's module is on Debian.
const MODULE: &str = "/usr/lib/softhsm/libsofthsm2.so";
/// Where swtpm is on Debian.
const SWTPM: &str = "/usr/bin/swtpm";
/// The longest path of a Unix socket, with its end.
const SOCKET_PATH: usize = 108;
/// One of the sockets; they are equally long.
const SOCKET: &str = "run/hsm.sock";

/// What the state folder is made from.
struct Wish {
    state: PathBuf,
    address: SocketAddr,
    module: PathBuf,
    swtpm: PathBuf,
    /// Where our own programs are.
    programs: PathBuf,
    /// The first of two ports in a row for swtpm: the library that speaks to it knows no other way.
    tpm_port: u16,
    /// Whether the TPM's primary key may be pinned: until the appliance has been initialised.
    enrol: bool,
}

/// The command, with the arguments after its name.
pub fn main(arguments: &[String]) -> ExitCode {
    if let Some(("ready", rest)) = arguments.split_first().map(|(word, rest)| (word.as_str(), rest)) {
        return ready::main(rest);
    }
    if arguments.iter().any(|argument| ["-h", "-help", "--help"].contains(&argument.as_str())) {
        say::out(USAGE);
        return ExitCode::SUCCESS;
    }
    let done = parse(arguments).and_then(|wish| set_up(&wish));
    match done {
        Ok(word) => {
            say::out(word);
            ExitCode::SUCCESS
        }
        Err(what) => say::failure(&format!("setup: {what}")),
    }
}

fn parse(arguments: &[String]) -> Result<Wish, String> {
    let mut given = BTreeMap::new();
    for argument in arguments {
        let pair = argument.trim_start_matches('-').split_once('=');
        let known = ["state", "address", "module", "swtpm"];
        match pair.filter(|(name, value)| known.contains(name) && !value.is_empty()) {
            Some((name, value)) => given.insert(name, value),
            None => return Err(format!("unknown argument\n\n{USAGE}")),
        };
    }
    let state = given.get("state").ok_or_else(|| format!("-state=DIR is missing\n\n{USAGE}"))?;
    let state = std::path::absolute(state).map_err(|cause| format!("-state: {cause}"))?;
    let address = given.get("address").unwrap_or(&"127.0.0.1:8200");
    let address =
        parse_address(address, crate::config::API_PORT).map_err(|what| format!("-address {what}"))?;
    let own = std::env::current_exe().map_err(|cause| format!("cannot find our own program: {cause}"))?;
    Ok(Wish {
        address,
        module: given.get("module").map_or(MODULE.into(), PathBuf::from),
        swtpm: given.get("swtpm").map_or(SWTPM.into(), PathBuf::from),
        programs: own.parent().map_or_else(|| PathBuf::from("."), Path::to_path_buf),
        tpm_port: free_ports()?,
        enrol: !state.join("root-token").exists(),
        state,
    })
}

/// `new` or `known`.
fn set_up(wish: &Wish) -> Result<&'static str, String> {
    check(wish)?;
    make_folder(&wish.state)?;
    let at = |name: &str| wish.state.join(name);
    let is_new = !at("hsm-pin").exists();
    make_folder(&at("run"))?;
    if is_new {
        for folder in ["data", "softhsm", "swtpm", "tpm"] {
            make_folder(&at(folder))?;
        }
    }
    renew_certificate(wish)?;
    replace(&at("strongroom.hcl"), texts::daemon(wish).as_bytes())?;
    replace(&at("supervise.hcl"), texts::supervisor(wish).as_bytes())?;
    replace(&at("softhsm2.conf"), texts::softhsm(wish).as_bytes())?;
    replace(&at("env"), texts::environment(wish).as_bytes())?;
    // Last: as long as it is not there, the folder counts as new.
    if is_new {
        replace(&at("hsm-pin"), new_pin()?.expose())?;
    }
    Ok(if is_new { "new" } else { "known" })
}

fn check(wish: &Wish) -> Result<(), String> {
    let state = wish.state.to_str().ok_or("-state: the path is not UTF-8: choose another folder")?;
    if state.contains(['"', '\\', '$', '\'', ',', '\n']) {
        return Err(
            "-state: the path has a character that configurations cannot hold: choose another folder".into(),
        );
    }
    let longest = wish.state.join(SOCKET);
    if longest.as_os_str().len() >= SOCKET_PATH {
        let most = SOCKET_PATH - SOCKET.len() - 2;
        return Err(format!(
            "-state: a socket's path must be short: choose a folder of at most {most} characters"
        ));
    }
    let own = ["strongroom", "hsm-bridge", "tpm-bridge"].map(|name| wish.programs.join(name));
    for file in own.iter().chain([&wish.module, &wish.swtpm]) {
        if !file.is_file() {
            return Err(format!("{} is not there: build or install it", file.display()));
        }
    }
    Ok(())
}

fn renew_certificate(wish: &Wish) -> Result<(), String> {
    let at = |name: &str| wish.state.join(name);
    let now = SystemClock.now();
    let good = read_text(&at("server.pem")).is_some_and(|pem| !certificate::needs_renewal(&pem, now));
    if good && at("server.key").exists() && at("ca.pem").exists() {
        return Ok(());
    }
    let issued = certificate::issue(&[wish.address.ip()], now);
    let Issued { ca, certificate, key } = issued.map_err(|cause| cause.to_string())?;
    // The certificate goes first and comes last: it is what is looked at, and never stands beside a key that is not its own.
    let old = std::fs::remove_file(at("server.pem"));
    if let Err(cause) =
        old.or_else(|cause| if cause.kind() == std::io::ErrorKind::NotFound { Ok(()) } else { Err(cause) })
    {
        return Err(format!("{}: {cause}", at("server.pem").display()));
    }
    replace(&at("server.key"), key.expose())?;
    replace(&at("ca.pem"), ca.as_bytes())?;
    replace(&at("server.pem"), certificate.as_bytes())
}

/// Two free ports in a row on loopback, out of the range from which the system takes ports by itself.
fn free_ports() -> Result<u16, String> {
    for _ in 0..100 {
        let mut random = [0; 2];
        aws_lc_rs::rand::fill(&mut random).map_err(|_| "the system's random generator fails")?;
        let first = 20_000 + u16::from_ne_bytes(random) % 12_000;
        let both = [first, first + 1].map(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, port)));
        if both.iter().all(Result::is_ok) {
            return Ok(first);
        }
    }
    Err("there are no two free ports in a row on 127.0.0.1 for the simulated TPM".into())
}

/// 128 random bits as text.
fn new_pin() -> Result<strongroom_types::Secret, String> {
    let mut random = zeroize::Zeroizing::new([0; 16]);
    aws_lc_rs::rand::fill(random.as_mut_slice()).map_err(|_| "the system's random generator fails")?;
    Ok(data_encoding::HEXLOWER.encode(random.as_slice()).into())
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::config::{At, Seal, load};

    fn wish(folder: &Path) -> Wish {
        let programs = folder.join("programs");
        fs::create_dir_all(&programs).unwrap();
        for name in ["strongroom", "hsm-bridge", "tpm-bridge", "swtpm", "module.so"] {
            fs::write(programs.join(name), "").unwrap();
        }
        Wish {
            state: folder.join("state"),
            address: "127.0.0.1:8299".parse().unwrap(),
            module: programs.join("module.so"),
            swtpm: programs.join("swtpm"),
            programs,
            tpm_port: 2321,
            enrol: true,
        }
    }

    #[test]
    fn a_state_folder_is_written_once_and_then_known() {
        let folder = tempfile::tempdir().unwrap();
        let wish = wish(folder.path());
        assert_eq!(set_up(&wish), Ok("new"));
        let read = |name: &str| fs::read_to_string(wish.state.join(name)).unwrap();
        let before = ["hsm-pin", "ca.pem", "server.pem", "server.key"].map(read);
        assert_eq!(set_up(&wish), Ok("known"));
        assert_eq!(before, ["hsm-pin", "ca.pem", "server.pem", "server.key"].map(read));
        assert_eq!(before[0].len(), 32);
        for secret in ["hsm-pin", "server.key"] {
            let mode = fs::metadata(wish.state.join(secret)).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600, "{secret}");
        }
        assert_eq!(fs::metadata(&wish.state).unwrap().permissions().mode() & 0o777, 0o700);

        // A lost key is made anew, together with what belongs to it.
        fs::remove_file(wish.state.join("server.key")).unwrap();
        assert_eq!(set_up(&wish), Ok("known"));
        assert_ne!(before[1], read("ca.pem"));
        assert_eq!(before[0], read("hsm-pin"));
    }

    #[test]
    fn its_configuration_is_one() {
        let folder = tempfile::tempdir().unwrap();
        let wish = wish(folder.path());
        set_up(&wish).unwrap();
        let (config, report) = load(&[wish.state.join("strongroom.hcl")]).unwrap();
        assert!(report.warnings.is_empty(), "{:?}", report.warnings);
        assert!(matches!(&config.listeners[0].at, At::Tls { address, .. } if *address == wish.address));
        assert_eq!((config.seals.len(), config.audit.len()), (2, 1));
        assert!(config.seals.iter().all(|seal| matches!(seal, Seal::Device(_))));
        crate::supervise::check(&wish.state.join("supervise.hcl")).unwrap();
    }

    #[test]
    fn a_folder_that_cannot_be_used_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let mut bad = wish(folder.path());
        bad.state = folder.path().join("x".repeat(100));
        assert!(set_up(&bad).unwrap_err().contains("must be short"));
        bad.state = folder.path().join("a\"b");
        assert!(set_up(&bad).unwrap_err().contains("a character"));
        bad = wish(folder.path());
        bad.swtpm = folder.path().join("none");
        assert!(set_up(&bad).unwrap_err().contains("none is not there"));
        assert!(!bad.state.exists());
    }
}
