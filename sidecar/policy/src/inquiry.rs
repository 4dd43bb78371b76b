//! What an administrator asks a running data plane about a caller's limits, and what it answers. Holds no secret.
//!
//! Asking charges nothing and tells nobody but who asked. Like a report, an answer is read without the fields that its reader
//! does not know: nothing here opens anything. A question with fields that the data plane does not know is refused, since it
//! would be answered for somebody else.

use crate::limits::OnStoreFailure;
use serde::{Deserialize, Serialize};
use serde_json::{Number, Value};
use std::collections::BTreeMap;
use std::net::IpAddr;

/// Variable of the data plane's environment with the path of the socket at which it is asked.
pub const SOCKET_VARIABLE: &str = "TOLLWARD_INQUIRY_SOCKET";
/// Most bytes of a question.
pub const MAX_QUESTION: usize = 16 * 1024;
/// Most bytes of an answer.
pub const MAX_ANSWER: usize = 4 * 1024 * 1024;

/// Whose limits, and about which calls.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Inquiry {
    /// `iss`. Not needed where the server has one issuer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub issuer: Option<String>,
    /// The subject.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// The OAuth client.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client: Option<String>,
    /// Claims by which tiers and tenants are told.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub claims: BTreeMap<String, Claim>,
    /// The address that the caller connects from, for limits that count by it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<IpAddr>,
    /// Tools. With none of these three, everything that the server's own lists have named.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tools: Vec<String>,
    /// Prompts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub prompts: Vec<String>,
    /// Resources.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub resources: Vec<String>,
}

/// A claim's value. Limits tell the text `7` from the number 7, and read no other kind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Claim {
    /// A text.
    Text(String),
    /// A number.
    Number(Number),
}

impl From<Claim> for Value {
    fn from(claim: Claim) -> Self {
        match claim {
            Claim::Text(text) => Self::String(text),
            Claim::Number(number) => Self::Number(number),
        }
    }
}

/// How the caller's limits stand at one replica.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Answer {
    /// The limits, by server, limit, tier and what they are about.
    pub limits: Vec<LimitState>,
    /// What was not given and may put the caller into another tier, as the command's options.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub not_given: Vec<String>,
}

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "counts", rename_all_fields = "camelCase")]
pub enum Counts {
    /// Requests.
    Requests {
        /// Most in a window, of this replica's part.
        requests: u32,
        /// The window in seconds.
        window_seconds: u64,
    },
    /// What is open at once.
    Open {},
}

/// How one limit stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LimitState {
    /// `namespace/name` of the server.
    pub server: String,
    /// `policy/limit`.
    pub limit: String,
    /// The caller's tier; empty for what is counted before it is known who calls.
    pub tier: String,
    /// The tool, resource, prompt or method, where calls of each are counted apart or it was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub about: Option<String>,
    /// What is counted.
    #[serde(flatten)]
    pub counts: Counts,
    /// The most at once.
    pub most: u32,
    /// How many may come at once now; none if that is not known, for a reason that `needs` or `storeError` has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub left: Option<u32>,
    /// Milliseconds until the most may come at once again.
    pub full_after_millis: u64,
    /// Milliseconds until one may come, if none may now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after_millis: Option<u64>,
    /// True if all replicas count it together in a store: what this one says of it is what the store says of all.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub in_store: bool,
    /// What is wrong with the store, if it could not be asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub store_error: Option<String>,
    /// What becomes of calls while it does not count.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_store_failure: Option<OnStoreFailure>,
    /// What has to be known of the caller besides, as the command's options.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub needs: Vec<String>,
}
