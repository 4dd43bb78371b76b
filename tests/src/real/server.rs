//! MCP servers that know nothing of Tollward.

use crate::real::place;
use crate::real::process::{Process, command};
use http::Uri;
use std::net::SocketAddr;
use std::process::Command;
use std::sync::OnceLock;
use std::time::Duration;

/// Time to start, on a loaded machine.
const START: Duration = Duration::from_secs(90);

/// A running MCP server.
pub struct Server {
    /// Where it listens.
    pub address: SocketAddr,
    /// Path of its endpoint.
    pub path: String,
    _process: Process,
}

impl Server {
    /// The `catalog` example (rmcp, both eras), one for all tests of this process.
    pub fn catalog() -> &'static Self {
        static SERVER: OnceLock<Server> = OnceLock::new();
        SERVER.get_or_init(|| Self::start("catalog", command(place::catalog())))
    }

    /// The official `server-everything` (legacy era), one for all tests of this process.
    pub fn everything() -> &'static Self {
        static SERVER: OnceLock<Server> = OnceLock::new();
        SERVER.get_or_init(|| {
            let mut node = command(place::node());
            node.arg(place::clients().join("everything.mjs"));
            Self::start("server-everything", node)
        })
    }

    /// The server that passes the conformance suite (both eras), one for all tests of this process.
    pub fn conformance() -> &'static Self {
        static SERVER: OnceLock<Server> = OnceLock::new();
        SERVER.get_or_init(|| {
            let mut node = command(place::conformance_node());
            node.arg(place::conformance().join("server.mjs"));
            Self::start("the conformance server", node)
        })
    }

    /// The endpoint under that host name.
    pub fn url(&self, host: &str) -> String {
        format!("http://{host}:{}{}", self.address.port(), self.path)
    }

    fn start(name: &'static str, mut command: Command) -> Self {
        command.env("HOST", "127.0.0.1").env("PORT", "0");
        let process = Process::start(name, command);
        let line = process.line(START);
        let uri = line.strip_prefix("listening on ").and_then(|url| url.parse::<Uri>().ok());
        let uri = uri.unwrap_or_else(|| panic!("{name} should say where it listens: {line}"));
        let address = uri.authority().and_then(|authority| authority.as_str().parse().ok());
        let address = address.unwrap_or_else(|| panic!("{name} should listen on loopback: {line}"));
        Self { address, path: uri.path().to_owned(), _process: process }
    }
}
