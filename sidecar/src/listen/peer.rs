//! Who is at the other end of a connection.

use super::proxies::Proxy;
use crate::thumbprint::Thumbprint;
use std::net::SocketAddr;

/// The other end of a connection, shared by its requests.
#[derive(Debug, PartialEq, Eq)]
pub struct Peer {
    /// Its address.
    pub address: SocketAddr,
    /// The client certificate that it showed, and whose key it has. Nobody vouches for it: it says that requests come from
    /// one client, never from which.
    pub certificate: Option<Thumbprint>,
    /// The trusted proxy that it is, if it is one.
    pub proxy: Option<Proxy>,
}
