//! What the root keys promise.

use super::{DEFAULT_PERIOD, Epoch, root};
use ::aws_lc_rs::signature::Ed25519KeyPair;
use jiff::Timestamp;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier as _;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, crypto::aws_lc_rs};
use std::sync::Arc;
use std::time::Duration;

fn now() -> Timestamp {
    Timestamp::from_second(1_800_000_000).unwrap()
}

fn roots(pem: &str) -> Arc<RootCertStore> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(pem.as_bytes()).unwrap()).unwrap();
    Arc::new(roots)
}

#[test]
fn keys_of_two_servers_epochs_and_purposes_differ_and_are_always_the_same() {
    let authority = root::fresh(now(), DEFAULT_PERIOD);
    let key = |uid: &str, epoch| authority.session_key(uid, Epoch(epoch)).unwrap();
    assert_eq!(key("a", 1), key("a", 1));
    assert_ne!(key("a", 1), key("b", 1));
    assert_ne!(key("a", 1), key("a", 2));
    assert_ne!(key("a", 1), root::fresh(now(), DEFAULT_PERIOD).session_key("a", Epoch(1)).unwrap());
}

#[test]
fn keys_of_assertions_are_pairs_and_nothing_else_has_them() {
    let authority = root::fresh(now(), DEFAULT_PERIOD);
    let private = |uid: &str, epoch| authority.assertion_key(uid, Epoch(epoch)).unwrap();
    let public = |uid: &str, epoch| authority.assertion_public_key(uid, Epoch(epoch)).unwrap();
    assert_eq!(private("a", 1), private("a", 1));
    assert_ne!(private("a", 1), authority.session_key("a", Epoch(1)).unwrap(), "another purpose");
    for (uid, epoch) in [("b", 1), ("a", 2)] {
        assert_ne!(private("a", 1), private(uid, epoch));
        assert_ne!(public("a", 1), public(uid, epoch));
    }
    let pair = Ed25519KeyPair::from_seed_and_public_key(private("a", 1).as_slice(), &public("a", 1));
    pair.unwrap();
}

#[test]
fn a_name_depends_on_everything_that_the_secret_holds() {
    let authority = root::fresh(now(), DEFAULT_PERIOD);
    let name = |uid: &str, epoch, content: &str| authority.unforeseeable(uid, Epoch(epoch), content).unwrap();
    assert_eq!(name("a", 1, "x"), name("a", 1, "x"));
    assert_eq!(name("a", 1, "x").len(), 10);
    for other in [name("b", 1, "x"), name("a", 2, "x"), name("a", 1, "y")] {
        assert_ne!(name("a", 1, "x"), other);
    }
}

#[test]
fn epochs_follow_each_other_and_servers_change_at_different_times() {
    let authority = root::fresh(now(), Duration::from_secs(1000));
    let first = authority.epoch("11f0", now());
    let next = authority.epoch("11f0", now() + Duration::from_secs(1000));
    assert_eq!(next.0, first.0 + 1);
    let changes = |uid: &str| {
        let start = authority.epoch(uid, now());
        (0..1000).find(|second| authority.epoch(uid, now() + Duration::from_secs(*second)) != start)
    };
    assert_ne!(changes("11f0"), changes("22f1"));
}

#[test]
fn issued_certificates_are_vouched_for_by_the_authority_and_name_their_hosts() {
    let authority = root::fresh(now(), DEFAULT_PERIOD);
    let names = ["catalog-tollward.shop.svc".to_owned(), "10.0.0.1".to_owned()];
    let issued = authority.issue_server(&names, now()).unwrap();
    let leaf = CertificateDer::from_pem_slice(issued.chain.as_bytes()).unwrap();
    let verifier = WebPkiServerVerifier::builder_with_provider(
        roots(authority.certificate()),
        Arc::new(aws_lc_rs::default_provider()),
    )
    .build()
    .unwrap();
    let judge = |name: &str, days: u64| {
        let name = ServerName::try_from(name.to_owned()).unwrap();
        let seconds = u64::try_from(now().as_second()).unwrap() + days * 86_400;
        let time = UnixTime::since_unix_epoch(Duration::from_secs(seconds));
        verifier.verify_server_cert(&leaf, &[], &name, &[], time).is_ok()
    };
    assert!(judge("catalog-tollward.shop.svc", 0) && judge("10.0.0.1", 89));
    assert!(!judge("other-tollward.shop.svc", 0), "another name");
    assert!(!judge("catalog-tollward.shop.svc", 91), "expired");
}

#[test]
fn a_server_certificate_is_no_client_certificate() {
    let authority = root::fresh(now(), DEFAULT_PERIOD);
    let provider = Arc::new(aws_lc_rs::default_provider());
    let verifier =
        WebPkiClientVerifier::builder_with_provider(roots(authority.certificate()), provider).build().unwrap();
    let time = UnixTime::since_unix_epoch(Duration::from_secs(u64::try_from(now().as_second()).unwrap()));
    let judge = |pem: &str| {
        let leaf = CertificateDer::from_pem_slice(pem.as_bytes()).unwrap();
        verifier.verify_client_cert(&leaf, &[], time).is_ok()
    };
    assert!(judge(&authority.issue_client("operator.tollward", now()).unwrap().chain));
    assert!(!judge(&authority.issue_server(&["a.example".to_owned()], now()).unwrap().chain));
}

#[test]
fn nothing_secret_is_printed() {
    let authority = root::fresh(now(), DEFAULT_PERIOD);
    let issued = authority.issue_client("operator.tollward", now()).unwrap();
    let printed = format!("{authority:?} {issued:?}");
    assert!(!printed.contains("KEY") && !printed.contains('['), "{printed}");
}
