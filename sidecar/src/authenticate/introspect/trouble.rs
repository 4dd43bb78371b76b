//! Why an authorization server could not be asked about a token. It says nothing about the token: the caller is told to come
//! back, the log what to do.

use crate::authenticate::fetch::FetchFailure;
use crate::authenticate::refusal::Refusal;
use http::StatusCode;
use std::path::PathBuf;
use std::time::Duration;
use tollward_policy::reason::Reason;

/// When to come back if nothing better is known. A wait of zero seconds would make clients spin.
const RETRY: Duration = Duration::from_secs(1);

/// What callers are told.
const UNAVAILABLE: &str = "the authorization server can not be asked about the access token now";

/// Why there is no answer. `Display` is for the log.
#[derive(Debug, Clone, thiserror::Error)]
pub(super) enum Trouble {
    /// Nowhere to ask.
    #[error("the issuer's metadata name no introspection_endpoint: set introspection.endpointURL of the provider")]
    NoEndpoint,
    /// The client's secret.
    #[error("the client's secret for introspection can't be used: {path}: {cause}")]
    Secret {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        cause: String,
    },
    /// No answer.
    #[error("{url}: {source}")]
    Fetch {
        /// What was asked.
        url: String,
        /// Why.
        source: FetchFailure,
    },
    /// Our own credentials.
    #[error(
        "{url} answered {status}: it does not accept this client for introspection; check introspection.client of the provider, \
         its Secret, and that the authorization server lets this client introspect"
    )]
    Credentials {
        /// What was asked.
        url: String,
        /// The status.
        status: StatusCode,
    },
    /// An answer without verdict.
    #[error("{url} answered {status}: is it an introspection endpoint (RFC 7662)?")]
    Status {
        /// What was asked.
        url: String,
        /// The status, not 200.
        status: StatusCode,
    },
    /// A login page, for instance.
    #[error("{url} did not answer with application/json")]
    MediaType {
        /// What was asked.
        url: String,
    },
    /// RFC 9701.
    #[error(
        "{url} answered with a signed introspection response, which is not supported: let the authorization server answer \
         this client with application/json"
    )]
    Signed {
        /// What was asked.
        url: String,
    },
    /// Not one JSON object.
    #[error("{url} did not answer with one unambiguous JSON object")]
    Malformed {
        /// What was asked.
        url: String,
    },
    /// Too many questions at once.
    #[error("too many questions about tokens wait for the authorization server")]
    Busy,
    /// The endpoint failed, and is left alone for that long.
    #[error("the authorization server failed before and is not asked for {} s", .0.as_secs())]
    Resting(Duration),
    /// The task that asked is gone.
    #[error("the question about a token was interrupted")]
    Interrupted,
}

/// What a failure says about the endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Severity {
    /// It may be about this one token: whoever sends such tokens must not be able to switch the endpoint off for others.
    Single,
    /// It may be down.
    Down,
    /// It refuses us, and will go on to until somebody changes something. Trying on may lock the client out.
    Refused,
}

impl Trouble {
    /// What people without access to the log are told.
    pub(super) fn public_text(&self) -> String {
        match self {
            Self::Fetch { url, source } => format!("{url}: {}", source.public),
            Self::Secret { path: _, cause } => format!("the client's secret for introspection can't be used: {cause}"),
            Self::NoEndpoint
            | Self::Credentials { .. }
            | Self::Status { .. }
            | Self::MediaType { .. }
            | Self::Signed { .. }
            | Self::Malformed { .. }
            | Self::Busy
            | Self::Resting(_)
            | Self::Interrupted => self.to_string(),
        }
    }

    /// What the caller gets, which is the same whatever happened.
    pub(super) fn refusal(&self) -> Refusal {
        let wait = match self {
            Self::Resting(left) => *left,
            Self::NoEndpoint | Self::Secret { .. } | Self::Credentials { .. } | Self::Signed { .. } => {
                Duration::from_secs(30)
            }
            Self::Fetch { .. }
            | Self::Status { .. }
            | Self::MediaType { .. }
            | Self::Malformed { .. }
            | Self::Busy
            | Self::Interrupted => RETRY,
        };
        Refusal { retry_after: Some(wait.max(RETRY)), ..Refusal::new(Reason::IntrospectionUnavailable, UNAVAILABLE) }
    }

    pub(super) fn severity(&self) -> Severity {
        match self {
            Self::Secret { .. } | Self::Credentials { .. } => Severity::Refused,
            Self::Fetch { .. } => Severity::Down,
            Self::Status { url: _, status } => match *status {
                StatusCode::TOO_MANY_REQUESTS
                | StatusCode::BAD_GATEWAY
                | StatusCode::SERVICE_UNAVAILABLE
                | StatusCode::GATEWAY_TIMEOUT => Severity::Down,
                _ => Severity::Single,
            },
            Self::NoEndpoint
            | Self::MediaType { .. }
            | Self::Signed { .. }
            | Self::Malformed { .. }
            | Self::Busy
            | Self::Resting(_)
            | Self::Interrupted => Severity::Single,
        }
    }

    /// Whether another token might be answered. Servers that stumble over odd tokens say 400, 413, 414, 422 or 500, and firewalls
    /// in front of them 403.
    pub(super) fn may_be_the_tokens(&self) -> bool {
        match self {
            Self::Status { url: _, status } => matches!(status.as_u16(), 400 | 403 | 413 | 414 | 422 | 500),
            Self::NoEndpoint
            | Self::Secret { .. }
            | Self::Fetch { .. }
            | Self::Credentials { .. }
            | Self::MediaType { .. }
            | Self::Signed { .. }
            | Self::Malformed { .. }
            | Self::Busy
            | Self::Resting(_)
            | Self::Interrupted => false,
        }
    }

    /// Whether both would be the same news to whoever reads the log.
    pub(super) fn is_like(&self, other: &Self) -> bool {
        let status = |trouble: &Self| match trouble {
            Self::Credentials { url: _, status } | Self::Status { url: _, status } => Some(*status),
            Self::NoEndpoint
            | Self::Secret { .. }
            | Self::Fetch { .. }
            | Self::MediaType { .. }
            | Self::Signed { .. }
            | Self::Malformed { .. }
            | Self::Busy
            | Self::Resting(_)
            | Self::Interrupted => None,
        };
        std::mem::discriminant(self) == std::mem::discriminant(other) && status(self) == status(other)
    }
}
