//! From the head and body of a request to a [`Message`]: what is asked, in which revision, on what.
//!
//! Flow: media type -> one strict parse -> JSON-RPC shape -> era and revision -> agreement of headers and body -> target.
//!
//! Guarantees: the body is judged as a whole and stays as it is, byte for byte, so that the server behind reads what was
//! judged. Whatever two parsers could read in two ways (repeated keys, look-alike keys, lone surrogates, trailing data,
//! batches) is refused. Headers never decide: they only have to agree (MCP 2026-07-28, basic/transports/streamable-http,
//! and SEP-2243 "Trusting Header Values").
//!
//! A [`Message`] has no public constructor: whoever holds one holds the outcome of [`read`] or [`transport`].

mod agreement;
mod draft;
mod media;
mod message;
mod refused;
mod request_id;
mod revision;
mod target;
mod trace_context;
mod uri;

pub use message::Message;
pub use refused::{Refused, code};
pub use request_id::RequestId;
pub use revision::{Revision, SUPPORTED};
pub use trace_context::TraceContext;

use bytes::Bytes;
use draft::{Draft, Kind};
use http::HeaderMap;
use tollward_policy::operation::{Era, Method, Operation, Target};
use tollward_policy::reason::Reason;

/// Reads a POST.
pub fn read(headers: &HeaderMap, body: &Bytes) -> Result<Message, Refused> {
    media::check_post(headers)?;
    let document = draft::document(body)?;
    let draft = Draft::read(document)?;
    let revision = agreement::revision(headers, &draft).map_err(|refused| refused.answering(draft.id.as_ref()))?;
    finish(headers, &draft, revision, body)
        .map_err(|refused| refused.answering(draft.id.as_ref()).in_era(revision.era()))
}

/// Reads a GET (opens a stream) or DELETE (ends a session), which exist in the legacy era only.
pub fn transport(headers: &HeaderMap, method: &http::Method) -> Result<Message, Refused> {
    let used = if method == http::Method::GET {
        Method::StreamOpen
    } else if method == http::Method::DELETE {
        Method::SessionEnd
    } else {
        return Err(not_served());
    };
    let revision = agreement::transport_revision(headers)?;
    match revision.era() {
        Era::Modern => return Err(not_served().in_era(Era::Modern)),
        Era::Legacy => {}
    }
    if used == Method::StreamOpen {
        media::check_stream(headers)?;
    }
    Ok(Message::of_transport(used, revision))
}

fn not_served() -> Refused {
    let message = "this HTTP method is not served in this protocol revision; use POST";
    Refused::new(Reason::MethodNotAllowed, code::INVALID_REQUEST, message)
}

fn finish(headers: &HeaderMap, draft: &Draft<'_>, revision: Revision, body: &Bytes) -> Result<Message, Refused> {
    agreement::check_parameters(headers)?;
    let operation = match &draft.kind {
        Kind::Response => response(headers, revision.era())?,
        Kind::Call(name) => {
            agreement::check_method(headers, name, revision.era(), draft.is_request())?;
            call(draft, name, revision.era())?
        }
    };
    agreement::check_name(headers, &operation, revision.era())?;
    Message::of_draft(draft, operation, revision, body)
}

/// An answer of the client to a request that the server sent on a stream.
fn response(headers: &HeaderMap, era: Era) -> Result<Operation, Refused> {
    match era {
        Era::Modern => {
            let message = "this protocol revision knows no responses from clients";
            Err(Refused::new(Reason::MessageInvalid, code::INVALID_REQUEST, message))
        }
        Era::Legacy => {
            agreement::check_absent_method(headers)?;
            Ok(Operation { method: Method::Response, target: Target::None })
        }
    }
}

fn call(draft: &Draft<'_>, name: &str, era: Era) -> Result<Operation, Refused> {
    let known = Method::parse(name).filter(|method| method.exists_in(era) && !method.is_transport());
    let Some(method) = known else {
        return Err(Refused::new(Reason::MethodUnknown, code::METHOD_NOT_FOUND, "the method is not served"));
    };
    if method.is_notification() == draft.is_request() {
        let message = if draft.is_request() {
            format!("`{}` is a notification and must have no id", method.as_str())
        } else {
            format!("`{}` is a request and must have an id", method.as_str())
        };
        return Err(Refused::new(Reason::MessageInvalid, code::INVALID_REQUEST, message));
    }
    let target = target::of(method, &draft.params)?;
    Ok(Operation { method, target })
}

#[cfg(test)]
mod tests;
