//! Reads a URL that somebody else wrote into the one thing that is dialled. What two parsers could read in two ways is
//! refused here rather than repaired, since the text has often been compared or allow-listed elsewhere before.

use crate::scheme::Scheme;
use std::net::IpAddr;
use url::{Host, Url};

/// Longest URL that is read, in bytes.
const MAX_LENGTH: usize = 2048;

/// An absolute http or https URL without user information and fragment.
///
/// An IP address is recognised in every text form that the WHATWG URL standard reads as one (`127.1`, `0x7f.1`,
/// `2130706433`, octal, fullwidth digits), so that none of them passes as a name.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Target {
    url: Url,
    scheme: Scheme,
    host: Host,
    port: u16,
}

/// Why a text is no target.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TargetError {
    /// Longer than 2048 bytes.
    #[error("the URL has {length} bytes: shorten it to at most {MAX_LENGTH}")]
    TooLong {
        /// Its length in bytes.
        length: usize,
    },
    /// Not `http://…` or `https://…`.
    #[error("the URL must be absolute and begin with https:// (or http://, where the installer allows it)")]
    Scheme,
    /// White space, a control character or a backslash, which parsers treat in different ways.
    #[error("the URL holds white space, a control character or a backslash: percent-encode it")]
    Ambiguous,
    /// `user@` or `user:password@`.
    #[error("the URL holds user information before an @: remove it, credentials are configured elsewhere")]
    UserInformation,
    /// `#…`, even an empty one.
    #[error("the URL has a fragment (#): remove it")]
    Fragment,
    /// An IPv6 address with a zone (RFC 6874).
    #[error("the URL's IPv6 address has a zone (%): link-local addresses can't be dialled, name another")]
    Zone,
    /// No host, or one that is no DNS name: labels of letters, digits, `-` and `_`, up to 63 bytes each and 253 in all.
    #[error("the URL's host is missing or is no DNS name or IP address")]
    Host,
    /// Port 0.
    #[error("the URL's port is 0: name the port, or none for the scheme's own")]
    Port,
    /// Anything else that the URL standard refuses.
    #[error("the URL can't be read: {0}")]
    Syntax(#[from] url::ParseError),
}

impl Target {
    /// Reads a URL.
    pub fn parse(text: &str) -> Result<Self, TargetError> {
        let scheme = check_text(text)?;
        let mut url = Url::parse(text)?;
        let host = match url.host().ok_or(TargetError::Host)? {
            Host::Domain(name) => Host::Domain(dns_name(name)?.to_owned()),
            Host::Ipv4(address) => Host::Ipv4(address),
            Host::Ipv6(address) => Host::Ipv6(address),
        };
        if let Host::Domain(name) = &host
            && url.host_str() != Some(name)
        {
            url.set_host(Some(name))?;
        }
        let port = url.port().unwrap_or_else(|| scheme.default_port());
        if port == 0 {
            return Err(TargetError::Port);
        }
        Ok(Self { url, scheme, host, port })
    }

    /// The scheme.
    pub const fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// The host in the URL standard's form: lowercase, names in their ASCII form without a trailing dot, addresses in
    /// their canonical form (IPv6 in brackets).
    pub fn host(&self) -> &str {
        self.url.host_str().unwrap_or_default()
    }

    /// The address, if the host is one and no name.
    pub const fn address(&self) -> Option<IpAddr> {
        match &self.host {
            Host::Domain(_) => None,
            Host::Ipv4(address) => Some(IpAddr::V4(*address)),
            Host::Ipv6(address) => Some(IpAddr::V6(*address)),
        }
    }

    /// The port, the scheme's own if the URL names none. Never 0.
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// The whole URL in the URL standard's form.
    pub fn as_str(&self) -> &str {
        self.url.as_str()
    }

    /// Host and port for logs and errors: the rest of a URL may carry what no log should.
    pub(crate) fn host_and_port(&self) -> String {
        format!("{}:{}", self.host(), self.port)
    }

    /// What stands in the `Host` header: the port only if it isn't the scheme's own (RFC 9110 §7.2).
    pub(crate) fn authority(&self) -> String {
        match self.url.port() {
            Some(port) => format!("{}:{port}", self.host()),
            None => self.host().to_owned(),
        }
    }

    /// The request target in origin form (RFC 9112 §3.2.1).
    pub(crate) fn path_and_query(&self) -> String {
        match self.url.query() {
            Some(query) => format!("{}?{query}", self.url.path()),
            None => self.url.path().to_owned(),
        }
    }
}

impl std::fmt::Display for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Refuses in the raw text what the URL parser would silently repair or drop.
fn check_text(text: &str) -> Result<Scheme, TargetError> {
    if text.len() > MAX_LENGTH {
        return Err(TargetError::TooLong { length: text.len() });
    }
    if text.chars().any(|c| c.is_whitespace() || c.is_control() || c == '\\') {
        return Err(TargetError::Ambiguous);
    }
    let (scheme, rest) = text.split_once("://").ok_or(TargetError::Scheme)?;
    let scheme = if scheme.eq_ignore_ascii_case("https") {
        Scheme::Https
    } else if scheme.eq_ignore_ascii_case("http") {
        Scheme::Http
    } else {
        return Err(TargetError::Scheme);
    };
    if rest.contains('#') {
        return Err(TargetError::Fragment);
    }
    let authority = rest.split(['/', '?']).next().unwrap_or_default();
    if authority.is_empty() {
        // The parser would skip further slashes and take the path's first segment for the host.
        return Err(TargetError::Host);
    }
    if authority.contains('@') {
        return Err(TargetError::UserInformation);
    }
    if authority.starts_with('[') && authority.contains('%') {
        return Err(TargetError::Zone);
    }
    Ok(scheme)
}

/// The name without its trailing dot, which names the same host but fails certificate and allow-list comparison.
fn dns_name(name: &str) -> Result<&str, TargetError> {
    let name = name.strip_suffix('.').unwrap_or(name);
    let label_is_valid = |label: &str| {
        (1..=63).contains(&label.len()) && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
    };
    if name.len() <= 253 && name.split('.').all(label_is_valid) { Ok(name) } else { Err(TargetError::Host) }
}

#[cfg(test)]
mod tests;
