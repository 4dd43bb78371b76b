//! `WWW-Authenticate` (RFC 6750 section 3, RFC 9728 section 5.1, MCP authorization).
//!
//! One combined line with Bearer first, since some clients read only the first scheme of the first line.

use tollward_policy::scope::ScopeName;

/// What a caller is told about the token it needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Challenge {
    metadata_url: String,
    scopes: Vec<ScopeName>,
    error: Option<&'static str>,
}

impl Challenge {
    /// No credentials came: no error code (RFC 6750 section 3.1), and the least scopes to begin with.
    pub fn first_contact(metadata_url: String, initial: &[ScopeName]) -> Self {
        Self { metadata_url, scopes: initial.to_vec(), error: None }
    }

    /// The token is of no use.
    pub fn invalid_token(metadata_url: String, initial: &[ScopeName]) -> Self {
        Self { metadata_url, scopes: initial.to_vec(), error: Some("invalid_token") }
    }

    /// The token is good but does not suffice: all scopes of the operation, the held ones included.
    pub fn insufficient_scope(metadata_url: String, scopes: &[ScopeName]) -> Self {
        Self { metadata_url, scopes: scopes.to_vec(), error: Some("insufficient_scope") }
    }

    /// The header's value.
    pub fn header(&self, description: &str) -> String {
        let mut parameters = Vec::with_capacity(4);
        if let Some(error) = self.error {
            parameters.push(format!("error=\"{error}\""));
            parameters.push(format!("error_description=\"{}\"", printable(description)));
        }
        parameters.push(format!("resource_metadata=\"{}\"", printable(&self.metadata_url)));
        if !self.scopes.is_empty() {
            let scopes: Vec<_> = self.scopes.iter().map(ScopeName::as_str).collect();
            parameters.push(format!("scope=\"{}\"", scopes.join(" ")));
        }
        format!("Bearer {}", parameters.join(", "))
    }
}

/// The characters that RFC 6750 allows in a quoted description; others become an apostrophe.
fn printable(text: &str) -> String {
    text.chars()
        .map(|letter| if matches!(letter, ' '..='~') && !matches!(letter, '"' | '\\') { letter } else { '\'' })
        .collect()
}
