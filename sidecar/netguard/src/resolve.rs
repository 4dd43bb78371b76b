//! Turns a name into addresses, once per dial. Knows nothing of which addresses are good: that is judged afterwards, on
//! the very answer given here.

use futures_util::future::BoxFuture;
use hickory_resolver::TokioResolver;
use hickory_resolver::config::{LookupIpStrategy, ResolverConfig, ResolverOpts};
use hickory_resolver::net::NetError;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::proto::rr::Name;
use std::net::IpAddr;
use std::time::Duration;

/// Longest time that an answer is reused, whatever its time to live says: a provider that moves is found again.
const MAX_REUSE: Duration = Duration::from_mins(5);
/// Longest time that a failed lookup is reused; long enough to absorb a burst, short enough not to be noticed.
const MAX_NEGATIVE_REUSE: Duration = Duration::from_secs(5);

/// Why a name has no addresses.
#[derive(Debug, thiserror::Error)]
pub enum ResolveError {
    /// The name does not exist.
    #[error(
        "{name} does not exist in DNS: search domains are not used, so write names in full (service.namespace.svc.cluster.local)"
    )]
    NotFound {
        /// The name as it was asked.
        name: String,
    },
    /// The name exists without an IPv4 or IPv6 address.
    #[error("{name} has no IPv4 or IPv6 address in DNS")]
    NoAddresses {
        /// The name as it was asked.
        name: String,
    },
    /// No answer in time.
    #[error("no DNS answer for {name} within {limit:?}")]
    Timeout {
        /// The name as it was asked.
        name: String,
        /// How long was waited.
        limit: Duration,
    },
    /// The lookup failed in another way.
    #[error("DNS lookup of {name} failed: {cause}")]
    Failed {
        /// The name as it was asked.
        name: String,
        /// What the resolver says.
        cause: String,
    },
    /// The system's configuration can't be used.
    #[error("the system's DNS configuration (/etc/resolv.conf) can't be used: {cause}")]
    Configuration {
        /// What the resolver says.
        cause: String,
    },
}

/// Looks names up. A trait, so that tests can answer what no real server would.
pub trait Resolve: Send + Sync + 'static {
    /// All IPv4 and IPv6 addresses of `name`: a DNS name in ASCII without a trailing dot, never an address. An
    /// empty list is treated as [`ResolveError::NoAddresses`].
    fn resolve<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<Vec<IpAddr>, ResolveError>>;
}

/// The system's name servers and hosts file.
///
/// Names are absolute: search domains are not appended. With Kubernetes' defaults a lookup of `example.com` would ask for
/// `example.com.svc.cluster.local` first, and whoever owns a namespace called `com` would answer.
#[derive(Clone)]
pub struct SystemResolver {
    resolver: TokioResolver,
}

impl SystemResolver {
    /// Reads `/etc/resolv.conf` and `/etc/hosts` once.
    pub fn from_system() -> Result<Self, ResolveError> {
        let (configuration, options) = hickory_resolver::system_conf::read_system_conf()
            .map_err(|error| ResolveError::Configuration { cause: error.to_string() })?;
        Self::from_parts(configuration, options)
    }

    fn from_parts(configuration: ResolverConfig, mut options: ResolverOpts) -> Result<Self, ResolveError> {
        // Both families: what is judged is every address that the name has, not those of the family that answered first.
        options.ip_strategy = LookupIpStrategy::Ipv4AndIpv6;
        options.positive_max_ttl = Some(MAX_REUSE);
        options.negative_max_ttl = Some(MAX_NEGATIVE_REUSE);
        let mut builder = TokioResolver::builder_with_config(configuration, TokioRuntimeProvider::default());
        *builder.options_mut() = options;
        let resolver = builder.build().map_err(|error| ResolveError::Configuration { cause: error.to_string() })?;
        Ok(Self { resolver })
    }

    async fn lookup(&self, name: &str) -> Result<Vec<IpAddr>, ResolveError> {
        let mut absolute = Name::from_ascii(name).map_err(|error| failed(name, &error))?;
        absolute.set_fqdn(true);
        match self.resolver.lookup_ip(absolute).await {
            Ok(answer) => Ok(answer.iter().collect()),
            Err(error) => Err(read_error(name, &error)),
        }
    }
}

impl Resolve for SystemResolver {
    fn resolve<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<Vec<IpAddr>, ResolveError>> {
        Box::pin(self.lookup(name))
    }
}

fn read_error(name: &str, error: &NetError) -> ResolveError {
    let name = name.to_owned();
    if error.is_nx_domain() {
        ResolveError::NotFound { name }
    } else if error.is_no_records_found() {
        ResolveError::NoAddresses { name }
    } else {
        failed(&name, error)
    }
}

fn failed(name: &str, error: &dyn std::error::Error) -> ResolveError {
    ResolveError::Failed { name: name.to_owned(), cause: error.to_string() }
}

#[cfg(test)]
mod tests;
