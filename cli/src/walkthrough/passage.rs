//! How the client gets to hosts: by which address, and by whose word it believes a certificate.
//!
//! Guarantees: a host has exactly the address that was given for it, and nothing is looked up. TLS trusts the given
//! authorities and nobody else.

use anyhow::{Context as _, anyhow};
use hyper_util::client::legacy::connect::dns::Name;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};
use std::collections::BTreeMap;
use std::future::{Ready, ready};
use std::iter::{Once, once};
use std::net::SocketAddr;
use std::sync::Arc;
use std::task::{Context, Poll};

/// The way to every host.
pub(crate) struct Passage {
    pub(super) doors: Doors,
    pub(super) tls: ClientConfig,
}

/// Addresses by host name. A URL that is an address itself needs none.
#[derive(Debug, Clone)]
pub(crate) struct Doors(Arc<BTreeMap<String, SocketAddr>>);

impl Passage {
    /// For addresses of this machine, without TLS.
    pub(crate) fn local() -> anyhow::Result<Self> {
        Self::by(BTreeMap::new(), None)
    }

    /// For these hosts, whose certificates are of these authorities, in PEM.
    pub(crate) fn by(doors: BTreeMap<String, SocketAddr>, authorities: Option<&[u8]>) -> anyhow::Result<Self> {
        let mut roots = RootCertStore::empty();
        if let Some(pem) = authorities {
            for certificate in CertificateDer::pem_slice_iter(pem) {
                let certificate = certificate.context("the authorities are no certificates in PEM")?;
                roots.add(certificate).context("a certificate of the authorities can't be used")?;
            }
            anyhow::ensure!(!roots.is_empty(), "the file of the authorities holds no certificate in PEM");
        }
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let tls = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .context("TLS can't be set up")?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Self { doors: Doors(Arc::new(doors)), tls })
    }
}

impl tower::Service<Name> for Doors {
    type Response = Once<SocketAddr>;
    type Error = anyhow::Error;
    type Future = Ready<Result<Self::Response, Self::Error>>;

    fn poll_ready(&mut self, _context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, name: Name) -> Self::Future {
        let found = self.0.get(name.as_str()).copied().map(once);
        ready(found.ok_or_else(|| anyhow!("no way to `{}` is known; give one with --connect", name.as_str())))
    }
}

#[cfg(test)]
mod tests {
    use super::{Doors, Passage};
    use std::collections::BTreeMap;
    use std::sync::Arc;
    use tower::Service as _;

    #[tokio::test]
    async fn a_host_has_the_given_address_and_another_one_none() {
        let address = "127.0.0.1:8443".parse().unwrap();
        let mut doors = Doors(Arc::new(BTreeMap::from([("catalog.shop.svc".to_owned(), address)])));
        let found: Vec<_> = doors.call("catalog.shop.svc".parse().unwrap()).await.unwrap().collect();
        assert_eq!(found, [address]);
        let error = doors.call("elsewhere".parse().unwrap()).await.unwrap_err().to_string();
        assert!(error.contains("`elsewhere`") && error.contains("--connect"), "{error}");
    }

    #[test]
    fn a_file_without_certificates_is_no_trust() {
        assert!(Passage::by(BTreeMap::new(), Some(b"nothing")).is_err());
        assert!(Passage::by(BTreeMap::new(), None).is_ok());
    }
}
