//! The custom resources of `tollward.dev/v1alpha1`, and the only source of `crds/`.
//!
//! Doc comments of fields are what `kubectl explain` shows. Defaults stand in the schema, so that `kubectl get -o yaml`
//! shows them; everything is bounded, so that the API server's cost budget for CEL holds; nothing is `nullable`, so that
//! an explicit null can't step around a default. What CEL can't judge, `tollward-desired` judges.
//!
//! - [`mcpserver`], [`ratelimitpolicy`], [`identityprovider`]: the kinds.
//! - [`condition`]: condition types and reasons of their status.
//! - [`crd`]: the kinds as `CustomResourceDefinition` objects.

#![expect(
    unreachable_pub,
    reason = "KubeSchema copies each struct with its visibility into a function, where nothing can reach it"
)]
#![expect(clippy::doc_markdown, reason = "doc comments are what `kubectl explain` prints, as plain text")]
#![expect(clippy::duplicated_attributes, reason = "two printer columns of one type are not a duplicate")]

mod cel;
pub mod condition;
pub mod crd;
pub mod duration;
pub mod identityprovider;
pub mod mcpserver;
pub mod operations;
pub mod owned;
pub mod ports;
pub mod ratelimitpolicy;

pub use crd::{crds, generated, yaml};
pub use identityprovider::{IdentityProvider, IdentityProviderSpec};
pub use mcpserver::{MCPServer, MCPServerSpec};
pub use ratelimitpolicy::{RateLimitPolicy, RateLimitPolicySpec};

/// API group of all kinds.
pub const GROUP: &str = "tollward.dev";
/// The only version so far.
pub const VERSION: &str = "v1alpha1";
/// `apiVersion` of all kinds.
pub const API_VERSION: &str = "tollward.dev/v1alpha1";
