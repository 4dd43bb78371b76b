//! Where a server is reached, before it is judged: what two servers are compared by.

use crate::install::InstallSettings;
use crate::names::service_hosts;
use kube::ResourceExt as _;
use tollward_api::MCPServer;
use tollward_api::mcpserver::TlsMode;

/// The public URL of a server: as written, or that of the Service made for it.
pub(crate) fn public_url(server: &MCPServer, namespace: &str, install: &InstallSettings) -> String {
    let endpoint = &server.spec.endpoint;
    if let Some(url) = &endpoint.url {
        return url.clone();
    }
    let source = &server.spec.source;
    let path = source
        .workload
        .as_ref()
        .map(|workload| workload.transport.path.as_str())
        .or(source.service.as_ref().map(|service| service.path.as_str()))
        .map_or("", |path| path.trim_end_matches('/'));
    let path = if path.is_empty() { "/mcp" } else { path };
    let scheme = match endpoint.tls.mode {
        TlsMode::Issued | TlsMode::Secret => "https",
        TlsMode::Off => "http",
    };
    let hosts = service_hosts(namespace, &server.name_any(), &install.cluster_domain);
    format!("{scheme}://{}{path}", hosts.first().map_or("", String::as_str))
}
