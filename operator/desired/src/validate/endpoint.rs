//! The public URL, the hosts and origins that are served, and where the certificate comes from.

use crate::finding::Findings;
use crate::identity::Identity;
use crate::inputs::Inputs;
use crate::names::service_hosts;
use crate::public_url::public_url;
use tollward_api::condition::ConditionReason;
use tollward_api::mcpserver::{EndpointSpec, TlsMode};
use tollward_api::owned::is_owned;
use tollward_policy::endpoint::Endpoint;
use url::Url;

/// Where the certificate comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TlsPlan {
    /// From the certificate authority of the installation.
    Issued,
    /// From the Secret of this name.
    Secret(String),
    /// There is none.
    Off,
}

/// Where a server is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EndpointPlan {
    pub(crate) url: Endpoint,
    pub(crate) hosts: Vec<String>,
    pub(crate) service_hosts: Vec<String>,
    pub(crate) allowed_origins: Vec<String>,
    pub(crate) display_name: Option<String>,
    pub(crate) tls: TlsPlan,
}

impl EndpointPlan {
    /// The public URL.
    pub fn url(&self) -> &Endpoint {
        &self.url
    }

    /// Where the certificate comes from.
    pub fn tls(&self) -> &TlsPlan {
        &self.tls
    }
}

pub(super) fn judge(inputs: &Inputs, identity: &Identity, findings: &mut Findings) -> Option<EndpointPlan> {
    let reason = ConditionReason::InvalidEndpoint;
    let spec = &inputs.server.spec.endpoint;
    let text = public_url(&inputs.server, identity.namespace(), &inputs.install);
    let url = findings.keep(reason, "spec.endpoint.url", Endpoint::parse(&text));
    let tls = judge_tls(spec, findings);
    if tls != Some(TlsPlan::Off) && text.starts_with("http:") {
        findings.server(
            reason,
            format!("spec.endpoint.url: `{text}` must use https, unless spec.endpoint.tls.mode is Off"),
        );
    }
    for host in spec.hosts.iter().filter(|host| !is_authority(host)) {
        findings.server(reason, format!("spec.endpoint.hosts: `{host}` is not host or host:port in lower case"));
    }
    for origin in spec.allowed_origins.iter().filter(|origin| !is_origin(origin)) {
        findings.server(
            reason,
            format!("spec.endpoint.allowedOrigins: `{origin}` is not scheme://host or scheme://host:port; there is no wildcard"),
        );
    }
    Some(EndpointPlan {
        url: url?,
        hosts: spec.hosts.clone(),
        service_hosts: service_hosts(identity.namespace(), identity.name(), &inputs.install.cluster_domain),
        allowed_origins: spec.allowed_origins.clone(),
        display_name: spec.display_name.clone(),
        tls: tls?,
    })
}

fn judge_tls(spec: &EndpointSpec, findings: &mut Findings) -> Option<TlsPlan> {
    let reason = ConditionReason::InvalidEndpoint;
    match (spec.tls.mode, &spec.tls.secret_name) {
        (TlsMode::Issued, None) => Some(TlsPlan::Issued),
        (TlsMode::Off, None) => Some(TlsPlan::Off),
        (TlsMode::Secret, Some(name)) if !is_owned(name) && !name.is_empty() => Some(TlsPlan::Secret(name.clone())),
        (TlsMode::Secret, Some(name)) => {
            findings.server(reason, format!("spec.endpoint.tls.secretName: `{name}` belongs to Tollward"));
            None
        }
        (TlsMode::Secret, None) | (TlsMode::Issued | TlsMode::Off, Some(_)) => {
            findings.server(
                reason,
                "spec.endpoint.tls.secretName must be set if spec.endpoint.tls.mode is Secret, and only then",
            );
            None
        }
    }
}

/// `host` or `host:port` as clients write it: nothing that a URL parser would change.
fn is_authority(text: &str) -> bool {
    is_origin(&format!("http://{text}")) || is_origin(&format!("https://{text}"))
}

/// `scheme://host` or `scheme://host:port` in the form that browsers send.
fn is_origin(text: &str) -> bool {
    Url::parse(text).is_ok_and(|url| {
        matches!(url.scheme(), "http" | "https") && url.origin().ascii_serialization() == text && !text.contains('*')
    })
}
