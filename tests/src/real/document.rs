//! The web server of a client that is known by a document (client id metadata document): its address is the client's id.
//!
//! Clients take no other address than one by https, so the server has a certificate, of an authority that whoever reads the
//! document must be told to trust.

use crate::certificates::Authority;
use axum::body::Body;
use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderValue};
use http::{Response, StatusCode};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use serde_json::{Value, json};
use std::convert::Infallible;
use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tokio_util::task::AbortOnDropHandle;

/// The host in the documents' addresses, without the port.
const HOST: &str = "localhost";
const PATH: &str = "/tollward-test.json";

/// What the document at that address says. A port of a loopback address is any port (RFC 8252 section 7.3).
pub fn metadata(url: &str) -> Value {
    json!({
        "client_id": url,
        "client_name": "Tollward test client", "application_type": "native", "token_endpoint_auth_method": "none",
        "grant_types": ["authorization_code", "refresh_token"], "response_types": ["code"],
        "redirect_uris": ["http://127.0.0.1:33418/callback", "http://127.0.0.1/oauth/callback"],
    })
}

/// The authority of all certificates here.
pub fn authority() -> &'static Authority {
    static AUTHORITY: OnceLock<Authority> = OnceLock::new();
    AUTHORITY.get_or_init(|| Authority::new("Tollward test clients"))
}

/// A served document. The server ends when this is dropped.
pub struct Document {
    /// Its address, which is the client's id.
    pub url: String,
    /// Host and port of that.
    pub host: String,
    read: Arc<AtomicUsize>,
    _server: AbortOnDropHandle<()>,
}

impl Document {
    /// Serves it on a free port of loopback.
    pub async fn serve() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a free port on loopback");
        let port = listener.local_addr().expect("a bound socket has an address").port();
        let host = format!("{HOST}:{port}");
        let url = format!("https://{host}{PATH}");
        let document = Bytes::from(metadata(&url).to_string());
        let read = Arc::new(AtomicUsize::new(0));
        let task = tokio::spawn(accept(listener, Served { document, read: Arc::clone(&read) }));
        Self { url, host, read, _server: AbortOnDropHandle::new(task) }
    }

    /// How often it was read.
    pub fn read(&self) -> usize {
        self.read.load(Ordering::Relaxed)
    }
}

#[derive(Clone)]
struct Served {
    document: Bytes,
    read: Arc<AtomicUsize>,
}

impl Served {
    fn answer(&self, path: &str) -> Response<Body> {
        let mut answer = Response::new(Body::empty());
        if path == PATH {
            self.read.fetch_add(1, Ordering::Relaxed);
            answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
            *answer.body_mut() = Body::from(self.document.clone());
        } else {
            *answer.status_mut() = StatusCode::NOT_FOUND;
        }
        answer
    }
}

async fn accept(listener: TcpListener, served: Served) {
    let acceptor = TlsAcceptor::from(Arc::new(tls()));
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        connections.spawn(answer(acceptor.clone(), stream, served.clone()));
    }
}

/// A reader that breaks off is the reader's matter.
async fn answer(acceptor: TlsAcceptor, stream: TcpStream, served: Served) {
    let Ok(stream) = acceptor.accept(stream).await else { return };
    let service = service_fn(move |request| {
        let answer = served.answer(http::Request::<hyper::body::Incoming>::uri(&request).path());
        async { Ok::<_, Infallible>(answer) }
    });
    let _ = Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(stream), service).await;
}

fn tls() -> ServerConfig {
    let pair = authority().issue(HOST);
    let certificate = CertificateDer::from_pem_slice(pair.certificate.as_bytes()).expect("a certificate in PEM");
    let key = PrivateKeyDer::from_pem_slice(pair.key.as_bytes()).expect("a key in PEM");
    ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("the library's own versions")
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .expect("a key that fits its certificate")
}
