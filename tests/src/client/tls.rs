//! TLS with exactly one authority, and with a client certificate if there is one.

use super::Wire;
use crate::certificates::Pair;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// Whom to trust, and who one is.
pub struct Trust {
    /// The authority's certificate in PEM.
    pub authority: String,
    /// The client's certificate.
    pub client: Option<Pair>,
}

/// No TLS connection, as the library says.
#[derive(Debug)]
pub struct TlsFailure(pub String);

pub(super) async fn connect(
    wire: Wire,
    address: SocketAddr,
    name: &str,
    trust: &Trust,
) -> Result<TlsStream<TcpStream>, TlsFailure> {
    let mut config = config(trust);
    let protocol: &[u8] = match wire {
        Wire::Http1 => b"http/1.1",
        Wire::Http2 => b"h2",
    };
    config.alpn_protocols = vec![protocol.to_vec()];
    let stream = TcpStream::connect(address).await.map_err(|error| TlsFailure(error.to_string()))?;
    let name = ServerName::try_from(name.to_owned()).expect("a DNS name");
    let connected = TlsConnector::from(Arc::new(config)).connect(name, stream).await;
    let stream = connected.map_err(|error| TlsFailure(error.to_string()))?;
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(protocol), "the server agrees to the protocol by ALPN");
    Ok(stream)
}

fn config(trust: &Trust) -> ClientConfig {
    let mut roots = RootCertStore::empty();
    let root = CertificateDer::from_pem_slice(trust.authority.as_bytes()).expect("a certificate in PEM");
    roots.add(root).expect("an authority");
    let builder = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("the library's own versions")
        .with_root_certificates(roots);
    let Some(client) = &trust.client else {
        return builder.with_no_client_auth();
    };
    let certificate = CertificateDer::from_pem_slice(client.certificate.as_bytes()).expect("a certificate in PEM");
    let key = PrivateKeyDer::from_pem_slice(client.key.as_bytes()).expect("a key in PEM");
    builder.with_client_auth_cert(vec![certificate], key).expect("a key that fits its certificate")
}
