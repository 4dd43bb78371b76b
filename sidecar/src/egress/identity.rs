//! Which server a connection comes from: the one URI of its client certificate, which rustls has verified with the key to it.
//!
//! The authority signs other certificates as well, the operator's among them. Without an identity there is no handshake.

use crate::listen::{Certificate, TlsError, clients_of, mutual_for};
use rustls::client::danger::HandshakeSignatureValid;
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::NoServerSessionStorage;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{CertificateError, DigitallySignedStruct, DistinguishedName, Error, ServerConfig, SignatureScheme};
use std::path::Path;
use std::sync::Arc;
use tollward_policy::egress::EgressIdentity;
use webpki::EndEntityCert;

/// TLS for servers of the namespace alone.
pub(crate) fn servers(certificate: Arc<Certificate>, authority: &Path) -> Result<Arc<ServerConfig>, TlsError> {
    let mut config = mutual_for(certificate, Arc::new(Identified { chain: clients_of(authority)? }))?;
    // A resumed session would outlive the certificate that it began with.
    let settings = Arc::make_mut(&mut config);
    settings.session_storage = Arc::new(NoServerSessionStorage {});
    settings.send_tls13_tickets = 0;
    Ok(config)
}

/// The identity in a certificate: its only URI.
pub(crate) fn identity_of(leaf: &CertificateDer<'_>) -> Option<EgressIdentity> {
    let certificate = EndEntityCert::try_from(leaf).ok()?;
    let mut uris = certificate.valid_uri_names();
    let identity = EgressIdentity::parse(uris.next()?)?;
    uris.next().is_none().then_some(identity)
}

/// Checks the chain by rustls and then that there is an identity.
#[derive(Debug)]
struct Identified {
    chain: Arc<dyn ClientCertVerifier>,
}

impl ClientCertVerifier for Identified {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.chain.root_hint_subjects()
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        let verified = self.chain.verify_client_cert(end_entity, intermediates, now)?;
        let refused = Error::InvalidCertificate(CertificateError::ApplicationVerificationFailure);
        identity_of(end_entity).map(|_| verified).ok_or(refused)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.chain.verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.chain.verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.chain.supported_verify_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::identity_of;
    use rcgen::{CertificateParams, KeyPair, SanType};
    use rustls::pki_types::CertificateDer;
    use tollward_policy::egress::EgressIdentity;

    fn certificate(uris: &[&str], names: &[&str]) -> CertificateDer<'static> {
        let mut params =
            CertificateParams::new(names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>()).unwrap();
        for uri in uris {
            params.subject_alt_names.push(SanType::URI((*uri).try_into().unwrap()));
        }
        params.self_signed(&KeyPair::generate().unwrap()).unwrap().der().clone()
    }

    #[test]
    fn the_identity_is_the_only_uri_and_no_name_or_second_uri_makes_one() {
        let identity = EgressIdentity::server("uid-1").unwrap();
        let (own, other) = (identity.uri(), EgressIdentity::server("uid-2").unwrap().uri());
        assert_eq!(identity_of(&certificate(&[&own], &[])), Some(identity.clone()));
        assert_eq!(identity_of(&certificate(&[&own], &["catalog.shop.svc"])), Some(identity));
        assert_eq!(identity_of(&certificate(&[&own, &other], &[])), None);
        assert_eq!(identity_of(&certificate(&["https://example.com/", &own], &[])), None);
        assert_eq!(identity_of(&certificate(&[], &["catalog.shop.svc"])), None);
        assert_eq!(identity_of(&CertificateDer::from(vec![0; 10])), None);
    }
}
