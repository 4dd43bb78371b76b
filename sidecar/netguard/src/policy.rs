//! Whether an address may be dialled. Pure: the installer's policy and addresses in, a verdict out.
//!
//! The policy belongs to whoever installs Tollward. No field of a tenant's resource may reach it, or a tenant could
//! point an identity provider at the cluster's own services.

use crate::address::{AddressClass, classify};
use crate::scheme::Scheme;
use ipnet::IpNet;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::net::{IpAddr, SocketAddr};

/// What the installer lets Tollward dial.
///
/// An address is dialled if an allowance for the scheme contains it, or if the scheme is https, the address is public and
/// no `deny` network contains it. So an allowance wins over `deny`, and plain http needs an allowance always. Addresses
/// whose class no allowance may open ([`AddressClass::may_be_allowed`]) are denied before all of this.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DialPolicy {
    /// Networks opened for one scheme each.
    pub allow: Vec<Allowance>,
    /// Networks that are denied although their addresses are public: the cluster's pods, services and nodes where those
    /// have public addresses, and an own NAT64 prefix.
    #[schemars(with = "Vec<String>")]
    pub deny: Vec<IpNet>,
}

/// One network that may be dialled by one scheme.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Allowance {
    /// The network, such as `10.96.0.0/12`. An IPv4 network opens IPv4 addresses only, never their IPv6 forms.
    #[schemars(with = "String")]
    pub cidr: IpNet,
    /// The scheme it is opened for; the other one stays closed.
    pub scheme: Scheme,
}

/// Why an address is not dialled.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    /// Plain http, and no allowance has that scheme at all; nothing was resolved.
    #[error("plain http is off: use https, or let the installer allow the network with scheme http")]
    PlainHttpOff,
    /// Plain http to an address that no allowance with that scheme contains.
    #[error(
        "plain http to {address} is not allowed: use https, or let the installer allow its network with scheme http"
    )]
    PlainHttp {
        /// The address that was judged.
        address: IpAddr,
    },
    /// A special-purpose address without an allowance.
    #[error(
        "{address} is a {class} address: name a public one, or let the installer allow its network with scheme {scheme}"
    )]
    SpecialPurpose {
        /// The address that was judged.
        address: IpAddr,
        /// What it is.
        class: AddressClass,
        /// The scheme that an allowance would need.
        scheme: Scheme,
    },
    /// A special-purpose address that no allowance opens.
    #[error("{address} is a {class} address, which is never dialled: use the plain public or allowed address itself")]
    Never {
        /// The address that was judged.
        address: IpAddr,
        /// What it is.
        class: AddressClass,
    },
    /// A public address in a network that the installer denies.
    #[error("{address} lies in {network}, which the installer denies")]
    DenyListed {
        /// The address that was judged.
        address: IpAddr,
        /// The entry of [`DialPolicy::deny`].
        network: IpNet,
    },
}

impl DialPolicy {
    /// Public addresses by https, and nothing else.
    pub const fn strict() -> Self {
        Self { allow: Vec::new(), deny: Vec::new() }
    }

    /// Judges one address.
    pub fn judge(&self, scheme: Scheme, address: IpAddr) -> Result<(), Denied> {
        let class = classify(address);
        if !class.may_be_allowed() {
            return Err(Denied::Never { address, class });
        }
        if self.allow.iter().any(|a| a.scheme == scheme && a.cidr.contains(&address)) {
            return Ok(());
        }
        if class != AddressClass::Public {
            return Err(Denied::SpecialPurpose { address, class, scheme });
        }
        if let Some(network) = self.deny.iter().find(|network| network.contains(&address)) {
            return Err(Denied::DenyListed { address, network: *network });
        }
        match scheme {
            Scheme::Http => Err(Denied::PlainHttp { address }),
            Scheme::Https => Ok(()),
        }
    }

    /// Judges the scheme alone, so that a hopeless name is not even looked up.
    pub(crate) fn judge_scheme(&self, scheme: Scheme) -> Result<(), Denied> {
        match scheme {
            Scheme::Http if !self.allow.iter().any(|a| a.scheme == Scheme::Http) => Err(Denied::PlainHttpOff),
            Scheme::Http | Scheme::Https => Ok(()),
        }
    }

    /// Judges every address of an answer: all may be dialled, or none is. An answer that mixes public and internal
    /// addresses is either an attack or a mistake, and picking the good ones would hide it.
    pub(crate) fn judge_all(&self, scheme: Scheme, addresses: &[IpAddr], port: u16) -> Result<Judged, Denied> {
        for address in addresses {
            self.judge(scheme, *address)?;
        }
        Ok(Judged(addresses.iter().map(|address| SocketAddr::new(*address, port)).collect()))
    }
}

/// Socket addresses that a policy let through: the only thing that is connected to.
#[derive(Debug)]
pub(crate) struct Judged(Vec<SocketAddr>);

impl Judged {
    pub(crate) fn addresses(&self) -> &[SocketAddr] {
        &self.0
    }
}

#[cfg(test)]
mod tests;
