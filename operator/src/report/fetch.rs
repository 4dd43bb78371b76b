//! One HTTP/1.1 exchange over mutual TLS with a pod.

use super::{ReportError, ReportSource, ReportTarget};
use crate::authority::{Authority, Issued};
use crate::clock::SharedClock;
use bytes::Bytes;
use futures_util::future::BoxFuture;
use http::{Request, StatusCode, header};
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper_util::rt::TokioIo;
use jiff::{SignedDuration, Timestamp};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio_rustls::TlsConnector;
use tollward_api::ports;
use tollward_policy::report::{PATH, Report};

/// The deadline over everything.
const DEADLINE: Duration = Duration::from_secs(3);
/// Largest report in bytes.
const MAX_BODY: usize = 1024 * 1024;
/// Most exchanges at once, over all servers.
const MAX_AT_ONCE: usize = 32;
/// How long the operator's certificate is used before it gets a new one.
const RENEWAL: SignedDuration = SignedDuration::from_hours(24);

/// Asks by mutual TLS.
pub struct MutualTls {
    authority: Arc<Authority>,
    /// The operator's own name.
    name: String,
    clock: SharedClock,
    port: u16,
    at_once: Semaphore,
    client: Mutex<Option<(Timestamp, Arc<ClientConfig>)>>,
}

impl MutualTls {
    /// As the operator of this name.
    pub fn new(authority: Arc<Authority>, name: impl Into<String>, clock: SharedClock) -> Self {
        Self {
            authority,
            name: name.into(),
            clock,
            port: ports::REPORT,
            at_once: Semaphore::new(MAX_AT_ONCE),
            client: Mutex::new(None),
        }
    }

    #[cfg(test)]
    pub(super) fn at_port(mut self, port: u16) -> Self {
        self.port = port;
        self
    }

    fn client(&self) -> Result<Arc<ClientConfig>, ReportError> {
        let now = self.clock.now();
        let mut client = self.client.lock().unwrap_or_else(PoisonError::into_inner);
        match client.as_ref() {
            Some((made, config)) if now.duration_since(*made) < RENEWAL => Ok(config.clone()),
            Some(_) | None => {
                let config = Arc::new(self.make_client(now).map_err(ReportError::Unverified)?);
                *client = Some((now, config.clone()));
                Ok(config)
            }
        }
    }

    fn make_client(&self, now: Timestamp) -> Result<ClientConfig, String> {
        let Issued { chain, private_key } =
            self.authority.issue_client(&self.name, now).map_err(|error| error.to_string())?;
        let mut roots = RootCertStore::empty();
        let authority = CertificateDer::from_pem_slice(self.authority.certificate().as_bytes());
        roots.add(authority.map_err(|error| error.to_string())?).map_err(|error| error.to_string())?;
        let chain = CertificateDer::pem_slice_iter(chain.as_bytes())
            .collect::<Result<Vec<_>, _>>()
            .map_err(|error| error.to_string())?;
        let key = PrivateKeyDer::from_pem_slice(private_key.as_bytes()).map_err(|error| error.to_string())?;
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| error.to_string())?
            .with_root_certificates(roots)
            .with_client_auth_cert(chain, key)
            .map_err(|error| error.to_string())?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(config)
    }

    async fn exchange(&self, target: &ReportTarget) -> Result<Report, ReportError> {
        let client = self.client()?;
        let silent = |error: &dyn std::error::Error| ReportError::Silent(error.to_string());
        let unverified = |error: &dyn std::error::Error| ReportError::Unverified(error.to_string());
        let stream = TcpStream::connect((target.address, self.port)).await.map_err(|error| silent(&error))?;
        let name = ServerName::try_from(target.name.clone()).map_err(|error| unverified(&error))?;
        let stream = TlsConnector::from(client).connect(name, stream).await.map_err(|error| unverified(&error))?;
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(|error| silent(&error))?;
        let request = Request::get(PATH)
            .header(header::HOST, &target.name)
            .body(Empty::<Bytes>::new())
            .map_err(|error| ReportError::Nonsense(error.to_string()))?;
        let answered = async {
            // With TLS 1.3 a certificate that is not believed shows only now.
            let response = sender.send_request(request).await.map_err(|error| unverified(&error))?;
            if response.status() != StatusCode::OK {
                return Err(ReportError::Nonsense(format!("status {}", response.status().as_u16())));
            }
            let body = Limited::new(response.into_body(), MAX_BODY).collect().await;
            let body = body.map_err(|error| ReportError::Nonsense(error.to_string()))?.to_bytes();
            serde_json::from_slice(&body).map_err(|error| ReportError::Nonsense(error.to_string()))
        };
        tokio::pin!(answered);
        tokio::select! {
            biased;
            report = &mut answered => report,
            // The connection may end together with the answer, which then is still to be read.
            _ = connection => answered.await,
        }
    }
}

impl ReportSource for MutualTls {
    fn fetch<'a>(&'a self, target: &'a ReportTarget) -> BoxFuture<'a, Result<Report, ReportError>> {
        Box::pin(async move {
            let _turn = self.at_once.acquire().await.map_err(|error| ReportError::Silent(error.to_string()))?;
            match tokio::time::timeout(DEADLINE, self.exchange(target)).await {
                Ok(result) => result,
                Err(_) => Err(ReportError::Silent(format!("no answer within {} s", DEADLINE.as_secs()))),
            }
        })
    }
}
