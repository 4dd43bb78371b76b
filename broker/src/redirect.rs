//! Redirect URIs: which ones a client may register and which request matches a registered one.
//!
//! Matching is by bytes. The one freedom is the port of a loopback address (RFC 8252 section 7.3), since native clients
//! listen on a port they learn at start. To keep byte matching honest, only URIs in the normal form of the URL standard
//! are accepted at all: no `..`, no `%2e`, no upper-case host, no default port, no tab or newline that a browser would
//! drop.

use serde::{Deserialize, Serialize};
use thiserror::Error;
use url::{Host, Url};

/// Longest redirect URI, in bytes.
const MAX_BYTES: usize = 1024;

/// Why a redirect URI can't be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum RedirectUriError {
    /// Longer than 1024 bytes.
    #[error("a redirect URI is longer than 1024 bytes")]
    TooLong,
    /// Not a URL, or not in normal form.
    #[error("a redirect URI is not an absolute URL in normal form: write it as a browser shows it")]
    NotNormal,
    /// Has a fragment.
    #[error("a redirect URI has a fragment (RFC 6749 section 3.1.2)")]
    Fragment,
    /// Has a user name or password.
    #[error("a redirect URI has a user name or password in it")]
    UserInfo,
    /// `http` to something else than this machine.
    #[error("a redirect URI uses http; only 127.0.0.1, [::1] and localhost may, all others need https")]
    PlainHttp,
    /// A scheme that isn't allowed, such as `javascript`.
    #[error("a redirect URI has a scheme that this server does not allow")]
    Scheme,
    /// A host with characters outside of host names.
    #[error("a redirect URI has a host that is not a host name")]
    Host,
}

/// A redirect URI that passed the rules, with its text as the client wrote it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct RedirectUri {
    text: String,
    kind: Kind,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
enum Kind {
    /// `https`; `host` for the consent page.
    Web { host: String, origin: String },
    /// `http` on this machine; `rest` is path and query.
    Loopback { host: String, port: Option<u16>, rest: String },
    /// A scheme of one application (RFC 8252 section 7.1).
    PrivateUse { scheme: String },
}

impl RedirectUri {
    /// Checks `text` against the rules above. `private_use_schemes` are the application schemes an installer allows.
    pub fn parse(text: &str, private_use_schemes: &[String]) -> Result<Self, RedirectUriError> {
        if text.len() > MAX_BYTES {
            return Err(RedirectUriError::TooLong);
        }
        if !text.bytes().all(|byte| matches!(byte, 0x21..=0x7e)) || text.contains('\\') {
            return Err(RedirectUriError::NotNormal);
        }
        if text.contains('#') {
            return Err(RedirectUriError::Fragment);
        }
        let (scheme, after) = text.split_once(':').ok_or(RedirectUriError::NotNormal)?;
        let kind = match scheme {
            "https" => parse_web(text)?,
            "http" => parse_loopback(after)?,
            other if private_use_schemes.iter().any(|allowed| allowed == other) => parse_private_use(text, other)?,
            _ => return Err(RedirectUriError::Scheme),
        };
        Ok(Self { text: text.to_owned(), kind })
    }

    /// Whether a request for `requested` goes where this registered URI goes: equal bytes, or both on the same loopback
    /// host with equal path and query and any port.
    pub fn admits(&self, requested: &Self) -> bool {
        match (&self.kind, &requested.kind) {
            (
                Kind::Loopback { host, port: _, rest },
                Kind::Loopback { host: requested_host, port: _, rest: requested_rest },
            ) => host == requested_host && rest == requested_rest,
            (Kind::Web { .. } | Kind::Loopback { .. } | Kind::PrivateUse { .. }, _) => self.text == requested.text,
        }
    }

    /// The URI as the client wrote it.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether it ends at this machine or in one application, so that the client is a native one.
    pub fn is_native(&self) -> bool {
        match self.kind {
            Kind::Web { .. } => false,
            Kind::Loopback { .. } | Kind::PrivateUse { .. } => true,
        }
    }

    /// Where the user is sent afterwards, in words for the consent page.
    pub(crate) fn destination(&self) -> String {
        match &self.kind {
            Kind::Web { host, .. } => host.clone(),
            Kind::Loopback { host, port: Some(port), .. } => format!("{host}:{port} (an application on this computer)"),
            Kind::Loopback { host, port: None, .. } => format!("{host} (an application on this computer)"),
            Kind::PrivateUse { scheme } => format!("{scheme}: (an application on this device)"),
        }
    }

    /// The source expression that lets a form's answer redirect here (CSP `form-action`). The grammar has no IPv6
    /// literals, so that `[::1]` is only expressible by its scheme.
    pub(crate) fn form_action_source(&self) -> String {
        match &self.kind {
            Kind::Web { origin, .. } => origin.clone(),
            Kind::Loopback { host, .. } if host.starts_with('[') => "http:".to_owned(),
            Kind::Loopback { host, port: Some(port), .. } => format!("http://{host}:{port}"),
            Kind::Loopback { host, port: None, .. } => format!("http://{host}"),
            Kind::PrivateUse { scheme } => format!("{scheme}:"),
        }
    }
}

fn parse_web(text: &str) -> Result<Kind, RedirectUriError> {
    let url = normal_form(text)?;
    let host = url.host_str().ok_or(RedirectUriError::Host)?;
    // The URL standard lets `;`, `,` and `'` through, which would end a directive of the page's policy.
    let bracketed = matches!(url.host(), Some(Host::Ipv6(_)));
    let named = host.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_'));
    if !bracketed && !named {
        return Err(RedirectUriError::Host);
    }
    let origin = if bracketed { "https:".to_owned() } else { url.origin().ascii_serialization() };
    let host = url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"));
    Ok(Kind::Web { host, origin })
}

/// By hand up to the path, because the URL parser drops port 80 and reads `127.1` as an address.
fn parse_loopback(after_scheme: &str) -> Result<Kind, RedirectUriError> {
    let after = after_scheme.strip_prefix("//").ok_or(RedirectUriError::NotNormal)?;
    let end = after.find(['/', '?']).unwrap_or(after.len());
    let (authority, rest) = after.split_at(end);
    if authority.contains('@') {
        return Err(RedirectUriError::UserInfo);
    }
    let (host, port) = ["127.0.0.1", "[::1]", "localhost"]
        .into_iter()
        .find_map(|host| Some((host, authority.strip_prefix(host)?)))
        .ok_or(RedirectUriError::PlainHttp)?;
    let port = match port.strip_prefix(':') {
        None if port.is_empty() => None,
        None => return Err(RedirectUriError::PlainHttp),
        Some(digits) => Some(parse_port(digits)?),
    };
    normal_form(&format!("http://{host}{rest}"))?;
    Ok(Kind::Loopback { host: host.to_owned(), port, rest: rest.to_owned() })
}

fn parse_port(digits: &str) -> Result<u16, RedirectUriError> {
    let port = digits.parse::<u16>().map_err(|_| RedirectUriError::NotNormal)?;
    if port == 0 || port.to_string() != digits {
        return Err(RedirectUriError::NotNormal);
    }
    Ok(port)
}

fn parse_private_use(text: &str, scheme: &str) -> Result<Kind, RedirectUriError> {
    normal_form(text)?;
    Ok(Kind::PrivateUse { scheme: scheme.to_owned() })
}

/// The parsed URL if `text` is what the parser would print; a missing `/` after the host is the same resource.
fn normal_form(text: &str) -> Result<Url, RedirectUriError> {
    let url = Url::parse(text).map_err(|_| RedirectUriError::NotNormal)?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err(RedirectUriError::UserInfo);
    }
    let printed = url.as_str();
    let same = printed == text || printed.strip_suffix('/').is_some_and(|printed| printed == text && url.path() == "/");
    if !same || has_encoded_dot_or_slash(url.path()) {
        return Err(RedirectUriError::NotNormal);
    }
    Ok(url)
}

/// Path parts that some server behind the redirect may decode or cut into another path (`..;/` is one of them).
fn has_encoded_dot_or_slash(path: &str) -> bool {
    let lower = path.to_ascii_lowercase();
    ["%2e", "%2f", "%5c", "/..", "/./", "//"].iter().any(|part| lower.contains(part))
}

#[cfg(test)]
mod tests;
