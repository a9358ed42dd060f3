//! Command-line flags, read the same way by both bridges: `--name value`, `--name=value`, `--switch`.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use super::SocketPlace;
use crate::PeerRule;

/// What a flag is followed by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Takes {
    /// Nothing: it is there or not.
    Nothing,
    /// A value.
    Value,
}

/// The flags that both bridges have; [`Flags::socket`], [`Flags::peer`] and [`Flags::hang_limit`] read them.
pub const COMMON: &[(&str, Takes)] = &[
    ("--socket", Takes::Value),
    ("--socket-group", Takes::Value),
    ("--peer-uid", Takes::Value),
    ("--allow-same-uid", Takes::Nothing),
    ("--hang-limit", Takes::Value),
];

/// Their part of the help.
pub const COMMON_HELP: &str = "\
  --socket PATH        where to listen
  --peer-uid UID       the user of the daemon: nobody else is answered
  --socket-group GID   the group that may open the socket (mode 0660); without it the mode is 0660 if
                       --peer-uid is another user's, else 0600
  --allow-same-uid     answer a daemon that runs as the same user as the bridge; for development
  --hang-limit SECONDS end when one call to the device takes longer, to be started again (default 60)
";

/// A flag is wrong. The message names it and says what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FlagError(pub String);

impl fmt::Display for FlagError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for FlagError {}

/// Flags as given, each at most once.
#[derive(Debug)]
pub struct Flags(BTreeMap<&'static str, String>);

/// Whether `args` ask for help.
pub fn asks_for_help(args: &[String]) -> bool {
    args.iter().any(|arg| ["--help", "-h", "help"].contains(&arg.as_str()))
}

impl Flags {
    /// Reads `args`; every one must be in `known`.
    pub fn read(args: &[String], known: &[&[(&'static str, Takes)]]) -> Result<Self, FlagError> {
        let mut flags = BTreeMap::new();
        let mut args = args.iter();
        while let Some(arg) = args.next() {
            let (name, inline) = match arg.split_once('=') {
                Some((name, value)) => (name, Some(value.to_owned())),
                None => (arg.as_str(), None),
            };
            let Some((name, takes)) = known.iter().copied().flatten().find(|(known, _)| *known == name)
            else {
                return Err(FlagError(format!("{name}: there is no such flag; see --help")));
            };
            let value = match (takes, inline) {
                (Takes::Nothing, None) => String::new(),
                (Takes::Nothing, Some(_)) => return Err(FlagError(format!("{name} takes no value"))),
                (Takes::Value, Some(value)) => value,
                (Takes::Value, None) => match args.next() {
                    Some(value) => value.clone(),
                    None => return Err(FlagError(format!("{name} needs a value"))),
                },
            };
            if flags.insert(*name, value).is_some() {
                return Err(FlagError(format!("{name} is given twice")));
            }
        }
        Ok(Self(flags))
    }

    /// The value of `name`.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// Whether the switch `name` is there.
    pub fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    /// The value of `name`, which must be there.
    pub fn required(&self, name: &str) -> Result<&str, FlagError> {
        match self.get(name) {
            Some("") | None => Err(FlagError(format!("{name} is missing; see --help"))),
            Some(value) => Ok(value),
        }
    }

    /// The value of `name` as a number or another type; `wanted` says what it must be.
    pub fn parsed<T: FromStr>(&self, name: &str, wanted: &str) -> Result<Option<T>, FlagError> {
        self.get(name)
            .map(|value| value.parse().map_err(|_| FlagError(format!("{name} must be {wanted}"))))
            .transpose()
    }

    /// From `--peer-uid` and `--allow-same-uid`: at least one of them is needed.
    pub fn peer(&self) -> Result<PeerRule, FlagError> {
        let uid = self.parsed("--peer-uid", "a user id, in digits")?;
        let allow_same_uid = self.has("--allow-same-uid");
        if uid.is_none() && !allow_same_uid {
            let message = "--peer-uid is missing: the user of the daemon, in digits; or --allow-same-uid for development";
            return Err(FlagError(message.into()));
        }
        if uid == Some(nix::unistd::geteuid().as_raw()) && !allow_same_uid {
            let message =
                "--peer-uid is the user of this process: give the daemon its own, or add --allow-same-uid";
            return Err(FlagError(message.into()));
        }
        Ok(PeerRule { uid, allow_same_uid })
    }

    /// From `--socket` and `--socket-group`.
    pub fn socket(&self) -> Result<SocketPlace, FlagError> {
        let own = nix::unistd::geteuid().as_raw();
        Ok(SocketPlace {
            path: PathBuf::from(self.required("--socket")?),
            group: self.parsed("--socket-group", "a group id, in digits")?,
            shared: self.peer()?.uid.is_some_and(|uid| uid != own),
        })
    }

    /// From `--hang-limit`; a minute without it.
    pub fn hang_limit(&self) -> Result<Duration, FlagError> {
        let seconds: u64 = self.parsed("--hang-limit", "a number of seconds")?.unwrap_or(60);
        match seconds {
            0 => Err(FlagError("--hang-limit must be at least 1 second".into())),
            seconds => Ok(Duration::from_secs(seconds)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(args: &[&str]) -> Result<Flags, FlagError> {
        let args: Vec<String> = args.iter().map(|arg| arg.to_string()).collect();
        Flags::read(&args, &[COMMON])
    }

    #[test]
    fn both_notations_are_read() {
        let flags = read(&["--socket", "/s", "--peer-uid=77", "--allow-same-uid"]).unwrap();
        assert_eq!(flags.get("--socket"), Some("/s"));
        assert_eq!(flags.peer().unwrap(), PeerRule { uid: Some(77), allow_same_uid: true });
        assert_eq!(flags.hang_limit().unwrap().as_secs(), 60);
    }

    #[test]
    fn an_error_names_the_flag() {
        for (args, name) in [
            (&["--sockt", "x"][..], "--sockt"),
            (&["--socket"], "--socket"),
            (&["--socket", "a", "--socket", "b"], "--socket"),
            (&["--allow-same-uid=yes"], "--allow-same-uid"),
        ] {
            assert!(read(args).unwrap_err().0.starts_with(name), "{args:?}");
        }
        assert!(read(&[]).unwrap().socket().unwrap_err().0.starts_with("--socket"));
        assert!(read(&[]).unwrap().peer().unwrap_err().0.starts_with("--peer-uid"));
        assert!(read(&["--peer-uid", "root"]).unwrap().peer().unwrap_err().0.starts_with("--peer-uid"));
        assert!(
            read(&["--hang-limit", "0"]).unwrap().hang_limit().unwrap_err().0.starts_with("--hang-limit")
        );
        let own = nix::unistd::geteuid().to_string();
        assert!(read(&["--peer-uid", &own]).unwrap().peer().unwrap_err().0.starts_with("--peer-uid"));
    }
}
