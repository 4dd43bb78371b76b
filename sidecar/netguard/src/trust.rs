//! Which certificate authorities vouch for a server, and with which cryptography that is checked. There is no way to
//! leave the check out.

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use std::sync::Arc;

/// Why no server could be verified.
#[derive(Debug, thiserror::Error)]
pub enum TrustError {
    /// The additional certificate authorities are no PEM, or hold no certificate.
    #[error("the additional CA bundle can't be read as PEM certificates: {cause}")]
    Bundle {
        /// What is wrong.
        cause: String,
    },
    /// Neither the system nor the caller brings any certificate authority.
    #[error(
        "no certificate authority: install the system's CA bundle, point SSL_CERT_FILE to one, or add a CA ({cause})"
    )]
    Empty {
        /// What reading the system's bundle said.
        cause: String,
    },
    /// The TLS library refuses the set-up.
    #[error("TLS can't be set up: {0}")]
    Tls(#[from] rustls::Error),
}

/// Root certificates and TLS settings, ready to dial with. Cheap to clone.
#[derive(Clone)]
pub struct TrustRoots {
    configuration: Arc<ClientConfig>,
}

impl TrustRoots {
    /// The system's certificate authorities (`SSL_CERT_FILE` and `SSL_CERT_DIR` are honoured) and those of a PEM bundle.
    /// Reads files: call it at start-up and on reload, not per request.
    pub fn system(additional_pem: Option<&[u8]>) -> Result<Self, TrustError> {
        let mut roots = RootCertStore::empty();
        let system = rustls_native_certs::load_native_certs();
        // System bundles hold certificates that no validator reads any more; those are left out, as browsers do.
        roots.add_parsable_certificates(system.certs);
        if let Some(pem) = additional_pem {
            add_bundle(&mut roots, pem)?;
        }
        if roots.is_empty() {
            let errors: Vec<String> = system.errors.iter().map(ToString::to_string).collect();
            return Err(TrustError::Empty {
                cause: if errors.is_empty() { "none found".to_owned() } else { errors.join("; ") },
            });
        }
        Self::from_roots(roots)
    }

    /// Only the certificate authorities of a PEM bundle: no public one can vouch for a server whose CA is pinned.
    pub fn only(pem: &[u8]) -> Result<Self, TrustError> {
        let mut roots = RootCertStore::empty();
        add_bundle(&mut roots, pem)?;
        Self::from_roots(roots)
    }

    /// No certificate authority: for a dialer of targets without TLS. One with TLS is never believed.
    pub fn nobody() -> Result<Self, TrustError> {
        Self::from_roots(RootCertStore::empty())
    }

    /// The same for servers that speak something else than HTTP: no protocol is proposed in the handshake.
    #[must_use]
    pub fn without_protocols(mut self) -> Self {
        Arc::make_mut(&mut self.configuration).alpn_protocols.clear();
        self
    }

    fn from_roots(roots: RootCertStore) -> Result<Self, TrustError> {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut configuration = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        configuration.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Self { configuration: Arc::new(configuration) })
    }

    pub(crate) fn configuration(&self) -> Arc<ClientConfig> {
        Arc::clone(&self.configuration)
    }
}

/// Adds every certificate of a bundle, or none of the bundle counts: a half-read one would hide a typing error.
fn add_bundle(roots: &mut RootCertStore, pem: &[u8]) -> Result<(), TrustError> {
    let unreadable = |cause: String| TrustError::Bundle { cause };
    let certificates = CertificateDer::pem_slice_iter(pem)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| unreadable(error.to_string()))?;
    if certificates.is_empty() {
        return Err(unreadable("it holds no certificate".to_owned()));
    }
    for (index, certificate) in certificates.into_iter().enumerate() {
        roots.add(certificate).map_err(|error| unreadable(format!("certificate {}: {error}", index + 1)))?;
    }
    Ok(())
}
