//! What is asked: the body is read within its bounds and parsed once, strictly.

use super::capacity::{Capacity, Place};
use super::identify::Identified;
use crate::audit::Trail;
use crate::denial::Denial;
use crate::envelope::{self, Message, Refused};
use crate::limiter::Standing;
use crate::snapshot::Route;
use bytes::{Bytes, BytesMut};
use http::{HeaderMap, Method};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use std::sync::Arc;
use std::time::Duration;
use tollward_policy::config::HttpLimits;
use tollward_policy::principal::Principal;
use tollward_policy::reason::Reason;

/// A message of a known caller.
pub(super) struct Understood {
    pub(super) route: Arc<Route>,
    pub(super) principal: Principal,
    /// The address that it is counted by.
    pub(super) address: String,
    pub(super) method: Method,
    pub(super) headers: HeaderMap,
    /// Shared with [`super::tenure`], which asks the rules again.
    pub(super) message: Arc<Message>,
    /// Exactly the bytes that were judged.
    pub(super) body: Bytes,
    /// What the request has taken of the process's capacity.
    pub(super) place: Place,
    /// How the limits of its address stand.
    pub(super) before: Vec<Standing>,
}

/// Reads and parses.
pub(super) async fn understand(
    identified: Identified,
    body: &mut Incoming,
    capacity: &Capacity,
    trail: &mut Trail,
) -> Result<Understood, Denial> {
    let Identified { asked, principal, address, before } = identified;
    let (routed, route) = (asked.routed, asked.route);
    let (parts, snapshot) = (routed.parts, routed.snapshot);
    let mut place = capacity.enter()?;
    let (message, body) = match parts.method {
        Method::POST => {
            let body = read(body, &snapshot.limits, &mut place).await?;
            (envelope::read(&parts.headers, &body).map_err(denied)?, body)
        }
        _ => (envelope::transport(&parts.headers, &parts.method).map_err(denied)?, Bytes::new()),
    };
    trail.calls(&message, body.len(), &route.redactor, route.knows(&message.operation().target));
    let (method, headers) = (parts.method, parts.headers);
    let message = Arc::new(message);
    Ok(Understood { route, principal, address, method, headers, message, body, place, before })
}

async fn read(body: &mut Incoming, limits: &HttpLimits, place: &mut Place) -> Result<Bytes, Denial> {
    let deadline = Duration::from_secs(u64::from(limits.body_timeout_seconds));
    let collected = tokio::time::timeout(deadline, collect(body, limits.max_body_bytes as usize, place)).await;
    collected.unwrap_or_else(|_| Err(Denial::new(Reason::BodyTimeout)))
}

/// Takes room for every piece before the next one is asked for.
async fn collect(body: &mut Incoming, most: usize, place: &mut Place) -> Result<Bytes, Denial> {
    let mut collected = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| Denial::new(Reason::RequestMalformed).detail("the body broke off"))?;
        // Trailers mean nothing in MCP and are left out.
        let Ok(data) = frame.into_data() else { continue };
        if collected.len() + data.len() > most {
            return Err(Denial::new(Reason::BodyTooLarge));
        }
        place.hold(data.len())?;
        collected.extend_from_slice(&data);
    }
    Ok(collected.freeze())
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
