//! `custom_response_headers` of a listener: headers that an operator adds to answers, by their status.
//!
//! Invariant: what frames an answer, what keeps it out of caches and what is the API's own cannot be replaced.

use std::fmt;
use std::ops::RangeInclusive;

use http::header::{
    AGE, CACHE_CONTROL, CONNECTION, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, DATE,
    PRAGMA, RETRY_AFTER, TE, TRAILER, TRANSFER_ENCODING, UPGRADE, VARY,
};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};

/// Headers that are not an operator's to choose.
const OWN: [HeaderName; 15] = [
    AGE,
    CACHE_CONTROL,
    CONNECTION,
    CONTENT_ENCODING,
    CONTENT_LENGTH,
    CONTENT_RANGE,
    CONTENT_TYPE,
    DATE,
    PRAGMA,
    RETRY_AFTER,
    TE,
    TRAILER,
    TRANSFER_ENCODING,
    UPGRADE,
    VARY,
];
/// And those that begin so: the API's own, what CORS decides, and the connection's.
const OWN_PREFIXES: [&str; 4] = ["x-vault-", "access-control-", "proxy-", "keep-alive"];

/// Headers to add, those that count most last.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CustomHeaders(Vec<Custom>);

#[derive(Clone, Debug, PartialEq)]
struct Custom {
    statuses: RangeInclusive<u16>,
    name: HeaderName,
    value: HeaderValue,
}

/// Why a header cannot be added. The operator's to mend.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CustomError {
    /// Neither `default` nor a status nor a class of them.
    Status,
    /// No header's name.
    Name,
    /// A name that is not the operator's to choose.
    Own,
    /// Nothing, or what no header can hold.
    Value,
}

impl fmt::Display for CustomError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Status => "must be \"default\", a status such as \"404\" or a class such as \"4xx\"",
            Self::Name => "is no name of a header",
            Self::Own => "is a header that the server decides about; remove it",
            Self::Value => "must be a list of texts of which a header can consist",
        })
    }
}

impl std::error::Error for CustomError {}

impl CustomHeaders {
    /// Adds a header to every answer with a status of `status`: `default`, `2xx`, `200`. What is more exact counts.
    /// Several values become one, as Vault writes them: `a; b`.
    pub fn add(&mut self, status: &str, name: &str, values: &[String]) -> Result<(), CustomError> {
        let statuses = statuses(status).ok_or(CustomError::Status)?;
        let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| CustomError::Name)?;
        if OWN.contains(&name) || OWN_PREFIXES.iter().any(|prefix| name.as_str().starts_with(prefix)) {
            return Err(CustomError::Own);
        }
        let value = HeaderValue::from_str(&values.join("; ")).map_err(|_| CustomError::Value)?;
        if value.is_empty() {
            return Err(CustomError::Value);
        }
        self.0.push(Custom { statuses, name, value });
        self.0.sort_by_key(|custom| std::cmp::Reverse(custom.statuses.len()));
        Ok(())
    }

    /// Puts what belongs to an answer of `status` into its headers.
    pub(crate) fn apply(&self, status: StatusCode, headers: &mut HeaderMap) {
        let status = status.as_u16();
        for custom in self.0.iter().filter(|custom| custom.statuses.contains(&status)) {
            headers.insert(custom.name.clone(), custom.value.clone());
        }
    }
}

/// The statuses that `text` stands for.
fn statuses(text: &str) -> Option<RangeInclusive<u16>> {
    if text == "default" {
        return Some(100..=999);
    }
    let number = |text: &str| -> Option<u16> {
        text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok())?
    };
    if let Some(class) = text.strip_suffix("xx") {
        let class = number(class).filter(|class| (1..=5).contains(class))?;
        return Some(class * 100..=class * 100 + 99);
    }
    let code = number(text).filter(|code| (100..=599).contains(code))?;
    Some(code..=code)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(custom: &CustomHeaders, status: u16) -> HeaderMap {
        let mut headers = HeaderMap::new();
        custom.apply(StatusCode::from_u16(status).unwrap(), &mut headers);
        headers
    }

    #[test]
    fn the_most_exact_status_counts() {
        let mut custom = CustomHeaders::default();
        let text = |text: &str| vec![text.to_owned()];
        custom.add("404", "X-A", &text("exact")).unwrap();
        custom.add("default", "X-A", &text("any")).unwrap();
        custom.add("4xx", "X-A", &text("class")).unwrap();
        custom.add("default", "X-B", &["a".into(), "b".into()]).unwrap();
        for (status, expected) in [(200, "any"), (403, "class"), (404, "exact"), (503, "any")] {
            assert_eq!(headers(&custom, status)["x-a"], expected, "{status}");
            assert_eq!(headers(&custom, status)["x-b"], "a; b");
        }
    }

    #[test]
    fn what_is_not_the_operators_to_choose_is_refused() {
        let mut custom = CustomHeaders::default();
        let mut add = |status: &str, name: &str, value: &str| custom.add(status, name, &[value.to_owned()]);
        for name in [
            "X-Vault-Token",
            "x-vault-anything",
            "Cache-Control",
            "Content-Length",
            "Transfer-Encoding",
            "Connection",
            "Access-Control-Allow-Origin",
            "Vary",
        ] {
            assert_eq!(add("default", name, "x"), Err(CustomError::Own), "{name}");
        }
        for status in ["", "6xx", "0xx", "600", "99", "20", "xx", "all", "+2xx", "-1"] {
            assert_eq!(add(status, "X-A", "x"), Err(CustomError::Status), "{status}");
        }
        assert_eq!(add("200", "no name", "x"), Err(CustomError::Name));
        assert_eq!(add("200", "X-A", "a\r\nX-Vault-Token: b"), Err(CustomError::Value));
        assert_eq!(custom.add("200", "X-A", &[]), Err(CustomError::Value));
    }
}
