//! One request over HTTP or HTTPS, as the flags and the environment describe it.

mod address;
mod tls;
mod wire;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderName, HeaderValue};
use rustls::ClientConfig;
use serde_json::Value;
use strongroom_types::Secret;
use strongroom_types::time::parse_duration;
use zeroize::Zeroizing;

use crate::args::{Flag, Flags, Kind};
use crate::io::Io;
use crate::verb::Failure;
use crate::{env, token};
use address::{Address, Target};

/// The flags of every verb that asks the server.
pub const FLAGS: &[Flag] = &[
    Flag { names: &["address"], kind: Kind::Text, about: "The server (VAULT_ADDR; https://127.0.0.1:8200)" },
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
    Flag { names: &["policy-override"], kind: Kind::Bool, about: "Override soft-mandatory policies" },
    Flag { names: &["non-interactive"], kind: Kind::Bool, about: "Never ask on the terminal" },
];

/// How long an answer may take unless VAULT_CLIENT_TIMEOUT says otherwise.
const TIMEOUT: Duration = Duration::from_secs(60);
/// Between two tries.
const BETWEEN: Duration = Duration::from_secs(1);

/// A server, and how to speak with it.
pub struct Client {
    address: Address,
    tls: Option<Arc<ClientConfig>>,
    tls_name: Option<String>,
    headers: Vec<(HeaderName, HeaderValue)>,
    namespace: String,
    token: Option<Secret>,
    timeout: Duration,
    retries: u32,
}

/// What is asked.
#[derive(Default)]
pub struct Ask<'a> {
    /// GET, PUT, …
    pub method: &'static str,
    /// Below `/v1/`, not encoded.
    pub path: &'a str,
    /// The query's pairs.
    pub query: Vec<(String, String)>,
    /// The body: JSON.
    pub body: Option<&'a Value>,
}

impl<'a> Ask<'a> {
    /// A GET.
    pub fn get(path: &'a str) -> Self {
        Self { method: "GET", path, ..Self::default() }
    }

    /// A PUT, which is what the command line writes with.
    pub fn put(path: &'a str, body: &'a Value) -> Self {
        Self { method: "PUT", path, body: Some(body), ..Self::default() }
    }
}

/// What came back with a status below 400, or 404 if the caller asked for it.
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The body, wiped when dropped.
    pub body: Zeroizing<Vec<u8>>,
}

/// Why there is no such answer.
#[derive(Debug)]
pub enum ClientError {
    /// No connection, no handshake, or no answer in time.
    Unreachable {
        /// What was tried.
        request: String,
        /// Why.
        cause: String,
    },
    /// The server says no.
    Refused(Refused),
    /// The answer is not what it should be.
    Strange(String),
}

/// A status of 400 or more.
#[derive(Debug)]
pub struct Refused {
    /// The status.
    pub status: u16,
    /// The method and the URL.
    pub request: String,
    /// The namespace, if any.
    pub namespace: String,
    /// `errors` of the body; None when it is no such JSON.
    pub errors: Option<Vec<String>>,
    /// The body.
    pub raw: Zeroizing<Vec<u8>>,
}

impl Refused {
    /// Whether `text` is one of the errors.
    pub fn says(&self, text: &str) -> bool {
        self.errors.iter().flatten().any(|error| error == text)
    }
}

impl fmt::Display for ClientError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreachable { request, cause } => write!(f, "{request}: {cause}"),
            Self::Strange(what) => f.write_str(what),
            Self::Refused(refused) => refused.fmt(f),
        }
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Error making API request.\n\n")?;
        if !self.namespace.is_empty() {
            writeln!(f, "Namespace: {}", self.namespace)?;
        }
        writeln!(f, "URL: {}", self.request)?;
        match &self.errors {
            Some(errors) => {
                write!(f, "Code: {}. Errors:\n\n", self.status)?;
                errors.iter().try_for_each(|error| writeln!(f, "* {error}"))
            }
            None => {
                write!(f, "Code: {}. Raw Message:\n\n{}", self.status, String::from_utf8_lossy(&self.raw))
            }
        }
    }
}

impl std::error::Error for ClientError {}

impl Client {
    /// As `flags` and the environment say; a flag wins.
    pub fn new(flags: &Flags, io: &Io) -> Result<Self, Failure> {
        let setting =
            |flag: &str, name: &str| flags.text(flag).or_else(|| env::get(io, name)).map(str::to_owned);
        let failed = |cause: String| Failure::remote(format!("failed to create client: {cause}"));
        let address = setting("address", "ADDR").unwrap_or_else(|| "https://127.0.0.1:8200".into());
        let address = Address::parse(&address).map_err(failed)?;
        let tls = match address.is_tls() {
            true => Some(tls::config(flags, io).map_err(failed)?),
            false => None,
        };
        let timeout = match env::get(io, "CLIENT_TIMEOUT") {
            None => TIMEOUT,
            Some(text) => parse_duration(text)
                .and_then(|nanos| u64::try_from(nanos).ok())
                .map(Duration::from_nanos)
                .ok_or_else(|| failed("VAULT_CLIENT_TIMEOUT is not a duration such as 60s".into()))?,
        };
        let retries = match env::get(io, "MAX_RETRIES") {
            None => 0,
            Some(text) => text.parse().map_err(|_| failed("VAULT_MAX_RETRIES is not a number".into()))?,
        };
        let namespace = crate::verb::sanitize(&setting("namespace", "NAMESPACE").unwrap_or_default());
        let token =
            token::current(io).map_err(|error| failed(format!("cannot read the token file: {error}")))?;
        let headers = headers(flags, &namespace, setting("wrap-ttl", "WRAP_TTL")).map_err(Failure::local)?;
        let tls_name = setting("tls-server-name", "TLS_SERVER_NAME");
        Ok(Self { address, tls, tls_name, headers, namespace, token, timeout, retries })
    }

    /// The same client with another token.
    pub fn with_token(mut self, token: Secret) -> Self {
        self.token = Some(token);
        self
    }

    /// Asks, and expects a status below 400.
    pub fn ask(&self, ask: &Ask<'_>) -> Result<Answer, ClientError> {
        let answer = self.ask_any(ask)?;
        if answer.status < 400 { Ok(answer) } else { Err(self.refused(ask, answer)) }
    }

    /// The same, but 404 is an answer too.
    pub fn find(&self, ask: &Ask<'_>) -> Result<Answer, ClientError> {
        let answer = self.ask_any(ask)?;
        if answer.status < 400 || answer.status == 404 { Ok(answer) } else { Err(self.refused(ask, answer)) }
    }

    /// `answer` as an error.
    pub fn refused(&self, ask: &Ask<'_>, answer: Answer) -> ClientError {
        let errors = serde_json::from_slice::<Value>(&answer.body).ok().and_then(|body| {
            let errors = body.get("errors")?.as_array()?;
            Some(errors.iter().map(|e| e.as_str().map_or_else(|| e.to_string(), str::to_owned)).collect())
        });
        ClientError::Refused(Refused {
            status: answer.status,
            request: format!("{} {}", ask.method, self.address.url(&target(ask))),
            namespace: self.namespace.clone(),
            errors,
            raw: answer.body,
        })
    }

    fn ask_any(&self, ask: &Ask<'_>) -> Result<Answer, ClientError> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| ClientError::Strange(format!("cannot start: {error}")))?;
        let target = target(ask);
        let unreachable = |cause: String| ClientError::Unreachable {
            request: format!("{} \"{}\"", ask.method, self.address.url(&target)),
            cause,
        };
        let mut tries = 0;
        loop {
            let sent = async { tokio::time::timeout(self.timeout, wire::send(self, ask, &target)).await };
            let answer = match runtime.block_on(sent) {
                Ok(answer) => answer,
                Err(_) => Err(format!("no answer within {} s", self.timeout.as_secs())),
            };
            let again = match &answer {
                Ok(answer) => answer.status == 412 || (answer.status >= 500 && answer.status != 501),
                Err(_) => true,
            };
            if !again || tries == self.retries {
                return answer.map_err(unreachable);
            }
            tries += 1;
            std::thread::sleep(BETWEEN);
        }
    }
}

fn target(ask: &Ask<'_>) -> Target {
    Target::new(ask.path, &ask.query)
}

/// The headers of every request but the token, which stays a [`Secret`] until it is sent.
fn headers(
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
        add("x-vault-wrap-ttl", &wrap)?;
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
