//! The flags. An error names the flag.

use std::str::FromStr;

use strongroom_device_api::bridge::Serving;
use strongroom_device_api::bridge::flags::{COMMON, COMMON_HELP, FlagError, Flags, Takes, asks_for_help};
use tss_esapi::tcti_ldr::TctiNameConf;

use crate::enrolment::Enrolment;
use crate::policy::Pcrs;
use crate::simulator::Simulator;

/// What to do.
pub(crate) enum Command {
    Help,
    Serve(Box<Config>),
}

/// How to serve.
pub(crate) struct Config {
    pub(crate) tpm: TpmWish,
    pub(crate) serving: Serving,
}

/// Which TPM, and what new secrets are bound to.
pub(crate) struct TpmWish {
    pub(crate) tcti: TctiNameConf,
    /// If it is one.
    pub(crate) simulator: Option<Simulator>,
    pub(crate) enrolment: Enrolment,
    pub(crate) pcrs: Pcrs,
}

const OWN: &[(&str, Takes)] = &[
    ("--tcti", Takes::Value),
    ("--state", Takes::Value),
    ("--enrol", Takes::Nothing),
    ("--pcrs", Takes::Value),
];
/// Requests that wait for the TPM; more are answered with Retry.
const QUEUE: usize = 128;

pub(crate) fn help() -> String {
    format!(
        "\
tpm-bridge lets Strongroom use a TPM 2.0.

  tpm-bridge --tcti device:/dev/tpmrm0 --state DIR --socket PATH --peer-uid UID

The TPM:
  --tcti TCTI          device:/dev/tpmrm0, or swtpm:host=127.0.0.1,port=2321 (its control port is the next)
  --state DIR          where the name of the TPM's primary key is pinned; a folder that only the bridge can write
  --enrol              pin the name of this TPM's primary key, if none is pinned yet
  --pcrs BANK:LIST     the PCRs that new secrets are bound to (default sha256:7,11)

Serving:
{COMMON_HELP}
Example:
  tpm-bridge --tcti device:/dev/tpmrm0 --state /var/lib/strongroom-tpm --pcrs sha256:7,11 \\
    --socket /run/strongroom/tpm.sock --peer-uid 990
"
    )
}

/// Reads the arguments, without the program's name.
pub(crate) fn read(args: &[String]) -> Result<Command, FlagError> {
    if asks_for_help(args) {
        return Ok(Command::Help);
    }
    let flags = Flags::read(args, &[COMMON, OWN])?;
    let wish = flags.required("--tcti")?;
    let simulator = Simulator::of(wish);
    let tcti = TctiNameConf::from_str(wish)
        .ok()
        .filter(|tcti| matches!(tcti, TctiNameConf::Device(_)) || simulator.is_some())
        .ok_or_else(|| FlagError("--tcti must be device:PATH or swtpm:host=HOST,port=PORT".into()))?;
    let pcrs = Pcrs::parse(flags.get("--pcrs").unwrap_or("sha256:7,11")).ok_or_else(|| {
        FlagError("--pcrs must be sha256: or sha384: and numbers, 0 to 23: sha256:7,11".into())
    })?;
    let enrolment = Enrolment::new(flags.required("--state")?, flags.has("--enrol"));
    if !enrolment.folder().is_dir() {
        return Err(FlagError(format!("--state {}: there is no such folder", enrolment.folder().display())));
    }
    let serving = flags.serving(1, QUEUE)?;
    Ok(Command::Serve(Box::new(Config { tpm: TpmWish { tcti, simulator, enrolment, pcrs }, serving })))
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
        let rest = "--socket /s --allow-same-uid";
        for (args, flag) in [
            ("--state /tmp", "--tcti"),
            ("--tcti mssim:host=127.0.0.1,port=1 --state /tmp", "--tcti"),
            ("--tcti swtpm:host=127.0.0.1,port=x --state /tmp", "--tcti"),
            ("--tcti device:/dev/tpmrm0", "--state"),
            ("--tcti device:/dev/tpmrm0 --state /does/not/exist", "--state"),
            ("--tcti device:/dev/tpmrm0 --state /tmp --pcrs sha256:24", "--pcrs"),
            ("--tcti device:/dev/tpmrm0 --state /tmp --pcrs sha256:", "--pcrs"),
        ] {
            let error = error(&format!("{args} {rest}"));
            assert!(error.starts_with(flag), "{args}: {error}");
        }
    }

    #[test]
    fn the_help_has_every_flag() {
        for (name, _) in COMMON.iter().chain(OWN) {
            assert!(help().contains(name), "{name}");
        }
    }
}
