//! What a caller asks for: an MCP method and the thing it acts on.
//!
//! The table is closed: a method that is not in it is denied (`method_unknown`), so that a method of a later revision
//! never slips past rules that do not know it. Sources: MCP specifications 2025-03-26 to 2026-07-28.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The two families of protocol revisions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Era {
    /// 2025-03-26, 2025-06-18 and 2025-11-25: sessions, GET and DELETE.
    Legacy,
    /// 2026-07-28: stateless, POST only.
    Modern,
}

/// What a method needs before it may pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// Protocol mechanics: open to every caller who was let in, unless a rule denies it or it names a target.
    Protocol,
    /// A list: open likewise, and its answer is filtered to what the rules let the caller use.
    List,
    /// Does or reads something: needs a rule that allows it.
    Guarded,
}

/// Declares the methods with name, class and eras in one table.
macro_rules! methods {
    ($($name:ident = $text:literal, $class:ident, $legacy:literal, $modern:literal;)+) => {
        /// A method of the Model Context Protocol that clients may call.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
        pub enum Method { $(#[doc = concat!("`", $text, "`")] #[serde(rename = $text)] $name,)+ }

        impl Method {
            /// Every method.
            pub const ALL: &'static [Self] = &[$(Self::$name,)+];

            /// The method as it stands in messages, or the name of the transport operation.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text,)+ }
            }

            /// What the method needs before it may pass.
            pub const fn class(self) -> Class {
                match self { $(Self::$name => Class::$class,)+ }
            }

            /// True if the method exists in that era.
            pub const fn exists_in(self, era: Era) -> bool {
                match self { $(Self::$name => match era { Era::Legacy => $legacy, Era::Modern => $modern },)+ }
            }

            /// The method of that name, compared byte by byte.
            pub fn parse(text: &str) -> Option<Self> {
                match text { $($text => Some(Self::$name),)+ _ => None }
            }
        }
    };
}

methods! {
    Initialize = "initialize", Protocol, true, false;
    Ping = "ping", Protocol, true, false;
    ServerDiscover = "server/discover", Protocol, false, true;
    ToolsList = "tools/list", List, true, true;
    ToolsCall = "tools/call", Guarded, true, true;
    ResourcesList = "resources/list", List, true, true;
    ResourcesTemplatesList = "resources/templates/list", List, true, true;
    ResourcesRead = "resources/read", Guarded, true, true;
    ResourcesSubscribe = "resources/subscribe", Guarded, true, false;
    ResourcesUnsubscribe = "resources/unsubscribe", Guarded, true, false;
    PromptsList = "prompts/list", List, true, true;
    PromptsGet = "prompts/get", Guarded, true, true;
    CompletionComplete = "completion/complete", Guarded, true, true;
    LoggingSetLevel = "logging/setLevel", Guarded, true, false;
    SubscriptionsListen = "subscriptions/listen", Protocol, false, true;
    TasksGet = "tasks/get", Guarded, true, true;
    TasksResult = "tasks/result", Guarded, true, false;
    TasksList = "tasks/list", Guarded, true, false;
    TasksCancel = "tasks/cancel", Guarded, true, true;
    TasksUpdate = "tasks/update", Guarded, false, true;
    NotificationsInitialized = "notifications/initialized", Protocol, true, false;
    NotificationsCancelled = "notifications/cancelled", Protocol, true, true;
    NotificationsProgress = "notifications/progress", Protocol, true, true;
    NotificationsRootsListChanged = "notifications/roots/list_changed", Protocol, true, false;
    NotificationsTasksStatus = "notifications/tasks/status", Protocol, true, false;
    Response = "(response)", Protocol, true, false;
    StreamOpen = "(stream)", Protocol, true, false;
    SessionEnd = "(session end)", Protocol, true, false;
}

impl Method {
    /// True for a message that expects no answer, so that it must not carry an id.
    pub const fn is_notification(self) -> bool {
        matches!(
            self,
            Self::NotificationsInitialized
                | Self::NotificationsCancelled
                | Self::NotificationsProgress
                | Self::NotificationsRootsListChanged
                | Self::NotificationsTasksStatus
        )
    }

    /// True for what has no end of its own: it is open until one side leaves.
    pub const fn is_open_ended(self) -> bool {
        matches!(self, Self::StreamOpen | Self::SubscriptionsListen)
    }

    /// True for what is no JSON-RPC method but a use of the transport: a posted response, GET, DELETE.
    pub const fn is_transport(self) -> bool {
        matches!(self, Self::Response | Self::StreamOpen | Self::SessionEnd)
    }
}

/// What an operation acts on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// Nothing that rules know by name.
    None,
    /// A tool, by name.
    Tool(String),
    /// Resources, by URI: one, or the set of a subscription. A rule must permit each.
    Resources(Vec<String>),
    /// A prompt, by name.
    Prompt(String),
    /// A task, by id: a handle that the server made, unknown to rules.
    Task(String),
}

impl Target {
    /// The name for audit records and metrics, where the target is one thing.
    pub fn name(&self) -> Option<&str> {
        match self {
            Self::Tool(name) | Self::Prompt(name) | Self::Task(name) => Some(name),
            Self::Resources(uris) => uris.first().map(String::as_str),
            Self::None => None,
        }
    }
}

/// An operation: the method and its target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Operation {
    /// The method.
    pub method: Method,
    /// What it acts on.
    pub target: Target,
}

impl Operation {
    /// The operation on each resource by itself, as rules judge it.
    pub fn parts(&self) -> Vec<Self> {
        match &self.target {
            Target::Resources(uris) => uris
                .iter()
                .map(|uri| Self { method: self.method, target: Target::Resources(vec![uri.clone()]) })
                .collect(),
            Target::None | Target::Tool(_) | Target::Prompt(_) | Target::Task(_) => vec![self.clone()],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Class, Era, Method};

    #[test]
    fn names_are_compared_byte_by_byte() {
        for junk in ["TOOLS/CALL", "tools//call", "tools/callx", "tools/call ", "rpc.discover", ""] {
            assert_eq!(Method::parse(junk), None, "{junk}");
        }
        for method in Method::ALL {
            assert_eq!(Method::parse(method.as_str()), Some(*method));
        }
    }

    #[test]
    fn every_method_that_names_something_is_guarded() {
        for method in [Method::ToolsCall, Method::PromptsGet, Method::ResourcesRead, Method::CompletionComplete] {
            assert_eq!(method.class(), Class::Guarded);
        }
    }

    #[test]
    fn sessions_exist_in_the_legacy_era_only() {
        for method in [Method::Initialize, Method::StreamOpen, Method::SessionEnd, Method::Response] {
            assert!(method.exists_in(Era::Legacy) && !method.exists_in(Era::Modern), "{method:?}");
        }
        assert!(!Method::ServerDiscover.exists_in(Era::Legacy));
    }
}
