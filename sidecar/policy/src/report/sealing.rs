//! What a data plane sees of its pod's listeners: whether the server behind can be reached past it.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::net::{IpAddr, SocketAddr};

/// Most listeners of a report. Of more, only the number is told.
pub const MAX_LISTENERS: usize = 16;

/// Who listens in the network of the pod.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SealingReport {
    /// Listeners that others can reach and that are not Tollward's, at most [`MAX_LISTENERS`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub listeners: Vec<ForeignListener>,
    /// How many more there are.
    #[serde(default)]
    pub more: u32,
    /// Why it is not known who else listens, if it is not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// Whether a pod is sealed, as its data plane sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seal {
    /// Nobody else listens where others could connect.
    Closed,
    /// Somebody does.
    Open,
    /// It is not known.
    Unknown,
}

impl SealingReport {
    /// Not known, and why.
    pub fn unknown(error: impl Into<String>) -> Self {
        Self { listeners: Vec::new(), more: 0, error: Some(error.into()) }
    }

    /// What it amounts to. A listener that was seen counts whatever else could not be.
    pub fn seal(&self) -> Seal {
        match (self.listeners.is_empty() && self.more == 0, &self.error) {
            (false, _) => Seal::Open,
            (true, None) => Seal::Closed,
            (true, Some(_)) => Seal::Unknown,
        }
    }
}

/// A listener that others can reach and that is not Tollward's.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ForeignListener {
    /// TCP or UDP.
    pub protocol: Protocol,
    /// The address that it is bound to; `0.0.0.0` and `::` are all of the pod's.
    pub address: IpAddr,
    /// The port.
    pub port: u16,
    /// The user id of the process that opened it.
    pub uid: u32,
}

impl fmt::Display for ForeignListener {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { protocol, address, port, uid } = self;
        write!(formatter, "{} {} of user {uid}", protocol.as_str(), SocketAddr::new(*address, *port))
    }
}

/// A transport protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Protocol {
    /// Streams.
    #[serde(rename = "TCP")]
    Tcp,
    /// Datagrams.
    #[serde(rename = "UDP")]
    Udp,
}

impl Protocol {
    /// Its name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Tcp => "TCP",
            Self::Udp => "UDP",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{ForeignListener, Protocol, Seal, SealingReport};

    #[test]
    fn what_was_seen_counts_whatever_else_could_not_be() {
        let listener = ForeignListener { protocol: Protocol::Tcp, address: [0, 0, 0, 0].into(), port: 8080, uid: 7 };
        assert_eq!(listener.to_string(), "TCP 0.0.0.0:8080 of user 7");
        let open = SealingReport { listeners: vec![listener], ..SealingReport::unknown("x") };
        assert_eq!(open.seal(), Seal::Open);
        assert_eq!(SealingReport::unknown("x").seal(), Seal::Unknown);
        assert_eq!(SealingReport { error: None, ..SealingReport::unknown("x") }.seal(), Seal::Closed);
        let text = serde_json::to_string(&open).unwrap();
        assert_eq!(serde_json::from_str::<SealingReport>(&text).unwrap(), open);
    }
}
