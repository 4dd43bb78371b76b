//! What a tenant may write where Tollward, or its data plane, is told to ask.

use url::Url;

/// True for an absolute http(s) URL without user or fragment; `query` says whether it may have one.
pub(super) fn is_url(text: &str, query: bool) -> bool {
    Url::parse(text).is_ok_and(|url| {
        let plain = url.username().is_empty() && url.password().is_none() && url.fragment().is_none();
        matches!(url.scheme(), "http" | "https") && plain && (query || url.query().is_none())
    })
}
