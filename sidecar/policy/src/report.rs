//! What a data-plane process tells the operator at `/v1/report`, version 1. Holds no secret.
//!
//! Unlike the configuration, a reader ignores fields that it does not know: a newer sidecar may report more than an older
//! operator reads, and nothing here opens anything.

mod sealing;

pub use sealing::{ForeignListener, MAX_LISTENERS, Protocol, Seal, SealingReport};

use serde::{Deserialize, Serialize};

/// Path on the report listener.
pub const PATH: &str = "/v1/report";

/// The report.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// Newest schema version of the configuration that this process reads.
    pub reader: u32,
    /// Digest of the configuration in force.
    pub digest: String,
    /// Its generation.
    pub generation: i64,
    /// A newer configuration that could not be used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rejected: Option<Rejection>,
    /// Whether the process part changed, which takes a new process.
    pub restart_required: bool,
    /// Why requests would not be served well; empty if they would.
    pub unready: Vec<String>,
    /// The servers.
    pub routes: Vec<RouteReport>,
    /// The identity providers.
    pub providers: Vec<ProviderReport>,
    /// The stores of limits, one entry for each policy of each server that names one. An older process reports none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub limit_stores: Vec<LimitStoreReport>,
    /// Who listens in the network of the pod. An older process reports nothing, nor does one that has no server in its pod.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sealing: Option<SealingReport>,
}

/// A configuration that could not be used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Rejection {
    /// Digest of the file.
    pub digest: String,
    /// Why.
    pub message: String,
    /// Since when, in seconds since the epoch.
    pub since: i64,
}

/// A server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RouteReport {
    /// `namespace/name`.
    pub server: String,
    /// Tools, resources and prompts that its lists showed.
    pub seen: Vec<String>,
}

/// An identity provider.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ProviderReport {
    /// `namespace/name`.
    pub name: String,
    /// Whether its tokens can be verified now.
    pub ready: bool,
    /// Ids of keys in use.
    pub keys: Vec<String>,
    /// When keys were last fetched, in seconds since the epoch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_fetch: Option<i64>,
    /// Why the latest fetch failed, if it did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_error: Option<String>,
    /// Why the issuer can't be asked about tokens, if it is to be and can't.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub introspection_error: Option<String>,
}

/// The store in which a policy's limits are counted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LimitStoreReport {
    /// `namespace/name` of the server.
    pub server: String,
    /// The policy as the configuration names it: `name`, or `name#section`.
    pub policy: String,
    /// Whether it counts. A store that nobody asked yet does.
    pub up: bool,
    /// Since when it counts or does not, in seconds since the epoch.
    pub since: i64,
    /// Why it does not count, if it does not: what failed, and what to do at the store. No secret and nobody's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}
