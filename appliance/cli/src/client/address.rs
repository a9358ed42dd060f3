//! Where the server is: `https://host:port`, `http://host:port`, `unix:///path`.

use std::fmt::Write;
use std::path::{Path, PathBuf};

/// A server's address.
#[derive(Debug, PartialEq, Eq)]
pub enum Address {
    /// TCP, with TLS or without.
    Tcp {
        /// With TLS.
        tls: bool,
        /// A name or an IP address, without brackets.
        host: String,
        /// The port.
        port: u16,
        /// As it was given, without a slash at the end.
        shown: String,
        /// What stands before `/v1/`; mostly empty.
        prefix: String,
    },
    /// A Unix socket.
    Unix(PathBuf),
}

/// A request's path and query, encoded.
pub struct Target(String);

impl Address {
    /// From text. The error says what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let wrong =
            |why: &str| format!("the address \"{text}\" {why}; it should look like https://127.0.0.1:8200");
        let text = text.trim();
        if let Some(path) = text.strip_prefix("unix://") {
            return Ok(Self::Unix(path.into()));
        }
        let (scheme, rest) = text.split_once("://").ok_or_else(|| wrong("has no scheme"))?;
        let tls = match scheme.to_ascii_lowercase().as_str() {
            "https" => true,
            "http" => false,
            _ => return Err(wrong("has an unknown scheme")),
        };
        let (authority, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        if authority.contains('@') {
            return Err(wrong("holds a user name or password, which are never sent"));
        }
        let (host, port) = match authority.strip_prefix('[') {
            Some(rest) => {
                let (host, after) = rest.split_once(']').ok_or_else(|| wrong("has an open bracket"))?;
                (host, after.strip_prefix(':'))
            }
            None => match authority.rsplit_once(':') {
                Some((host, port)) => (host, Some(port)),
                None => (authority, None),
            },
        };
        let port = match port {
            Some(port) => port.parse().map_err(|_| wrong("has an invalid port"))?,
            None if tls => 443,
            None => 80,
        };
        if host.is_empty() || host.contains(|c: char| c.is_whitespace() || c.is_control()) {
            return Err(wrong("has no valid host"));
        }
        Ok(Self::Tcp {
            tls,
            host: host.to_owned(),
            port,
            shown: text.trim_end_matches('/').to_owned(),
            prefix: match prefix.trim_matches('/') {
                "" => String::new(),
                prefix => format!("/{prefix}"),
            },
        })
    }

    /// Whether TLS is spoken.
    pub fn is_tls(&self) -> bool {
        matches!(self, Self::Tcp { tls: true, .. })
    }

    /// The Unix socket, if it is one.
    pub fn socket(&self) -> Option<&Path> {
        match self {
            Self::Unix(path) => Some(path),
            Self::Tcp { .. } => None,
        }
    }

    /// The whole URL, for messages.
    pub fn url(&self, target: &Target) -> String {
        match self {
            Self::Tcp { shown, .. } => format!("{shown}{}", target.0),
            Self::Unix(path) => format!("unix://{}{}", path.display(), target.0),
        }
    }

    /// What stands in the first line.
    pub fn line(&self, target: &Target) -> String {
        match self {
            Self::Tcp { prefix, .. } => format!("{prefix}{}", target.0),
            Self::Unix(_) => target.0.clone(),
        }
    }

    /// What stands in `Host`.
    pub fn host(&self) -> String {
        match self {
            Self::Tcp { host, port, .. } if host.contains(':') => format!("[{host}]:{port}"),
            Self::Tcp { host, port, .. } => format!("{host}:{port}"),
            Self::Unix(_) => "localhost".into(),
        }
    }
}

impl Target {
    /// `path` below `/v1/`.
    pub fn new(path: &str, query: &[(String, String)]) -> Self {
        let mut out = String::from("/v1/");
        encode(&mut out, path, "/");
        for (at, (name, value)) in query.iter().enumerate() {
            out.push(if at == 0 { '?' } else { '&' });
            encode(&mut out, name, "");
            out.push('=');
            encode(&mut out, value, "");
        }
        Self(out)
    }
}

/// Percent-encodes all but letters, digits, `-_.~` and `also`.
fn encode(out: &mut String, text: &str, also: &str) {
    for byte in text.bytes() {
        let c = char::from(byte);
        if byte.is_ascii_alphanumeric() || "-_.~".contains(c) || also.contains(c) {
            out.push(c);
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        let host = |text: &str| Address::parse(text).map(|address| (address.is_tls(), address.host()));
        assert_eq!(host("https://127.0.0.1:8200"), Ok((true, "127.0.0.1:8200".into())));
        assert_eq!(host("http://vault.example/"), Ok((false, "vault.example:80".into())));
        assert_eq!(host("HTTPS://[::1]:8200/"), Ok((true, "[::1]:8200".into())));
        assert_eq!(host("https://vault"), Ok((true, "vault:443".into())));
        assert_eq!(Address::parse("unix:///run/a.sock"), Ok(Address::Unix("/run/a.sock".into())));
        for text in [
            "",
            "127.0.0.1:8200",
            "ftp://a",
            "http://127.0.0.1:bad",
            "http://:80",
            "https://[::1",
            "http://u:p@h",
        ] {
            assert!(host(text).is_err(), "{text}");
        }
        let address = Address::parse("https://h:1/base/").unwrap();
        let target = Target::new("a", &[]);
        assert_eq!(
            (address.line(&target), address.url(&target)),
            ("/base/v1/a".into(), "https://h:1/base/v1/a".into())
        );
    }

    #[test]
    fn paths_are_encoded_once() {
        let query = [("after".to_owned(), "a b&".to_owned()), ("limit".to_owned(), "3".to_owned())];
        assert_eq!(
            Target::new("secret/a b/%41/é?", &query).0,
            "/v1/secret/a%20b/%2541/%C3%A9%3F?after=a%20b%26&limit=3"
        );
    }
}
