//! One request over HTTP or HTTPS, as the flags and the environment describe it.

mod address;
mod error;
mod flags;
mod instead;
mod tls;
mod wire;

use std::ops::ControlFlow;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderName, HeaderValue};
use http_body_util::BodyExt;
use rustls::ClientConfig;
use serde_json::Value;
use strongroom_types::Secret;
use strongroom_types::time::parse_duration;
use tokio::runtime::Runtime;
use zeroize::Zeroizing;

use crate::args::Flags;
use crate::io::{Io, Notice};
use crate::verb::Failure;
use crate::{env, token};
use address::{Address, Target};
use instead::Instead;
use wire::Lost;

pub use error::{ClientError, Refused};
pub use flags::FLAGS;

/// How long an answer may take unless VAULT_CLIENT_TIMEOUT says otherwise.
const TIMEOUT: Duration = Duration::from_secs(60);
/// How long an answer may take that somebody waits for at a prompt.
const HURRY: Duration = Duration::from_secs(2);
/// How long a person waits before they are told that it goes on; and then again.
const PATIENCE: Duration = Duration::from_secs(3);
/// How often an answer that does not count is asked for again unless VAULT_MAX_RETRIES says otherwise.
const RETRIES: u32 = 2;
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
    instead: Option<Instead>,
    notice: Option<Notice>,
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
    /// Asked on the way to what the caller wants: sent even when only the command line is wanted, and never wrapped.
    pub preliminary: bool,
    /// Never wrapped, though it is what the caller wants.
    pub bare: bool,
}

impl<'a> Ask<'a> {
    /// A GET.
    pub fn get(path: &'a str) -> Self {
        Self { method: "GET", path, ..Self::default() }
    }

    /// A GET on the way to something else.
    pub fn preliminary(path: &'a str) -> Self {
        Self { preliminary: true, ..Self::get(path) }
    }

    /// A GET for the names below a path.
    pub fn list(path: &'a str) -> Self {
        Self { query: vec![("list".into(), "true".into())], ..Self::get(path) }
    }

    /// A DELETE.
    pub fn delete(path: &'a str) -> Self {
        Self { method: "DELETE", path, ..Self::default() }
    }

    /// A POST.
    pub fn post(path: &'a str, body: &'a Value) -> Self {
        Self { method: "POST", path, body: Some(body), ..Self::default() }
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

impl Client {
    /// As `flags` and the environment say; a flag wins.
    pub fn new(flags: &Flags, io: &Io) -> Result<Self, Failure> {
        let setting =
            |flag: &str, name: &str| flags.text(flag).or_else(|| env::get(io, name)).map(str::to_owned);
        let failed = |cause: String| Failure::remote(format!("failed to create client: {cause}"));
        // A flag wins over the environment, and an agent over the server behind it.
        let agent = flags.text("agent-address").or_else(|| match flags.text("address") {
            Some(_) => None,
            None => env::get(io, "AGENT_ADDR"),
        });
        let address = agent.map(str::to_owned).or_else(|| setting("address", "ADDR"));
        let address = address.unwrap_or_else(|| "https://127.0.0.1:8200".into());
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
            None => RETRIES,
            Some(text) => text.parse().map_err(|_| failed("VAULT_MAX_RETRIES is not a number".into()))?,
        };
        let namespace = crate::verb::sanitize(&setting("namespace", "NAMESPACE").unwrap_or_default());
        let token = token::current(io).map_err(|error| failed(format!("cannot read the token: {error}")))?;
        if !flags.all("mfa").is_empty() || env::get(io, "MFA").is_some() {
            return Err(Failure::local(
                "-mfa and VAULT_MFA cannot be used: this version has no second factors for single requests",
            ));
        }
        let headers =
            flags::headers(flags, &namespace, setting("wrap-ttl", "WRAP_TTL")).map_err(Failure::local)?;
        let tls_name = setting("tls-server-name", "TLS_SERVER_NAME");
        let instead = Instead::wanted(flags, io);
        Ok(Self {
            address,
            tls,
            tls_name,
            headers,
            namespace,
            token,
            timeout,
            retries,
            instead,
            notice: io.notice.clone(),
        })
    }

    /// The same client for somebody who waits at a prompt.
    pub fn hurried(mut self) -> Self {
        self.timeout = HURRY;
        self.retries = 0;
        self.notice = None;
        self
    }

    /// The same client for a question about this very moment.
    pub fn at_once(mut self) -> Self {
        self.retries = 0;
        self
    }

    /// The same client for somebody who is not logged in.
    pub fn without_token(mut self) -> Self {
        self.token = None;
        self
    }

    /// The same client with another token.
    pub fn with_token(mut self, token: Secret) -> Self {
        self.token = Some(token);
        self
    }

    /// The headers of a request but its token.
    fn headers_for(&self, ask: &Ask<'_>) -> impl Iterator<Item = &(HeaderName, HeaderValue)> {
        self.headers.iter().filter(move |(name, _)| !(ask.preliminary || ask.bare) || name != flags::WRAP)
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

    /// Asks for an answer that has no end, and hands over its parts as they come. Returns when the server ends it, when
    /// `part` has had enough, and when a person interrupts it.
    pub fn follow(
        &self,
        ask: &Ask<'_>,
        part: &mut dyn FnMut(&[u8]) -> ControlFlow<()>,
    ) -> Result<(), ClientError> {
        if let Some(instead) = &self.instead {
            return Err(ClientError::Instead(instead.text(self, ask)));
        }
        let target = target(ask);
        let followed = async {
            let begun = tokio::time::timeout(self.timeout, wire::begin(self, ask, &target)).await;
            let begun = begun.unwrap_or_else(|_| Err(self.too_late().into()));
            let mut response = begun.map_err(|lost| self.unreachable(ask, lost.why))?;
            if response.status().as_u16() >= 400 {
                let answer = wire::whole(response).await.map_err(|cause| self.unreachable(ask, cause))?;
                return Err(self.refused(ask, answer));
            }
            while let Some(frame) = response.frame().await {
                let frame =
                    frame.map_err(|error| self.unreachable(ask, format!("the answer broke off: {error}")))?;
                if frame.data_ref().is_some_and(|bytes| part(bytes).is_break()) {
                    break;
                }
            }
            Ok(())
        };
        runtime()?.block_on(async {
            tokio::select! {
                ended = followed => ended,
                Ok(()) = tokio::signal::ctrl_c() => Ok(()),
            }
        })
    }

    /// `answer`, if it comes in time; a person is told that it is waited for.
    async fn waited_for(&self, answer: impl Future<Output = Result<Answer, Lost>>) -> Result<Answer, Lost> {
        let mut answer = pin!(answer);
        let mut left = self.timeout;
        while !left.is_zero() {
            let now = left.min(PATIENCE);
            if let Ok(answer) = tokio::time::timeout(now, &mut answer).await {
                return answer;
            }
            left -= now;
            self.tell(&format!("Still waiting for the server ({} s)", (self.timeout - left).as_secs()));
        }
        // It has been waited for as long as it may be.
        Err(self.too_late().into())
    }

    fn tell(&self, text: &str) {
        if let Some(notice) = &self.notice {
            notice(text);
        }
    }

    fn unreachable(&self, ask: &Ask<'_>, cause: String) -> ClientError {
        let request = format!("{} \"{}\"", ask.method, self.address.url(&target(ask)));
        ClientError::Unreachable { request, cause }
    }

    fn too_late(&self) -> String {
        format!("no answer within {} s", self.timeout.as_secs())
    }

    fn ask_any(&self, ask: &Ask<'_>) -> Result<Answer, ClientError> {
        if let Some(instead) = self.instead.as_ref().filter(|_| !ask.preliminary) {
            return Err(ClientError::Instead(instead.text(self, ask)));
        }
        let runtime = runtime()?;
        let target = target(ask);
        let mut tries = 0;
        loop {
            let answer = runtime.block_on(self.waited_for(wire::send(self, ask, &target)));
            let again = match &answer {
                Ok(answer) => answer.status == 412 || (answer.status >= 500 && answer.status != 501),
                Err(lost) => lost.again,
            };
            if !again || tries == self.retries {
                return answer.map_err(|lost| self.unreachable(ask, lost.why));
            }
            tries += 1;
            self.tell(&format!("No answer that counts: trying again ({tries} of {})", self.retries));
            std::thread::sleep(BETWEEN);
        }
    }
}

fn runtime() -> Result<Runtime, ClientError> {
    let built = tokio::runtime::Builder::new_current_thread().enable_all().build();
    built.map_err(|error| ClientError::Strange(format!("cannot start: {error}")))
}

fn target(ask: &Ask<'_>) -> Target {
    Target::new(ask.path, &ask.query)
}
