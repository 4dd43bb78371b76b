//! What a request for a tunnel asks for: CONNECT, one name, one port, and nothing that could be read in two ways.

use crate::denial::Denial;
use http::header::{CONTENT_LENGTH, EXPECT, HOST, TRANSFER_ENCODING, UPGRADE};
use http::request::Parts;
use http::{HeaderMap, Method};
use tollward_policy::egress::Destination;
use tollward_policy::reason::Reason;

/// Most bytes of a head.
pub(super) const HEAD_BYTES: usize = 16 * 1024;
/// Most fields of a head.
pub(super) const HEAD_FIELDS: usize = 64;

/// What is told of another method. Without TLS nobody would know to whom the connection goes.
const ONLY_CONNECT: &str = "Only tunnels (CONNECT) for TLS are carried: use an https:// URL.";

/// Where the tunnel is to lead.
pub(super) fn destination(parts: &Parts) -> Result<Destination, Denial> {
    let malformed = |detail: String| Denial::new(Reason::RequestMalformed).record(detail);
    if parts.method != Method::CONNECT {
        return Err(Denial::new(Reason::MethodNotAllowed).detail(ONLY_CONNECT).allow("CONNECT"));
    }
    if let Some(name) = [CONTENT_LENGTH, TRANSFER_ENCODING, EXPECT, UPGRADE].iter().find(|name| {
        // A request for a tunnel has no content (RFC 9110 section 9.3.6): what follows it is the tunnel's.
        parts.headers.contains_key(*name)
    }) {
        return Err(malformed(format!("a request for a tunnel with {name}")));
    }
    let authority = parts.uri.authority().filter(|_| parts.uri.path_and_query().is_none());
    let authority = authority.ok_or_else(|| malformed("the target is not in authority form".to_owned()))?;
    let destination =
        Destination::parse(authority.as_str()).map_err(|error| malformed(format!("the target {error}")))?;
    if agrees(&parts.headers, &destination) {
        Ok(destination)
    } else {
        Err(malformed("Host names another destination than the target".to_owned()))
    }
}

/// Host is absent, or repeats the target, with its port or without.
fn agrees(headers: &HeaderMap, destination: &Destination) -> bool {
    let mut hosts = headers.get_all(HOST).iter();
    let (first, second) = (hosts.next(), hosts.next());
    let Some(host) = first else { return true };
    let same = |host: &str| {
        let full = if host.contains(':') { host.to_owned() } else { format!("{host}:{}", destination.port()) };
        Destination::parse(&full).is_ok_and(|named| named == *destination)
    };
    second.is_none() && host.to_str().is_ok_and(same)
}

#[cfg(test)]
mod tests {
    use super::destination;
    use http::{Method, Request};
    use tollward_policy::reason::Reason;

    fn judged(method: Method, uri: &str, headers: &[(&str, &str)]) -> Result<String, Reason> {
        let mut request = Request::builder().method(method).uri(uri);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let parts = request.body(()).unwrap().into_parts().0;
        destination(&parts).map(|destination| destination.to_string()).map_err(|denial| denial.reason)
    }

    #[test]
    fn a_tunnel_is_a_name_and_a_port_that_host_repeats() {
        for headers in [
            &[][..],
            &[("host", "API.example.com:443")],
            &[("host", "api.example.com")],
            &[("host", "api.example.com.")],
        ] {
            assert_eq!(judged(Method::CONNECT, "api.example.com:443", headers).unwrap(), "api.example.com:443");
        }
        for headers in [
            &[("host", "other.example.com:443")][..],
            &[("host", "api.example.com:80")],
            &[("host", "api.example.com:443"), ("host", "api.example.com:443")],
            &[("host", "")],
            &[("content-length", "0")],
            &[("transfer-encoding", "chunked")],
            &[("upgrade", "h2c")],
            &[("expect", "100-continue")],
        ] {
            assert_eq!(
                judged(Method::CONNECT, "api.example.com:443", headers),
                Err(Reason::RequestMalformed),
                "{headers:?}"
            );
        }
    }

    #[test]
    fn everything_else_is_no_tunnel() {
        for (method, uri, expected) in [
            (Method::GET, "http://api.example.com/", Reason::MethodNotAllowed),
            (Method::POST, "https://api.example.com/", Reason::MethodNotAllowed),
            (Method::GET, "/", Reason::MethodNotAllowed),
            (Method::CONNECT, "https://api.example.com:443/", Reason::RequestMalformed),
            (Method::CONNECT, "/", Reason::RequestMalformed),
            (Method::CONNECT, "api.example.com", Reason::RequestMalformed),
            (Method::CONNECT, "user@api.example.com:443", Reason::RequestMalformed),
            (Method::CONNECT, "10.0.0.1:443", Reason::RequestMalformed),
            (Method::CONNECT, "[::1]:443", Reason::RequestMalformed),
        ] {
            assert_eq!(judged(method, uri, &[]), Err(expected), "{uri}");
        }
    }
}
