//! Where a path of `kv` really is: version 2 puts `data/` or `metadata/` behind the mount.

use serde_json::Value;

use crate::client::{Ask, Client};
use crate::secret::Secret;
use crate::verb::{Call, Failure, sanitize};

/// A path below a KV mount.
pub struct Place {
    /// The mount, with a slash at its end.
    mount: String,
    /// What follows it.
    rest: String,
    /// Whether the mount keeps versions.
    pub versions: bool,
}

impl Place {
    /// As the flag `-mount` and the first argument say, and as the server knows the mount.
    pub fn find(call: &Call<'_>, client: &Client) -> Result<Self, Failure> {
        let path = call.path(0);
        let Some(mount) = call.flags.text("mount").map(sanitize) else {
            return Self::ask(client, &path, &path);
        };
        let whole = if path.is_empty() { mount.clone() } else { format!("{mount}/{path}") };
        Self::ask(client, &mount, &whole)
    }

    /// `asked` is what the server is asked about, `whole` the path with its mount.
    fn ask(client: &Client, asked: &str, whole: &str) -> Result<Self, Failure> {
        let about = format!("sys/internal/ui/mounts/{asked}");
        let answer =
            client.find(&Ask::preliminary(&about)).map_err(|cause| Failure::remote(cause.to_string()))?;
        let secret = Secret::of(&answer).map_err(|cause| Failure::remote(cause.to_string()))?;
        let Some(secret) = secret else {
            // A server that does not know the question has no versions.
            return Ok(Self { mount: String::new(), rest: whole.to_owned(), versions: false });
        };
        let text = |value: Option<&Value>| value.and_then(Value::as_str).unwrap_or_default().to_owned();
        let mount = text(secret.get("path"));
        let version = secret.get("options").and_then(|options| options.get("version"));
        let rest = whole.strip_prefix(mount.as_str()).unwrap_or_default();
        let rest = if whole == sanitize(&mount) { "" } else { rest };
        Ok(Self { rest: rest.to_owned(), versions: text(version) == "2", mount })
    }

    /// The API's path: with `what` behind the mount if there are versions.
    pub fn path(&self, what: &str) -> String {
        let Self { mount, rest, versions } = self;
        sanitize(&if *versions { format!("{mount}{what}/{rest}") } else { format!("{mount}{rest}") })
    }
}
