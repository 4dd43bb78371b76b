//! `WWW-Authenticate` (RFC 6750 section 3, RFC 9449 section 7.1, RFC 9728 section 5.1, MCP authorization).
//!
//! One combined line with Bearer first, since some clients read only the first scheme of the first line.

use crate::authenticate::{Nonce, PROOF_ALGORITHMS, Schemes};
use tollward_policy::scope::ScopeName;

/// What a caller is told about the token it needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Challenge {
    metadata_url: String,
    /// What clients put before each scope when they ask for it.
    prefix: String,
    scopes: Vec<ScopeName>,
    error: Option<&'static str>,
    schemes: Schemes,
    nonce: Option<Nonce>,
}

impl Challenge {
    /// No credentials came: no error code (RFC 6750 section 3.1), and the least scopes to begin with.
    pub fn first_contact(metadata_url: String, initial: &[ScopeName]) -> Self {
        Self {
            metadata_url,
            prefix: String::new(),
            scopes: initial.to_vec(),
            error: None,
            schemes: Schemes::Bearer,
            nonce: None,
        }
    }

    /// The token is of no use.
    pub fn invalid_token(metadata_url: String, initial: &[ScopeName]) -> Self {
        Self { error: Some("invalid_token"), ..Self::first_contact(metadata_url, initial) }
    }

    /// The DPoP proof is of no use.
    pub fn invalid_proof(metadata_url: String, initial: &[ScopeName]) -> Self {
        Self { error: Some("invalid_dpop_proof"), ..Self::first_contact(metadata_url, initial) }
    }

    /// The DPoP proof needs the nonce of this answer.
    pub fn nonce_required(metadata_url: String, initial: &[ScopeName]) -> Self {
        Self { error: Some("use_dpop_nonce"), ..Self::first_contact(metadata_url, initial) }
    }

    /// The token is good but does not suffice: all scopes of the operation, the held ones included.
    pub fn insufficient_scope(metadata_url: String, scopes: &[ScopeName]) -> Self {
        Self { error: Some("insufficient_scope"), ..Self::first_contact(metadata_url, scopes) }
    }

    /// Names these schemes instead of Bearer.
    #[must_use]
    pub fn by(mut self, schemes: Schemes) -> Self {
        self.schemes = schemes;
        self
    }

    /// Gives a nonce for the next proof.
    #[must_use]
    pub fn nonce(mut self, nonce: Option<Nonce>) -> Self {
        self.nonce = nonce;
        self
    }

    /// The nonce for the next proof.
    pub(super) fn next_nonce(&self) -> Option<&Nonce> {
        self.nonce.as_ref()
    }

    /// With what clients put before each scope when they ask for it.
    #[must_use]
    pub fn prefixed(mut self, prefix: &str) -> Self {
        prefix.clone_into(&mut self.prefix);
        self
    }

    /// The header's value.
    pub fn header(&self, description: &str) -> String {
        let mut line = String::with_capacity(256);
        match self.schemes {
            Schemes::Bearer => self.write(&mut line, "Bearer ", description),
            Schemes::Dpop => self.write(&mut line, "DPoP ", description),
            Schemes::Both => {
                self.write(&mut line, "Bearer ", description);
                line.push_str(", DPoP ");
                write_algorithms(&mut line);
                line.push_str(", ");
                self.write_metadata(&mut line);
            }
        }
        line
    }

    fn write(&self, line: &mut String, scheme: &str, description: &str) {
        line.push_str(scheme);
        if let Some(error) = self.error {
            line.push_str("error=\"");
            line.push_str(error);
            line.push_str("\", error_description=\"");
            line.extend(printable(description));
            line.push_str("\", ");
        }
        match self.schemes {
            Schemes::Dpop => {
                write_algorithms(line);
                line.push_str(", ");
            }
            Schemes::Bearer | Schemes::Both => {}
        }
        self.write_metadata(line);
        let mut scopes = self.scopes.iter().map(ScopeName::as_str);
        if let Some(first) = scopes.next() {
            line.push_str(", scope=\"");
            line.extend(printable(&self.prefix));
            line.push_str(first);
            for scope in scopes {
                line.push(' ');
                line.extend(printable(&self.prefix));
                line.push_str(scope);
            }
            line.push('"');
        }
    }

    fn write_metadata(&self, line: &mut String) {
        line.push_str("resource_metadata=\"");
        line.extend(printable(&self.metadata_url));
        line.push('"');
    }
}

fn write_algorithms(line: &mut String) {
    line.push_str("algs=\"");
    line.push_str(&PROOF_ALGORITHMS.join(" "));
    line.push('"');
}

/// The characters that RFC 6750 allows in a quoted description; others become an apostrophe.
fn printable(text: &str) -> impl Iterator<Item = char> + '_ {
    text.chars().map(|letter| if matches!(letter, ' '..='~') && !matches!(letter, '"' | '\\') { letter } else { '\'' })
}
