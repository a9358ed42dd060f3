//! Method, path and headers of a request, parsed: a pure function, so that it can be fuzzed.
//!
//! Invariant: what is ambiguous is refused. A header that decides something is there once or not at all; a name is
//! made canonical here and never read from the raw text again.

use std::net::IpAddr;

use http::header::{AUTHORIZATION, CONTENT_TYPE, HOST};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri, Version};
use strongroom_types::error::Kind;
use strongroom_types::id::RequestId;
use strongroom_types::path::parse_query;
use strongroom_types::request::Head;
use strongroom_types::time::parse_duration;
use strongroom_types::{ApiPath, Operation, Refusal, Secret};

/// The token.
pub const TOKEN: HeaderName = HeaderName::from_static("x-vault-token");
/// The namespace; echoed in the answer.
pub const NAMESPACE: HeaderName = HeaderName::from_static("x-vault-namespace");
/// How long the answer is to stay wrapped.
pub const WRAP_TTL: HeaderName = HeaderName::from_static("x-vault-wrap-ttl");

/// Where every path of the API starts.
const PREFIX: &str = "/v1/";

/// The first line and the headers as hyper has them.
pub struct Lines<'a> {
    /// The method.
    pub method: &'a Method,
    /// Path and query.
    pub uri: &'a Uri,
    /// The version, which decides whether there must be a `Host`.
    pub version: Version,
    /// The headers.
    pub headers: &'a HeaderMap,
}

/// Parses a request's head. `token_bytes` is the longest token header.
pub fn parse(
    lines: &Lines<'_>,
    id: RequestId,
    remote: Option<(IpAddr, u16)>,
    token_bytes: usize,
) -> Result<Head, Refusal> {
    let headers = lines.headers;
    check_host(lines)?;
    let raw = lines.uri.path().strip_prefix(PREFIX).ok_or_else(Refusal::not_found)?;
    let path = ApiPath::parse(raw).map_err(|error| Refusal::bad_request(error.message()))?;
    let mut query = parse_query(lines.uri.query().unwrap_or_default())
        .map_err(|_| Refusal::bad_request("the query string is not valid percent-encoded UTF-8"))?;
    let operation = operation(lines.method, &mut query)?;
    Ok(Head {
        headers: Vec::new(),
        id,
        operation,
        path,
        query,
        token: token(headers, token_bytes)?,
        namespace: namespace(headers)?,
        wrap_ttl: wrap_ttl(headers)?,
        content_type: content_type(headers)?,
        remote,
    })
}

/// HTTP/1.1 asks for exactly one `Host`; two are how two servers come to different opinions.
fn check_host(lines: &Lines<'_>) -> Result<(), Refusal> {
    match one(lines.headers, &HOST, "Host")? {
        None if lines.version == Version::HTTP_11 => Err(Refusal::bad_request("the Host header is missing")),
        _ => Ok(()),
    }
}

fn operation(method: &Method, query: &mut Vec<(String, String)>) -> Result<Operation, Refusal> {
    Ok(match method.as_str() {
        "GET" => {
            let list = take_flag(query, "list")?;
            let scan = take_flag(query, "scan")?;
            let help = take_flag(query, "help")?;
            match (list, scan) {
                (true, true) => return Err(Refusal::bad_request("'list' and 'scan' exclude each other")),
                (true, false) => Operation::List,
                (false, true) => Operation::Scan,
                (false, false) if help => Operation::Help,
                (false, false) => Operation::Read,
            }
        }
        "HEAD" => Operation::Head,
        "POST" | "PUT" => Operation::Update,
        "PATCH" => Operation::Patch,
        "DELETE" => Operation::Delete,
        "LIST" => Operation::List,
        "SCAN" => Operation::Scan,
        "OPTIONS" => return Err(Refusal::bad_request("cross-origin requests are not enabled")),
        _ => return Err(Refusal::unsupported()),
    })
}

/// The boolean `name` of the query, which is taken out of it. Absent is false.
fn take_flag(query: &mut Vec<(String, String)>, name: &'static str) -> Result<bool, Refusal> {
    let mut found = false;
    let mut wrong = false;
    query.retain(|(key, value)| {
        if key != name {
            return true;
        }
        match value.as_str() {
            "1" | "t" | "T" | "true" | "TRUE" | "True" => found = true,
            "0" | "f" | "F" | "false" | "FALSE" | "False" => {}
            // `?list` alone is no boolean either.
            _ => wrong = true,
        }
        false
    });
    if wrong {
        return Err(Refusal::bad_request(format!("the parameter '{name}' must be true or false")));
    }
    Ok(found)
}

/// The only value of `name`; twice is ambiguous.
fn one<'a>(
    headers: &'a HeaderMap,
    name: &HeaderName,
    shown: &str,
) -> Result<Option<&'a HeaderValue>, Refusal> {
    // Asking for one value is much cheaper than for all, and is the rule.
    let Some(first) = headers.get(name) else { return Ok(None) };
    if headers.get_all(name).iter().nth(1).is_some() {
        return Err(Refusal::bad_request(format!("the {shown} header is there twice")));
    }
    Ok(Some(first))
}

/// `X-Vault-Token`, or `Authorization: Bearer`.
fn token(headers: &HeaderMap, token_bytes: usize) -> Result<Option<Secret>, Refusal> {
    let too_long = |value: &HeaderValue| value.len() > token_bytes;
    let sent = one(headers, &TOKEN, "X-Vault-Token")?;
    let bearer = one(headers, &AUTHORIZATION, "Authorization")?;
    if sent.is_some_and(too_long) || bearer.is_some_and(too_long) {
        return Err(Refusal::new(
            Kind::HeaderTooLarge,
            format!("the token is longer than {token_bytes} bytes"),
        ));
    }
    // An empty one is as good as none.
    let text = match (sent.map(|sent| sent.as_bytes().trim_ascii()).filter(|sent| !sent.is_empty()), bearer) {
        (Some(sent), _) => sent,
        (None, Some(bearer)) => match bearer.as_bytes().split_at_checked(7) {
            Some((scheme, text)) if scheme.eq_ignore_ascii_case(b"bearer ") => text,
            _ => return Ok(None),
        },
        (None, None) => return Ok(None),
    };
    let text = text.trim_ascii();
    Ok((!text.is_empty()).then(|| Secret::copy_of(text)))
}

/// Canonical: no slash at either end, and `root` is the root namespace.
fn namespace(headers: &HeaderMap) -> Result<String, Refusal> {
    let Some(value) = one(headers, &NAMESPACE, "X-Vault-Namespace")? else { return Ok(String::new()) };
    let wrong = || Refusal::bad_request("the X-Vault-Namespace header is not a valid path");
    let text = value.to_str().map_err(|_| wrong())?.trim();
    let text = text.strip_prefix('/').unwrap_or(text);
    let path = ApiPath::from_text(text).map_err(|_| wrong())?;
    Ok(if path.as_str() == "root" { String::new() } else { path.as_str().to_owned() })
}

fn wrap_ttl(headers: &HeaderMap) -> Result<Option<u64>, Refusal> {
    let Some(value) = one(headers, &WRAP_TTL, "X-Vault-Wrap-TTL")? else { return Ok(None) };
    if value.as_bytes().trim_ascii().is_empty() {
        return Ok(None);
    }
    let nanos = value.to_str().ok().and_then(parse_duration).ok_or_else(|| {
        Refusal::bad_request("error parsing wrap ttl: the X-Vault-Wrap-TTL header is no duration")
    })?;
    if nanos < 0 {
        return Err(Refusal::bad_request("requested wrap ttl cannot be negative"));
    }
    // Part of a second is still a wish to wrap.
    let seconds = nanos.unsigned_abs().div_ceil(1_000_000_000);
    Ok((seconds > 0).then_some(seconds))
}

/// Lower case, without parameters.
fn content_type(headers: &HeaderMap) -> Result<Option<String>, Refusal> {
    let Some(value) = one(headers, &CONTENT_TYPE, "Content-Type")? else { return Ok(None) };
    let text = value.to_str().map_err(|_| Refusal::bad_request("the Content-Type header is not text"))?;
    let text = text.split_once(';').map_or(text, |(kind, _)| kind).trim();
    Ok((!text.is_empty()).then(|| text.to_ascii_lowercase()))
}

#[cfg(test)]
#[path = "head_tests.rs"]
mod tests;
