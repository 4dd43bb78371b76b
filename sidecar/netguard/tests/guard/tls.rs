//! Who may answer for a name, and what an outsider learns when nobody does.

use crate::support::{Answer, Authority, LIMITS, Mute, Scripted, Server, allowing, fetcher};
use std::collections::BTreeSet;
use std::time::Duration;
use tokio::net::TcpListener;
use tollward_netguard::{
    DialError, DialPolicy, Dialer, FetchError, FetchLimits, Fetched, Fetcher, ResolveError, Scheme, Target, TrustError,
    TrustRoots,
};

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}";

async fn get(server: &Server, host: &str, roots: &TrustRoots) -> Result<Fetched, FetchError> {
    let dialer = Dialer::new(allowing("127.0.0.1/32", Scheme::Https), Scripted::new(&[&["127.0.0.1"]]), roots);
    let target = Target::parse(&format!("https://{host}:{}/", server.address.port())).unwrap();
    Fetcher::new(dialer, LIMITS).get(&target, "application/json").await
}

#[tokio::test]
async fn a_server_is_believed_only_with_a_trusted_certificate_for_its_name() {
    let authority = Authority::new();
    let server = Server::tls(Answer::text(OK), authority.acceptor("idp.example")).await;
    let added = TrustRoots::system(Some(authority.pem().as_bytes())).unwrap();

    for roots in [&added, &authority.roots()] {
        let fetched = get(&server, "idp.example", roots).await.unwrap();
        assert_eq!(&fetched.body[..], b"{}");
        assert_eq!(get(&server, "idp.example.", roots).await.unwrap(), fetched);
    }
    assert_eq!(server.requests().len(), 4);

    for (host, roots) in [("idp.example", &Authority::new().roots()), ("other.example", &added), ("127.0.0.1", &added)]
    {
        let error = get(&server, host, roots).await.unwrap_err();
        assert!(matches!(error, FetchError::Dial(DialError::Tls { .. })), "{host}: {error}");
        assert!(!error.is_denied());
    }
    assert_eq!(server.requests().len(), 4, "no request went to a server without a proven name");
}

#[tokio::test]
async fn a_certificate_for_an_address_is_believed_for_that_address() {
    let authority = Authority::new();
    let server = Server::tls(Answer::text(OK), authority.acceptor("127.0.0.1")).await;
    assert!(get(&server, "127.0.0.1", &authority.roots()).await.is_ok());
}

#[test]
fn a_bundle_without_certificates_is_refused() {
    let broken = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    let half = Authority::new().pem() + broken;
    for pem in ["", "no certificate", broken, &half] {
        for roots in [TrustRoots::only(pem.as_bytes()), TrustRoots::system(Some(pem.as_bytes()))] {
            assert!(matches!(roots, Err(TrustError::Bundle { .. })), "{pem}");
        }
    }
}

#[tokio::test]
async fn a_lookup_that_never_ends_is_cut_at_the_connect_limit() {
    let limits = FetchLimits { connect: Duration::from_millis(50), ..LIMITS };
    let target = Target::parse("https://idp.example/").unwrap();
    let error = fetcher(DialPolicy::strict(), std::sync::Arc::new(Mute), limits).get(&target, "*/*").await.unwrap_err();
    assert!(matches!(error, FetchError::Dial(DialError::Resolve(ResolveError::Timeout { .. }))), "{error}");
}

#[tokio::test]
async fn a_handshake_that_never_ends_is_cut_at_the_connect_limit() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let limits = FetchLimits { connect: Duration::from_millis(50), ..LIMITS };
    let target = Target::parse(&format!("https://{}/", listener.local_addr().unwrap())).unwrap();
    let fetcher = fetcher(allowing("127.0.0.1/32", Scheme::Https), Scripted::new(&[]), limits);
    let error = fetcher.get(&target, "*/*").await.unwrap_err();
    assert!(matches!(error, FetchError::Dial(DialError::Tls { .. })), "{error}");
}

#[tokio::test]
async fn a_refusing_address_is_passed_over_for_the_next_one_of_the_same_answer() {
    let authority = Authority::new();
    let server = Server::tls(Answer::text(OK), authority.acceptor("idp.example")).await;
    let resolver = Scripted::new(&[&["127.0.0.3", "127.0.0.1"]]);
    let dialer = Dialer::new(allowing("127.0.0.0/8", Scheme::Https), resolver, &authority.roots());
    let target = Target::parse(&format!("https://idp.example:{}/", server.address.port())).unwrap();
    assert!(Fetcher::new(dialer, LIMITS).get(&target, "*/*").await.is_ok());
}

#[tokio::test]
async fn an_outsider_can_not_tell_denied_from_closed_from_unverified() {
    let closed = {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        listener.local_addr().unwrap().port()
    };
    let plain = Server::plain(Answer::text(OK)).await;
    let redirecting = Server::plain(Answer::text("HTTP/1.1 302 Found\r\nContent-Length: 0\r\n\r\n")).await;
    let unverified = Server::tls(Answer::text(OK), Authority::new().acceptor("127.0.0.1")).await;
    let mut policy = allowing("127.0.0.0/8", Scheme::Https);
    policy.allow.extend(allowing("127.0.0.0/8", Scheme::Http).allow);
    // The server without TLS waits for the end of a request that is none, until the handshake is given up.
    let limits = FetchLimits { connect: Duration::from_secs(1), ..LIMITS };
    let fetcher = fetcher(policy, Scripted::new(&[&["127.0.0.1", "10.0.0.1"], &[]]), limits);

    let mut public = BTreeSet::new();
    let mut detailed = BTreeSet::new();
    for url in [
        format!("https://127.0.0.1:{closed}/"),
        format!("https://{}/", plain.address),
        format!("https://{}/", unverified.address),
        format!("http://{}/", redirecting.address),
        "https://mixed.example/".to_owned(),
        "https://empty.example/".to_owned(),
        "https://10.0.0.1/".to_owned(),
    ] {
        let error = fetcher.get(&Target::parse(&url).unwrap(), "*/*").await.unwrap_err();
        public.insert(error.public_message());
        detailed.insert(error.to_string());
    }
    assert_eq!(public.len(), 1, "{public:?}");
    assert_eq!(detailed.len(), 7, "the operator's log tells them apart: {detailed:?}");
}
