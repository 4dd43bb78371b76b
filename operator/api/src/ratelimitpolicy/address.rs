//! `spec.beforeAuthentication`.

use crate::{cel, duration::GoDuration};
use kube::KubeSchema;
use serde::{Deserialize, Serialize};

/// What one address may send before it is known who calls. An address is the other end of the connection (an IPv4 address, or
/// a /64 network of IPv6): no header is trusted to name another. Set it only where callers connect themselves: behind an
/// ingress or a gateway all of them share one address.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = cel::rule(
    "has(self.requests) || has(self.failures)",
    "beforeAuthentication must set requests or failures",
))]
pub struct BeforeAuthentication {
    /// Requests to the MCP endpoint, whatever comes of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requests: Option<AddressRate>,
    /// Requests whose credentials are refused. Once they are used up, the address is refused before its token is looked at,
    /// also one that would be good.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failures: Option<AddressRate>,
}

/// The rate of an address. In any window of this length, whenever it starts, at most `requests` pass.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = cel::burst())]
pub struct AddressRate {
    /// The most requests in any window.
    #[schemars(range(min = 1, max = 1_000_000_000))]
    pub requests: i32,
    /// The length of the window, from 1s to 744h.
    #[x_kube(validation = cel::between("1s", "744h", "window must be from 1s to 744h"))]
    pub window: GoDuration,
    /// The most requests at once. If not given, a tenth of `requests`, at least one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1_000_000_000))]
    pub burst: Option<i32>,
}
