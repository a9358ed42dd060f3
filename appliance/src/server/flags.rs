//! The command line of `strongroom server`; one dash or two, as with Vault.

use std::net::SocketAddr;
use std::path::PathBuf;

use strongroom_core::log::{Level, NoLevel};
use strongroom_types::Secret;

use crate::config::API_PORT;
use crate::config::stanza::parse_address;

/// Shown by `-help`.
pub const USAGE: &str = "Usage: strongroom server [options]

  Starts a server from a configuration:

      $ strongroom server -config=/etc/strongroom/strongroom.hcl

  Or, to try it, one in memory, unsealed, that forgets everything when it ends:

      $ strongroom server -dev

  -config=FILE|DIR              a file in HCL or JSON, or a folder of them in the order of their names; may be
                                repeated

  -log-level=LEVEL              trace, debug, info, warn or error (VAULT_LOG_LEVEL); otherwise what the configuration
                                says, which is read again at SIGHUP

  -dev                          development: in memory, plain HTTP on loopback, unsealed
  -dev-root-token-id=TOKEN      the root token instead of a random one (VAULT_DEV_ROOT_TOKEN_ID)
  -dev-listen-address=ADDRESS   127.0.0.1:8200 unless said otherwise (VAULT_DEV_LISTEN_ADDRESS)
  -dev-tls                      HTTPS with a certificate made for this start
  -dev-tls-cert-dir=DIR         where that certificate, its key and its CA are written
  -dev-no-store-token           leave ~/.vault-token alone";

/// What to do.
pub enum Command {
    /// Say how it is used.
    Help,
    /// Serve what files describe.
    Production {
        /// Files and folders.
        configurations: Vec<PathBuf>,
        /// Instead of the configuration's.
        log_level: Option<Level>,
    },
    /// Serve from memory.
    Development(DevWish),
}

/// How a development server is to be.
pub struct DevWish {
    /// A random one when `None`.
    pub root_token: Option<Secret>,
    /// Where it listens.
    pub address: SocketAddr,
    /// Whether it speaks HTTPS.
    pub tls: bool,
    /// Where the certificate goes; a folder for temporary files when `None`.
    pub certificates: Option<PathBuf>,
    /// Whether `~/.vault-token` is written.
    pub store_token: bool,
    /// How much is logged.
    pub log_level: Option<Level>,
}

#[derive(Default)]
struct Given {
    configurations: Vec<PathBuf>,
    help: bool,
    dev: bool,
    root_token: Option<Secret>,
    address: Option<String>,
    tls: bool,
    certificates: Option<PathBuf>,
    no_store_token: bool,
    log_level: Option<String>,
}

/// Reads the arguments after `server`; `variable` is the environment.
pub fn parse(arguments: &[String], variable: &dyn Fn(&str) -> Option<String>) -> Result<Command, String> {
    let given = Given::read(arguments)?;
    if given.help {
        return Ok(Command::Help);
    }
    let not_empty = |name: &str| variable(name).filter(|value| !value.is_empty());
    let log_level = given.log_level.or_else(|| not_empty("VAULT_LOG_LEVEL"));
    let log_level = log_level.map(|text| text.parse().map_err(|no: NoLevel| format!("-log-level {no}")));
    let log_level = log_level.transpose()?;
    if !given.dev {
        if given.root_token.is_some() || given.address.is_some() || given.tls {
            return Err("the -dev-… options are for -dev only".into());
        }
        if given.configurations.is_empty() {
            return Err(format!("-config is missing (or -dev, to try it)\n\n{USAGE}"));
        }
        return Ok(Command::Production { configurations: given.configurations, log_level });
    }
    if !given.configurations.is_empty() {
        return Err(
            "-config and -dev exclude each other: what a development server does is not configured".into()
        );
    }
    let address = given.address.or_else(|| not_empty("VAULT_DEV_LISTEN_ADDRESS"));
    let address = parse_address(address.as_deref().unwrap_or("127.0.0.1:8200"), API_PORT);
    Ok(Command::Development(DevWish {
        root_token: given.root_token.or_else(|| not_empty("VAULT_DEV_ROOT_TOKEN_ID").map(Secret::from)),
        address: address.map_err(|what| format!("-dev-listen-address {what}"))?,
        tls: given.tls || given.certificates.is_some(),
        certificates: given.certificates,
        store_token: !given.no_store_token,
        log_level,
    }))
}

impl Given {
    fn read(arguments: &[String]) -> Result<Self, String> {
        let mut given = Self::default();
        let mut rest = arguments.iter();
        while let Some(argument) = rest.next() {
            let Some(flag) = argument.strip_prefix("--").or_else(|| argument.strip_prefix('-')) else {
                return Err(format!("too many arguments (expected 0)\n\n{USAGE}"));
            };
            let (name, value) = match flag.split_once('=') {
                Some((name, value)) => (name, Some(value)),
                None => (flag, None),
            };
            let mut text = || -> Result<String, String> {
                let value = value.map(str::to_owned).or_else(|| rest.next().cloned());
                value.ok_or_else(|| format!("-{name} needs a value"))
            };
            let yes = || match value {
                None | Some("true" | "1") => Ok(true),
                Some("false" | "0") => Ok(false),
                Some(_) => Err(format!("-{name} is true or false")),
            };
            match name {
                "h" | "help" => given.help = true,
                "config" => given.configurations.push(PathBuf::from(text()?)),
                "log-level" => given.log_level = Some(text()?),
                "dev" => given.dev = yes()?,
                "dev-root-token-id" => given.root_token = Some(Secret::from(text()?)),
                "dev-listen-address" => given.address = Some(text()?),
                "dev-tls" => given.tls = yes()?,
                "dev-tls-cert-dir" => given.certificates = Some(PathBuf::from(text()?)),
                "dev-no-store-token" => given.no_store_token = yes()?,
                // Vault's, without a meaning here: one log, on the standard error.
                "log-format" => drop(text()?),
                "exit-on-core-shutdown" => drop(yes()?),
                _ => return Err(format!("flag provided but not defined: -{name}\n\n{USAGE}")),
            }
        }
        Ok(given)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(arguments: &[&str], environment: &[(&str, &str)]) -> Result<Command, String> {
        let arguments: Vec<String> = arguments.iter().map(|argument| (*argument).to_owned()).collect();
        let find = |name: &str| environment.iter().find(|(n, _)| *n == name).map(|(_, v)| (*v).to_owned());
        parse(&arguments, &find)
    }

    #[test]
    fn flags_have_one_dash_or_two_and_a_value_beside_or_behind() {
        for arguments in [["-config=a", "-config=b"].as_slice(), &["--config", "a", "--config=b"]] {
            let Ok(Command::Production { configurations, log_level: None }) = read(arguments, &[]) else {
                panic!("production")
            };
            assert_eq!(configurations, [PathBuf::from("a"), PathBuf::from("b")]);
        }
        let arguments =
            ["-dev", "-dev-root-token-id", "root", "-dev-listen-address=:1234", "-dev-no-store-token"];
        let Ok(Command::Development(wish)) = read(&arguments, &[]) else { panic!("development") };
        assert_eq!(wish.root_token.unwrap().expose(), b"root");
        assert_eq!(
            (wish.address.to_string().as_str(), wish.tls, wish.store_token),
            ("[::]:1234", false, false)
        );
    }

    #[test]
    fn the_environment_fills_in_for_development() {
        let environment = [
            ("VAULT_DEV_ROOT_TOKEN_ID", "e"),
            ("VAULT_DEV_LISTEN_ADDRESS", "127.0.0.1:1"),
            ("VAULT_LOG_LEVEL", "warn"),
        ];
        let Ok(Command::Development(wish)) = read(&["-dev"], &environment) else { panic!("development") };
        assert_eq!((wish.root_token.unwrap().expose(), wish.address.port()), (b"e".as_slice(), 1));
        assert_eq!(wish.log_level, Some(Level::Warn));
        let Ok(Command::Production { log_level, .. }) =
            read(&["-config=a", "-log-level=ERROR"], &environment)
        else {
            panic!("production")
        };
        assert_eq!(log_level, Some(Level::Error), "the flag counts more");
    }

    #[test]
    fn mistakes_are_said() {
        for (arguments, said) in [
            ([].as_slice(), "-config is missing"),
            (&["-dev", "-config=a"], "exclude each other"),
            (&["-config"], "-config needs a value"),
            (&["-config=a", "-dev-tls"], "for -dev only"),
            (&["-dev=perhaps"], "-dev is true or false"),
            (&["-colour"], "flag provided but not defined: -colour"),
            (&["here"], "too many arguments"),
            (&["-config=a", "-log-level=loud"], "-log-level must be trace, debug"),
            (&["-dev", "-dev-listen-address=example.com:1"], "-dev-listen-address is no address"),
        ] {
            let what = read(arguments, &[]).err().unwrap();
            assert!(what.contains(said), "{arguments:?}: {what}");
        }
    }
}
