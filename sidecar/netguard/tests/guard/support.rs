//! Servers, resolvers and certificate authorities for the tests of this folder.

use futures_util::future::BoxFuture;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tollward_netguard::{
    Allowance, DialPolicy, Dialer, FetchError, FetchLimits, Fetched, Fetcher, Resolve, ResolveError, Scheme, Target,
    TrustRoots,
};

/// Answers scripted lists of addresses in order, the last one for ever, and counts the questions.
pub(crate) struct Scripted {
    answers: Mutex<VecDeque<Vec<IpAddr>>>,
    asked: Mutex<Vec<String>>,
}

impl Scripted {
    pub(crate) fn new(answers: &[&[&str]]) -> Arc<Self> {
        let parse = |answer: &&[&str]| answer.iter().map(|address| address.parse().unwrap()).collect();
        Arc::new(Self { answers: Mutex::new(answers.iter().map(parse).collect()), asked: Mutex::new(Vec::new()) })
    }

    pub(crate) fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

impl Resolve for Scripted {
    fn resolve<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<Vec<IpAddr>, ResolveError>> {
        self.asked.lock().unwrap().push(name.to_owned());
        let mut answers = self.answers.lock().unwrap();
        let answer = if answers.len() > 1 { answers.pop_front() } else { answers.front().cloned() };
        Box::pin(async move { Ok(answer.unwrap_or_default()) })
    }
}

/// A resolver whose servers never answer.
pub(crate) struct Mute;

impl Resolve for Mute {
    fn resolve<'a>(&'a self, _name: &'a str) -> BoxFuture<'a, Result<Vec<IpAddr>, ResolveError>> {
        Box::pin(std::future::pending())
    }
}

/// What a server does once it has read a request.
#[derive(Clone)]
pub(crate) enum Answer {
    /// Sends these bytes and closes.
    Bytes(Vec<u8>),
    /// Sends the first bytes, then one byte at a time for as long as the client stays.
    Drip(Vec<u8>),
    /// Keeps the connection open and says nothing.
    Silence,
}

impl Answer {
    pub(crate) fn text(text: &str) -> Self {
        Self::Bytes(text.as_bytes().to_vec())
    }
}

/// A server on loopback that gives one answer and keeps what it was sent. Ends when dropped.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    requests: Arc<Mutex<Vec<String>>>,
    _task: JoinSet<()>,
}

impl Server {
    pub(crate) async fn plain(answer: Answer) -> Self {
        Self::start("127.0.0.1:0", answer, None).await
    }

    pub(crate) async fn plain_at(address: &str, answer: Answer) -> Self {
        Self::start(address, answer, None).await
    }

    pub(crate) async fn tls(answer: Answer, acceptor: TlsAcceptor) -> Self {
        Self::start("127.0.0.1:0", answer, Some(acceptor)).await
    }

    async fn start(address: &str, answer: Answer, tls: Option<TlsAcceptor>) -> Self {
        let listener = TcpListener::bind(address).await.unwrap();
        let address = listener.local_addr().unwrap();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&requests);
        let mut task = JoinSet::new();
        task.spawn(async move {
            let mut connections = JoinSet::new();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let (seen, answer, tls) = (Arc::clone(&seen), answer.clone(), tls.clone());
                connections.spawn(async move {
                    match tls {
                        None => serve(stream, &answer, &seen).await,
                        Some(acceptor) => {
                            // A client that refuses the certificate is what some tests are about.
                            if let Ok(stream) = acceptor.accept(stream).await {
                                serve(stream, &answer, &seen).await;
                            }
                        }
                    }
                });
            }
        });
        Self { address, requests, _task: task }
    }

    pub(crate) fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }

    /// Its address as a URL.
    pub(crate) fn url(&self, scheme: Scheme) -> Target {
        Target::parse(&format!("{scheme}://{}/document", self.address)).unwrap()
    }
}

async fn serve<S: AsyncRead + AsyncWrite + Unpin>(mut stream: S, answer: &Answer, seen: &Mutex<Vec<String>>) {
    let Some(request) = read_request(&mut stream).await else {
        return;
    };
    seen.lock().unwrap().push(request);
    // A client that leaves in the middle of an answer is what several tests are about, so that errors only end this.
    match answer {
        Answer::Bytes(bytes) => {
            if stream.write_all(bytes).await.is_ok() {
                let _ = stream.shutdown().await;
            }
        }
        Answer::Drip(bytes) => {
            let mut left = stream.write_all(bytes).await.is_err();
            let mut tick = tokio::time::interval(Duration::from_millis(5));
            while !left {
                tick.tick().await;
                left = stream.write_all(b"x").await.is_err() || stream.flush().await.is_err();
            }
        }
        Answer::Silence => {
            let _ = stream.read(&mut [0]).await;
        }
    }
}

/// Head and body of one request, `None` if the client left before its end.
async fn read_request<S: AsyncRead + Unpin>(stream: &mut S) -> Option<String> {
    let mut bytes = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length =
                head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse::<usize>().ok()).unwrap_or(0);
            if body.len() >= length {
                return Some(text);
            }
        }
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    }
}

/// A certificate authority.
pub(crate) struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    pub(crate) fn new() -> Self {
        let mut parameters = CertificateParams::new(Vec::new()).unwrap();
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self(CertifiedIssuer::self_signed(parameters, KeyPair::generate().unwrap()).unwrap())
    }

    pub(crate) fn pem(&self) -> String {
        self.0.pem()
    }

    pub(crate) fn roots(&self) -> TrustRoots {
        TrustRoots::only(self.pem().as_bytes()).unwrap()
    }

    /// A TLS server with a certificate for one name or address.
    pub(crate) fn acceptor(&self, name: &str) -> TlsAcceptor {
        let key = KeyPair::generate().unwrap();
        let certificate = CertificateParams::new(vec![name.to_owned()]).unwrap().signed_by(&key, &self.0).unwrap();
        let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
        let configuration =
            ServerConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
                .with_safe_default_protocol_versions()
                .unwrap()
                .with_no_client_auth()
                .with_single_cert(vec![certificate.der().clone()], key)
                .unwrap();
        TlsAcceptor::from(Arc::new(configuration))
    }
}

/// Patient enough for a loaded machine, where nothing is expected to take long.
pub(crate) const LIMITS: FetchLimits =
    FetchLimits { total: Duration::from_secs(30), connect: Duration::from_secs(10), max_body: 1024 };

/// A policy that opens `cidr` for one scheme.
pub(crate) fn allowing(cidr: &str, scheme: Scheme) -> DialPolicy {
    DialPolicy { allow: vec![Allowance { cidr: cidr.parse().unwrap(), scheme }], deny: Vec::new() }
}

pub(crate) fn fetcher(policy: DialPolicy, resolver: Arc<dyn Resolve>, limits: FetchLimits) -> Fetcher {
    Fetcher::new(Dialer::new(policy, resolver, &Authority::new().roots()), limits)
}

/// GETs a server on loopback that an allowance opens for plain http.
pub(crate) async fn get_plain(server: &Server, limits: FetchLimits) -> Result<Fetched, FetchError> {
    fetcher(allowing("127.0.0.0/8", Scheme::Http), Scripted::new(&[]), limits)
        .get(&server.url(Scheme::Http), "application/json")
        .await
}
