//! Which revision a message follows, and whether its headers say what its body says.
//!
//! Modern messages declare their revision in `_meta` and repeat revision, method and name in headers, so that others can
//! route without parsing. Whoever trusted those headers could be told one thing while the server does another; so they
//! have to agree, and the body decides.

use super::draft::Draft;
use super::refused::{Refused, code};
use super::revision::{Revision, SUPPORTED};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, HeaderName};
use serde_json::json;
use std::borrow::Cow;
use tollward_policy::operation::{Era, Method, Operation, Target};
use tollward_policy::reason::Reason;

const PROTOCOL_VERSION: HeaderName = HeaderName::from_static("mcp-protocol-version");
const METHOD: HeaderName = HeaderName::from_static("mcp-method");
const NAME: HeaderName = HeaderName::from_static("mcp-name");
const PARAMETER_PREFIX: &str = "mcp-param-";
const BASE64_START: &str = "=?base64?";
const BASE64_END: &str = "?=";

/// Longest value of a mirrored header: the longest URI in base64, and some.
const MAX_VALUE: usize = 12 * 1024;
/// Most `Mcp-Param-*` headers.
const MAX_PARAMETERS: usize = 64;
/// Longest version that is repeated to the caller.
const MAX_ECHO: usize = 64;

/// The revision of a POST. A version in the body or a modern one in the header means the modern era.
pub(super) fn revision(headers: &HeaderMap, draft: &Draft<'_>) -> Result<Revision, Refused> {
    let header = version_header(headers)?;
    if let Some(declared) = draft.params.meta.version.as_deref() {
        return declared_revision(declared, header, draft);
    }
    let revision = known_or_assumed(header)?;
    match revision.era() {
        Era::Modern if draft.is_request() => {
            let message = "`params._meta` lacks `io.modelcontextprotocol/protocolVersion`";
            Err(Refused::params(message).in_era(Era::Modern))
        }
        Era::Modern | Era::Legacy => Ok(revision),
    }
}

/// The revision of a GET or DELETE.
pub(super) fn transport_revision(headers: &HeaderMap) -> Result<Revision, Refused> {
    known_or_assumed(version_header(headers)?)
}

fn known_or_assumed(header: Option<&str>) -> Result<Revision, Refused> {
    match header {
        Some(text) => Revision::parse(text).ok_or_else(|| unsupported(text)),
        None => Ok(Revision::V2025_03_26),
    }
}

fn declared_revision(declared: &str, header: Option<&str>, draft: &Draft<'_>) -> Result<Revision, Refused> {
    if header != Some(declared) {
        let message = "MCP-Protocol-Version must repeat the protocol version of `params._meta`";
        return Err(Refused::mismatch(message).in_era(Era::Modern));
    }
    let revision = Revision::parse(declared).ok_or_else(|| unsupported_in(declared, &[Era::Modern]))?;
    match revision.era() {
        Era::Legacy => Err(Refused::params("a protocol version in `params._meta` exists from 2026-07-28 on")),
        Era::Modern if draft.is_request() && !draft.params.meta.has_capabilities => {
            let message = "`params._meta` lacks `io.modelcontextprotocol/clientCapabilities`";
            Err(Refused::params(message).in_era(Era::Modern))
        }
        Era::Modern => Ok(revision),
    }
}

/// Two versions are none: which of them the server takes is unknown.
fn version_header(headers: &HeaderMap) -> Result<Option<&str>, Refused> {
    let mut values = headers.get_all(PROTOCOL_VERSION).iter();
    match (values.next(), values.next()) {
        (None, _) => Ok(None),
        (Some(value), None) => value.to_str().map(|text| Some(trim(text))).map_err(|_| unsupported("")),
        (Some(_), Some(_)) => Err(unsupported("")),
    }
}

fn unsupported(requested: &str) -> Refused {
    unsupported_in(requested, &[Era::Legacy, Era::Modern])
}

/// Names the revisions of those eras: a version in `params._meta` can only be one of the modern era.
fn unsupported_in(requested: &str, eras: &[Era]) -> Refused {
    let served = SUPPORTED.iter().filter(|revision| eras.contains(&revision.era()));
    let supported: Vec<_> = served.map(|revision| revision.as_str()).collect();
    let printable = requested.len() <= MAX_ECHO && requested.bytes().all(|byte| (b' '..=b'~').contains(&byte));
    let requested = if printable { requested } else { "" };
    let message = "the protocol version is not served";
    let mut refused = Refused::new(Reason::ProtocolVersionUnsupported, code::UNSUPPORTED_VERSION, message);
    refused.data = Some(json!({"supported": supported, "requested": requested}));
    refused
}

/// `Mcp-Method`: every modern request has it; wherever it is, it repeats the body.
pub(super) fn check_method(headers: &HeaderMap, name: &str, era: Era, is_request: bool) -> Result<(), Refused> {
    match (single(headers, &METHOD)?, era) {
        (Some(header), Era::Legacy | Era::Modern) if header == name => Ok(()),
        (Some(_), Era::Legacy | Era::Modern) => Err(Refused::mismatch("Mcp-Method differs from `method`")),
        (None, Era::Modern) if is_request => Err(Refused::mismatch("Mcp-Method is missing")),
        (None, Era::Legacy | Era::Modern) => Ok(()),
    }
}

/// A posted response has no method to repeat.
pub(super) fn check_absent_method(headers: &HeaderMap) -> Result<(), Refused> {
    match single(headers, &METHOD)? {
        None => Ok(()),
        Some(_) => Err(Refused::mismatch("Mcp-Method stands beside a body without `method`")),
    }
}

/// `Mcp-Name`: modern requests that name one thing have it; wherever it is, it repeats the body.
pub(super) fn check_name(headers: &HeaderMap, operation: &Operation, era: Era) -> Result<(), Refused> {
    let Some(header) = single(headers, &NAME)? else {
        return match era {
            Era::Modern if needs_name(operation.method) => Err(Refused::mismatch("Mcp-Name is missing")),
            Era::Modern | Era::Legacy => Ok(()),
        };
    };
    let named = match &operation.target {
        Target::Resources(uris) if uris.len() != 1 => None,
        Target::None | Target::Tool(_) | Target::Resources(_) | Target::Prompt(_) | Target::Task(_) => {
            operation.target.name()
        }
    };
    match decode(header) {
        Some(decoded) if named == Some(&*decoded) => Ok(()),
        Some(_) | None => Err(Refused::mismatch("Mcp-Name differs from what the body names")),
    }
}

/// Methods whose name is mirrored (streamable-http "Standard Headers", SEP-2663 "Routing Headers").
fn needs_name(method: Method) -> bool {
    matches!(
        method,
        Method::ToolsCall
            | Method::PromptsGet
            | Method::ResourcesRead
            | Method::TasksGet
            | Method::TasksUpdate
            | Method::TasksCancel
    )
}

/// `Mcp-Param-*` repeat arguments as a tool's schema says, which only the server knows: they pass, within bounds.
pub(super) fn check_parameters(headers: &HeaderMap) -> Result<(), Refused> {
    let names = headers.keys().filter(|name| name.as_str().starts_with(PARAMETER_PREFIX));
    for (index, name) in names.enumerate() {
        if index == MAX_PARAMETERS {
            return Err(Refused::mismatch(format!("more than {MAX_PARAMETERS} Mcp-Param headers")));
        }
        let value = single(headers, name)?.unwrap_or_default();
        if decode(value).is_none() {
            return Err(Refused::mismatch("an Mcp-Param header is not valid base64 of UTF-8"));
        }
    }
    Ok(())
}

/// The only value of a mirrored header.
fn single<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Result<Option<&'a str>, Refused> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (None, _) => Ok(None),
        (Some(_), Some(_)) => Err(Refused::mismatch(format!("{name} is repeated"))),
        (Some(value), None) if value.len() > MAX_VALUE => Err(Refused::mismatch(format!("{name} is too long"))),
        (Some(value), None) => {
            let text = value.to_str().map_err(|_| Refused::mismatch(format!("{name} has characters outside ASCII")))?;
            Ok(Some(trim(text)))
        }
    }
}

/// Optional white space of RFC 9110 section 5.6.3.
fn trim(text: &str) -> &str {
    text.trim_matches([' ', '\t'])
}

/// A value that is not plain ASCII stands as `=?base64?...?=`, with markers in lower case; decoded once.
fn decode(value: &str) -> Option<Cow<'_, str>> {
    let Some(encoded) = value.strip_prefix(BASE64_START).and_then(|rest| rest.strip_suffix(BASE64_END)) else {
        return Some(Cow::Borrowed(value));
    };
    let bytes = STANDARD.decode(encoded).ok()?;
    String::from_utf8(bytes).ok().map(Cow::Owned)
}
