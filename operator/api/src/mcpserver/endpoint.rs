//! `spec.endpoint`: the public URL, which is also the resource identifier of RFC 8707.

use crate::cel;
use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Where clients reach the server.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = cel::rule(
    "!has(self.url) || self.url.startsWith('https://') || self.tls.mode == 'Off'",
    "endpoint.url must use https, unless endpoint.tls.mode is Off",
))]
pub struct EndpointSpec {
    /// The public URL. It is also the resource identifier that access tokens must be issued for (RFC 8707), so it is
    /// compared byte for byte: lower-case host, a path such as /mcp, no trailing slash. If not given, the URL of the
    /// Service that Tollward makes: https://NAME-tollward.NAMESPACE.svc/mcp.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 512))]
    #[x_kube(validation = cel::rule(
        r"self.matches('^https?://([a-z0-9]([a-z0-9.-]*[a-z0-9])?|\\[[0-9a-f:.]+\\])(:[0-9]{1,5})?(/[A-Za-z0-9._~@:+,=!$&()-]+)+$')",
        "endpoint.url must be an absolute URL with a lower-case host and a path such as /mcp, without trailing slash, query or fragment",
    ))]
    pub url: Option<String>,
    /// Further hosts (`host` or `host:port`) under which clients may connect. The URL's own host and the names of the
    /// Service that Tollward makes need not be listed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32), inner(length(min = 1, max = 260)))]
    #[x_kube(
        merge_strategy = ListMerge::Set,
        validation = cel::naming(
            r"self.all(host, host.matches('^([a-z0-9]([a-z0-9.-]*[a-z0-9])?|\\[[0-9a-f:.]+\\])(:[0-9]{1,5})?$'))",
            r"'endpoint.hosts: `' + self.filter(host, !host.matches('^([a-z0-9]([a-z0-9.-]*[a-z0-9])?|\\[[0-9a-f:.]+\\])(:[0-9]{1,5})?$'))[0] + '` is not host or host:port in lower case'",
        ),
    )]
    pub hosts: Vec<String>,
    /// Origins of browser pages that may connect, for instance https://inspector.example.com. The URL's own origin need
    /// not be listed. There is no wildcard.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32), inner(length(min = 1, max = 270)))]
    #[x_kube(
        merge_strategy = ListMerge::Set,
        validation = cel::naming(
            r"self.all(origin, origin.matches('^https?://([a-z0-9]([a-z0-9.-]*[a-z0-9])?|\\[[0-9a-f:.]+\\])(:[0-9]{1,5})?$'))",
            r"'endpoint.allowedOrigins: `' + self.filter(origin, !origin.matches('^https?://([a-z0-9]([a-z0-9.-]*[a-z0-9])?|\\[[0-9a-f:.]+\\])(:[0-9]{1,5})?$'))[0] + '` is not scheme://host or scheme://host:port; there is no wildcard'",
        ),
    )]
    pub allowed_origins: Vec<String>,
    /// The certificate of the endpoint.
    #[serde(default)]
    pub tls: TlsSpec,
    /// A name for people, shown to clients.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 128))]
    pub display_name: Option<String>,
}

/// Where the certificate comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum TlsMode {
    /// From the certificate authority of the installation.
    Issued,
    /// From a Secret.
    Secret,
    /// There is none: plain HTTP.
    Off,
}

/// The certificate of the endpoint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = cel::union("tls", "mode", "Secret", "secretName"))]
pub struct TlsSpec {
    /// Where the certificate comes from. `Issued`: the certificate authority of the installation. `Secret`: the Secret
    /// given in `secretName`. `Off`: none, access tokens travel in plain text; only behind something that ends TLS. In
    /// YAML, write Off in quotes.
    #[serde(default = "issued")]
    pub mode: TlsMode,
    /// A Secret of type kubernetes.io/tls in the same namespace. Only with mode Secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253), regex(pattern = "^[a-z0-9]([-.a-z0-9]*[a-z0-9])?$"))]
    #[x_kube(validation = cel::not_owned())]
    pub secret_name: Option<String>,
}

impl Default for TlsSpec {
    /// The safe mode; plain HTTP has to be written out.
    fn default() -> Self {
        Self { mode: issued(), secret_name: None }
    }
}

fn issued() -> TlsMode {
    TlsMode::Issued
}
