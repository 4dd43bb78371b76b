//! The refusal of a tunnel. Whoever asked for one speaks no JSON-RPC, and most clients show their user no more than the status: so it is
//! a sentence in plain text, and a `Proxy-Status` field (RFC 9209) for those that log it.

use super::{Denial, status_of};
use axum::body::Body;
use http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderName, HeaderValue, Response};
use tollward_policy::reason::Reason;

/// RFC 9209.
pub const PROXY_STATUS: HeaderName = HeaderName::from_static("proxy-status");

/// The answer to a refused tunnel, and the length of its body.
pub fn refuse_tunnel(denial: &Denial, request_id: &str) -> (Response<Body>, usize) {
    let Denial { reason, details } = denial;
    let said = denial.text().unwrap_or(reason.meaning());
    let text = format!("{said} {}\nreason: {}\nrequest: {request_id}\n", reason.advice(), reason.code());
    let length = text.len();
    let mut response = Response::new(Body::from(text));
    *response.status_mut() = status_of(denial);
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if let Some(methods) = details.allow {
        headers.insert(ALLOW, HeaderValue::from_static(methods));
    }
    let status = format!("tollward; error={}; details=\"{}\"", error_type(*reason), reason.code());
    if let Ok(status) = HeaderValue::from_str(&status) {
        headers.insert(PROXY_STATUS, status);
    }
    (response, length)
}

/// The nearest of the registered types (RFC 9209 section 2.3).
fn error_type(reason: Reason) -> &'static str {
    if reason == Reason::EgressUnreachable {
        "destination_unavailable"
    } else if reason == Reason::ConcurrencyLimited {
        "connection_limit_reached"
    } else {
        "http_request_denied"
    }
}

#[cfg(test)]
mod tests {
    use super::{PROXY_STATUS, refuse_tunnel};
    use crate::denial::Denial;
    use tollward_policy::reason::Reason;

    #[test]
    fn a_refusal_says_what_to_do_and_nothing_that_was_only_for_the_record() {
        let denial = Denial::new(Reason::EgressUnreachable).record("10.0.0.1 is a private address".to_owned());
        let (response, length) = refuse_tunnel(&denial, "r1");
        assert_eq!(response.status(), 502);
        let status = response.headers()[PROXY_STATUS].to_str().unwrap().to_owned();
        assert_eq!(status, "tollward; error=destination_unavailable; details=\"egress_unreachable\"");
        let body = futures_util::FutureExt::now_or_never(axum::body::to_bytes(response.into_body(), 10_000));
        let text = String::from_utf8(body.unwrap().unwrap().to_vec()).unwrap();
        assert_eq!(text.len(), length);
        assert!(text.contains("egress_unreachable") && !text.contains("10.0.0.1"), "{text}");
    }
}
