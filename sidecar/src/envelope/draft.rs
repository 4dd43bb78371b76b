//! A body as a JSON-RPC 2.0 message, before its revision is known: the shape that all revisions share.
//!
//! It borrows from the body and names only the members that decide anything.

use super::refused::{Refused, code};
use super::request_id::RequestId;
use super::trace_context::TraceContext;
use crate::json::{self, Json, MemberError};
use std::borrow::Cow;
use tollward_policy::reason::Reason;

/// What the body is.
#[derive(Debug)]
pub(super) enum Kind<'a> {
    /// A request or notification of that method.
    Call(Cow<'a, str>),
    /// An answer to a request of the server.
    Response,
}

/// A JSON-RPC message of any revision.
#[derive(Debug)]
pub(super) struct Draft<'a> {
    pub(super) kind: Kind<'a>,
    /// The request's id. None for notifications and responses: nothing answers them.
    pub(super) id: Option<RequestId>,
    pub(super) params: Params<'a>,
}

/// The members of `params` that matter to any method.
#[derive(Debug, Default)]
pub(super) struct Params<'a> {
    pub(super) name: Option<Json<'a>>,
    pub(super) uri: Option<Json<'a>>,
    pub(super) reference: Option<Json<'a>>,
    pub(super) arguments: Option<Json<'a>>,
    pub(super) task: Option<Json<'a>>,
    pub(super) notifications: Option<Json<'a>>,
    pub(super) protocol_version: Option<Json<'a>>,
    pub(super) meta: Meta<'a>,
}

/// The members of `params._meta` that matter.
#[derive(Debug, Default)]
pub(super) struct Meta<'a> {
    pub(super) version: Option<Cow<'a, str>>,
    pub(super) has_capabilities: bool,
    pub(super) trace: TraceContext,
}

/// The body as strict JSON.
pub(super) fn document(body: &[u8]) -> Result<Json<'_>, Refused> {
    if json::opens_array(body) {
        let message = "send each message in a request of its own";
        return Err(Refused::new(Reason::BatchRefused, code::INVALID_REQUEST, message));
    }
    json::parse(body).map_err(|error| Refused::new(Reason::BodyMalformed, code::PARSE_ERROR, error.to_string()))
}

impl<'a> Draft<'a> {
    /// Reads the shape.
    pub(super) fn read(document: Json<'a>) -> Result<Self, Refused> {
        let [version, id, method, params, result, error] = document
            .members(["jsonrpc", "id", "method", "params", "result", "error"])
            .map_err(|error| Refused::invalid(format!("the message {error}")))?;
        let id = id.map(RequestId::read).transpose().map_err(|error| Refused::invalid(error.to_string()))?;
        // A posted response carries the id of the server's request, which an error of ours must not answer.
        let answerable = method.and(id.clone());
        let refuse = |message: &str| Err(Refused::invalid(message).answering(answerable.as_ref()));
        if version.and_then(Json::string).as_deref() != Some("2.0") {
            return refuse("`jsonrpc` must be \"2.0\"");
        }
        let kind = match (method, result, error) {
            (Some(method), None, None) => match method.string() {
                Some(name) => Kind::Call(name),
                None => return refuse("`method` must be a string"),
            },
            (None, Some(_), None) if id.is_some() => Kind::Response,
            (None, None, Some(error)) if error.is_object() => Kind::Response,
            (None | Some(_), None | Some(_), None | Some(_)) => {
                return refuse("a message has either `method`, or `id` and one of `result` and `error`");
            }
        };
        let params = params.map(Params::read).transpose().map_err(|refused| refused.answering(answerable.as_ref()))?;
        Ok(Self { kind, id: answerable, params: params.unwrap_or_default() })
    }

    /// True if an answer is expected.
    pub(super) fn is_request(&self) -> bool {
        self.id.is_some()
    }
}

impl<'a> Params<'a> {
    fn read(params: Json<'a>) -> Result<Self, Refused> {
        let names = ["name", "uri", "ref", "arguments", "taskId", "notifications", "protocolVersion", "_meta"];
        let [name, uri, reference, arguments, task, notifications, protocol_version, meta] =
            params.members(names).map_err(|error| in_params("params", error))?;
        let meta = meta.map(Meta::read).transpose()?.unwrap_or_default();
        Ok(Self { name, uri, reference, arguments, task, notifications, protocol_version, meta })
    }
}

impl<'a> Meta<'a> {
    fn read(meta: Json<'a>) -> Result<Self, Refused> {
        let names = [
            "io.modelcontextprotocol/protocolVersion",
            "io.modelcontextprotocol/clientCapabilities",
            "traceparent",
            "tracestate",
            "baggage",
        ];
        let [version, capabilities, traceparent, tracestate, baggage] =
            meta.members(names).map_err(|error| in_params("params._meta", error))?;
        let version = match version.map(|version| version.string().ok_or(())) {
            None => None,
            Some(Ok(version)) => Some(version),
            Some(Err(())) => {
                return Err(Refused::params("the protocol version in `params._meta` must be a string"));
            }
        };
        let has_capabilities = match capabilities.map(Json::is_object) {
            None => false,
            Some(true) => true,
            Some(false) => {
                return Err(Refused::params("the client capabilities in `params._meta` must be an object"));
            }
        };
        Ok(Self { version, has_capabilities, trace: TraceContext::read(traceparent, tracestate, baggage) })
    }
}

/// A refusal of a place in the parameters.
pub(super) fn in_params(place: &str, error: MemberError) -> Refused {
    Refused::params(format!("`{place}` {error}"))
}
