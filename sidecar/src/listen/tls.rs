//! TLS of listeners, and of the one connection that shows a certificate of ours: 1.2 and 1.3 by rustls, certificates swapped while
//! running.
//!
//! A pair of files that does not fit keeps the last good pair in force and says so.

use super::acceptor::{Acceptor, Wanted};
use super::any_client::AnyClient;
use super::client_name::NamedClients;
use super::stamp::Stamp;
use arc_swap::ArcSwap;
use rustls::client::ResolvesClientCert;
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::danger::ClientCertVerifier;
use rustls::server::{ClientHello, ResolvesServerCert, WebPkiClientVerifier};
use rustls::sign::CertifiedKey;
use rustls::{ClientConfig, RootCertStore, ServerConfig, SignatureScheme};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

/// Why a listener can't speak TLS.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file can't be read as PEM.
    #[error("{path}: {message}")]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        message: String,
    },
    /// Key and certificate do not fit, or the library refuses them.
    #[error("{path}: {source}")]
    Refused {
        /// The certificate's file.
        path: PathBuf,
        /// What is wrong.
        source: rustls::Error,
    },
}

/// A certificate with its key, from two files.
#[derive(Debug)]
pub struct Certificate {
    chain: PathBuf,
    key: PathBuf,
    current: ArcSwap<CertifiedKey>,
    stamps: Mutex<(Option<Stamp>, Option<Stamp>)>,
}

impl Certificate {
    /// Reads both files.
    pub fn load(chain: &Path, key: &Path) -> Result<Arc<Self>, TlsError> {
        let stamps = (Stamp::of(chain), Stamp::of(key));
        let current = read(chain, key)?;
        Ok(Arc::new(Self {
            chain: chain.to_owned(),
            key: key.to_owned(),
            current: ArcSwap::from_pointee(current),
            stamps: Mutex::new(stamps),
        }))
    }

    /// Reads the files again if one of them changed. True if a new pair is in force.
    pub fn refresh(&self) -> Result<bool, TlsError> {
        let now = (Stamp::of(&self.chain), Stamp::of(&self.key));
        let mut stamps = self.stamps.lock().unwrap_or_else(PoisonError::into_inner);
        if *stamps == now {
            return Ok(false);
        }
        *stamps = now;
        drop(stamps);
        self.current.store(Arc::new(read(&self.chain, &self.key)?));
        Ok(true)
    }
}

impl ResolvesServerCert for Certificate {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.current.load_full())
    }
}

impl ResolvesClientCert for Certificate {
    fn resolve(&self, _authorities: &[&[u8]], _schemes: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        Some(self.current.load_full())
    }

    fn has_certs(&self) -> bool {
        true
    }
}

/// TLS for clients of the public listener, which are asked for a certificate while one is wanted. It may be any.
pub fn server(certificate: &Arc<Certificate>, wanted: Wanted) -> Result<Acceptor, TlsError> {
    let (usual, asking) = (public(certificate, false)?, public(certificate, true)?);
    Ok(Acceptor::new(usual).asking(wanted, asking))
}

fn public(certificate: &Arc<Certificate>, asks: bool) -> Result<Arc<ServerConfig>, TlsError> {
    let path = certificate.chain.clone();
    let (provider, certificate) = (provider(), Arc::clone(certificate));
    let clients = AnyClient(provider.signature_verification_algorithms);
    let builder = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|source| TlsError::Refused { path, source })?;
    let builder =
        if asks { builder.with_client_cert_verifier(Arc::new(clients)) } else { builder.with_no_client_auth() };
    let mut config = builder.with_cert_resolver(certificate);
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

/// TLS for the operator alone: clients must show a certificate of this authority that carries this DNS name.
pub fn mutual(certificate: Arc<Certificate>, authority: &Path, name: &str) -> Result<Arc<ServerConfig>, TlsError> {
    let named = NamedClients::new(clients_of(authority)?, name)
        .map_err(|message| TlsError::File { path: authority.to_owned(), message })?;
    mutual_for(certificate, Arc::new(named))
}

/// Takes clients with a certificate of this authority, whatever its names.
pub(crate) fn clients_of(authority: &Path) -> Result<Arc<dyn ClientCertVerifier>, TlsError> {
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots(authority)?), provider()).build();
    verifier.map_err(|error| TlsError::File { path: authority.to_owned(), message: error.to_string() })
}

/// TLS for clients whom `clients` takes.
pub(crate) fn mutual_for(
    certificate: Arc<Certificate>,
    clients: Arc<dyn ClientCertVerifier>,
) -> Result<Arc<ServerConfig>, TlsError> {
    let path = certificate.chain.clone();
    let builder = ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .map_err(|source| TlsError::Refused { path, source })?;
    let mut config = builder.with_client_cert_verifier(clients).with_cert_resolver(certificate);
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

/// Judges certificates that one of these authorities (PEM) issued for this DNS name.
pub(super) fn issued_by(authority: &str, name: &str) -> Result<NamedClients, TlsError> {
    let failed = |message: String| TlsError::File { path: "trustedProxies".into(), message };
    let mut roots = RootCertStore::empty();
    for root in CertificateDer::pem_slice_iter(authority.as_bytes()) {
        let root = root.map_err(|error| failed(format!("authority: {error}")))?;
        roots.add(root).map_err(|error| failed(format!("authority: {error}")))?;
    }
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider()).build();
    NamedClients::new(verifier.map_err(|error| failed(format!("authority: {error}")))?, name).map_err(failed)
}

/// TLS towards servers for whom this authority vouches, with a certificate of our own.
pub(crate) fn servers_of(authority: &Path, certificate: Arc<Certificate>) -> Result<Arc<ClientConfig>, TlsError> {
    let builder = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .map_err(|source| TlsError::Refused { path: authority.to_owned(), source })?;
    let mut config = builder.with_root_certificates(roots(authority)?).with_client_cert_resolver(certificate);
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

fn roots(authority: &Path) -> Result<RootCertStore, TlsError> {
    let mut roots = RootCertStore::empty();
    for root in certificates(authority)? {
        roots.add(root).map_err(|source| TlsError::Refused { path: authority.to_owned(), source })?;
    }
    Ok(roots)
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(aws_lc_rs::default_provider())
}

fn read(chain: &Path, key: &Path) -> Result<CertifiedKey, TlsError> {
    let certificates = certificates(chain)?;
    let private = PrivateKeyDer::from_pem_file(key)
        .map_err(|error| TlsError::File { path: key.to_owned(), message: error.to_string() })?;
    CertifiedKey::from_der(certificates, private, &provider())
        .map_err(|source| TlsError::Refused { path: chain.to_owned(), source })
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let failed = |message: String| TlsError::File { path: path.to_owned(), message };
    let found: Result<Vec<_>, _> =
        CertificateDer::pem_file_iter(path).map_err(|error| failed(error.to_string()))?.collect();
    let found = found.map_err(|error| failed(error.to_string()))?;
    if found.is_empty() { Err(failed("holds no certificate".into())) } else { Ok(found) }
}

#[cfg(test)]
mod tests {
    use super::Certificate;
    use std::path::Path;
    use std::sync::Arc;

    fn write(folder: &Path, name: &str, text: &str) {
        std::fs::write(folder.join(name), text).unwrap();
    }

    fn pair(folder: &Path, name: &str) {
        let made = rcgen::generate_simple_self_signed([name.to_owned()]).unwrap();
        write(folder, "tls.crt", &made.cert.pem());
        write(folder, "tls.key", &made.signing_key.serialize_pem());
    }

    fn leaf(certificate: &Arc<Certificate>) -> Vec<u8> {
        certificate.current.load().cert[0].to_vec()
    }

    #[test]
    fn a_new_pair_is_taken_and_a_pair_that_does_not_fit_keeps_the_old_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        pair(folder.path(), "one.example");
        let certificate = Certificate::load(&path("tls.crt"), &path("tls.key")).unwrap();
        let first = leaf(&certificate);
        assert!(!certificate.refresh().unwrap(), "nothing changed");

        pair(folder.path(), "two.example");
        assert!(certificate.refresh().unwrap());
        let second = leaf(&certificate);
        assert_ne!(first, second);

        let stranger = rcgen::generate_simple_self_signed(["three.example".to_owned()]).unwrap();
        write(folder.path(), "tls.key", &stranger.signing_key.serialize_pem());
        assert!(certificate.refresh().is_err());
        assert_eq!(leaf(&certificate), second);
    }

    #[test]
    fn nothing_is_taken_before_a_handshake_is_complete() {
        let folder = tempfile::tempdir().unwrap();
        pair(folder.path(), "one.example");
        let certificate = Certificate::load(&folder.path().join("tls.crt"), &folder.path().join("tls.key")).unwrap();
        for asks in [false, true] {
            // What comes early may be a copy (RFC 8446 section 8).
            assert_eq!(super::public(&certificate, asks).unwrap().max_early_data_size, 0);
        }
    }

    #[test]
    fn an_empty_or_missing_file_is_named() {
        let folder = tempfile::tempdir().unwrap();
        pair(folder.path(), "one.example");
        write(folder.path(), "tls.crt", "");
        let error = Certificate::load(&folder.path().join("tls.crt"), &folder.path().join("tls.key")).unwrap_err();
        assert!(error.to_string().contains("tls.crt") && error.to_string().contains("no certificate"), "{error}");
    }
}
