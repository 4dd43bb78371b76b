//! An egress proxy in this process, servers that connect through it, and the outside that they want to reach: the very code that
//! production runs, with names, records and time in the test's hands.

use crate::certificates::{Authority, Pair};
use crate::clock::TestClock;
use crate::deadline::within;
use crate::records::Records;
use futures_util::future::BoxFuture;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use serde_json::{Value, json};
use std::collections::{HashMap, VecDeque};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use tempfile::TempDir;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_rustls::client::TlsStream;
use tokio_rustls::{TlsAcceptor, TlsConnector};
use tollward_netguard::{Resolve, ResolveError};
use tollward_policy::egress::EgressIdentity;
use tollward_sidecar::run_egress::{EgressRunning, EgressSetup, start};
use tollward_telemetry::Telemetry;

/// What the proxy's certificate is for.
pub const PROXY: &str = "egress.shop.example.test";
/// A name that every server of the harness may connect to, on the outside's port.
pub const ALLOWED: &str = "api.example.test";

/// Names as a test wants them. What is not known does not exist.
#[derive(Default)]
pub struct Names {
    answers: Mutex<HashMap<String, VecDeque<Vec<IpAddr>>>>,
    asked: AtomicUsize,
}

impl Names {
    /// Answers in order, the last one for ever.
    pub fn set(&self, name: &str, answers: &[&[&str]]) {
        let parse = |answer: &&[&str]| answer.iter().map(|address| address.parse().expect("an address")).collect();
        let answers = answers.iter().map(parse).collect();
        self.answers.lock().unwrap_or_else(PoisonError::into_inner).insert(name.to_owned(), answers);
    }

    /// How often a name was looked up.
    pub fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

impl Resolve for Names {
    fn resolve<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<Vec<IpAddr>, ResolveError>> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        let mut answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        let answer = answers
            .get_mut(name)
            .and_then(|answers| if answers.len() > 1 { answers.pop_front() } else { answers.front().cloned() });
        Box::pin(async move { answer.ok_or_else(|| ResolveError::NotFound { name: name.to_owned() }) })
    }
}

/// A TLS server that gives back in capitals what it is sent, and counts who connects. Ends when dropped.
pub struct Outside {
    /// Where it is.
    pub address: SocketAddr,
    /// Vouches for it.
    pub authority: Authority,
    connections: Arc<AtomicUsize>,
    _task: JoinSet<()>,
}

impl Outside {
    /// On `127.0.0.2`, for [`ALLOWED`].
    pub async fn start() -> Self {
        let authority = Authority::new("the outside");
        let Pair { certificate, key } = authority.issue(ALLOWED);
        let chain = vec![CertificateDer::from_pem_slice(certificate.as_bytes()).expect("a certificate in PEM")];
        let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).expect("a key in PEM");
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("the library's own versions")
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .expect("a key that fits its certificate");
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind((Ipv4Addr::new(127, 0, 0, 2), 0)).await.expect("a port of loopback");
        let address = listener.local_addr().expect("a bound socket");
        let (connections, mut task) = (Arc::new(AtomicUsize::new(0)), JoinSet::new());
        let counted = Arc::clone(&connections);
        task.spawn(async move {
            let mut open = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                counted.fetch_add(1, Ordering::SeqCst);
                let acceptor = acceptor.clone();
                open.spawn(async move {
                    if let Ok(stream) = acceptor.accept(stream).await {
                        shout(stream).await;
                    }
                });
            }
        });
        Self { address, authority, connections, _task: task }
    }

    /// How many connections it has got.
    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

async fn shout(mut stream: impl AsyncRead + AsyncWrite + Unpin) {
    let mut buffer = vec![0; 1024];
    while let Ok(count @ 1..) = stream.read(&mut buffer).await {
        let said = buffer.get(..count).unwrap_or_default().to_ascii_uppercase();
        if stream.write_all(&said).await.is_err() {
            return;
        }
    }
    // Whoever said nothing more still hears that this was all.
    let _ = stream.shutdown().await;
}

/// A running egress proxy.
pub struct EgressProxy {
    /// Where sidecars connect.
    pub listen: SocketAddr,
    /// Where probes connect.
    pub observe: SocketAddr,
    /// Its audit records.
    pub records: Records,
    /// Names as it sees them.
    pub names: Arc<Names>,
    /// Vouches for the proxy and for servers.
    pub authority: Authority,
    /// Its time.
    pub clock: TestClock,
    folder: TempDir,
    config: Value,
    telemetry: Arc<Telemetry>,
    running: Option<EgressRunning>,
}

impl EgressProxy {
    /// A proxy at which the server `uid-catalog` may connect to [`ALLOWED`], which is at that address; changed as a test wants.
    pub async fn start(outside: SocketAddr, change: impl FnOnce(&mut Value)) -> Self {
        let folder = tempfile::tempdir().expect("a temporary directory");
        let authority = Authority::new("installation");
        let pair = authority.issue(PROXY);
        let file = |name: &str, content: &str| {
            let path = folder.path().join(name);
            std::fs::write(&path, content).expect("the directory is writable");
            path
        };
        let mut config = json!({
            "version": 1, "minReader": 1,
            "process": {
                "listen": "127.0.0.1:0", "observe": "127.0.0.1:0",
                "certificate": file("tls.crt", &pair.certificate), "privateKey": file("tls.key", &pair.key),
                "clientCa": file("ca.crt", authority.certificate()),
                "dial": {"allow": [{"cidr": "127.0.0.2/32", "scheme": "https"}]},
                "drainSeconds": 10,
                "limits": {
                    "maxConnections": 64, "maxConnectionsPerServer": 8, "headTimeoutSeconds": 10,
                    "connectTimeoutSeconds": 2, "idleSeconds": 60, "maxSeconds": 600
                }
            },
            "servers": [server("catalog", &[(ALLOWED, outside.port())])]
        });
        change(&mut config);
        let path = file("egress.json", &config.to_string());
        let (telemetry, _) = Telemetry::in_memory().expect("telemetry in memory");
        let (telemetry, records, names) = (Arc::new(telemetry), Records::default(), Arc::new(Names::default()));
        names.set(ALLOWED, &[&["127.0.0.2"]]);
        let clock = TestClock::default();
        let setup = EgressSetup {
            config: path,
            telemetry: telemetry.clone(),
            sinks: vec![Arc::new(records.clone())],
            clock: Arc::new(clock.clone()),
            resolver: names.clone(),
        };
        let running = start(setup).await.expect("the egress proxy starts");
        let (listen, observe) = (running.listen, running.observe);
        Self { listen, observe, records, names, authority, clock, folder, config, telemetry, running: Some(running) }
    }

    /// Replaces its file.
    pub fn change(&mut self, change: impl FnOnce(&mut Value)) {
        change(&mut self.config);
        self.write(&self.config.to_string());
    }

    /// Replaces its file by any text, in one step.
    pub fn write(&self, text: &str) {
        let path = self.folder.path().join("egress.json");
        std::fs::write(path.with_extension("next"), text).expect("the directory is writable");
        std::fs::rename(path.with_extension("next"), path).expect("a rename within the directory");
    }

    /// A file beside its own.
    pub fn beside(&self, name: &str, content: &str) -> PathBuf {
        let path = self.folder.path().join(name);
        std::fs::write(&path, content).expect("the directory is writable");
        path
    }

    /// The certificate of the server with this uid.
    pub fn certificate(&self, uid: &str) -> Pair {
        self.authority.issue_client(&EgressIdentity::server(uid).expect("a uid").uri())
    }

    /// A connection by mutual TLS as the server with this uid.
    pub async fn connect(&self, uid: &str) -> TlsStream<TcpStream> {
        self.connect_with(Some(&self.certificate(uid))).await.expect("the proxy takes the certificate")
    }

    /// A connection with any certificate or none. With TLS 1.3 a refusal shows only when something is read.
    pub async fn connect_with(&self, client: Option<&Pair>) -> std::io::Result<TlsStream<TcpStream>> {
        let stream = TcpStream::connect(self.listen).await?;
        tls(self.authority.certificate(), client).connect(name(PROXY), stream).await
    }

    /// What the proxy makes of a request for a tunnel by the server `uid-catalog`.
    pub async fn ask(&self, target: &str) -> Asked<TlsStream<TcpStream>> {
        ask(self.connect("uid-catalog").await, &connect_head(target)).await
    }

    /// Metrics as Prometheus reads them.
    pub fn metrics(&self) -> String {
        self.telemetry.prometheus_text()
    }

    /// Ends the process as SIGTERM would.
    pub fn drain(&mut self) -> impl Future<Output = ()> + Send + 'static {
        let running = self.running.take().expect("the process was not drained before");
        async move { within("the process ends", running.drain()).await }
    }
}

/// A server and its list, as they stand in the file.
pub fn server(name: &str, allow: &[(&str, u16)]) -> Value {
    let allow: Vec<_> = allow.iter().map(|(host, port)| json!({"host": host, "port": port})).collect();
    json!({"server": {"namespace": "shop", "name": name, "uid": format!("uid-{name}")}, "allow": allow})
}

/// A request for a tunnel as clients write it.
pub fn connect_head(target: &str) -> String {
    format!("CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n\r\n")
}

/// The answer to a request for a tunnel.
pub struct Asked<S> {
    /// Its status; 0 if the connection ended without an answer.
    pub status: u16,
    /// Its head.
    pub head: String,
    /// The connection, behind the head.
    pub stream: S,
}

impl<S: AsyncRead + Unpin> Asked<S> {
    /// The rest of the answer.
    pub async fn rest(mut self) -> String {
        let mut rest = Vec::new();
        // A connection that is cut has said what it said.
        let _ = within("the answer ends", self.stream.read_to_end(&mut rest)).await;
        String::from_utf8_lossy(&rest).into_owned()
    }
}

/// Sends a head, byte for byte, and reads that of the answer.
pub async fn ask<S: AsyncRead + AsyncWrite + Unpin>(mut stream: S, head: &str) -> Asked<S> {
    // Whoever refuses at once may not have read all of it.
    let _ = stream.write_all(head.as_bytes()).await;
    let _ = stream.flush().await;
    let mut answer = Vec::new();
    while !answer.ends_with(b"\r\n\r\n") {
        match within("an answer comes", stream.read_u8()).await {
            Ok(byte) => answer.push(byte),
            Err(_) => break,
        }
    }
    let head = String::from_utf8_lossy(&answer).into_owned();
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
    Asked { status, head, stream }
}

/// A TLS client that trusts one authority.
pub fn tls(authority: &str, client: Option<&Pair>) -> TlsConnector {
    let mut roots = RootCertStore::empty();
    roots
        .add(CertificateDer::from_pem_slice(authority.as_bytes()).expect("a certificate in PEM"))
        .expect("an authority");
    let builder = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("the library's own versions")
        .with_root_certificates(roots);
    let config = match client {
        None => builder.with_no_client_auth(),
        Some(Pair { certificate, key }) => {
            let chain = vec![CertificateDer::from_pem_slice(certificate.as_bytes()).expect("a certificate in PEM")];
            let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).expect("a key in PEM");
            builder.with_client_auth_cert(chain, key).expect("a key that fits its certificate")
        }
    };
    TlsConnector::from(Arc::new(config))
}

/// A name as TLS has it.
pub fn name(name: &str) -> ServerName<'static> {
    ServerName::try_from(name.to_owned()).expect("a DNS name")
}

/// Says something through a tunnel by TLS and hears it in capitals. The connection stays open.
pub async fn talk<S: AsyncRead + AsyncWrite + Unpin>(
    outside: &Outside,
    tunnel: S,
) -> std::io::Result<impl AsyncRead + AsyncWrite + Unpin + use<S>> {
    let mut stream = tls(outside.authority.certificate(), None).connect(name(ALLOWED), tunnel).await?;
    stream.write_all(b"hello").await?;
    stream.flush().await?;
    let mut heard = [0; 5];
    stream.read_exact(&mut heard).await?;
    assert_eq!(&heard, b"HELLO");
    Ok(stream)
}
