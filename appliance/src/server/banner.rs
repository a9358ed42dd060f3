//! What the server says at start, in the shape that scripts around Vault look for.

use strongroom_http::Bound;

use super::VERSION;
use crate::say;

/// The lines between the two that scripts wait for.
pub struct Banner<'a> {
    /// How clients reach it, where that is configured; else the first listener.
    pub api_addr: Option<String>,
    /// What listens.
    pub listeners: &'a [Bound],
    /// `redb` or `inmem`.
    pub storage: &'a str,
    /// Where it is, for people.
    pub place: Option<String>,
    /// The devices that unseal.
    pub seal: String,
    /// The audit sinks.
    pub audit: Vec<String>,
    /// What keeps the keys out of swap and dumps.
    pub memory: &'a str,
    /// What else is to be said once it has started.
    pub after: Vec<String>,
}

impl Banner<'_> {
    /// Prints all of it.
    pub fn print(&self) {
        say::out("==> Strongroom server configuration:\n");
        let mut lines = Vec::new();
        let first = self.listeners.first().map(Bound::url);
        lines.extend(self.api_addr.clone().or(first).map(|url| ("Api Address".to_owned(), url)));
        for (number, listener) in self.listeners.iter().enumerate() {
            lines.push((format!("Listener {}", number + 1), listener.url()));
        }
        let place = self.place.as_ref().map_or_else(String::new, |place| format!(" ({place})"));
        lines.push(("Storage".into(), format!("{}{place}", self.storage)));
        lines.push(("Seal".into(), self.seal.clone()));
        let audit = if self.audit.is_empty() { "off".into() } else { self.audit.join(", ") };
        lines.push(("Audit".into(), audit));
        lines.push(("Key Memory".into(), self.memory.into()));
        lines.push(("Version".into(), format!("Strongroom v{VERSION}")));
        for (name, value) in lines {
            say::out(&format!("{name:>20}: {value}"));
        }
        say::out("\n==> Strongroom server started! Log data will stream in below:\n");
        self.after.iter().for_each(|line| say::out(line));
    }
}

/// What keeps the keys, for people.
pub fn memory(backing: strongroom_os::Backing) -> &'static str {
    match backing {
        strongroom_os::Backing::SecretMemory => "secret (memfd_secret)",
        strongroom_os::Backing::Locked => "locked (mlock)",
        strongroom_os::Backing::Ordinary => "ordinary: keys may reach swap; for development only",
    }
}
