//! What `secrets` and `auth` have in common: mounts, which are enabled, listed, tuned, moved and disabled.

pub mod list;
pub mod remount;

use serde_json::{Value, json};
use strongroom_types::JsonMap;

use crate::args::{Flag, Kind};
use crate::client::Ask;
use crate::secret::Secret;
use crate::verb::{Call, Failure, sanitize};

/// One of the two kinds of mounts.
pub struct Family {
    /// Where the API has them.
    pub root: &'static str,
    /// What stands before their paths elsewhere in the API.
    pub prefix: &'static str,
    /// As people call one of them.
    pub noun: &'static str,
}

/// How requests to a mount are treated; for `enable` and `tune`.
pub const CONFIG: &[Flag] = &[
    Flag {
        names: &["default-lease-ttl"],
        kind: Kind::Ttl,
        about: "How long leases live unless asked otherwise; system: as the server says",
    },
    Flag {
        names: &["max-lease-ttl"],
        kind: Kind::Ttl,
        about: "How long leases live at most; system: as the server says",
    },
    Flag {
        names: &["listing-visibility"],
        kind: Kind::Text,
        about: "unauth: shown to everybody before the login; hidden: not",
    },
    Flag {
        names: &["audit-non-hmac-request-keys"],
        kind: Kind::Many,
        about: "A field of requests that the audit log holds in clear; may come more than once",
    },
    Flag {
        names: &["audit-non-hmac-response-keys"],
        kind: Kind::Many,
        about: "A field of answers that the audit log holds in clear; may come more than once",
    },
    Flag {
        names: &["passthrough-request-headers"],
        kind: Kind::Many,
        about: "A header that the mount may see; may come more than once",
    },
    Flag {
        names: &["allowed-response-headers"],
        kind: Kind::Many,
        about: "A header that the mount may send; may come more than once",
    },
    Flag { names: &["plugin-version"], kind: Kind::Text, about: "Not used: engines are part of the server" },
];

/// What a mount is; for `enable`.
pub const WHAT: &[Flag] = &[
    Flag { names: &["description"], kind: Kind::Text, about: "For people" },
    Flag { names: &["local"], kind: Kind::Bool, about: "Never replicated" },
    Flag { names: &["seal-wrap"], kind: Kind::Bool, about: "Also encrypted by the seal" },
    Flag { names: &["external-entropy-access"], kind: Kind::Bool, about: "May draw from external entropy" },
];

/// A setting that is fixed once a mount is enabled.
pub const FIXED: &[Flag] =
    &[Flag { names: &["force-no-cache"], kind: Kind::Bool, about: "Never cache what it stores" }];

/// Where it is mounted.
pub const PATH: &[Flag] =
    &[Flag { names: &["path"], kind: Kind::Text, about: "Where to mount it (at the name of its type)" }];

/// What only the engine understands.
pub const OPTIONS: &[Flag] = &[
    Flag {
        names: &["options"],
        kind: Kind::Pairs,
        about: "An option of the engine; may come more than once",
    },
    Flag { names: &["version"], kind: Kind::Number, about: "Short for -options=version=NUMBER" },
];

/// What `tune` changes beside the configuration.
pub const DESCRIPTION: &[Flag] = &[Flag { names: &["description"], kind: Kind::Text, about: "For people" }];

impl Family {
    /// Enables the type that is the first argument. `extra` belongs into the configuration.
    pub fn enable(&self, call: &mut Call<'_>, what: &str, extra: JsonMap) -> Result<String, Failure> {
        let kind = call.path(0);
        let path = match call.flags.text("path") {
            Some(path) => sanitize(path),
            None => kind.clone(),
        };
        let mut body = call.flags.body(WHAT);
        let mut config = call.flags.body(CONFIG);
        config.extend(call.flags.body(FIXED));
        config.extend(extra);
        body.insert("type".into(), kind.into());
        body.insert("config".into(), config.into());
        body.extend(options(call));
        let (url, body) = (format!("{}/{path}", self.root), Value::Object(body));
        Secret::ask(&call.client()?, what, &Ask::post(&url, &body))?;
        Ok(path)
    }

    /// Changes how the mount that is the first argument is treated; `extra` are further members of the request.
    pub fn tune(&self, call: &mut Call<'_>, extra: JsonMap) -> Result<u8, Failure> {
        let path = call.path(0);
        let mut body = call.flags.body(CONFIG);
        body.extend(call.flags.body(DESCRIPTION));
        body.extend(extra);
        body.extend(options(call));
        let (url, body) = (format!("{}/{path}/tune", self.root), Value::Object(body));
        let what = format!("Error tuning {} {path}/", self.noun);
        Secret::ask(&call.client()?, &what, &Ask::post(&url, &body))?;
        call.io.say(&format!("Success! Tuned the {} at: {path}/", self.noun));
        Ok(0)
    }

    /// Disables the mount that is the first argument, with everything in it.
    pub fn disable(&self, call: &mut Call<'_>) -> Result<u8, Failure> {
        let path = call.path(0);
        let url = format!("{}/{path}", self.root);
        let what = format!("Error disabling {} at {path}/", self.noun);
        Secret::ask(&call.client()?, &what, &Ask::delete(&url))?;
        call.io.say(&format!("Success! Disabled the {} (if it existed) at: {path}/", self.noun));
        Ok(0)
    }
}

/// `-options` and `-version`, as a member of a body.
fn options(call: &Call<'_>) -> Option<(String, Value)> {
    let mut options = call.flags.pairs("options");
    if let Some(version) = call.flags.number("version") {
        options.insert("version".into(), version.to_string().into());
    }
    (!options.is_empty()).then(|| ("options".to_owned(), json!(options)))
}
