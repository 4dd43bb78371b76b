//! From manifests to objects and configurations, through the public interface.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a failed expectation is how a test fails, in its helpers too"
)]

mod advice;
mod denied;
mod example;
mod findings;
mod fixture;
mod introspection;
mod local;
mod pod;
mod policies;
mod property;
mod providers;
mod stores;
mod upstream_auth;
