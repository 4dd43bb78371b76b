//! Which connections come from a proxy whose word about its clients counts: by address, and by certificate where one is demanded.

use super::client_name::NamedClients;
use super::tls::{TlsError, issued_by};
use ipnet::IpNet;
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::danger::ClientCertVerifier as _;
use std::net::{IpAddr, SocketAddr};
use tollward_policy::config::{ForwardedHeader, TrustedProxy};

/// The trusted proxies.
#[derive(Debug, Default)]
pub struct Proxies(Vec<Entry>);

#[derive(Debug)]
struct Entry {
    network: IpNet,
    proxy: Proxy,
    /// Judges its certificate; without, the address is enough.
    named: Option<NamedClients>,
}

/// What a trusted proxy says of its clients, and where.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Proxy {
    /// The header that names them.
    pub header: ForwardedHeader,
    /// Whether it passes their certificates on.
    pub client_certificates: bool,
}

impl Proxies {
    /// Those of the configuration.
    pub fn new(proxies: &[TrustedProxy]) -> Result<Self, TlsError> {
        let entry = |trusted: &TrustedProxy| {
            let named =
                trusted.certificate.as_ref().map(|wanted| issued_by(&wanted.authority, &wanted.name)).transpose()?;
            let proxy = Proxy { header: trusted.header, client_certificates: trusted.client_certificates };
            Ok(Entry { network: trusted.cidr, proxy, named })
        };
        proxies.iter().map(entry).collect::<Result<_, _>>().map(Self)
    }

    /// Whether any of them has to show a certificate.
    pub fn want_certificates(&self) -> bool {
        self.0.iter().any(|entry| entry.named.is_some())
    }

    /// The proxy at the other end of a connection, if it is one; `chain` is what it showed in its handshake.
    pub(super) fn at(&self, peer: SocketAddr, chain: Option<&[CertificateDer<'_>]>) -> Option<Proxy> {
        let address = peer.ip().to_canonical();
        let is_it = |entry: &&Entry| entry.network.contains(&address) && entry.proves(chain);
        self.0.iter().find(is_it).map(|entry| entry.proxy)
    }

    /// Whether the address is that of another proxy on the way, which no certificate can show from afar.
    pub fn is_hop(&self, address: IpAddr) -> bool {
        self.0.iter().any(|entry| entry.named.is_none() && entry.network.contains(&address))
    }
}

impl Entry {
    fn proves(&self, chain: Option<&[CertificateDer<'_>]>) -> bool {
        let Some(named) = &self.named else { return true };
        let Some((leaf, between)) = chain.and_then(<[_]>::split_first) else { return false };
        named.verify_client_cert(leaf, between, UnixTime::now()).is_ok()
    }
}
