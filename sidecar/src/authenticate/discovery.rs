//! From an issuer's name to its key set's address (RFC 8414, OpenID Connect Discovery 1.0), and the judgement of what the
//! issuer's servers answer. The issuer is configured: no URL is ever made from a token.

use super::fetch::{Document, Fetch, FetchFailure};
use super::json;
use super::keyset::KeySetError;
use bytes::Bytes;
use http::StatusCode;
use serde_json::Value;
use std::path::Path;
use std::sync::Arc;
use tollward_policy::config::ProviderConfig;
use tollward_policy::well_known::metadata_addresses;

/// Why keys could not be refreshed. `Display` is for the log.
#[derive(Debug, thiserror::Error)]
pub(super) enum RefreshError {
    /// No answer.
    #[error("{url}: {source}")]
    Fetch {
        /// What was asked for.
        url: String,
        /// Why.
        source: FetchFailure,
    },
    /// An answer without document.
    #[error("{url} answered {status}")]
    Status {
        /// What was asked for.
        url: String,
        /// The status, not 200.
        status: StatusCode,
    },
    /// A login page, for instance.
    #[error("{url} did not answer with a JSON media type")]
    MediaType {
        /// What was asked for.
        url: String,
    },
    /// The metadata document can't be read.
    #[error("{url} holds no metadata: {cause}")]
    Metadata {
        /// What was asked for.
        url: String,
        /// What is wrong.
        cause: &'static str,
    },
    /// Another issuer's document (RFC 8414 §3.3).
    #[error("{url} is the metadata of another issuer: `issuer` must equal the configured one character for character")]
    Issuer {
        /// What was asked for.
        url: String,
    },
    /// The key set can't be used.
    #[error("{url}: {source}")]
    Keys {
        /// What was asked for.
        url: String,
        /// Why.
        source: KeySetError,
    },
    /// The issuer can't be the base of discovery.
    #[error("the issuer is no https URL without query and fragment, so that its metadata can't be found: set jwksUrl")]
    NoBase,
}

impl RefreshError {
    /// What people without access to the log are told.
    pub(super) fn public_text(&self) -> String {
        match self {
            Self::Fetch { url: _, source } => source.public.to_owned(),
            Self::Status { .. }
            | Self::MediaType { .. }
            | Self::Metadata { .. }
            | Self::Issuer { .. }
            | Self::Keys { .. }
            | Self::NoBase => self.to_string(),
        }
    }

    /// How much it says about what is wrong, since only one of several addresses must exist.
    const fn weight(&self) -> u8 {
        match self {
            Self::Issuer { .. } => 4,
            Self::Metadata { .. } | Self::Keys { .. } | Self::NoBase => 3,
            Self::Fetch { .. } => 2,
            Self::MediaType { .. } => 1,
            Self::Status { .. } => 0,
        }
    }
}

/// What discovery found.
#[derive(Debug)]
pub(super) struct Metadata {
    /// `jwks_uri`. An issuer that is introspected need not have one.
    pub(super) jwks_url: Option<String>,
    /// `introspection_endpoint`.
    pub(super) introspection_url: Option<Arc<str>>,
    /// The document, byte for byte.
    pub(super) document: Bytes,
}

/// Asks the issuer's well-known addresses in the order of the MCP authorization specification.
pub(super) async fn discover(fetch: &dyn Fetch, provider: &ProviderConfig) -> Result<Metadata, RefreshError> {
    let mut failure = RefreshError::NoBase;
    for (index, url) in metadata_addresses(&provider.issuer).into_iter().enumerate() {
        let result = match document(fetch, &url, provider.ca_file.as_deref()).await {
            Ok(document) => read(document.body, &url, provider),
            Err(error) => Err(error),
        };
        match result {
            Ok(metadata) => return Ok(metadata),
            Err(error) if index == 0 || error.weight() > failure.weight() => failure = error,
            Err(_) => {}
        }
    }
    Err(failure)
}

/// GETs a JSON document.
pub(super) async fn document(fetch: &dyn Fetch, url: &str, ca_file: Option<&Path>) -> Result<Document, RefreshError> {
    let answer = fetch.get(url, ca_file).await.map_err(|source| RefreshError::Fetch { url: url.to_owned(), source })?;
    if answer.status != StatusCode::OK {
        return Err(RefreshError::Status { url: url.to_owned(), status: answer.status });
    }
    if !answer.content_type.as_deref().is_some_and(is_json) {
        return Err(RefreshError::MediaType { url: url.to_owned() });
    }
    Ok(answer)
}

fn read(document: Bytes, url: &str, provider: &ProviderConfig) -> Result<Metadata, RefreshError> {
    let wrong = |cause| RefreshError::Metadata { url: url.to_owned(), cause };
    let members = json::object(&document).map_err(|_| wrong("it is not one unambiguous JSON object"))?;
    if members.get("issuer").and_then(Value::as_str) != Some(&provider.issuer) {
        return Err(RefreshError::Issuer { url: url.to_owned() });
    }
    let jwks_url = match members.get("jwks_uri") {
        Some(Value::String(url)) => Some(url.clone()),
        None if provider.introspection.is_some() => None,
        None | Some(_) => return Err(wrong("jwks_uri is missing or is not text")),
    };
    let introspection_url = members.get("introspection_endpoint").and_then(Value::as_str).map(Into::into);
    Ok(Metadata { jwks_url, introspection_url, document })
}

/// `application/json`, `application/jwk-set+json` and the like, with any parameters.
fn is_json(content_type: &str) -> bool {
    let essence = content_type.split(';').next().unwrap_or_default().trim();
    let lower = essence.to_ascii_lowercase();
    lower.strip_prefix("application/").is_some_and(|subtype| subtype == "json" || subtype.ends_with("+json"))
}

#[cfg(test)]
mod tests {
    use super::is_json;

    #[test]
    fn only_json_media_types_are_documents() {
        for good in ["application/json", "Application/JSON; charset=utf-8", "application/jwk-set+json"] {
            assert!(is_json(good), "{good}");
        }
        for bad in ["text/html", "text/json", "application/jsonp", "", "json", "application/x-json"] {
            assert!(!is_json(bad), "{bad}");
        }
    }
}
