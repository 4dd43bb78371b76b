//! A message that may be judged: the outcome of the envelope stage.

use super::draft::Draft;
use super::refused::Refused;
use super::request_id::RequestId;
use super::revision::Revision;
use super::trace_context::TraceContext;
use crate::json::Json;
use bytes::Bytes;
use tollward_policy::operation::{Era, Method, Operation, Target};

/// Longest protocol version that a client may name.
const MAX_VERSION: usize = 64;

/// A message of a client, understood and free of contradictions.
#[derive(Debug, Clone, PartialEq)]
pub struct Message {
    operation: Operation,
    id: Option<RequestId>,
    revision: Revision,
    arguments: Option<Bytes>,
    offered_version: Option<Box<str>>,
    trace: TraceContext,
}

impl Message {
    pub(super) fn of_transport(method: Method, revision: Revision) -> Self {
        Self {
            operation: Operation { method, target: Target::None },
            id: None,
            revision,
            arguments: None,
            offered_version: None,
            trace: TraceContext::default(),
        }
    }

    pub(super) fn of_draft(
        draft: &Draft<'_>,
        operation: Operation,
        revision: Revision,
        body: &Bytes,
    ) -> Result<Self, Refused> {
        let method = operation.method;
        let arguments = if matches!(method, Method::ToolsCall | Method::PromptsGet) {
            arguments(draft.params.arguments, body)?
        } else {
            None
        };
        let (offered_version, revision) = if method == Method::Initialize {
            offer(draft.params.protocol_version, revision)?
        } else {
            (None, revision)
        };
        let trace = draft.params.meta.trace.clone();
        Ok(Self { operation, id: draft.id.clone(), revision, arguments, offered_version, trace })
    }

    /// The method and what it acts on.
    pub fn operation(&self) -> &Operation {
        &self.operation
    }

    /// The request's id. None for notifications, posted responses, GET and DELETE: nothing answers them in JSON-RPC.
    pub fn id(&self) -> Option<&RequestId> {
        self.id.as_ref()
    }

    /// The rules of the transport that the message follows.
    pub fn era(&self) -> Era {
        self.revision.era()
    }

    /// The revision that the message declares. Where a legacy client declares none, 2025-03-26.
    pub fn revision(&self) -> Revision {
        self.revision
    }

    /// The arguments of `tools/call` or `prompts/get` as JSON text: an object, a slice of the body.
    pub fn arguments(&self) -> Option<&Bytes> {
        self.arguments.as_ref()
    }

    /// The version that `initialize` offers, known or not: the server answers with the one it takes.
    pub fn offered_version(&self) -> Option<&str> {
        self.offered_version.as_deref()
    }

    /// The client's trace context.
    pub fn trace(&self) -> &TraceContext {
        &self.trace
    }

    /// True for a message that expects no answer.
    pub fn is_notification(&self) -> bool {
        self.operation.method.is_notification()
    }
}

fn arguments(arguments: Option<Json<'_>>, body: &Bytes) -> Result<Option<Bytes>, Refused> {
    match arguments.filter(|arguments| !arguments.is_null()) {
        None => Ok(None),
        Some(arguments) if arguments.is_object() => Ok(Some(body.slice_ref(arguments.text().as_bytes()))),
        Some(_) => Err(Refused::params("`params.arguments` must be an object")),
    }
}

/// The client names the newest version it speaks, the server answers with the one that holds: so an unknown one passes.
fn offer(version: Option<Json<'_>>, revision: Revision) -> Result<(Option<Box<str>>, Revision), Refused> {
    let Some(version) = version else {
        return Ok((None, revision));
    };
    let text =
        version.string().filter(|text| text.len() <= MAX_VERSION && text.bytes().all(|byte| byte.is_ascii_graphic()));
    let Some(text) = text else {
        return Err(Refused::params("`params.protocolVersion` must be a version"));
    };
    let declared = Revision::parse(&text).filter(|declared| match declared.era() {
        Era::Legacy => true,
        Era::Modern => false,
    });
    Ok((Some(text.as_ref().into()), declared.unwrap_or(revision)))
}
