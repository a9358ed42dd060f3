//! What is printed instead of a request: a curl command that makes it, or a policy that allows it.

use std::fmt::Write;

use super::{Ask, Client, target};
use crate::args::Flags;
use crate::env;
use crate::io::Io;
use crate::sudo;

/// What to print.
pub enum Instead {
    /// `curl …`.
    Curl {
        /// As this program was called: it prints the token.
        program: String,
        /// What curl has to know of TLS.
        options: String,
    },
    /// `path "…" { … }`.
    Policy,
}

impl Instead {
    /// What the flags ask for, if anything.
    pub fn wanted(flags: &Flags, io: &Io) -> Option<Self> {
        if flags.on("output-curl-string") {
            return Some(Self::Curl { program: io.name().to_owned(), options: tls(flags, io) });
        }
        flags.on("output-policy").then_some(Self::Policy)
    }

    /// The text for `ask`.
    pub fn text(&self, client: &Client, ask: &Ask<'_>) -> String {
        match self {
            Self::Curl { program, options } => curl(program, options, client, ask),
            Self::Policy => policy(ask),
        }
    }
}

fn curl(program: &str, options: &str, client: &Client, ask: &Ask<'_>) -> String {
    let mut out = format!("curl{options}");
    if let Some(socket) = client.address.socket() {
        let _ = write!(out, " --unix-socket {}", quote(&socket.display().to_string()));
    }
    if ask.method != "GET" {
        let _ = write!(out, " -X {}", ask.method);
    }
    for (name, value) in client.headers_for(ask) {
        let value = String::from_utf8_lossy(value.as_bytes());
        let _ = write!(out, " -H {}", double(&format!("{}: {value}", shown(name.as_str()))));
    }
    if client.token.is_some() {
        // The token itself stays out of the history of a shell.
        let _ = write!(out, " -H \"X-Vault-Token: $({program} print token)\"");
    }
    if ask.method == "PATCH" {
        out.push_str(" -H \"Content-Type: application/merge-patch+json\"");
    }
    if let Some(body) = ask.body {
        let _ = write!(out, " -d {}", quote(&body.to_string()));
    }
    let target = target(ask);
    let url = match client.address.socket() {
        Some(_) => format!("http://localhost{}", client.address.line(&target)),
        None => client.address.url(&target),
    };
    let _ = write!(out, " {}", double(&url));
    out
}

/// `x-vault-request` as people write it.
fn shown(name: &str) -> String {
    let words = name.split('-').map(|word| {
        let mut letters = word.chars();
        letters.next().map(|first| first.to_ascii_uppercase()).into_iter().chain(letters).collect::<String>()
    });
    words.collect::<Vec<_>>().join("-")
}

/// One word of a shell, taken as it is.
fn quote(text: &str) -> String {
    format!("'{}'", text.replace('\'', "'\"'\"'"))
}

/// One word of a shell in double quotes.
fn double(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        if matches!(c, '"' | '$' | '`' | '\\') {
            out.push('\\');
        }
        out.push(c);
    }
    out.push('"');
    out
}

fn tls(flags: &Flags, io: &Io) -> String {
    let mut out = String::new();
    let setting = |flag: &str, name: &str| flags.text(flag).or_else(|| env::get(io, name));
    let skip = setting("tls-skip-verify", "SKIP_VERIFY").and_then(crate::args::parse_bool);
    if skip == Some(true) {
        out.push_str(" --insecure");
    }
    for (option, flag, name) in [
        ("--cacert", "ca-cert", "CACERT"),
        ("--capath", "ca-path", "CAPATH"),
        ("--cert", "client-cert", "CLIENT_CERT"),
        ("--key", "client-key", "CLIENT_KEY"),
    ] {
        if let Some(file) = setting(flag, name) {
            let _ = write!(out, " {option} {}", quote(file));
        }
    }
    out
}

fn policy(ask: &Ask<'_>) -> String {
    let asks = |word: &str| ask.query.iter().any(|(name, value)| name == word && value == "true");
    let mut words = match ask.method {
        "GET" if asks("list") => vec!["list"],
        "GET" if asks("scan") => vec!["scan"],
        "GET" => vec!["read"],
        "PATCH" => vec!["patch"],
        "DELETE" => vec!["delete"],
        _ => vec!["create", "update"],
    };
    if sudo::is_needed(ask.path, words == ["list"] || words == ["scan"]) {
        words.push("sudo");
    }
    let words: Vec<String> = words.into_iter().map(|word| format!("\"{word}\"")).collect();
    let path = serde_json::Value::from(ask.path);
    format!("path {path} {{\n  capabilities = [{}]\n}}", words.join(", "))
}
