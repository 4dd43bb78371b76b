//! Whether a resource URI can be spelled in another way that a server might take for the same resource.
//!
//! Rules compare URIs byte by byte and the body is forwarded as it is, so a URI that a server would rewrite before it uses
//! it (`docs/../secret`, `FILE:`, `%61`) would be judged as one resource and read as another. Those are refused; the normal
//! form of RFC 3986 section 6.2.2 passes.

/// A server that decodes more often than this is beyond help.
const MAX_DECODINGS: usize = 4;

/// True for a URI in normal form: lower-case scheme, no dot segments, also none behind percent-encoding or backslashes,
/// and no percent-encoding of characters that need none.
pub(super) fn is_plain(uri: &str) -> bool {
    let scheme = uri.split_once(':').map_or("", |(scheme, _)| scheme);
    if scheme.bytes().any(|byte| byte.is_ascii_uppercase()) {
        return false;
    }
    let mut current = uri.as_bytes().to_vec();
    for round in 0..MAX_DECODINGS {
        if has_dot_segment(&current) {
            return false;
        }
        let (decoded, escapes) = decode(&current);
        if round == 0 && escapes.iter().any(|byte| is_needless(*byte)) {
            return false;
        }
        if escapes.is_empty() {
            return true;
        }
        current = decoded;
    }
    false
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
    use super::is_plain;

    #[test]
    fn uris_in_normal_form_pass() {
        for uri in [
            "catalog://products/1",
            "file:///srv/a..b/.hidden/c.txt",
            "git://repository/diff/main..topic",
            "postgres://reader@db.example/shop/products/schema",
            "gitlab://projects/group%2Fproject",
            "https://example.com/caf%C3%A9?q=100%25#top",
            "catalog://products/{id}",
            "note",
            "50% off",
        ] {
            assert!(is_plain(uri), "{uri}");
        }
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
}
