//! What a message acts on: the one table from methods to the parameters that name something.
//!
//! Source: MCP specifications 2025-03-26 to 2026-07-28, server/{tools,resources,prompts,utilities}, and SEP-2663 (tasks).

use super::draft::{Params, in_params};
use super::refused::Refused;
use super::uri;
use crate::json::Json;
use tollward_policy::operation::{Method, Target};

/// Longest name of a tool or prompt, or id of a task, in bytes; no pattern of a rule is longer.
const MAX_NAME: usize = 512;
/// Longest URI of a resource, in bytes.
const MAX_URI: usize = 8192;
/// Most resources in one subscription.
const MAX_SUBSCRIPTIONS: usize = 256;

/// The target of a call.
pub(super) fn of(method: Method, params: &Params<'_>) -> Result<Target, Refused> {
    match method {
        Method::ToolsCall => name("params.name", params.name).map(Target::Tool),
        Method::PromptsGet => name("params.name", params.name).map(Target::Prompt),
        Method::ResourcesRead | Method::ResourcesSubscribe | Method::ResourcesUnsubscribe => {
            resource("params.uri", params.uri).map(|uri| Target::Resources(vec![uri]))
        }
        Method::CompletionComplete => reference(params.reference),
        Method::SubscriptionsListen => subscriptions(params.notifications),
        Method::TasksGet | Method::TasksResult | Method::TasksCancel | Method::TasksUpdate => {
            name("params.taskId", params.task).map(Target::Task)
        }
        Method::Initialize
        | Method::Ping
        | Method::ServerDiscover
        | Method::ToolsList
        | Method::ResourcesList
        | Method::ResourcesTemplatesList
        | Method::PromptsList
        | Method::LoggingSetLevel
        | Method::TasksList
        | Method::NotificationsInitialized
        | Method::NotificationsCancelled
        | Method::NotificationsProgress
        | Method::NotificationsRootsListChanged
        | Method::NotificationsTasksStatus
        | Method::Response
        | Method::StreamOpen
        | Method::SessionEnd => Ok(Target::None),
    }
}

/// A name is taken as it is: MCP names are case-sensitive and not normalised. Control characters never occur in one, but
/// end it early in some servers.
fn text(place: &str, value: Option<Json<'_>>, most: usize) -> Result<String, Refused> {
    let text = value.and_then(Json::string).map(std::borrow::Cow::into_owned);
    text.filter(|text| !text.is_empty() && text.len() <= most && !text.chars().any(char::is_control)).ok_or_else(|| {
        Refused::params(format!("`{place}` must be a string of 1 to {most} bytes without control characters"))
    })
}

fn name(place: &str, value: Option<Json<'_>>) -> Result<String, Refused> {
    text(place, value, MAX_NAME)
}

fn resource(place: &str, value: Option<Json<'_>>) -> Result<String, Refused> {
    plain(place, value, uri::is_plain)
}

fn plain(place: &str, value: Option<Json<'_>>, is_plain: fn(&str) -> bool) -> Result<String, Refused> {
    let uri = text(place, value, MAX_URI)?;
    if is_plain(&uri) {
        Ok(uri)
    } else {
        Err(Refused::params(format!("`{place}` must be an absolute URI in its normal form (RFC 3986 section 6.2.2)")))
    }
}

fn reference(reference: Option<Json<'_>>) -> Result<Target, Refused> {
    let Some(reference) = reference else {
        return Err(Refused::params("`params.ref` is missing"));
    };
    let [kind, prompt, uri] =
        reference.members(["type", "name", "uri"]).map_err(|error| in_params("params.ref", error))?;
    match kind.and_then(Json::string).as_deref() {
        Some("ref/prompt") => name("params.ref.name", prompt).map(Target::Prompt),
        Some("ref/resource") => {
            plain("params.ref.uri", uri, uri::is_plain_template).map(|uri| Target::Resources(vec![uri]))
        }
        Some(_) | None => Err(Refused::params("`params.ref.type` must be `ref/prompt` or `ref/resource`")),
    }
}

fn subscriptions(notifications: Option<Json<'_>>) -> Result<Target, Refused> {
    let Some(notifications) = notifications else {
        return Err(Refused::params("`params.notifications` is missing"));
    };
    let [resources] =
        notifications.members(["resourceSubscriptions"]).map_err(|error| in_params("params.notifications", error))?;
    let Some(resources) = resources else {
        return Ok(Target::None);
    };
    let place = "params.notifications.resourceSubscriptions";
    let elements =
        resources.elements(MAX_SUBSCRIPTIONS).map_err(|error| Refused::params(format!("`{place}` {error}")))?;
    let uris: Vec<_> = elements.into_iter().map(|uri| resource(place, Some(uri))).collect::<Result<_, _>>()?;
    Ok(if uris.is_empty() { Target::None } else { Target::Resources(uris) })
}
