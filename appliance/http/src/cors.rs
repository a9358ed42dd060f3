//! Cross-origin requests: which pages may ask, as `sys/config/cors` says.
//!
//! Nobody's page may unless it is enabled. Then a request that names another origin is refused before anything else
//! is looked at, and a preflight is answered here: it has no token, and reaches no route.

use http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_METHOD, ORIGIN, VARY,
};
use http::{HeaderMap, HeaderValue, Method};
use strongroom_core::Cors;
use strongroom_types::error::Kind;
use strongroom_types::{Refusal, Reply};

const METHODS: &str = "DELETE,GET,OPTIONS,POST,PUT,LIST,SCAN";
/// Seconds that a browser may remember a preflight's answer.
const MAX_AGE: HeaderValue = HeaderValue::from_static("300");

/// What the settings say of a request.
pub(crate) enum Verdict {
    /// It is like any other.
    Ordinary,
    /// A page of this origin may read the answer.
    Allowed(HeaderValue),
    /// A page of this origin asks whether it may ask.
    Preflight(HeaderValue),
    /// No.
    Refused(Refusal),
}

/// Judges a request by its method and headers.
pub(crate) fn judge(cors: Option<&Cors>, method: &Method, headers: &HeaderMap) -> Verdict {
    let (Some(cors), Some(origin)) = (cors, headers.get(ORIGIN)) else { return Verdict::Ordinary };
    let is_once = headers.get_all(ORIGIN).iter().nth(1).is_none();
    let known = origin.to_str().is_ok_and(|origin| {
        cors.origins.iter().any(|allowed| allowed == "*" || allowed.eq_ignore_ascii_case(origin))
    });
    if !is_once || !known {
        return Verdict::Refused(Refusal::new(Kind::Denied, "origin not allowed"));
    }
    if method != Method::OPTIONS {
        return Verdict::Allowed(origin.clone());
    }
    let wanted = headers.get(ACCESS_CONTROL_REQUEST_METHOD).and_then(|method| method.to_str().ok());
    match wanted.is_some_and(|wanted| METHODS.split(',').any(|method| method == wanted)) {
        true => Verdict::Preflight(origin.clone()),
        false => Verdict::Refused(Refusal::unsupported()),
    }
}

/// The answer to a preflight.
pub(crate) fn nothing() -> Reply {
    Reply::Raw { status: 200, content_type: "text/plain; charset=utf-8", body: Vec::new() }
}

/// What a browser wants to read before it shows the answer to a page of `origin`. Cookies and certificates are for
/// pages that were named, not for any.
pub(crate) fn allow(cors: &Cors, origin: HeaderValue, headers: &mut HeaderMap) {
    if cors.allow_credentials && !cors.origins.iter().any(|allowed| allowed == "*") {
        headers.insert(ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
    }
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    headers.insert(VARY, HeaderValue::from_static("Origin"));
}

/// What a browser wants to read before it asks for a page.
pub(crate) fn explain(cors: &Cors, headers: &mut HeaderMap) {
    headers.insert(ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static(METHODS));
    headers.insert(ACCESS_CONTROL_MAX_AGE, MAX_AGE);
    // Checked when they were set; a name that cannot be sent is not allowed either.
    if let Ok(names) = HeaderValue::from_str(&cors.headers.join(",")) {
        headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, names);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(origins: &[&str]) -> Cors {
        Cors {
            allow_credentials: true,
            origins: origins.iter().map(|origin| (*origin).to_owned()).collect(),
            headers: vec!["X-A".into()],
        }
    }

    fn asked(pairs: &[(&'static str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(*name, value.parse().unwrap());
        }
        headers
    }

    #[test]
    fn only_named_origins_may_ask() {
        let cors = settings(&["https://a.example"]);
        let from = |origin: &str| judge(Some(&cors), &Method::GET, &asked(&[("origin", origin)]));
        assert!(matches!(from("https://a.example"), Verdict::Allowed(_)));
        assert!(matches!(from("HTTPS://A.example"), Verdict::Allowed(_)));
        for other in
            ["https://a.example.evil.example", "http://a.example", "https://a.example:8443", "null", "*"]
        {
            assert!(matches!(from(other), Verdict::Refused(_)), "{other}");
        }
        let twice = asked(&[("origin", "https://a.example"), ("origin", "https://c.example")]);
        assert!(matches!(judge(Some(&cors), &Method::GET, &twice), Verdict::Refused(_)));
        assert!(matches!(judge(Some(&cors), &Method::GET, &HeaderMap::new()), Verdict::Ordinary));
        assert!(matches!(judge(None, &Method::GET, &twice), Verdict::Ordinary));
        let any = settings(&["*"]);
        assert!(matches!(
            judge(Some(&any), &Method::GET, &asked(&[("origin", "null")])),
            Verdict::Allowed(_)
        ));
    }

    #[test]
    fn a_preflight_names_a_method_that_there_is() {
        let cors = settings(&["https://a.example"]);
        let ask = |method: Option<&str>| {
            let mut pairs = vec![("origin", "https://a.example")];
            pairs.extend(method.map(|method| ("access-control-request-method", method)));
            judge(Some(&cors), &Method::OPTIONS, &asked(&pairs))
        };
        assert!(matches!(ask(Some("LIST")), Verdict::Preflight(_)));
        for other in [None, Some("TRACE"), Some("get")] {
            assert!(matches!(ask(other), Verdict::Refused(_)), "{other:?}");
        }
        let mut headers = HeaderMap::new();
        explain(&cors, &mut headers);
        assert_eq!(headers["access-control-allow-headers"], "X-A");
        for (origins, credentials) in [(["https://a.example"], true), (["*"], false)] {
            let mut headers = HeaderMap::new();
            allow(&settings(&origins), HeaderValue::from_static("https://a.example"), &mut headers);
            assert_eq!(headers.contains_key("access-control-allow-credentials"), credentials);
            assert_eq!(headers["access-control-allow-origin"], "https://a.example");
        }
    }
}
