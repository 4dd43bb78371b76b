//! How clients reach an endpoint: its name, by TLS, with the installation's authority alone.

use super::installation::Installation;
use crate::client::{Connection, Reply, TlsFailure, Trust, Wire};
use crate::deadline::within;
use crate::mcp::Call;
use crate::token::Token;
use serde_json::{Value, json};
use std::net::SocketAddr;
use tollward_policy::operation::Era;

/// An endpoint, at one of its addresses.
pub struct Door {
    /// The Service's address, or a pod's.
    pub address: SocketAddr,
    /// The name in the URL.
    pub host: String,
    /// The public URL, which tokens are issued for.
    pub url: String,
    pub(super) installation: &'static Installation,
}

impl Door {
    /// The same endpoint at one pod of it.
    #[must_use]
    pub fn at(&self, address: SocketAddr) -> Self {
        Self { address, host: self.host.clone(), url: self.url.clone(), installation: self.installation }
    }

    /// A good token for this endpoint, with the scope for reading.
    pub fn token(&self) -> Token {
        self.installation.issuer.token().with_claim("aud", self.url.as_str()).with_claim("client_id", "reader")
    }

    /// Connects; fails if the certificate is not good for the name.
    pub async fn connect(&self, wire: Wire) -> Result<Connection, TlsFailure> {
        let trust = Trust { authority: self.installation.authority.clone(), client: None };
        Connection::tls(wire, self.address, &self.host, &trust).await
    }

    /// Sends a call on a connection of its own; the answer.
    pub async fn send(&self, wire: Wire, call: Call) -> Reply {
        self.try_send(wire, call).await.unwrap_or_else(|error| panic!("{}: {error}", self.url))
    }

    /// Sends a call on a connection of its own; the answer, or why there is none.
    pub async fn try_send(&self, wire: Wire, call: Call) -> Result<Reply, String> {
        let connection = self.connect(wire).await.map_err(|error| format!("no connection: {}", error.0))?;
        let call = call.authority(&self.host);
        let answer = async { connection.send_only(call.request(wire)).await?.whole().await };
        within("an answer", answer).await.map_err(|error| format!("no answer to {call:?}: {error:?}"))
    }

    /// Calls a tool in the modern era; the answer.
    pub async fn tool(&self, token: &str, name: &str, arguments: Value) -> Reply {
        self.send(Wire::Http2, tool(token, name, &arguments)).await
    }
}

/// A call of a tool in the modern era.
pub fn tool(token: &str, name: &str, arguments: &Value) -> Call {
    bearing(Call::rpc(Era::Modern, "tools/call", json!({"name": name, "arguments": arguments})), token)
}

/// A call of the default endpoint's path, for a token.
pub fn bearing(call: Call, token: &str) -> Call {
    call.target("/mcp").token(token)
}
