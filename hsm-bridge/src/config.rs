//! The flags. An error names the flag.

use std::path::PathBuf;

use strongroom_device_api::bridge::Serving;
use strongroom_device_api::bridge::flags::{COMMON, COMMON_HELP, FlagError, Flags, Takes, asks_for_help};

use crate::latch::Latch;
use crate::pin::PinSource;

/// What to do.
pub(crate) enum Command {
    Help,
    /// Allow the PIN to be tried again.
    ClearLatch(Latch),
    Serve(Box<Config>, Serving),
}

/// The module, and how to use it.
pub(crate) struct Config {
    /// The vendor's library.
    pub(crate) module: PathBuf,
    pub(crate) token: TokenWish,
    pub(crate) pin: PinSource,
    pub(crate) latch: Latch,
    /// How many sessions, and so threads.
    pub(crate) sessions: usize,
}

/// Which of the module's tokens. What is not given may be anything; exactly one token must fit.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct TokenWish {
    pub(crate) label: Option<String>,
    pub(crate) serial: Option<String>,
    pub(crate) slot: Option<u64>,
}

const OWN: &[(&str, Takes)] = &[
    ("--module", Takes::Value),
    ("--token", Takes::Value),
    ("--serial", Takes::Value),
    ("--slot", Takes::Value),
    ("--pin-file", Takes::Value),
    ("--pin-fd", Takes::Value),
    ("--latch", Takes::Value),
    ("--sessions", Takes::Value),
];
/// Requests that wait for a thread; more are answered with Retry.
const QUEUE: usize = 256;

pub(crate) fn help() -> String {
    format!(
        "\
hsm-bridge lets Strongroom use an HSM through its PKCS#11 module.

  hsm-bridge --module PATH --token LABEL --pin-file PATH --latch PATH --socket PATH --peer-uid UID
  hsm-bridge clear-latch --latch PATH

The token (one of them at least; exactly one token must fit):
  --module PATH        the PKCS#11 module, a shared library
  --token LABEL        the token's label
  --serial SERIAL      the token's serial number
  --slot ID            the token's slot

The PIN (one of them; a PIN is never taken from arguments or the environment):
  --pin-file PATH      a file of mode 0600 with the PIN, read at each login
  --pin-fd N           a descriptor that the PIN is read from once, at the start
  --latch PATH         where it is kept that a PIN was refused: it is not tried again until its source changes,
                       or until \"hsm-bridge clear-latch\"

Serving:
{COMMON_HELP}  --sessions N         sessions with the token, 1 to 64 (default 4)

Example:
  hsm-bridge --module /usr/lib/softhsm/libsofthsm2.so --token strongroom --pin-file /etc/strongroom/hsm.pin \\
    --latch /var/lib/strongroom-hsm/pin.latch --socket /run/strongroom/hsm.sock --peer-uid 990
"
    )
}

/// Reads the arguments, without the program's name.
pub(crate) fn read(args: &[String]) -> Result<Command, FlagError> {
    if asks_for_help(args) {
        return Ok(Command::Help);
    }
    if let Some(("clear-latch", rest)) = args.split_first().map(|(first, rest)| (first.as_str(), rest)) {
        let flags = Flags::read(rest, &[&[("--latch", Takes::Value)]])?;
        return Ok(Command::ClearLatch(Latch::at(flags.required("--latch")?)));
    }
    let flags = Flags::read(args, &[COMMON, OWN])?;
    let token = TokenWish {
        label: flags.get("--token").map(str::to_owned),
        serial: flags.get("--serial").map(str::to_owned),
        slot: flags.parsed("--slot", "a slot's number, in digits")?,
    };
    if token == (TokenWish { label: None, serial: None, slot: None }) {
        return Err(FlagError("--token is missing: the token's label; --serial and --slot do too".into()));
    }
    let sessions: usize = flags.parsed("--sessions", "a number, 1 to 64")?.unwrap_or(4);
    if !(1..=64).contains(&sessions) {
        return Err(FlagError("--sessions must be a number, 1 to 64".into()));
    }
    let serving = flags.serving(sessions, QUEUE)?;
    let config = Config {
        module: PathBuf::from(flags.required("--module")?),
        token,
        latch: Latch::at(flags.required("--latch")?),
        sessions,
        // Last, because it reads from the descriptor.
        pin: PinSource::of(&flags)?,
    };
    Ok(Command::Serve(Box::new(config), serving))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(args: &str) -> String {
        let args: Vec<String> = args.split_whitespace().map(str::to_owned).collect();
        match read(&args) {
            Err(error) => error.0,
            Ok(_) => String::new(),
        }
    }

    #[test]
    fn an_error_names_the_flag() {
        let rest = "--latch /l --socket /s --allow-same-uid";
        for (args, flag) in [
            ("--token t --pin-file /p", "--module"),
            ("--module /m --pin-file /p", "--token"),
            ("--module /m --token t", "--pin-file"),
            ("--module /m --token t --pin-file /p --pin-fd 3", "--pin-file"),
            ("--module /m --token t --pin-fd zero", "--pin-fd"),
            ("--module /m --token t --pin-fd 1", "--pin-fd"),
            ("--module /m --slot x --pin-file /p", "--slot"),
            ("--module /m --token t --pin-file /p --sessions 0", "--sessions"),
            ("--module /m --token t --pin 1234", "--pin"),
        ] {
            let error = error(&format!("{args} {rest}"));
            assert!(error.starts_with(flag), "{args}: {error}");
        }
        assert!(error("clear-latch").starts_with("--latch"));
    }

    #[test]
    fn a_pin_in_the_arguments_is_not_repeated() {
        for args in ["--pin=987654", "--pin 987654", "--token t --pin-fd 987654x"] {
            assert!(!error(args).contains("987654"), "{args}");
        }
    }

    #[test]
    fn the_help_has_every_flag_and_an_example_that_is_read() {
        let help = help();
        for (name, _) in COMMON.iter().chain(OWN) {
            assert!(help.contains(name), "{name}");
        }
        let example = help.split("Example:").nth(1).unwrap().replace("\\\n", " ");
        let args: Vec<String> = example.split_whitespace().skip(1).map(str::to_owned).collect();
        assert!(matches!(read(&args), Ok(Command::Serve(..))));
    }
}
