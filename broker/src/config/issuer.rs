//! The issuer identifier and the addresses derived from it. Its text is compared byte by byte by clients and
//! verifiers, so that it is fixed here once: without a trailing slash.

use url::{Host, Url};

use super::ConfigError;

/// A checked issuer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Issuer {
    text: String,
    origin: String,
    authority: String,
    path: String,
    secure: bool,
}

impl Issuer {
    pub(super) fn check(url: &Url) -> Result<Self, ConfigError> {
        let secure = url.scheme() == "https";
        let local = url.scheme() == "http" && is_loopback(url);
        if !secure && !local {
            return Err(ConfigError::IssuerScheme(url.clone()));
        }
        let path = if url.path() == "/" { "" } else { url.path() };
        // Also what keeps the path free of the router's own syntax.
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~' | b'/');
        let bare = is_bare(url) && !path.ends_with('/') && !path.contains("//") && path.bytes().all(plain);
        let host = url.host_str().filter(|_| bare).ok_or_else(|| ConfigError::IssuerForm(url.clone()))?;
        let authority = url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"));
        let origin = format!("{}://{authority}", url.scheme());
        Ok(Self { text: format!("{origin}{path}"), origin, authority, path: path.to_owned(), secure })
    }

    /// The identifier, as in `iss`.
    pub(crate) fn as_str(&self) -> &str {
        &self.text
    }

    /// Scheme, host and port, as browsers send it in `Origin`.
    pub(crate) fn origin(&self) -> &str {
        &self.origin
    }

    /// Host and port, as clients send it in `Host`.
    pub(crate) fn authority(&self) -> &str {
        &self.authority
    }

    /// The path of an endpoint below the issuer.
    pub(crate) fn path_of(&self, endpoint: &str) -> String {
        format!("{}{endpoint}", self.path)
    }

    /// The address of an endpoint below the issuer.
    pub(crate) fn url_of(&self, endpoint: &str) -> String {
        format!("{}{endpoint}", self.text)
    }

    /// The metadata's path: the well-known part goes between host and path (RFC 8414 section 3.1).
    pub(crate) fn metadata_path(&self) -> String {
        format!("/.well-known/oauth-authorization-server{}", self.path)
    }

    /// Whether cookies can be `Secure`.
    pub(crate) fn is_secure(&self) -> bool {
        self.secure
    }
}

pub(super) fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

pub(super) fn is_bare(url: &Url) -> bool {
    let anonymous = url.username().is_empty() && url.password().is_none();
    anonymous && url.query().is_none() && url.fragment().is_none()
}
