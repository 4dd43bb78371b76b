//! What sidecars enforce, from their own mouths: `GET /v1/report` over mutual TLS, by pod address.
//!
//! The operator shows its own certificate and takes an answer only from whoever holds the server's: the address alone proves
//! nothing, since it may be another pod's by now. Answers are bounded in time and size.

mod book;
mod fetch;

pub use book::{Changed, ProviderState, ReportBook, StoreState};
pub use fetch::MutualTls;

use futures_util::future::BoxFuture;
use std::net::IpAddr;
use tollward_policy::report::Report;

/// Whom to ask.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReportTarget {
    /// Address of the pod.
    pub address: IpAddr,
    /// DNS name that its certificate must carry.
    pub name: String,
}

/// Why there is no report.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReportError {
    /// The pod has no address yet, so that nobody was asked.
    #[error("has not started yet")]
    NotStarted,
    /// Nobody answers.
    #[error("does not answer: {0}")]
    Silent(String),
    /// It is not who it should be, or does not believe that we are who we are.
    #[error("could not be verified: {0}")]
    Unverified(String),
    /// It answers something else.
    #[error("answers with something that is no report: {0}")]
    Nonsense(String),
}

/// Asks sidecars.
pub trait ReportSource: Send + Sync {
    /// Asks one. Bounded in time and size by the implementation.
    fn fetch<'a>(&'a self, target: &'a ReportTarget) -> BoxFuture<'a, Result<Report, ReportError>>;
}

#[cfg(test)]
mod tests;
