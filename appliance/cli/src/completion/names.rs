//! Names for completion, from the server. Whatever fails, there are no names: a shell must not be disturbed.

use serde_json::Value;

use crate::args::Flags;
use crate::client::{Ask, Client};
use crate::io::Io;
use crate::secret::Secret;
use crate::verb::First;

/// What `first` could be; `partial` is what has been typed of it.
pub fn of(first: First, flags: &Flags, partial: &str, io: &Io) -> Vec<String> {
    let Ok(client) = Client::new(flags, io).map(Client::hurried) else { return Vec::new() };
    let names = match first {
        First::Path => paths(&client, partial),
        First::Secret => secrets(&client, flags.text("mount"), partial),
        First::Mount => Some(Mounts::ask(&client).map(|mounts| mounts.engines()).unwrap_or_default()),
        First::Auth => keys(&client, "sys/auth"),
        First::Device => keys(&client, "sys/audit"),
        First::Policy => list(&client, "sys/policies/acl"),
        First::Word(_) | First::Other => None,
    };
    names.unwrap_or_default()
}

/// The names below a path.
fn list(client: &Client, path: &str) -> Option<Vec<String>> {
    let found = Secret::find(client, "", &Ask::list(path)).ok()??;
    let names = found.get("keys")?.as_array()?.iter().filter_map(Value::as_str);
    Some(names.map(str::to_owned).collect())
}

/// The members of an answer that are objects.
fn keys(client: &Client, path: &str) -> Option<Vec<String>> {
    let found = Secret::find(client, "", &Ask::get(path)).ok()??;
    let members = found.data.as_object()?.iter().filter(|(_, value)| value.is_object());
    Some(members.map(|(name, _)| name.clone()).collect())
}

/// The mounts that the token may see.
struct Mounts(Value);

impl Mounts {
    fn ask(client: &Client) -> Option<Self> {
        let found = Secret::find(client, "", &Ask::get("sys/internal/ui/mounts")).ok()??;
        Some(Self(found.data))
    }

    fn of(&self, kind: &str) -> impl Iterator<Item = (&String, &Value)> {
        self.0.get(kind).and_then(Value::as_object).into_iter().flatten()
    }

    fn engines(&self) -> Vec<String> {
        self.of("secret").map(|(path, _)| path.clone()).collect()
    }

    /// The engine that `path` is below, and whether it keeps versions.
    fn engine_of(&self, path: &str) -> Option<(&str, bool)> {
        let mut below = self.of("secret").filter(|(mount, _)| path.starts_with(mount.as_str()));
        let (mount, about) = below.next()?;
        let version = about.get("options").and_then(|options| options.get("version")).and_then(Value::as_str);
        Some((mount, version == Some("2")))
    }
}

/// Up to the last slash.
fn folder(path: &str) -> &str {
    path.rfind('/').and_then(|at| path.get(..=at)).unwrap_or_default()
}

/// `names` behind `folder`.
fn below(folder: &str, names: Vec<String>) -> Option<Vec<String>> {
    Some(names.into_iter().map(|name| format!("{folder}{name}")).collect())
}

/// Paths of the API.
fn paths(client: &Client, partial: &str) -> Option<Vec<String>> {
    let mounts = Mounts::ask(client)?;
    let logins = mounts.of("auth").map(|(path, _)| format!("auth/{path}"));
    let roots: Vec<String> =
        mounts.engines().into_iter().chain(logins).filter(|root| root.starts_with(partial)).collect();
    if !roots.is_empty() && !roots.iter().any(|root| root == partial) {
        return Some(roots);
    }
    let folder = folder(partial);
    let Some((mount, true)) = mounts.engine_of(folder) else {
        return below(folder, list(client, folder.trim_end_matches('/'))?);
    };
    // What is below `data/` and its like is listed below `metadata/`.
    match folder.strip_prefix(mount)?.split_once('/') {
        None => below(
            mount,
            ["config", "data/", "delete/", "destroy/", "metadata/", "undelete/"].map(str::to_owned).into(),
        ),
        Some((_, rest)) => {
            below(folder, list(client, format!("{mount}metadata/{rest}").trim_end_matches('/'))?)
        }
    }
}

/// Secrets, as `kv` names them.
fn secrets(client: &Client, mount: Option<&str>, partial: &str) -> Option<Vec<String>> {
    let mounts = Mounts::ask(client)?;
    let folder = folder(partial);
    let before = mount.map(|mount| format!("{}/", mount.trim_matches('/'))).unwrap_or_default();
    let whole = format!("{before}{folder}");
    let Some((engine, has_versions)) = mounts.engine_of(&whole) else {
        return Some(mounts.engines());
    };
    let rest = whole.strip_prefix(engine)?;
    let path = if has_versions { format!("{engine}metadata/{rest}") } else { whole.clone() };
    below(folder, list(client, path.trim_end_matches('/'))?)
}
