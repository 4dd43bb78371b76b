//! Who is believed, over real sockets.

use super::{MutualTls, ReportBook, ReportError, ReportSource as _, ReportTarget};
use crate::authority::{Authority, fresh_authority};
use jiff::Timestamp;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tollward_policy::report::{ProviderReport, Report};

const NAME: &str = "catalog-tollward.shop.svc";

fn report(ready: bool) -> Report {
    Report {
        reader: 1,
        digest: "sha256:00".into(),
        generation: 1,
        rejected: None,
        restart_required: false,
        unready: Vec::new(),
        routes: Vec::new(),
        providers: vec![ProviderReport {
            name: "shop/idp".into(),
            ready,
            keys: Vec::new(),
            last_fetch: None,
            last_error: None,
            introspection_error: None,
        }],
        limit_stores: Vec::new(),
        sealing: None,
    }
}

/// A pod that has a certificate of `own` and believes clients of `believed`.
async fn pod(own: &Authority, believed: &Authority, answer: String) -> u16 {
    let issued = own.issue_server(&[NAME.to_owned()], Timestamp::now()).unwrap();
    let chain = vec![CertificateDer::from_pem_slice(issued.chain.as_bytes()).unwrap()];
    let key = PrivateKeyDer::from_pem_slice(issued.private_key.as_bytes()).unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(believed.certificate().as_bytes()).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider.clone()).build().unwrap();
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_client_cert_verifier(verifier)
        .with_single_cert(chain, key)
        .unwrap();
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let Ok(mut stream) = TlsAcceptor::from(Arc::new(config)).accept(stream).await else {
            return;
        };
        let mut head = [0; 1024];
        let _ = stream.read(&mut head).await;
        let _ = stream.write_all(answer.as_bytes()).await;
        let _ = stream.shutdown().await;
    });
    port
}

fn answer(body: &str) -> String {
    format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}", body.len())
}

async fn ask(operator: &Arc<Authority>, port: u16, name: &str) -> Result<Report, ReportError> {
    let source = MutualTls::new(operator.clone(), "operator.test", Arc::new(Timestamp::now())).at_port(port);
    let target = ReportTarget { address: IpAddr::V4(Ipv4Addr::LOCALHOST), name: name.to_owned() };
    source.fetch(&target).await
}

#[tokio::test]
async fn a_sidecar_of_the_installation_is_believed() {
    let ours = Arc::new(fresh_authority());
    let port = pod(&ours, &ours, answer(&serde_json::to_string(&report(true)).unwrap())).await;
    assert_eq!(ask(&ours, port, NAME).await, Ok(report(true)));
}

#[tokio::test]
async fn a_pod_of_another_authority_or_another_server_is_not_believed() {
    let (ours, theirs) = (Arc::new(fresh_authority()), fresh_authority());
    let body = answer(&serde_json::to_string(&report(true)).unwrap());
    let port = pod(&theirs, &ours, body.clone()).await;
    assert!(matches!(ask(&ours, port, NAME).await, Err(ReportError::Unverified(_))));
    let port = pod(&ours, &ours, body.clone()).await;
    let other = ask(&ours, port, "other-tollward.shop.svc").await;
    assert!(matches!(other, Err(ReportError::Unverified(_))), "{other:?}");
    let port = pod(&ours, &theirs, body).await;
    let refused = ask(&ours, port, NAME).await;
    assert!(matches!(refused, Err(ReportError::Unverified(_))), "{refused:?}");
}

#[tokio::test]
async fn an_answer_that_is_no_report_is_told_from_silence() {
    let ours = Arc::new(fresh_authority());
    for body in
        [answer("{}"), "HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n".to_owned(), answer(&" ".repeat(2_000_000))]
    {
        let port = pod(&ours, &ours, body).await;
        let result = ask(&ours, port, NAME).await;
        assert!(matches!(result, Err(ReportError::Nonsense(_))), "{result:?}");
    }
    let closed = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap().local_addr().unwrap().port();
    assert!(matches!(ask(&ours, closed, NAME).await, Err(ReportError::Silent(_))));
}

#[test]
fn a_provider_is_told_about_what_changed_only() {
    let book = ReportBook::default();
    let (good, bad) = (report(true), report(false));
    assert_eq!(book.put("a", [("pod-1", &good)].into_iter()).providers.len(), 1, "first seen");
    assert!(book.put("a", [("pod-1", &good)].into_iter()).providers.is_empty(), "nothing new");
    assert_eq!(book.put("a", [("pod-1", &bad)].into_iter()).providers.len(), 1);
    assert_eq!(book.about("shop/idp")[0].0, "pod-1");
    assert!(!book.about("shop/idp")[0].1.ready);
    assert_eq!(book.put("a", std::iter::empty()).providers.len(), 1, "gone");
    assert!(book.about("shop/idp").is_empty());
}
