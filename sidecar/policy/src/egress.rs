//! Where an MCP server may connect to: names, ports and lists of them, and who asks. Pure: the egress proxy brings requests,
//! and this says what they mean and whether a list permits them.
//!
//! # Guarantees
//! - A name has one spelling here: lower case, without a trailing dot, in ASCII. Whatever else is written is brought into it or refused.
//! - An address is never a name, in none of the forms that some resolver reads as one, so that no list of names permits it.
//! - A wildcard permits whole labels: `*.example.com` neither `example.com` nor `evil-example.com`.
//! - An empty list permits nothing.

use std::collections::{BTreeSet, HashMap};
use std::fmt;

/// Most bytes of a name (RFC 1035 section 2.3.4).
const MAX_NAME: usize = 253;
/// Most bytes of a label.
const MAX_LABEL: usize = 63;
/// Most bytes of an object's unique id.
const MAX_UID: usize = 64;
/// What every identity begins with.
const IDENTITY: &str = "tollward://mcpserver/";

/// Why a text names no destination.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// Not `name:port`.
    #[error("must be a name and a port, such as api.example.com:443")]
    NoPort,
    /// No port from 1 to 65535.
    #[error("the port must be 1 to 65535, without leading zeros")]
    Port,
    /// An IP address, in whatever form.
    #[error("is an address: only names can be allowed, so name the host")]
    Address,
    /// Letters outside of ASCII.
    #[error("must be ASCII: write an international name in its A-label form (xn--…)")]
    NotAscii,
    /// One label.
    #[error("must be a full name: search domains are not used")]
    SingleLabel,
    /// No DNS name.
    #[error("is no DNS name: labels of 1 to 63 letters, digits, `-` and `_` (none of `-` at an end), 253 bytes in all")]
    Label,
    /// `*` somewhere else than as the whole first label, or above fewer than two labels.
    #[error("a wildcard must be the whole first label, with at least two labels behind it: *.example.com")]
    Wildcard,
}

/// A DNS name in the one spelling that is compared.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct HostName(String);

impl HostName {
    /// Reads a name in any case, with or without the dot at the end that makes it absolute. All names are absolute here.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        if text.contains(':') || text.starts_with('[') {
            return Err(NameError::Address);
        }
        if !text.is_ascii() {
            return Err(NameError::NotAscii);
        }
        let name = text.strip_suffix('.').unwrap_or(text).to_ascii_lowercase();
        if name.len() > MAX_NAME || !name.split('.').all(is_label) {
            return Err(NameError::Label);
        }
        match name.rsplit_once('.') {
            _ if name.rsplit('.').next().is_some_and(is_number) => Err(NameError::Address),
            None => Err(NameError::SingleLabel),
            Some(_) => Ok(Self(name)),
        }
    }

    /// The name: lower case, without a dot at the end.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for HostName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

fn is_label(label: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    (1..=MAX_LABEL).contains(&label.len())
        && label.bytes().all(plain)
        && !label.starts_with('-')
        && !label.ends_with('-')
}

/// Whether a name that ends in this label is read as an IPv4 address by the URL standard or the C library: `127.1`, `0x7f.1`.
fn is_number(label: &str) -> bool {
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    digits(label) || label.strip_prefix("0x").is_some_and(|rest| rest.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

/// Where a tunnel is to lead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Destination {
    host: HostName,
    port: u16,
}

impl Destination {
    /// Reads the target of a CONNECT request (RFC 9110 section 9.3.6): a name and a port, both written out.
    pub fn parse(authority: &str) -> Result<Self, NameError> {
        if authority.starts_with('[') {
            return Err(NameError::Address);
        }
        let (host, port) = authority.rsplit_once(':').ok_or(NameError::NoPort)?;
        let plain = (1..=5).contains(&port.len()) && port.bytes().all(|byte| byte.is_ascii_digit());
        let number = if plain && !port.starts_with('0') { port.parse().ok() } else { None };
        Ok(Self { host: HostName::parse(host)?, port: number.ok_or(NameError::Port)? })
    }

    /// The host.
    pub fn host(&self) -> &HostName {
        &self.host
    }

    /// The port, never 0.
    pub fn port(&self) -> u16 {
        self.port
    }
}

impl fmt::Display for Destination {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:{}", self.host, self.port)
    }
}

/// Where a server may connect to.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AllowList {
    exact: HashMap<String, BTreeSet<u16>>,
    below: HashMap<String, BTreeSet<u16>>,
}

impl AllowList {
    /// Adds an entry: `api.example.com`, or `*.example.com` for every name below it however deep, and one port.
    pub fn add(&mut self, host: &str, port: u16) -> Result<(), NameError> {
        let (map, name) = match host.strip_prefix("*.") {
            Some(parent) => (&mut self.below, HostName::parse(parent).map_err(wildcard)?),
            None if host.contains('*') => return Err(NameError::Wildcard),
            None => (&mut self.exact, HostName::parse(host)?),
        };
        if port == 0 {
            return Err(NameError::Port);
        }
        map.entry(name.0).or_default().insert(port);
        Ok(())
    }

    /// The entry that permits the destination, as it is written in a list.
    pub fn permits(&self, destination: &Destination) -> Option<String> {
        let Destination { host, port } = destination;
        let listed = |map: &HashMap<String, BTreeSet<u16>>, name: &str| map.get(name).is_some_and(|p| p.contains(port));
        if listed(&self.exact, host.as_str()) {
            return Some(destination.to_string());
        }
        let mut rest = host.as_str();
        while let Some((_, parent)) = rest.split_once('.') {
            if listed(&self.below, parent) {
                return Some(format!("*.{parent}:{port}"));
            }
            rest = parent;
        }
        None
    }
}

fn wildcard(error: NameError) -> NameError {
    match error {
        NameError::SingleLabel => NameError::Wildcard,
        NameError::NoPort
        | NameError::Port
        | NameError::Address
        | NameError::NotAscii
        | NameError::Label
        | NameError::Wildcard => error,
    }
}

/// For whom of a pod a connection is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum EgressRole {
    /// The MCP server, which is not trusted.
    Server,
}

impl EgressRole {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Server => "server",
        }
    }
}

/// Who asks the egress proxy: what stands in a client certificate as its one URI.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct EgressIdentity {
    uid: String,
    role: EgressRole,
}

impl EgressIdentity {
    /// The server behind the `MCPServer` object of this unique id; `None` if that is no such id.
    pub fn server(uid: &str) -> Option<Self> {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        let is_uid = (1..=MAX_UID).contains(&uid.len()) && uid.bytes().all(plain);
        is_uid.then(|| Self { uid: uid.to_owned(), role: EgressRole::Server })
    }

    /// Reads [`Self::uri`]. Nothing else is an identity.
    pub fn parse(uri: &str) -> Option<Self> {
        let (uid, role) = uri.strip_prefix(IDENTITY)?.split_once('/')?;
        let identity = Self::server(uid)?;
        (role == identity.role.as_str()).then_some(identity)
    }

    /// The identity as a URI: `tollward://mcpserver/UID/server`.
    pub fn uri(&self) -> String {
        format!("{IDENTITY}{}/{}", self.uid, self.role.as_str())
    }

    /// Unique id of the `MCPServer` object.
    pub fn uid(&self) -> &str {
        &self.uid
    }
}

#[cfg(test)]
mod tests;
