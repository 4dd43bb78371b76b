//! One run of a real client: it connects, signs in if it is asked to, lists, calls, and tells what happened.

use crate::real::place;
use crate::real::process::{Process, command};
use serde_json::Value;
use std::process::Command;
use std::time::Duration;

/// Longest run, on a loaded machine.
const LIMIT: Duration = Duration::from_mins(2);

/// An official SDK, or what stands between one and the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sdk {
    /// `@modelcontextprotocol/client`: both eras.
    TypeScript,
    /// `@modelcontextprotocol/sdk`: the legacy era.
    OlderTypeScript,
    /// A release of the same whose newest revision is 2025-06-18.
    TypeScript202506,
    /// A release of the same whose newest revision is 2025-03-26.
    TypeScript202503,
    /// `mcp` of `PyPI`: both eras.
    Python,
    /// `rmcp` of crates.io: both eras.
    Rust,
    /// `mcp-remote` of npm, for an application that knows only local servers: both eras.
    McpRemote,
}

impl Sdk {
    /// The newest of each.
    pub const ALL: [Self; 5] = [Self::TypeScript, Self::OlderTypeScript, Self::Python, Self::Rust, Self::McpRemote];
}

/// A run in the making.
#[derive(Debug, Clone)]
pub struct Visit {
    sdk: Sdk,
    arguments: Vec<String>,
}

/// What the client says: the members that `tests/clients/README.md` lists.
#[derive(Debug, Clone)]
pub struct Told(Value);

impl Visit {
    /// A run against an endpoint.
    pub fn new(sdk: Sdk, url: &str) -> Self {
        let visit = Self { sdk, arguments: Vec::new() }.with(["--url", url, "--timeout", "90"]);
        match sdk {
            Sdk::OlderTypeScript => visit.with(["--sdk", "1"]),
            Sdk::TypeScript202506 => visit.with(["--sdk", "2025-06-18"]),
            Sdk::TypeScript202503 => visit.with(["--sdk", "2025-03-26"]),
            Sdk::Rust => visit.with(["--person", &place::clients().to_string_lossy()]),
            Sdk::TypeScript | Sdk::Python | Sdk::McpRemote => visit,
        }
    }

    /// With further arguments.
    #[must_use]
    pub fn with<'a>(mut self, arguments: impl IntoIterator<Item = &'a str>) -> Self {
        self.arguments.extend(arguments.into_iter().map(str::to_owned));
        self
    }

    /// Lists the tools.
    #[must_use]
    pub fn list(self) -> Self {
        self.with(["--list"])
    }

    /// Calls a tool.
    #[must_use]
    pub fn call(self, tool: &str, arguments: &Value) -> Self {
        self.with(["--call", tool, "--args", &arguments.to_string()])
    }

    /// Lets the client ask for more scopes.
    #[must_use]
    pub fn step_up(self) -> Self {
        self.with(["--step-up"])
    }

    /// `auto`, `legacy` or a revision.
    #[must_use]
    pub fn protocol(self, protocol: &str) -> Self {
        self.with(["--protocol", protocol])
    }

    /// With this token instead of signing in.
    #[must_use]
    pub fn token(self, token: &str) -> Self {
        // An opaque token may begin with a dash.
        self.with([format!("--token={token}").as_str()])
    }

    /// As a client that the authorization server knows already.
    #[must_use]
    pub fn registered(self, client: &str) -> Self {
        self.with([format!("--client-id={client}").as_str()])
    }

    /// As a client that is known by a document, whose address is its id.
    #[must_use]
    pub fn documented(self, url: &str) -> Self {
        self.with(["--client-metadata-url", url])
    }

    /// Runs it.
    pub async fn run(&self) -> Told {
        let visit = self.clone();
        tokio::task::spawn_blocking(move || visit.run_here()).await.expect("the client's run was judged")
    }

    fn program(&self) -> (&'static str, Command) {
        let script = |name, interpreter: Command, script| {
            let mut program = interpreter;
            program.arg(place::clients().join(script));
            (name, program)
        };
        let node = || command(place::node());
        match self.sdk {
            Sdk::TypeScript | Sdk::OlderTypeScript | Sdk::TypeScript202506 | Sdk::TypeScript202503 => {
                script("the TypeScript client", node(), "typescript-client.mjs")
            }
            Sdk::Python => script("the Python client", command(place::python()), "python_client.py"),
            Sdk::Rust => ("the Rust client", command(place::rmcp_client())),
            Sdk::McpRemote => script("mcp-remote", node(), "mcp-remote-client.mjs"),
        }
    }

    fn run_here(&self) -> Told {
        let (name, mut program) = self.program();
        program.args(&self.arguments);
        let ended = Process::start(name, program).ended(LIMIT);
        let told = serde_json::from_str(&ended.output);
        Told(told.unwrap_or_else(|error| panic!("{name} should tell what happened ({error}): {ended:?}")))
    }
}

impl Told {
    /// Name and version of the client.
    pub fn client(&self) -> &str {
        self.text("/sdk")
    }

    /// The value at a JSON pointer; null if there is none.
    pub fn at(&self, pointer: &str) -> &Value {
        self.0.pointer(pointer).unwrap_or(&Value::Null)
    }

    /// The text at a JSON pointer; empty if there is none.
    pub fn text(&self, pointer: &str) -> &str {
        self.at(pointer).as_str().unwrap_or_default()
    }

    /// Texts of the list at a JSON pointer, sorted.
    pub fn sorted(&self, pointer: &str) -> Vec<&str> {
        let mut texts: Vec<_> = self.at(pointer).as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        texts.sort_unstable();
        texts
    }

    /// The HTTP status with which the client was refused. After a refusal a client of the legacy era ends its session, so
    /// that the last status may be that of the end; Tollward's refusals carry theirs as the JSON-RPC code too.
    pub fn refusal(&self) -> Option<i64> {
        self.at("/error/status").as_i64().or_else(|| self.at("/error/code").as_i64())
    }

    /// Fails unless every step was done.
    pub fn assert_done(&self) {
        assert!(self.at("/error").is_null(), "the client should have done all: {:#}", self.0);
    }

    /// Like [`Self::assert_done`], in passing.
    #[must_use]
    pub fn done(self) -> Self {
        self.assert_done();
        self
    }
}
