//! Browser pages: Origin must be known before anything else is looked at (MCP transports, DNS rebinding).

use super::cors;
use super::route::Routed;
use crate::denial::Denial;
use crate::snapshot::Destination;
use axum::body::Body;
use http::header::ORIGIN;
use http::{HeaderValue, Method, Response};
use tollward_policy::reason::Reason;

/// A request from no browser, or from a page that may call.
pub(super) struct Reached {
    pub(super) routed: Routed,
    pub(super) preflight: Option<Response<Body>>,
}

/// Checks Origin and answers preflights. Metadata is public: any page may read it.
pub(super) fn check(routed: Routed, cross_origin: &mut Option<HeaderValue>) -> Result<Reached, Denial> {
    let public = !matches!(routed.destination, Destination::Mcp(_));
    if let Some(origin) = routed.parts.headers.get(ORIGIN) {
        let known = origin.to_str().is_ok_and(|origin| routed.route().origins.contains(origin));
        if !known && !public {
            return Err(Denial::new(Reason::OriginNotAllowed));
        }
        *cross_origin = Some(if public { HeaderValue::from_static("*") } else { origin.clone() });
    } else if public {
        *cross_origin = Some(HeaderValue::from_static("*"));
    }
    let preflight = (routed.parts.method == Method::OPTIONS).then(|| cors::preflight(&routed.parts.headers, public));
    Ok(Reached { routed, preflight })
}
