//! Lists (`tools/list` and its like), cut down to what the caller may use.
//!
//! Guarantees: an item is in the result only if the predicate holds for its name; all other text stays byte for byte;
//! `nextCursor` and `ttlMs` stay; `cacheScope` becomes `private`, since a list for one caller must not be given to another
//! (MCP 2026-07-28 server/utilities/caching). Whatever can't be judged without doubt (not strict JSON, an item without
//! name, a result without list) is an error, and nothing of it reaches the client.

use crate::json::{self, ElementsError, Json, JsonError};
use bytes::Bytes;
use tollward_policy::operation::{Method, Target};

/// Largest message, in bytes.
pub const MAX_MESSAGE: usize = 8 * 1024 * 1024;
/// Most items in one message.
const MAX_ITEMS: usize = 65_536;

/// What is listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ListKind {
    /// `tools/list`.
    Tools,
    /// `resources/list`.
    Resources,
    /// `resources/templates/list`. A template is shown if the caller may read what it commonly expands to: a rule for
    /// `shop://items/*` or `shop://items/{sku}` permits the expansions of `shop://items/{id}`. A rule about a part of the
    /// expansions only (`shop://items/new-*`) does not show the template.
    ResourceTemplates,
    /// `prompts/list`.
    Prompts,
    /// `tasks/list`.
    Tasks,
}

/// Why a list can't be filtered. The answer is then the server's fault (502), or the stream ends.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FilterError {
    /// Not strict JSON.
    #[error("the server's answer can't be filtered: {0}")]
    Undecodable(String),
    /// Beyond [`MAX_MESSAGE`], or too many items.
    #[error("the server's answer is too large to be filtered")]
    TooLarge,
    /// JSON, but no list.
    #[error("the server's answer is no list: {0}")]
    NotAList(&'static str),
}

impl From<JsonError> for FilterError {
    fn from(error: JsonError) -> Self {
        Self::Undecodable(error.to_string())
    }
}

/// A list as the caller may see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Filtered {
    /// The message.
    pub body: Bytes,
    /// Names of all items that the server listed, also of those that are not shown.
    pub names: Vec<String>,
    /// How many of them are shown.
    pub shown: usize,
}

/// Where a message was found, and so what it may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// The whole body: the response with that list.
    Body(ListKind),
    /// The stream that answers the request for that list: requests and notifications of the server may come before it.
    Stream(ListKind),
    /// A stream that the client resumed: any response may be on it, also one with a list.
    Resumed,
}

impl ListKind {
    const ALL: [Self; 5] = [Self::Tools, Self::Resources, Self::ResourceTemplates, Self::Prompts, Self::Tasks];

    /// What that method lists.
    pub const fn of(method: Method) -> Option<Self> {
        match method {
            Method::ToolsList => Some(Self::Tools),
            Method::ResourcesList => Some(Self::Resources),
            Method::ResourcesTemplatesList => Some(Self::ResourceTemplates),
            Method::PromptsList => Some(Self::Prompts),
            Method::TasksList => Some(Self::Tasks),
            Method::Initialize
            | Method::Ping
            | Method::ServerDiscover
            | Method::ToolsCall
            | Method::ResourcesRead
            | Method::ResourcesSubscribe
            | Method::ResourcesUnsubscribe
            | Method::PromptsGet
            | Method::CompletionComplete
            | Method::LoggingSetLevel
            | Method::SubscriptionsListen
            | Method::TasksGet
            | Method::TasksResult
            | Method::TasksCancel
            | Method::TasksUpdate
            | Method::NotificationsInitialized
            | Method::NotificationsCancelled
            | Method::NotificationsProgress
            | Method::NotificationsRootsListChanged
            | Method::NotificationsTasksStatus
            | Method::Response
            | Method::StreamOpen
            | Method::SessionEnd => None,
        }
    }

    /// The method that uses what is listed: the predicate asks whether it would be permitted.
    pub const fn used_by(self) -> Method {
        match self {
            Self::Tools => Method::ToolsCall,
            Self::Resources | Self::ResourceTemplates => Method::ResourcesRead,
            Self::Prompts => Method::PromptsGet,
            Self::Tasks => Method::TasksGet,
        }
    }

    const fn name_member(self) -> &'static str {
        match self {
            Self::Tools | Self::Prompts => "name",
            Self::Resources => "uri",
            Self::ResourceTemplates => "uriTemplate",
            Self::Tasks => "taskId",
        }
    }

    fn target(self, name: &str) -> Target {
        match self {
            Self::Tools => Target::Tool(name.to_owned()),
            Self::Prompts => Target::Prompt(name.to_owned()),
            Self::Resources => Target::Resources(vec![name.to_owned()]),
            Self::ResourceTemplates => Target::Resources(vec![expansion(name)]),
            Self::Tasks => Target::Task(name.to_owned()),
        }
    }
}

/// Whether the caller may use what a list of that kind names.
pub type MayUse<'p> = dyn FnMut(ListKind, &Target) -> bool + 'p;

/// What a template (RFC 6570) expands to, with a text in place of each variable that stands in no rule.
fn expansion(template: &str) -> String {
    const VALUE: &str = "~";
    let mut expanded = String::with_capacity(template.len());
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('{') {
        expanded.push_str(before);
        let (expression, next) = after.split_once('}').unwrap_or((after, ""));
        match expression.chars().next() {
            // These may expand to more than a segment.
            Some('+' | '#') => expanded.push_str("~/~"),
            Some(operator @ ('/' | '.')) => expanded.extend([operator, '~']),
            Some(operator @ (';' | '?' | '&')) => expanded.extend([operator, '~', '=', '~']),
            Some(_) | None => expanded.push_str(VALUE),
        }
        rest = next;
    }
    expanded.push_str(rest);
    expanded
}

/// Filters a JSON body. JSON-RPC errors pass as they are.
pub fn filter(kind: ListKind, body: &Bytes, may_use: &mut MayUse<'_>) -> Result<Filtered, FilterError> {
    filter_message(Place::Body(kind), body, may_use)
}

pub(super) fn filter_message(place: Place, body: &Bytes, may_use: &mut MayUse<'_>) -> Result<Filtered, FilterError> {
    if body.len() > MAX_MESSAGE {
        return Err(FilterError::TooLarge);
    }
    let document = json::parse(body)?;
    let [method, result, error] = document
        .members(["method", "result", "error"])
        .map_err(|_| FilterError::NotAList("it is no JSON-RPC message"))?;
    let (is_stream, expected) = match place {
        Place::Body(kind) => (false, Some(kind)),
        Place::Stream(kind) => (true, Some(kind)),
        Place::Resumed => (true, None),
    };
    match (method, result, error) {
        (None, Some(result), None) => filter_result(expected, body, result, may_use),
        (None, None, Some(_)) => Ok(untouched(body)),
        (Some(_), None, None) if is_stream => Ok(untouched(body)),
        (None | Some(_), None | Some(_), None | Some(_)) => Err(FilterError::NotAList("it is no JSON-RPC response")),
    }
}

fn untouched(body: &Bytes) -> Filtered {
    Filtered { body: body.clone(), names: Vec::new(), shown: 0 }
}

/// Filters every list that the result has: the expected one must be there, and no other may be smuggled in beside it.
fn filter_result(
    expected: Option<ListKind>,
    body: &Bytes,
    result: Json<'_>,
    may_use: &mut MayUse<'_>,
) -> Result<Filtered, FilterError> {
    let [tools, resources, templates, prompts, tasks, scope] = result
        .members(["tools", "resources", "resourceTemplates", "prompts", "tasks", "cacheScope"])
        .map_err(|_| FilterError::NotAList("its result is ambiguous"))?;
    let mut filtered = untouched(body);
    let mut changes: Vec<_> = scope.map(|scope| (scope.text(), "\"private\"".to_owned())).into_iter().collect();
    for (kind, list) in ListKind::ALL.into_iter().zip([tools, resources, templates, prompts, tasks]) {
        let is_expected = expected == Some(kind);
        let list = list.map(|list| (list, list.elements(MAX_ITEMS)));
        match list {
            None if is_expected => return Err(FilterError::NotAList("its result has no list")),
            Some((_, Err(ElementsError::NotAnArray))) if is_expected => {
                return Err(FilterError::NotAList("its list is no array"));
            }
            None | Some((_, Err(ElementsError::NotAnArray))) => {}
            Some((_, Err(ElementsError::TooMany(_)))) => return Err(FilterError::TooLarge),
            Some((list, Ok(items))) => {
                let rewritten = filter_items(kind, &items, may_use, &mut filtered)?;
                changes.extend(rewritten.map(|rewritten| (list.text(), rewritten)));
            }
        }
    }
    filtered.body = replace(body, changes);
    Ok(filtered)
}

/// The list without what the caller may not use, if that is less.
fn filter_items(
    kind: ListKind,
    items: &[Json<'_>],
    may_use: &mut MayUse<'_>,
    filtered: &mut Filtered,
) -> Result<Option<String>, FilterError> {
    let mut kept = Vec::with_capacity(items.len());
    for item in items {
        let name = name_of(kind, *item)?;
        if may_use(kind, &kind.target(&name)) {
            kept.push(item.text());
        }
        filtered.names.push(name);
    }
    filtered.shown += kept.len();
    Ok((kept.len() < items.len()).then(|| format!("[{}]", kept.join(","))))
}

fn name_of(kind: ListKind, item: Json<'_>) -> Result<String, FilterError> {
    let [name] = item.members([kind.name_member()]).map_err(|_| FilterError::NotAList("an item is ambiguous"))?;
    let name = name.and_then(Json::string).ok_or(FilterError::NotAList("an item has no name"))?;
    Ok(name.into_owned())
}

/// Replaces slices of the body, leaving all around them.
fn replace(body: &Bytes, mut changes: Vec<(&str, String)>) -> Bytes {
    changes.retain(|(old, new)| old != new);
    if changes.is_empty() {
        return body.clone();
    }
    let start = body.as_ptr().addr();
    changes.sort_by_key(|(old, _)| old.as_ptr());
    let mut out = Vec::with_capacity(body.len() + 16);
    let mut done = 0;
    for (old, new) in changes {
        let offset = old.as_ptr().addr().saturating_sub(start);
        out.extend_from_slice(body.get(done..offset).unwrap_or_default());
        out.extend_from_slice(new.as_bytes());
        done = offset + old.len();
    }
    out.extend_from_slice(body.get(done..).unwrap_or_default());
    out.into()
}

#[cfg(test)]
pub(super) mod tests;
