//! Which server it is. An [`Identity`] is proof that the objects made for the server can be named after it.

use kube::ResourceExt as _;
use tollward_api::MCPServer;
use tollward_api::owned::{MAX_SERVER_NAME, is_owned};

/// Namespace, name and unique id of a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    namespace: String,
    name: String,
    uid: String,
}

impl Identity {
    /// The identity of a server, if objects can be named after it.
    pub(crate) fn of(server: &MCPServer) -> Option<Self> {
        let name = server.name_any();
        let fits = is_label(&name) && name.len() <= MAX_SERVER_NAME && !is_owned(&name);
        fits.then(|| Self {
            namespace: server.namespace().unwrap_or_else(|| "default".into()),
            name,
            uid: server.uid().unwrap_or_else(|| "unassigned".into()),
        })
    }

    /// The namespace.
    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    /// The name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The unique id; `unassigned` for a server that no API server has seen.
    pub fn uid(&self) -> &str {
        &self.uid
    }
}

/// A DNS label that starts with a letter (RFC 1035), as Services need it.
fn is_label(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    text.starts_with(|first: char| first.is_ascii_lowercase()) && text.bytes().all(plain) && !text.ends_with('-')
}
