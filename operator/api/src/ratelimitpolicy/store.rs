//! `spec.store`: where the replicas of a server count together.

use crate::{cel, duration::ShortDuration};
use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tollward_policy::limits::StoreMode;

/// A Redis or Valkey in which all replicas count `limits` together. What is open at once and what comes before authentication
/// is counted by each replica always.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = cel::rule(
    "!has(self.credentialsSecret) || !has(self.credentialsSecret.keys) || !('ca.crt' in self.credentialsSecret.keys) || self.url.startsWith('rediss://')",
    "store.credentialsSecret.keys must not name ca.crt with redis://: without TLS no certificate is looked at",
))]
pub struct Store {
    /// `rediss://host[:port]`, or `redis://host[:port]` without TLS; 6379 if no port is given. Nothing else may stand in it, in
    /// particular no password. Hosts inside the cluster are written in full (`valkey.shop.svc.cluster.local`). Addresses that
    /// are not public, and all of `redis://`, need an entry of the installer's `dial.allow` with the scheme https or http.
    #[schemars(length(min = 1, max = 512))]
    #[x_kube(validation = cel::store_url())]
    pub url: String,
    /// How the keys are spread. `Standalone`: one server has all of them; replicas may follow it. `Cluster`: Redis Cluster, of
    /// which the URL names one node; the counts of a namespace lie on one node together.
    #[serde(default = "standalone")]
    pub mode: StoreMode,
    /// The Secret with user, password and certificate authority, in the namespace of the policy. Without it the store asks for
    /// no password, and a public authority vouches for its certificate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credentials_secret: Option<StoreSecret>,
    /// How long a call waits for the store before onStoreFailure decides, from 5ms to 1s. A store in the same zone answers
    /// within 1ms.
    #[serde(default = "thirty_milliseconds")]
    #[x_kube(validation = cel::between_short("5ms", "1s", "store.deadline must be from 5ms to 1s"))]
    pub deadline: ShortDuration,
}

/// What a Secret says about a store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct StoreSecret {
    /// Name of the Secret, in the namespace of the policy. The values stand in it under `store.POLICY.username`,
    /// `store.POLICY.password` and `store.POLICY.ca.crt`, with the name of the policy. No other key is ever mounted: so nothing
    /// of a Secret is sent to a store that was not put there for it. Where a key is missing the server starts without it, and
    /// onStoreFailure decides until it is there.
    #[schemars(length(min = 1, max = 253), regex(pattern = "^[a-z0-9]([-.a-z0-9]*[a-z0-9])?$"))]
    #[x_kube(validation = cel::not_owned())]
    pub name: String,
    /// Which of these the Secret has. If not given, all three with rediss://, and username and password with redis://. For a
    /// password without user (requirepass) put `default` for the user. Without `ca.crt` a public authority must vouch for the
    /// store; with it, this one alone does.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(min = 1, max = 3))]
    #[x_kube(
        merge_strategy = ListMerge::Set,
        validation = cel::rule("('username' in self) == ('password' in self)", "store.credentialsSecret.keys must name username and password both, or neither"),
    )]
    pub keys: Vec<StoreKey>,
}

/// One value of a store's Secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum StoreKey {
    /// Name of the ACL user.
    #[serde(rename = "username")]
    Username,
    /// Its password.
    #[serde(rename = "password")]
    Password,
    /// The certificate authority that vouches for the store, in PEM.
    #[serde(rename = "ca.crt")]
    CertificateAuthority,
}

impl StoreKey {
    /// The last part of the key.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Username => "username",
            Self::Password => "password",
            Self::CertificateAuthority => "ca.crt",
        }
    }
}

const fn standalone() -> StoreMode {
    StoreMode::Standalone
}

fn thirty_milliseconds() -> ShortDuration {
    ShortDuration::new("30ms")
}
