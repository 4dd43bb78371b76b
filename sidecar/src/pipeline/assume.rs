//! As whom the call goes upstream: its identity is at hand before its intent is recorded, and nothing of the caller's token
//! is in what is going to be sent.

use super::charge::Charged;
use super::passed_on::passes;
use crate::audit::Trail;
use crate::denial::Denial;
use crate::envelope::Message;
use crate::upstream_identity::{Ask, IdentityFailure, Presented};
use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderName};
use memchr::memmem;
use std::time::Duration;
use tollward_policy::reason::Reason;

/// When to come back while an identity can't be had.
const RETRY: Duration = Duration::from_secs(5);

/// A shorter token would be found in texts by chance.
const SHORTEST_TOKEN: usize = 16;

/// Headers of a trace, which are written anew from what the caller sent.
const CONTEXT: [HeaderName; 2] = [HeaderName::from_static("baggage"), HeaderName::from_static("tracestate")];

/// A call with what it shows to the MCP server.
pub(super) struct Assumed {
    pub(super) charged: Charged,
    pub(super) presented: Option<Presented>,
}

/// Finds the identity. What can't be had is a refusal, never a call without it.
pub(super) async fn assume(charged: Charged, trail: &mut Trail) -> Result<Assumed, Denial> {
    let resumed = &charged.permitted.resumed;
    let understood = &resumed.understood;
    let denied = |reason| Denial::new(reason).id(charged.request_id()).standings(charged.standings.clone());
    if repeats_token(&understood.headers, &understood.message, &understood.body) {
        return Err(denied(Reason::TokenInCall));
    }
    let ask = Ask {
        principal: &understood.principal,
        held: &charged.permitted.held,
        catalogue: &understood.route.catalogue,
        method: understood.message.operation().method.as_str(),
        id: trail.id(),
        headers: &understood.headers,
        now: resumed.now,
    };
    let presented = match understood.route.identity.present(&ask).await {
        Ok(presented) => presented,
        Err(IdentityFailure::Unavailable) => {
            return Err(denied(Reason::UpstreamIdentityUnavailable).retry_after(RETRY));
        }
        Err(IdentityFailure::Refused) => return Err(denied(Reason::UpstreamIdentityRefused)),
    };
    if let Some(presented) = &presented {
        trail.shows(presented.kind().as_str(), presented.token_id());
    }
    Ok(Assumed { charged, presented })
}

/// Whether what would go upstream holds the caller's token: a server, or a text that an agent reads, may ask for it as an
/// argument, and a client may repeat it in a header.
pub(crate) fn repeats_token(headers: &HeaderMap, message: &Message, body: &[u8]) -> bool {
    let Some(authorization) = headers.get(AUTHORIZATION) else { return false };
    let token = authorization.as_bytes().splitn(2, |byte| *byte == b' ').nth(1).unwrap_or_default();
    if token.len() < SHORTEST_TOKEN {
        return false;
    }
    let holds = |text: &[u8]| text.len() >= token.len() && memmem::find(text, token).is_some();
    holds(body)
        || headers
            .iter()
            .any(|(name, value)| (CONTEXT.contains(name) || passes(message, name)) && holds(value.as_bytes()))
}
