//! Every combination of what a request can be, and the request that it stands for.

use http::Method;
use tollward_policy::operation::Era;
use tollward_tests::config::{METADATA_URL, PATH};
use tollward_tests::mcp::{Call, MODERN};

/// Where a request goes, and how the MCP server answers it there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// The endpoint, with JSON for an answer.
    Document,
    /// The endpoint, with events for an answer.
    Events,
    /// The protected resource metadata.
    Metadata,
    /// Where nothing is.
    Elsewhere,
}

/// Who sends it, and with what in hand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sender {
    /// A caller who may.
    Good,
    /// Nobody known.
    Unknown,
    /// A caller without the scope.
    Powerless,
    /// A caller whose limit is exhausted.
    Exhausted,
    /// A caller who may, by a name that is not ours.
    Rebound,
    /// A caller who may, from a page that may not.
    Page,
}

/// One combination.
#[derive(Debug, Clone)]
pub(super) struct Cell {
    pub(super) method: Method,
    pub(super) place: Place,
    pub(super) version: Option<&'static str>,
    pub(super) media: Option<&'static str>,
    pub(super) sender: Sender,
}

const PLACES: [Place; 4] = [Place::Document, Place::Events, Place::Metadata, Place::Elsewhere];
const VERSIONS: [Option<&str>; 7] = [
    None,
    Some("2024-11-05"),
    Some("2025-03-26"),
    Some("2025-06-18"),
    Some("2025-11-25"),
    Some("2026-07-28"),
    Some("latest"),
];
const MEDIA: [Option<&str>; 4] =
    [Some("application/json"), Some("application/json; charset=utf-8"), Some("text/plain"), None];
const SENDERS: [Sender; 6] =
    [Sender::Good, Sender::Unknown, Sender::Powerless, Sender::Exhausted, Sender::Rebound, Sender::Page];

/// All of them.
pub(super) fn all() -> Vec<Cell> {
    let methods = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"];
    let mut cells = Vec::new();
    for method in methods.map(|name| Method::from_bytes(name.as_bytes()).unwrap()) {
        for place in PLACES {
            for version in VERSIONS {
                for media in MEDIA {
                    cells.extend(SENDERS.map(|sender| Cell { method: method.clone(), place, version, media, sender }));
                }
            }
        }
    }
    cells
}

impl Cell {
    /// The request, with a name by which its traces are found.
    pub(super) fn call(&self, token: Option<&str>, name: &str) -> Call {
        let era = if self.version == Some(MODERN) { Era::Modern } else { Era::Legacy };
        let call = Call::tool(era, "get_product").method(self.method.clone()).header("user-agent", name);
        let call = call.without("content-type").without("mcp-protocol-version");
        let call = self.version.map_or(call.clone(), |version| call.header("mcp-protocol-version", version));
        let call = self.media.map_or(call.clone(), |media| call.header("content-type", media));
        let call = token.map_or(call.clone(), |token| call.token(token));
        let call = match self.sender {
            Sender::Rebound => call.authority("evil.example"),
            Sender::Page => call.header("origin", "https://evil.example"),
            Sender::Good | Sender::Unknown | Sender::Powerless | Sender::Exhausted => call,
        };
        let call = match self.place {
            Place::Document | Place::Events => call.target(PATH),
            Place::Metadata => call.target(METADATA_URL.strip_prefix("https://mcp.example.test").unwrap()),
            Place::Elsewhere => call.target("/elsewhere"),
        };
        if [Method::POST, Method::PUT, Method::PATCH].contains(&self.method) { call } else { call.body("") }
    }
}
