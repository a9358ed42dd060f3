//! The flags of every verb that asks the server, and the headers that some of them are.

use http::{HeaderName, HeaderValue};

use crate::args::{Flag, Flags, Kind};

/// The flags of every verb that asks the server.
pub const FLAGS: &[Flag] = &[
    Flag { names: &["address"], kind: Kind::Text, about: "The server (VAULT_ADDR; https://127.0.0.1:8200)" },
    Flag {
        names: &["agent-address"],
        kind: Kind::Text,
        about: "An agent that asks the server (VAULT_AGENT_ADDR)",
    },
    Flag {
        names: &["ca-cert"],
        kind: Kind::Text,
        about: "A file of CA certificates to trust (VAULT_CACERT)",
    },
    Flag {
        names: &["ca-path"],
        kind: Kind::Text,
        about: "A folder of CA certificates to trust (VAULT_CAPATH)",
    },
    Flag { names: &["client-cert"], kind: Kind::Text, about: "Our certificate's file (VAULT_CLIENT_CERT)" },
    Flag { names: &["client-key"], kind: Kind::Text, about: "Its private key's file (VAULT_CLIENT_KEY)" },
    Flag {
        names: &["tls-server-name"],
        kind: Kind::Text,
        about: "The name to expect (VAULT_TLS_SERVER_NAME)",
    },
    Flag {
        names: &["tls-skip-verify"],
        kind: Kind::Bool,
        about: "Trust any certificate (VAULT_SKIP_VERIFY)",
    },
    Flag { names: &["namespace", "ns"], kind: Kind::Text, about: "The namespace (VAULT_NAMESPACE)" },
    Flag { names: &["header"], kind: Kind::Pairs, about: "A further header; may come more than once" },
    Flag {
        names: &["wrap-ttl"],
        kind: Kind::Duration,
        about: "Wrap the answer for so long (VAULT_WRAP_TTL)",
    },
    Flag {
        names: &["mfa"],
        kind: Kind::Many,
        about: "A second factor for this request; refused until the server knows any",
    },
    Flag {
        names: &["output-curl-string"],
        kind: Kind::Bool,
        about: "Print the request as a curl command instead of sending it",
    },
    Flag {
        names: &["output-policy"],
        kind: Kind::Bool,
        about: "Print the policy that allows the request instead of sending it",
    },
    Flag { names: &["policy-override"], kind: Kind::Bool, about: "Override soft-mandatory policies" },
    Flag { names: &["non-interactive"], kind: Kind::Bool, about: "Never ask on the terminal" },
];

/// Asks for a wrapped answer.
pub const WRAP: &str = "x-vault-wrap-ttl";

/// The headers of every request but the token, which stays a [`Secret`] until it is sent.
pub fn headers(
    flags: &Flags,
    namespace: &str,
    wrap: Option<String>,
) -> Result<Vec<(HeaderName, HeaderValue)>, String> {
    let mut out = vec![(HeaderName::from_static("x-vault-request"), HeaderValue::from_static("true"))];
    let mut add = |name: &str, value: &str| -> Result<(), String> {
        let wrong = || format!("\"{name}\" cannot be sent as a header with that value");
        let header = HeaderName::from_bytes(name.as_bytes()).map_err(|_| wrong())?;
        let value = HeaderValue::from_str(value).map_err(|_| wrong())?;
        out.push((header, value));
        Ok(())
    };
    if !namespace.is_empty() {
        add("x-vault-namespace", namespace)?;
    }
    if let Some(wrap) = wrap {
        add(WRAP, &wrap)?;
    }
    if flags.on("policy-override") {
        add("x-vault-policy-override", "true")?;
    }
    for pair in flags.all("header") {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        add(name.trim(), value.trim())?;
    }
    Ok(out)
}
