//! What is asked: the body is read within its bounds and parsed once, strictly.

use super::identify::Identified;
use crate::audit::Trail;
use crate::denial::Denial;
use crate::envelope::{self, Message, Refused};
use crate::snapshot::Route;
use bytes::Bytes;
use http::{HeaderMap, Method};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use hyper::body::Incoming;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tollward_policy::config::HttpLimits;
use tollward_policy::principal::Principal;
use tollward_policy::reason::Reason;

/// A message of a known caller.
pub(super) struct Understood {
    pub(super) route: Arc<Route>,
    pub(super) principal: Principal,
    pub(super) peer: SocketAddr,
    pub(super) method: Method,
    pub(super) headers: HeaderMap,
    pub(super) message: Message,
    /// Exactly the bytes that were judged.
    pub(super) body: Bytes,
}

/// Reads and parses.
pub(super) async fn understand(identified: Identified, trail: &mut Trail) -> Result<Understood, Denial> {
    let Identified { asked, principal } = identified;
    let (routed, route) = (asked.routed, asked.route);
    let (parts, snapshot) = (routed.parts, routed.snapshot);
    let (message, body) = match parts.method {
        Method::POST => {
            let body = read(routed.body, &snapshot.limits).await?;
            (envelope::read(&parts.headers, &body).map_err(denied)?, body)
        }
        _ => (envelope::transport(&parts.headers, &parts.method).map_err(denied)?, Bytes::new()),
    };
    trail.calls(&message, body.len(), &route.redactor, route.knows(&message.operation().target));
    let (method, headers, peer) = (parts.method, parts.headers, routed.peer);
    Ok(Understood { route, principal, peer, method, headers, message, body })
}

async fn read(body: Incoming, limits: &HttpLimits) -> Result<Bytes, Denial> {
    let limited = Limited::new(body, limits.max_body_bytes as usize).collect();
    let deadline = Duration::from_secs(u64::from(limits.body_timeout_seconds));
    match tokio::time::timeout(deadline, limited).await {
        Ok(Ok(collected)) => Ok(collected.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(Denial::new(Reason::BodyTooLarge)),
        Ok(Err(_)) => Err(Denial::new(Reason::RequestMalformed).detail("the body broke off")),
        Err(_) => Err(Denial::new(Reason::BodyTimeout)),
    }
}

/// A message that was not understood is answered in JSON-RPC's own codes.
fn denied(refused: Refused) -> Denial {
    let id = refused.id.map(|id| id.as_json().to_owned());
    let denial = Denial::new(refused.reason)
        .detail(refused.message.clone())
        .rpc(refused.rpc_code, refused.message, refused.data)
        .id(id);
    let denial = if refused.reason == Reason::MethodNotAllowed { denial.allow("POST, OPTIONS") } else { denial };
    match refused.era {
        Some(era) => denial.era(era),
        None => denial,
    }
}
