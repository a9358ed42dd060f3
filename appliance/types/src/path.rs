//! Where a name from a URL becomes canonical: once, here, and never again.
//!
//! Router, access list, lockout, engine and store all use the value made here. The record's largest class of
//! flaws is two parts of a server reading one name differently.

use unicode_normalization::is_nfc;

/// Longest path, in bytes after decoding.
pub const MAX_PATH: usize = 8 * 1024;
/// Longest single segment: what the name encryption of the barrier can hold.
pub const MAX_SEGMENT: usize = 1024;
/// Most segments: what the barrier can hold. Whoever looks a path up does so segment by segment, also for those who
/// are nobody yet.
pub const MAX_SEGMENTS: usize = 200;

/// A canonical API path, without the leading `/v1/`: `secret/data/app`, `secret/metadata/` (a trailing slash is
/// kept apart).
///
/// Decoded from percent-encoding exactly once. No segment is empty, `.` or `..`; there is no control
/// character, no backslash, no invalid UTF-8; the text is in Unicode normal form C. A slash that came as `%2F` is refused when the route
/// has no raw tail: see [`ApiPath::has_encoded_slash`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ApiPath {
    text: String,
    trailing_slash: bool,
    encoded_slash: bool,
}

/// Why a path is not canonical. All are the client's to mend (400).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PathError {
    /// `%` without two hexadecimal digits.
    BadEscape,
    /// Not UTF-8 once decoded.
    NotUtf8,
    /// Not in normal form C.
    NotNormal,
    /// NUL, another control character or a backslash.
    Control,
    /// `//`.
    EmptySegment,
    /// `.` or `..` as a segment.
    Relative,
    /// Longer than [`MAX_PATH`], of more than [`MAX_SEGMENTS`], or with a segment longer than [`MAX_SEGMENT`].
    TooLong,
}

impl PathError {
    /// For the client.
    pub fn message(self) -> &'static str {
        match self {
            Self::BadEscape => "invalid percent-encoding in the path",
            Self::NotUtf8 => "the path is not UTF-8",
            Self::NotNormal => "the path is not in Unicode normal form C",
            Self::Control => "the path contains a control character or a backslash",
            Self::EmptySegment => "the path contains an empty segment",
            Self::Relative => "the path contains a relative segment: '.' and '..' are not allowed",
            Self::TooLong => "the path is too long",
        }
    }
}

impl ApiPath {
    /// From what stands in the URL after `/v1/`, still percent-encoded, without the query.
    pub fn parse(raw: &str) -> Result<Self, PathError> {
        if raw.len() > 3 * MAX_PATH {
            return Err(PathError::TooLong);
        }
        let (bytes, encoded_slash) = decode(raw)?;
        let text = String::from_utf8(bytes).map_err(|_| PathError::NotUtf8)?;
        Self::from_decoded(text, encoded_slash)
    }

    /// From text that is not percent-encoded: a path in a request's body or a configuration.
    pub fn from_text(text: &str) -> Result<Self, PathError> {
        Self::from_decoded(text.to_owned(), false)
    }

    fn from_decoded(mut text: String, encoded_slash: bool) -> Result<Self, PathError> {
        if text.len() > MAX_PATH {
            return Err(PathError::TooLong);
        }
        if text.chars().any(|c| c.is_control() || c == '\\') {
            return Err(PathError::Control);
        }
        if !is_nfc(&text) {
            return Err(PathError::NotNormal);
        }
        let trailing_slash = text.ends_with('/');
        if trailing_slash {
            text.pop();
        }
        for (before, segment) in text.split('/').enumerate() {
            if before >= MAX_SEGMENTS {
                return Err(PathError::TooLong);
            }
            check_segment(segment, text.is_empty())?;
        }
        Ok(Self { text, trailing_slash, encoded_slash })
    }

    /// The path without a trailing slash.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The segments, from left to right; none for the empty path.
    pub fn segments(&self) -> impl Iterator<Item = &str> {
        self.text.split('/').filter(|s| !s.is_empty())
    }

    /// Whether the client ended it with a slash.
    pub fn has_trailing_slash(&self) -> bool {
        self.trailing_slash
    }

    /// Whether a slash came as `%2F`: allowed only where the route ends in a raw tail.
    pub fn has_encoded_slash(&self) -> bool {
        self.encoded_slash
    }
}

fn check_segment(segment: &str, whole_is_empty: bool) -> Result<(), PathError> {
    match segment {
        "" if whole_is_empty => Ok(()),
        "" => Err(PathError::EmptySegment),
        "." | ".." => Err(PathError::Relative),
        long if long.len() > MAX_SEGMENT => Err(PathError::TooLong),
        _ => Ok(()),
    }
}

/// Percent-decodes once; also tells whether an encoded slash was among it.
fn decode(raw: &str) -> Result<(Vec<u8>, bool), PathError> {
    let mut out = Vec::with_capacity(raw.len());
    let mut encoded_slash = false;
    let mut bytes = raw.bytes();
    while let Some(byte) = bytes.next() {
        if byte != b'%' {
            out.push(byte);
            continue;
        }
        let high = bytes.next().and_then(hex).ok_or(PathError::BadEscape)?;
        let low = bytes.next().and_then(hex).ok_or(PathError::BadEscape)?;
        let decoded = high << 4 | low;
        encoded_slash |= decoded == b'/';
        out.push(decoded);
    }
    Ok((out, encoded_slash))
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|d| u8::try_from(d).ok())
}

/// The pairs of a query string, decoded (`+` is a space), in order.
pub fn parse_query(raw: &str) -> Result<Vec<(String, String)>, PathError> {
    let text = |part: &str| -> Result<String, PathError> {
        let (bytes, _) = decode(&part.replace('+', " "))?;
        String::from_utf8(bytes).map_err(|_| PathError::NotUtf8)
    };
    raw.split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            Ok((text(name)?, text(value)?))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn c1_names_are_decoded_once_and_refused_when_not_canonical() {
        let ok = |raw: &str| ApiPath::parse(raw).unwrap().as_str().to_owned();
        assert_eq!(ok("secret/data/a%20b"), "secret/data/a b");
        assert_eq!(ok("secret/%2541"), "secret/%41");
        assert_eq!(ok("secret/a..b/..c"), "secret/a..b/..c");
        assert_eq!(ok("secret/caf%C3%A9"), "secret/caf\u{e9}");
        assert_eq!(ok(""), "");
        for (raw, error) in [
            ("secret/../sys", PathError::Relative),
            ("secret/%2e%2E/sys", PathError::Relative),
            ("secret/./a", PathError::Relative),
            ("secret//a", PathError::EmptySegment),
            ("/secret", PathError::EmptySegment),
            ("secret/a//", PathError::EmptySegment),
            ("secret/%00", PathError::Control),
            ("secret/a%0ab", PathError::Control),
            ("secret/a%5Cb", PathError::Control),
            ("secret/%ff", PathError::NotUtf8),
            ("secret/%c0%af", PathError::NotUtf8),
            ("secret/e%CC%81", PathError::NotNormal),
            ("secret/%4", PathError::BadEscape),
            ("secret/%zz", PathError::BadEscape),
        ] {
            assert_eq!(ApiPath::parse(raw), Err(error), "{raw}");
        }
        assert_eq!(ApiPath::parse(&"a".repeat(MAX_SEGMENT + 1)), Err(PathError::TooLong));
        let segments = |count| vec!["a"; count].join("/");
        assert!(ApiPath::parse(&segments(MAX_SEGMENTS)).is_ok());
        assert!(ApiPath::parse(&format!("{}/", segments(MAX_SEGMENTS))).is_ok());
        assert_eq!(ApiPath::parse(&segments(MAX_SEGMENTS + 1)), Err(PathError::TooLong));
        assert_eq!(ApiPath::parse(&"a/".repeat(MAX_PATH / 2)), Err(PathError::TooLong));
    }

    #[test]
    fn a_trailing_slash_and_an_encoded_one_are_remembered() {
        let path = ApiPath::parse("secret/metadata/").unwrap();
        assert!(path.has_trailing_slash());
        assert_eq!(path.as_str(), "secret/metadata");
        assert!(ApiPath::parse("secret/a%2fb").unwrap().has_encoded_slash());
        assert!(!ApiPath::parse("secret/a/b").unwrap().has_encoded_slash());
    }

    #[test]
    fn queries() {
        let pairs = parse_query("list=true&after=a%20b+c&flag").unwrap();
        assert_eq!(
            pairs,
            [("list", "true"), ("after", "a b c"), ("flag", "")].map(|(a, b)| (a.into(), b.into()))
        );
        assert_eq!(parse_query("a=%"), Err(PathError::BadEscape));
    }

    proptest! {
        #[test]
        fn any_input_gives_a_canonical_path_or_an_error(raw in "\\PC{0,40}|[%./a-f0-9]{0,40}") {
            if let Ok(path) = ApiPath::parse(&raw) {
                let again = ApiPath::from_text(path.as_str()).unwrap();
                prop_assert_eq!(again.as_str(), path.as_str());
                prop_assert!(path.segments().all(|s| s != "." && s != ".." && !s.is_empty()));
            }
        }
    }
}
