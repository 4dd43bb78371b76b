//! Whether a resource URI can be spelled in another way that a server might take for the same resource.
//!
//! Rules compare URIs byte by byte and the body is forwarded as it is, so a URI that a server would rewrite before it uses
//! it (`docs/../secret`, `FILE:`, `%61`) would be judged as one resource and read as another. Those are refused; the normal
//! form of RFC 3986 section 6.2.2 passes.

use url::Url;

/// A server that decodes more often than this is beyond help.
const MAX_DECODINGS: usize = 4;

/// True for an absolute URI that has one spelling only: visible ASCII, exactly what the WHATWG URL parser makes of it (so
/// no default port, no `file://localhost`, no upper-case host), no user before a web address, no dot segments, also none
/// behind percent-encoding or backslashes, and no percent-encoding of characters that need none.
pub(super) fn is_plain(uri: &str) -> bool {
    uri.bytes().all(|byte| byte.is_ascii_graphic()) && parses_to_itself(uri) && !hides_segments(uri)
}

/// The same for a URI template (RFC 6570), whose braces stand for text that is not there yet.
pub(super) fn is_plain_template(template: &str) -> bool {
    is_plain(&template.replace(['{', '}'], "_"))
}

/// Servers built on a URL parser use what it makes of the text, so the text must be that already.
fn parses_to_itself(uri: &str) -> bool {
    let Ok(parsed) = Url::parse(uri) else {
        return false;
    };
    let host = parsed.host_str().unwrap_or_default();
    let one_host = !host.ends_with('.') && !host.bytes().any(|byte| byte.is_ascii_uppercase());
    let user = !parsed.username().is_empty() || parsed.password().is_some();
    let web = matches!(parsed.scheme(), "http" | "https" | "ws" | "wss" | "ftp" | "file");
    parsed.as_str() == uri && one_host && !(web && user)
}

fn hides_segments(uri: &str) -> bool {
    let mut current = uri.as_bytes().to_vec();
    for round in 0..MAX_DECODINGS {
        if has_dot_segment(&current) {
            return true;
        }
        let (decoded, escapes) = decode(&current);
        if round == 0 && (escapes.iter().any(|byte| is_needless(*byte)) || has_lower_case_escape(&current)) {
            return true;
        }
        if escapes.is_empty() {
            return false;
        }
        current = decoded;
    }
    true
}

/// `%2f` and `%2F` are one octet in two spellings; the normal form is the upper case (RFC 3986 section 6.2.2.1).
fn has_lower_case_escape(uri: &[u8]) -> bool {
    uri.windows(3).any(|escape| {
        matches!(escape, [b'%', high, low] if hex(*high).is_some() && hex(*low).is_some()
            && (high.is_ascii_lowercase() || low.is_ascii_lowercase()))
    })
}

/// Unreserved characters (RFC 3986 section 2.3) are never encoded in normal form; control characters are never meant.
fn is_needless(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte.is_ascii_control() || matches!(byte, b'-' | b'.' | b'_' | b'~')
}

fn has_dot_segment(uri: &[u8]) -> bool {
    uri.split(|byte| matches!(byte, b'/' | b'\\' | b'?' | b'#')).any(|segment| matches!(segment, b"." | b".."))
}

/// Decodes once; also gives the bytes that were encoded.
fn decode(uri: &[u8]) -> (Vec<u8>, Vec<u8>) {
    let mut decoded = Vec::with_capacity(uri.len());
    let mut escapes = Vec::new();
    let mut rest = uri;
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        let escape = match (byte, after) {
            (b'%', [high, low, ..]) => hex(*high).zip(hex(*low)).map(|(high, low)| high * 16 + low),
            (_, _) => None,
        };
        if let Some(escape) = escape {
            escapes.push(escape);
            rest = after.get(2..).unwrap_or_default();
        }
        decoded.push(escape.unwrap_or(byte));
    }
    (decoded, escapes)
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

#[cfg(test)]
mod tests {
    use super::{is_plain, is_plain_template};
    use proptest::prelude::*;

    #[test]
    fn uris_in_normal_form_pass() {
        for uri in [
            "catalog://products/1",
            "catalog://products",
            "file:///srv/a..b/.hidden/c.txt",
            "git://repository/diff/main..topic",
            "postgres://reader@db.example/shop/products/schema",
            "gitlab://projects/group%2Fproject",
            "https://example.com/caf%C3%A9?q=100%25#top",
            "urn:isbn:0451450523",
        ] {
            assert!(is_plain(uri), "{uri}");
        }
        assert!(is_plain_template("catalog://products/{sku}"));
        assert!(!is_plain_template("catalog://products/../{sku}"));
    }

    #[test]
    fn uris_that_a_server_would_rewrite_are_refused() {
        for uri in [
            "file:///srv/../etc/passwd",
            "file:///srv/./passwd",
            "file:///srv/..",
            "file:///srv\\..\\etc",
            "file:///srv/%2e%2e/etc",
            "file:///srv/.%2E/etc",
            "file:///srv/..%2Fetc",
            "file:///srv/%252e%252e/etc",
            "file:///srv/..%252Fetc",
            "FILE:///srv/a",
            "file:///srv/p%61sswd",
            "file:///srv/a%00.txt",
            "..",
            "file:///srv?path=../etc/passwd/..",
            "a%25252525252e",
        ] {
            assert!(!is_plain(uri), "{uri}");
        }
    }

    #[test]
    fn a_second_spelling_of_a_resource_is_refused() {
        for uri in [
            "file:///data/secret.txt ",
            " file:///data/secret.txt",
            "file:///data/se\tcret.txt",
            "file://localhost/data/secret.txt",
            "file:/data/secret.txt",
            "https://INTERNAL.example/s",
            "https://internal.example:443/s",
            "https://internal.example./s",
            "https://x@internal.example/s",
            "https://internal.example",
            "https:internal.example/s",
            "https:\\\\internal.example/s",
            "https://internal.example/caf\u{e9}",
            "https://internal.example/%c3%a9",
            "shop://Products/1",
            "shop://products./1",
            "catalog://products/{id}",
            "catalog://products/\u{202e}1",
            "note",
            "50% off",
        ] {
            assert!(!is_plain(uri), "{uri}");
        }
    }

    proptest! {
        #[test]
        fn what_passes_is_what_a_url_parser_makes_of_it(uri in "(https?|file|shop)://?[a-zA-Z0-9.@:]{0,12}(/[a-zA-Z0-9%.{} ]{0,8}){0,3}") {
            if is_plain(&uri) {
                let parsed = url::Url::parse(&uri).unwrap();
                prop_assert_eq!(parsed.as_str(), uri.as_str());
            }
        }
    }
}
