//! What is for browsers: paths that are no part of the API, and headers for them.

use http::{HeaderMap, HeaderName, HeaderValue};
use strongroom_core::ResponseRules;

/// Whether `path` is one that a person types into a browser.
pub(crate) fn is_page(path: &str) -> bool {
    path == "/" || path == "/ui" || path.starts_with("/ui/")
}

/// Headers of `sys/config/ui/headers`; one that cannot be sent is left out.
pub(crate) fn add_ui_headers(rules: &ResponseRules, headers: &mut HeaderMap) {
    for (name, values) in &rules.ui_headers {
        let Ok(name) = HeaderName::from_bytes(name.as_bytes()) else { continue };
        headers.remove(&name);
        for value in values.iter().filter_map(|value| HeaderValue::from_str(value).ok()) {
            headers.append(name.clone(), value);
        }
    }
}
