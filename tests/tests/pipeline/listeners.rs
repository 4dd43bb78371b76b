//! TLS of the public listener, and who may read the report.

use http::StatusCode;
use std::path::PathBuf;
use std::time::Duration;
use tollward_policy::config::ListenerTls;
use tollward_policy::operation::Era;
use tollward_tests::certificates::{Authority, Pair};
use tollward_tests::client::{Connection, Reply, TlsFailure, Trust, Wire};
use tollward_tests::config::{AUTHORITY, ConfigFile, PATH};
use tollward_tests::deadline::{eventually_within, within};
use tollward_tests::issuer::Health;
use tollward_tests::mcp::Call;
use tollward_tests::operator::{OPERATOR, Operator};
use tollward_tests::world::World;

fn files(file: &ConfigFile, name: &str, pair: &Pair) -> (PathBuf, PathBuf) {
    (file.beside(&format!("{name}.crt"), &pair.certificate), file.beside(&format!("{name}.key"), &pair.key))
}

async fn served_by_tls(authority: &Authority) -> World {
    let world = World::cold(Health::Good, |config, file| {
        let (certificate, private_key) = files(file, "public", &authority.issue(AUTHORITY));
        config.process.public.tls = ListenerTls::Files { certificate, private_key };
    })
    .await;
    world.sidecar.ready().await;
    world
}

async fn call_by_tls(world: &World, wire: Wire, trust: &Trust) -> Result<Reply, TlsFailure> {
    let connection = Connection::tls(wire, world.sidecar.public, AUTHORITY, trust).await?;
    let call = Call::tool(Era::Modern, "get_product").token(&world.token());
    let opened = within("an answer begins", connection.send_only(call.request(wire))).await.expect("an answer");
    Ok(opened.whole().await.expect("a whole answer"))
}

#[tokio::test]
async fn both_versions_of_http_are_served_by_tls() {
    let authority = Authority::new("public");
    let world = served_by_tls(&authority).await;
    let trust = Trust { authority: authority.certificate().to_owned(), client: None };
    for wire in Wire::ALL {
        let reply = call_by_tls(&world, wire, &trust).await.unwrap();
        assert_eq!(reply.status, StatusCode::OK);
    }
    let versions: Vec<_> = world.sidecar.records.closed().into_iter().map(|record| record.http.version).collect();
    assert_eq!(versions, ["HTTP/1.1", "HTTP/2.0"]);
    let stranger = Trust { authority: Authority::new("other").certificate().to_owned(), client: None };
    assert!(call_by_tls(&world, Wire::Http1, &stranger).await.is_err());
    world.end();
}

#[tokio::test]
async fn a_listener_with_tls_speaks_no_plain_http() {
    let world = served_by_tls(&Authority::new("public")).await;
    let request = format!("GET {PATH} HTTP/1.1\r\nHost: {AUTHORITY}\r\nConnection: close\r\n\r\n");
    let answer = tollward_tests::client::exchange(world.sidecar.public, request.as_bytes()).await;
    assert!(!answer.contains("HTTP/1.1"), "{answer}");
    assert_eq!(world.sidecar.records.count(), 0);
}

#[tokio::test]
async fn a_new_certificate_is_served_without_a_restart_and_a_bad_one_is_not() {
    let (old, new) = (Authority::new("old"), Authority::new("new"));
    let world = served_by_tls(&old).await;
    let (old_trust, new_trust) =
        [&old, &new].map(|authority| Trust { authority: authority.certificate().to_owned(), client: None }).into();
    let mut open = Connection::tls(Wire::Http2, world.sidecar.public, AUTHORITY, &old_trust).await.unwrap();
    let pair = new.issue(AUTHORITY);
    // The certificate without its key: the last good pair stays.
    world.sidecar.config.beside("public.crt", &pair.certificate);
    assert!(call_by_tls(&world, Wire::Http1, &old_trust).await.is_ok());
    world.sidecar.config.beside("public.key", &pair.key);
    eventually_within(Duration::from_secs(12), "the new certificate is served", async || {
        call_by_tls(&world, Wire::Http1, &new_trust).await.is_ok()
    })
    .await;
    assert!(call_by_tls(&world, Wire::Http2, &old_trust).await.is_err());
    let call = Call::tool(Era::Modern, "get_product").token(&world.token());
    let opened = open.send(call.request(Wire::Http2)).await.unwrap();
    assert_eq!(opened.status, StatusCode::OK, "open connections go on");
}

#[tokio::test]
async fn the_report_is_for_a_client_with_the_right_certificate_and_name_only() {
    let (operator, others) = (Operator::default(), Authority::new("others"));
    let world = World::cold(Health::Good, |config, file| operator.listen(&mut config.process, file)).await;
    world.sidecar.ready().await;
    let strangers = [
        None,
        Some(others.issue(OPERATOR)),
        Some(operator.servers.issue(OPERATOR)),
        Some(operator.operators.issue("workload.tollward.test")),
        Some(operator.operators.issue("evil.operator.tollward.test")),
    ];
    for client in strangers {
        assert!(operator.ask(&world.sidecar, client).await.is_err());
    }
    let report = operator.report(&world.sidecar).await;
    assert_eq!(
        (report.reader, report.generation, report.restart_required),
        (1, world.sidecar.config.current().generation, false)
    );
    assert_eq!((report.unready.len(), report.rejected), (0, None));
    assert_eq!(report.routes[0].server, "shop/catalog");
    assert_eq!((report.providers[0].name.as_str(), report.providers[0].ready), ("shop/idp", true));
    assert_eq!(report.providers[0].keys, ["key-1"]);
    assert_eq!(world.sidecar.records.count(), 0, "the report is no request of a client");
    world.end();
}

#[tokio::test]
async fn the_report_names_what_the_server_listed() {
    let operator = Operator::default();
    let world = World::cold(Health::Good, |config, file| operator.listen(&mut config.process, file)).await;
    world.sidecar.ready().await;
    world.upstream.set_tools(&["get_product", "drop_table"]);
    let list = Call::rpc(Era::Modern, "tools/list", serde_json::json!({})).token(&world.token());
    world.passed(Wire::Http1, &list).await;
    assert_eq!(operator.report(&world.sidecar).await.routes[0].seen, ["drop_table", "get_product"]);
    world.end();
}

#[tokio::test]
async fn the_probe_listener_answers_probes_and_nothing_else() {
    let world = World::start().await;
    assert_eq!(world.sidecar.probe("/livez").await.text(), "ok\n");
    assert_eq!(world.sidecar.probe("/readyz").await.text(), "ok\n");
    world.passed(Wire::Http1, &Call::tool(Era::Modern, "get_product").token(&world.token())).await;
    let metrics = world.sidecar.probe("/metrics").await;
    assert!(metrics.text().contains("tollward_decisions"), "{}", metrics.text());
    assert!(metrics.header("content-type").starts_with("text/plain"));
    for path in
        ["/", "/config", "/quitquitquit", "/v1/report", PATH, "/debug/pprof", "/.well-known/oauth-protected-resource"]
    {
        assert_eq!(world.sidecar.probe(path).await.status, StatusCode::NOT_FOUND, "{path}");
    }
    world.end();
}

#[tokio::test]
async fn the_public_listener_answers_neither_probes_nor_the_operator() {
    let world = World::start().await;
    let observe = world.sidecar.observe;
    for wire in Wire::ALL {
        for path in ["/metrics", "/livez", "/readyz", "/v1/report", "/config", "/quitquitquit", "/debug/pprof"] {
            let call = Call::bare(http::Method::GET, path);
            for authority in [AUTHORITY.to_owned(), observe.to_string(), "localhost".to_owned()] {
                let reply = world.send(wire, &call.clone().authority(&authority).token(&world.token())).await;
                assert_eq!(reply.status, StatusCode::NOT_FOUND, "{path} {authority}");
            }
        }
    }
    assert_eq!(world.upstream.count(), 0);
}

/// A greeting of that version, with suites of it and without extensions.
fn greeting(version: [u8; 2], suites: &[[u8; 2]]) -> Vec<u8> {
    let suites = suites.concat();
    let length = |bytes: &[u8]| u8::try_from(bytes.len()).expect("it is short");
    let hello = [&version[..], &[7; 32], &[0, 0, length(&suites)], &suites, &[1, 0]].concat();
    let handshake = [&[1, 0, 0, length(&hello)][..], &hello].concat();
    [&[0x16, 3, 1, 0, length(&handshake)][..], &handshake].concat()
}

#[tokio::test]
async fn versions_and_suites_of_tls_without_forward_secrecy_are_refused() {
    let world = served_by_tls(&Authority::new("public")).await;
    let ephemeral = [0xc0, 0x2f];
    for (what, bytes) in [
        ("SSL 3", greeting([3, 0], &[ephemeral])),
        ("TLS 1.0", greeting([3, 1], &[[0xc0, 0x13], [0, 0x2f]])),
        ("TLS 1.1", greeting([3, 2], &[[0xc0, 0x13], [0, 0x2f]])),
        ("keys exchanged by RSA", greeting([3, 3], &[[0, 0x9c], [0, 0x2f], [0, 0x3d]])),
        ("no suite", greeting([3, 3], &[])),
    ] {
        let answer = tollward_tests::client::exchange(world.sidecar.public, &bytes).await;
        // An alert, and no greeting in return.
        assert!(answer.starts_with('\u{15}'), "{what}: {answer:?}");
    }
    assert_eq!(world.sidecar.records.count(), 0);
}

#[tokio::test]
async fn a_tls_handshake_that_stops_is_ended() {
    let world = served_by_tls(&Authority::new("public")).await;
    let begun = greeting([3, 3], &[[0xc0, 0x2f]]);
    tokio::join!(
        tollward_tests::client::exchange(world.sidecar.public, b""),
        tollward_tests::client::exchange(world.sidecar.public, &begun[..begun.len() - 1]),
    );
    assert_eq!(world.sidecar.records.count(), 0);
}
