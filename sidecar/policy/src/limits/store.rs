//! The store in which replicas count together: how it is written in a configuration, and the same checked.
//!
//! Nothing is dialled here. Whether the host may be is judged when it is (`process.dial`), as for identity providers: a
//! private network needs the installer's allowance for the scheme, where `redis://` stands for http and `rediss://` for https.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;
use url::Host;

/// Milliseconds that a call waits for the store, if the configuration does not say.
pub const DEFAULT_DEADLINE_MILLIS: u32 = 30;
/// Milliseconds that a call may be made to wait.
pub const DEADLINE_MILLIS: RangeInclusive<u32> = 5..=1000;
/// Port of a URL that names none.
const PORT: u16 = 6379;
/// Longest URL in bytes.
const MAX_URL: usize = 512;

/// How the store's keys are spread.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum StoreMode {
    /// One server holds all keys; replicas may follow it.
    Standalone,
    /// Redis Cluster: the URL names one of its nodes, and the node that holds the namespace's counts is asked.
    Cluster,
}

/// What becomes of a call that the store did not count in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum OnStoreFailure {
    /// The replica counts it by its own part of the limits, as it would without a store.
    Local,
    /// It is refused with 503.
    Deny,
    /// It passes without being counted.
    Allow,
}

/// A store that replicas share, as a policy names it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct StoreConfig {
    /// `redis://host[:port]` or `rediss://host[:port]` (TLS), nothing else in it. Without a port it is 6379.
    #[schemars(length(max = 512))]
    pub url: String,
    /// How its keys are spread.
    pub mode: StoreMode,
    /// File with the name of the ACL user; read anew for every connection. A line break at its end does not count.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub username_file: Option<PathBuf>,
    /// File with the password; read anew for every connection. A line break at its end does not count.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password_file: Option<PathBuf>,
    /// File with certificate authorities in PEM: those alone vouch for the store. Without it those of the system do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca_file: Option<PathBuf>,
    /// Milliseconds that a call waits for the store before `onFailure` decides.
    #[serde(default = "default_deadline")]
    #[schemars(range(min = 5, max = 1000))]
    pub deadline_millis: u32,
    /// What becomes of a call that the store did not count in time.
    pub on_failure: OnStoreFailure,
}

/// Why a store can't be used. The texts never repeat the URL, in which somebody may have written a password.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// Not a URL of a store.
    #[error("must be redis://host[:port] or rediss://host[:port], at most 512 characters")]
    Scheme,
    /// User information, a path, a query or a fragment.
    #[error(
        "must name a host and at most a port; user and password are files, and databases other than 0 are not used"
    )]
    Extra,
    /// No DNS name and no address in its usual form.
    #[error("must name a host in lower case, or an address in its usual form")]
    Host,
    /// Not 1 to 65535.
    #[error("must name a port from 1 to 65535, without leading zeros")]
    Port,
    /// A user needs a password.
    #[error("usernameFile needs a passwordFile")]
    UserWithoutPassword,
    /// Without TLS no certificate is looked at.
    #[error("caFile needs rediss://: without TLS no certificate is looked at")]
    CaWithoutTls,
    /// A relative path would depend on where the process was started.
    #[error("usernameFile, passwordFile and caFile must be absolute paths")]
    Path,
    /// Too short to be met, or so long that callers hang.
    #[error("deadlineMillis must be 5 to 1000")]
    Deadline,
}

/// Which store, and as whom: what two policies must have in common to count in one.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Store {
    /// Where it is.
    pub address: StoreAddress,
    /// How its keys are spread.
    pub mode: StoreMode,
    /// File with the name of the user.
    pub username_file: Option<PathBuf>,
    /// File with the password.
    pub password_file: Option<PathBuf>,
    /// File with certificate authorities.
    pub ca_file: Option<PathBuf>,
}

/// Host and port of a store.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct StoreAddress {
    tls: bool,
    host: String,
    port: u16,
}

/// How a policy uses its store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StoreUse {
    /// Position among [`super::LimitSet::stores`].
    pub store: usize,
    /// How long a call waits for it.
    pub deadline: Duration,
    /// What becomes of a call that it did not count in time.
    pub on_failure: OnStoreFailure,
}

impl StoreConfig {
    /// The store, and how long to wait for it.
    pub fn compile(&self) -> Result<(Store, Duration), StoreError> {
        let Self { url, mode, username_file, password_file, ca_file, deadline_millis, on_failure: _ } = self;
        let address = StoreAddress::parse(url)?;
        if username_file.is_some() && password_file.is_none() {
            return Err(StoreError::UserWithoutPassword);
        }
        if ca_file.is_some() && !address.tls {
            return Err(StoreError::CaWithoutTls);
        }
        if [username_file, password_file, ca_file].into_iter().flatten().any(|path| !path.is_absolute()) {
            return Err(StoreError::Path);
        }
        if !DEADLINE_MILLIS.contains(deadline_millis) {
            return Err(StoreError::Deadline);
        }
        let store = Store {
            address,
            mode: *mode,
            username_file: username_file.clone(),
            password_file: password_file.clone(),
            ca_file: ca_file.clone(),
        };
        Ok((store, Duration::from_millis(u64::from(*deadline_millis))))
    }
}

impl StoreAddress {
    /// Reads a URL. One host has one spelling, so that two policies which mean one store have one.
    pub fn parse(url: &str) -> Result<Self, StoreError> {
        let (tls, rest) = match (url.strip_prefix("redis://"), url.strip_prefix("rediss://")) {
            (Some(rest), _) => (false, rest),
            (None, Some(rest)) => (true, rest),
            (None, None) => return Err(StoreError::Scheme),
        };
        if url.len() > MAX_URL {
            return Err(StoreError::Scheme);
        }
        if rest.contains(['@', '/', '?', '#', '\\', '%']) {
            return Err(StoreError::Extra);
        }
        let (host, port) = match rest.rsplit_once(':') {
            Some((host, port)) if !rest.ends_with(']') => (host, port_of(port)?),
            Some(_) | None => (rest, PORT),
        };
        let usual = |host: &str| match Host::parse(host) {
            Ok(Host::Domain(name)) => name == host && is_name(host),
            Ok(address @ (Host::Ipv4(_) | Host::Ipv6(_))) => address.to_string() == host,
            Err(_) => false,
        };
        if usual(host) { Ok(Self { tls, host: host.to_owned(), port }) } else { Err(StoreError::Host) }
    }

    /// The same store's node at another place, as a cluster names it: an address or a DNS name.
    pub fn node(&self, host: &str, port: u16) -> Result<Self, StoreError> {
        let host = if host.contains(':') { format!("[{host}]") } else { host.to_owned() };
        Self::parse(&format!("{}://{host}:{port}", if self.tls { "rediss" } else { "redis" }))
    }

    /// Whether it is spoken to by TLS.
    pub fn tls(&self) -> bool {
        self.tls
    }

    /// DNS name or address, an IPv6 address in brackets.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port.
    pub fn port(&self) -> u16 {
        self.port
    }
}

impl fmt::Display for StoreAddress {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.tls { "rediss" } else { "redis" };
        write!(formatter, "{scheme}://{}:{}", self.host, self.port)
    }
}

fn default_deadline() -> u32 {
    DEFAULT_DEADLINE_MILLIS
}

fn port_of(text: &str) -> Result<u16, StoreError> {
    let plain = !text.starts_with('0') && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| plain).ok_or(StoreError::Port)
}

fn is_name(host: &str) -> bool {
    let label = |label: &str| {
        let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'_');
        (1..=63).contains(&label.len()) && label.bytes().all(plain)
    };
    host.len() <= 253 && host.split('.').all(label)
}
