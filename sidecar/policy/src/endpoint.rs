//! The public URL of a server: the resource identifier of RFC 8707, and everything derived from it.

use url::Url;

/// Well-known prefix of protected resource metadata (RFC 9728 section 3.1).
pub const RESOURCE_METADATA: &str = "/.well-known/oauth-protected-resource";
/// Well-known path of authorization server metadata (RFC 8414 section 3).
pub const SERVER_METADATA: &str = "/.well-known/oauth-authorization-server";

/// A checked public URL. Its text is the resource identifier, byte for byte.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Endpoint {
    text: String,
    authority: String,
    origin: String,
    path: String,
}

/// Why a URL can't be an endpoint.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EndpointError {
    /// Not an absolute http(s) URL.
    #[error("endpoint `{0}` must be an absolute https URL (http on loopback for development)")]
    NotAbsolute(String),
    /// RFC 8707 forbids fragments, and queries identify nothing.
    #[error("endpoint `{0}` must have no user, query or fragment")]
    Extra(String),
    /// Clients append a slash to a bare origin, so that token audiences would differ.
    #[error("endpoint `{0}` must have a path, for instance /mcp, without trailing slash")]
    Path(String),
    /// Two spellings of one URL would be two audiences.
    #[error("endpoint `{given}` must be written in its normal form `{normal}`")]
    NotNormal {
        /// As given.
        given: String,
        /// As it should be.
        normal: String,
    },
}

impl Endpoint {
    /// Checks and keeps a URL.
    pub fn parse(text: &str) -> Result<Self, EndpointError> {
        let url = Url::parse(text).map_err(|_| EndpointError::NotAbsolute(text.into()))?;
        let Some(host) = url.host_str().filter(|_| matches!(url.scheme(), "http" | "https")) else {
            return Err(EndpointError::NotAbsolute(text.into()));
        };
        let has_user = !url.username().is_empty() || url.password().is_some();
        if has_user || url.query().is_some() || url.fragment().is_some() {
            return Err(EndpointError::Extra(text.into()));
        }
        let path = url.path();
        if path == "/" || path.ends_with('/') || path.contains("//") || path.contains('%') || path.contains(';') {
            return Err(EndpointError::Path(text.into()));
        }
        if url.as_str() != text {
            return Err(EndpointError::NotNormal { given: text.into(), normal: url.as_str().into() });
        }
        let authority = url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"));
        let origin = format!("{}://{authority}", url.scheme());
        Ok(Self { text: text.into(), authority, origin, path: path.into() })
    }

    /// The resource identifier.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// `host` or `host:port`, as a client writes it into Host.
    pub fn authority(&self) -> &str {
        &self.authority
    }

    /// `scheme://authority`, as a browser writes it into Origin.
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// The path, which is never empty.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Path of the protected resource metadata: the well-known prefix before the endpoint's path.
    pub fn metadata_path(&self) -> String {
        format!("{RESOURCE_METADATA}{}", self.path)
    }

    /// Absolute URL of the protected resource metadata.
    pub fn metadata_url(&self) -> String {
        format!("{}{}", self.origin, self.metadata_path())
    }
}

#[cfg(test)]
mod tests {
    use super::{Endpoint, EndpointError};

    #[test]
    fn metadata_is_inserted_between_host_and_path() {
        let endpoint = Endpoint::parse("https://mcp.example.com:8443/shop/mcp").unwrap();
        assert_eq!(
            endpoint.metadata_url(),
            "https://mcp.example.com:8443/.well-known/oauth-protected-resource/shop/mcp"
        );
        assert_eq!(endpoint.authority(), "mcp.example.com:8443");
    }

    #[test]
    fn what_could_be_spelled_in_two_ways_is_refused() {
        for text in [
            "https://a.example",
            "https://a.example/",
            "https://a.example/mcp/",
            "https://a.example//mcp",
            "https://a.example/m%63p",
        ] {
            assert!(matches!(Endpoint::parse(text), Err(EndpointError::Path(_))), "{text}");
        }
        for text in ["https://A.example/mcp", "https://a.example:443/mcp", "https://a.example/x/../mcp"] {
            assert!(matches!(Endpoint::parse(text), Err(EndpointError::NotNormal { .. })), "{text}");
        }
        for text in ["https://u@a.example/mcp", "https://a.example/mcp?x", "https://a.example/mcp#f"] {
            assert!(matches!(Endpoint::parse(text), Err(EndpointError::Extra(_))), "{text}");
        }
        for text in ["/mcp", "ftp://a.example/mcp", "mcp", ""] {
            assert!(matches!(Endpoint::parse(text), Err(EndpointError::NotAbsolute(_))), "{text}");
        }
    }
}
