//! A server on this machine, for `tollward dev`: other listeners, another upstream, plain HTTP, and loopback may be dialled.

use ipnet::IpNet;
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use tollward_api::MCPServer;
use tollward_api::mcpserver::{SenderMethod, TlsMode, TlsSpec};
use tollward_policy::config::{Allowance, Role, Scheme};
use url::{Host, Url};

/// Where the data plane listens on this machine, and what is behind it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LocalPlace {
    /// Where clients connect.
    pub public: SocketAddr,
    /// Where probes and Prometheus connect.
    pub observe: SocketAddr,
    /// The server's MCP endpoint.
    pub upstream_url: String,
    /// What may be dialled besides what the installation allows.
    pub allow: Vec<Allowance>,
    /// Folders that stand for mounted Secrets, by the Secret's name: one file for each key.
    pub secrets: BTreeMap<String, PathBuf>,
}

impl LocalPlace {
    /// Listeners and upstream as given; whatever is on loopback may be dialled.
    pub fn loopback(public: SocketAddr, observe: SocketAddr, upstream_url: impl Into<String>) -> Self {
        let networks = [
            IpNet::new_assert(IpAddr::V4(Ipv4Addr::new(127, 0, 0, 0)), 8),
            IpNet::new_assert(IpAddr::V6(Ipv6Addr::LOCALHOST), 128),
        ];
        let allow = networks
            .into_iter()
            .flat_map(|cidr| [Scheme::Http, Scheme::Https].map(|scheme| Allowance { cidr, scheme }))
            .collect();
        Self { public, observe, upstream_url: upstream_url.into(), allow, secrets: BTreeMap::new() }
    }

    /// The data plane dials loopback as a sidecar does, anything else as a relay.
    pub(crate) fn role(&self) -> Role {
        let loopback = Url::parse(&self.upstream_url).is_ok_and(|url| match url.host() {
            Some(Host::Ipv4(address)) => address.is_loopback(),
            Some(Host::Ipv6(address)) => address.is_loopback(),
            Some(Host::Domain(_)) | None => false,
        });
        if loopback { Role::Sidecar } else { Role::Relay }
    }
}

/// The server as if it had been declared for this URL without TLS, where no client certificate can be asked for.
pub fn serve_at(mut server: MCPServer, url: impl Into<String>) -> MCPServer {
    let endpoint = &mut server.spec.endpoint;
    endpoint.url = Some(url.into());
    endpoint.tls = TlsSpec { mode: TlsMode::Off, secret_name: None };
    let auth = &mut server.spec.auth;
    if let Some(constraint) = &mut auth.sender_constraint {
        constraint.methods.retain(|method| *method != SenderMethod::MutualTLS);
    }
    auth.sender_constraint = auth.sender_constraint.take().filter(|constraint| !constraint.methods.is_empty());
    server
}
