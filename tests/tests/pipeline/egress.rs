//! The egress proxy on real sockets: which server may connect where, what it must show, and that nothing goes out otherwise.

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tollward_policy::reason::Reason;
use tollward_sidecar::audit::{Ended, Record};
use tollward_tests::certificates::Authority;
use tollward_tests::client::{Connection, Wire};
use tollward_tests::config::AUTHORITY;
use tollward_tests::deadline::{eventually, within};
use tollward_tests::egress::{ALLOWED, EgressProxy, Outside, ask, connect_head, name, server, talk, tls};
use tollward_tests::mcp::Call;

async fn stage(change: impl FnOnce(&mut Value)) -> (Outside, EgressProxy) {
    let outside = Outside::start().await;
    let proxy = EgressProxy::start(outside.address, change).await;
    (outside, proxy)
}

fn target(outside: &Outside) -> String {
    format!("{ALLOWED}:{}", outside.address.port())
}

/// The one record, which must be of a refusal for that reason.
async fn refused(proxy: &EgressProxy, count: usize, reason: Reason) -> Record {
    let record = proxy.records.wait_for(count).await;
    assert_eq!((record.decision.allowed, record.decision.reason), (false, reason), "{record:#?}");
    record
}

#[tokio::test]
async fn a_permitted_tunnel_carries_tls_and_leaves_one_record() {
    let (outside, proxy) = stage(|_| {}).await;
    let asked = proxy.ask(&target(&outside)).await;
    assert_eq!(asked.status, 200, "{}", asked.head);
    let mut stream = talk(&outside, asked.stream).await.unwrap();
    assert!(proxy.metrics().contains("tollward_egress_tunnels"), "{}", proxy.metrics());
    assert_eq!(proxy.records.intents().len(), 1, "the intent is known before the first byte goes out");
    stream.shutdown().await.unwrap();
    let mut rest = Vec::new();
    within("the other side ends too", stream.read_to_end(&mut rest)).await.unwrap();
    drop(stream);
    let record = proxy.records.wait_for(1).await;
    assert!(record.decision.allowed);
    assert_eq!(record.decision.rule.as_deref(), Some(target(&outside).as_str()));
    assert_eq!(record.server.as_ref().map(|server| server.name.as_str()), Some("catalog"));
    let tunnel = record.tunnel.unwrap();
    assert_eq!((tunnel.to, tunnel.address.as_deref()), (target(&outside), Some(&*outside.address.to_string())));
    let outcome = record.outcome.unwrap();
    assert_eq!((outcome.status, outcome.ended), (Some(200), Ended::Complete));
    assert!(tunnel.bytes_up > 200 && outcome.bytes_out > 200, "both ways are counted");
}

#[tokio::test]
async fn what_is_not_listed_is_refused_and_neither_looked_up_nor_dialled() {
    let (outside, proxy) = stage(|_| {}).await;
    let port = outside.address.port();
    let other = if port == 443 { 444 } else { 443 };
    for (count, to) in [
        format!("other.example.test:{port}"),
        format!("{ALLOWED}.evil.test:{port}"),
        format!("evil-{ALLOWED}:{port}"),
        format!("{ALLOWED}:{other}"),
    ]
    .iter()
    .enumerate()
    {
        let asked = proxy.ask(to).await;
        assert_eq!(asked.status, 403, "{to}: {}", asked.head);
        assert!(asked.head.contains("proxy-status: tollward; error=http_request_denied"), "{}", asked.head);
        let text = asked.rest().await;
        assert!(text.contains("egress_not_allowed") && text.contains("spec.egress.allow"), "{text}");
        let record = refused(&proxy, count + 1, Reason::EgressNotAllowed).await;
        assert_eq!(record.tunnel.map(|tunnel| tunnel.to), Some(to.clone()));
        assert!(record.server.is_some(), "the record says which server it was");
    }
    assert_eq!((proxy.names.asked(), outside.connections()), (0, 0));
}

#[tokio::test]
async fn an_address_or_another_method_or_an_ambiguous_request_is_refused_and_recorded() {
    let (outside, proxy) = stage(|_| {}).await;
    let (port, good) = (outside.address.port(), target(&outside));
    let heads = [
        (400, Reason::RequestMalformed, connect_head(&format!("127.0.0.2:{port}"))),
        (400, Reason::RequestMalformed, connect_head(&format!("[::ffff:127.0.0.2]:{port}"))),
        (400, Reason::RequestMalformed, connect_head(ALLOWED)),
        (400, Reason::RequestMalformed, format!("CONNECT {good} HTTP/1.1\r\nHost: other.example.test:{port}\r\n\r\n")),
        (
            400,
            Reason::RequestMalformed,
            format!("CONNECT {good} HTTP/1.1\r\nHost: {good}\r\nContent-Length: 5\r\n\r\nhello"),
        ),
        (400, Reason::RequestMalformed, format!("CONNECT {good} HTTP/1.0\r\nHost: {good}\r\n\r\n")),
        (405, Reason::MethodNotAllowed, format!("GET http://{ALLOWED}/ HTTP/1.1\r\nHost: {ALLOWED}\r\n\r\n")),
        (405, Reason::MethodNotAllowed, format!("GET https://{good}/ HTTP/1.1\r\nHost: {good}\r\n\r\n")),
        (405, Reason::MethodNotAllowed, "GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n".to_owned()),
    ];
    for (count, (status, reason, head)) in heads.iter().enumerate() {
        let asked = ask(proxy.connect("uid-catalog").await, head).await;
        assert_eq!(asked.status, *status, "{head}: {}", asked.head);
        refused(&proxy, count + 1, *reason).await;
    }
    assert_eq!((proxy.names.asked(), outside.connections()), (0, 0));
}

#[tokio::test]
async fn who_shows_no_certificate_of_a_server_gets_no_connection() {
    let (outside, proxy) = stage(|_| {}).await;
    let stranger = Authority::new("installation");
    let uri = "tollward://mcpserver/uid-catalog/server";
    let certificates = [
        None,
        Some(proxy.authority.issue("operator.tollward-system.tollward.dev")),
        Some(proxy.authority.issue_client("tollward://mcpserver/uid-catalog/sidecar")),
        Some(proxy.authority.issue_client("https://example.test/uid-catalog")),
        Some(stranger.issue_client(uri)),
        Some(tollward_tests::certificates::self_signed("uid-catalog.example.test")),
    ];
    for certificate in certificates {
        if let Ok(stream) = proxy.connect_with(certificate.as_ref()).await {
            let asked = ask(stream, &connect_head(&target(&outside))).await;
            assert_eq!(asked.status, 0, "{}", asked.head);
        }
    }
    assert_eq!(proxy.records.count(), 0, "nothing was asked");
    let certificate = proxy.authority.issue_client(uri);
    let stream = proxy.connect_with(Some(&certificate)).await.unwrap();
    assert_eq!(ask(stream, &connect_head(&target(&outside))).await.status, 200);
}

#[tokio::test]
async fn each_server_has_its_own_list_and_who_has_none_may_nowhere() {
    let (outside, proxy) = stage(|config| {
        config["servers"].as_array_mut().unwrap().push(server("billing", &[("*.billing.test", 443)]));
        config["servers"].as_array_mut().unwrap().push(server("idle", &[]));
    })
    .await;
    for (count, uid) in ["uid-billing", "uid-idle", "uid-stranger"].into_iter().enumerate() {
        let asked = ask(proxy.connect(uid).await, &connect_head(&target(&outside))).await;
        assert_eq!(asked.status, 403, "{uid}");
        let record = refused(&proxy, count + 1, Reason::EgressNotAllowed).await;
        assert_eq!(record.server.is_some(), uid != "uid-stranger");
    }
    assert_eq!(outside.connections(), 0);
}

#[tokio::test]
async fn whatever_keeps_a_name_from_being_reached_the_answer_is_the_same_and_the_record_says_what() {
    let (outside, proxy) = stage(|config| {
        let port = config["servers"][0]["allow"][0]["port"].clone();
        config["servers"][0]["allow"] = json!([
            {"host": "private.example.test", "port": port}, {"host": "metadata.example.test", "port": port},
            {"host": "mixed.example.test", "port": port}, {"host": "missing.example.test", "port": port},
            {"host": "mapped.example.test", "port": port}, {"host": "closed.example.test", "port": 1},
        ]);
    })
    .await;
    let port = outside.address.port();
    for (host, addresses) in [
        ("private", &["127.0.0.1"][..]),
        ("metadata", &["169.254.169.254"]),
        ("mixed", &["127.0.0.2", "10.0.0.1"]),
        ("mapped", &["::ffff:127.0.0.2"]),
        ("closed", &["127.0.0.2"]),
    ] {
        proxy.names.set(&format!("{host}.example.test"), &[addresses]);
    }
    let mut told = Vec::new();
    for (count, (host, port, said)) in [
        ("private", port, "loopback address"),
        ("metadata", port, "cloud-metadata"),
        ("mixed", port, "private address"),
        ("mapped", port, "v4-mapped"),
        ("missing", port, "does not exist"),
        ("closed", 1, "takes no connection"),
    ]
    .into_iter()
    .enumerate()
    {
        let asked = proxy.ask(&format!("{host}.example.test:{port}")).await;
        assert_eq!(asked.status, 502, "{host}");
        let record = refused(&proxy, count + 1, Reason::EgressUnreachable).await;
        let detail = record.decision.detail.unwrap();
        assert!(detail.contains(said), "{host}: {detail}");
        let text = asked.rest().await;
        told.push(text.replace(&record.id, "ID"));
    }
    assert!(told.windows(2).all(|pair| pair[0] == pair[1]), "{told:#?}");
    assert!(!told[0].contains("127.") && !told[0].contains("private.example"), "{}", told[0]);
    assert_eq!(outside.connections(), 0);
}

#[tokio::test]
async fn a_name_that_rebinds_is_looked_up_once_and_the_judged_address_is_dialled() {
    let (outside, proxy) = stage(|_| {}).await;
    proxy.names.set(ALLOWED, &[&["127.0.0.2"], &["127.0.0.1"]]);
    let asked = proxy.ask(&target(&outside)).await;
    assert_eq!((asked.status, proxy.names.asked()), (200, 1));
    let _stream = talk(&outside, asked.stream).await.unwrap();
    let again = proxy.ask(&target(&outside)).await;
    assert_eq!((again.status, outside.connections()), (502, 1), "the second answer is judged anew");
}

#[tokio::test]
async fn nothing_goes_out_that_is_not_tls_for_the_very_name() {
    let (outside, proxy) = stage(|_| {}).await;
    let cases: [(&str, Option<&str>); 3] = [
        ("ClientHello names `other.example.test`", Some("other.example.test")),
        ("names no host", Some("192.0.2.1")),
        ("no ClientHello", None),
    ];
    for (count, (said, sni)) in cases.into_iter().enumerate() {
        let asked = proxy.ask(&target(&outside)).await;
        assert_eq!(asked.status, 200, "the name is known only by then");
        if let Some(sni) = sni {
            let failed = tls(outside.authority.certificate(), None).connect(name(sni), asked.stream).await;
            let error = failed.expect_err("the tunnel is shut").to_string();
            assert!(error.contains("UnrecognisedName"), "the client hears why: {error}");
        } else {
            let mut stream = asked.stream;
            stream.write_all(b"GET / HTTP/1.1\r\nHost: internal\r\n\r\n").await.unwrap();
            let mut rest = Vec::new();
            let _ = within("the tunnel is shut", stream.read_to_end(&mut rest)).await;
        }
        let record = refused(&proxy, count + 1, Reason::EgressNameMismatch).await;
        let detail = record.decision.detail.clone().unwrap();
        assert!(detail.contains(said), "{detail}");
        assert_eq!(record.outcome.unwrap().bytes_out, 0);
    }
}

#[tokio::test]
async fn a_server_has_so_many_connections_and_gets_them_back() {
    let (outside, proxy) = stage(|config| {
        config["process"]["limits"]["maxConnectionsPerServer"] = json!(2);
        config["servers"].as_array_mut().unwrap().push(server("billing", &[]));
    })
    .await;
    let (first, second) = (proxy.ask(&target(&outside)).await, proxy.ask(&target(&outside)).await);
    assert_eq!((first.status, second.status), (200, 200));
    assert_eq!(proxy.ask(&target(&outside)).await.status, 503);
    refused(&proxy, 1, Reason::ConcurrencyLimited).await;
    let other = ask(proxy.connect("uid-billing").await, &connect_head(&target(&outside))).await;
    assert_eq!(other.status, 403, "another server is not held up");
    drop(first);
    eventually("the place comes back", async || proxy.ask(&target(&outside)).await.status == 200).await;
}

#[tokio::test]
async fn a_silent_tunnel_ends() {
    let (outside, proxy) = stage(|config| config["process"]["limits"]["idleSeconds"] = json!(1)).await;
    let asked = proxy.ask(&target(&outside)).await;
    let mut stream = talk(&outside, asked.stream).await.unwrap();
    let mut rest = Vec::new();
    let _ = within("the tunnel ends", stream.read_to_end(&mut rest)).await;
    assert_eq!(proxy.records.wait_for(1).await.outcome.unwrap().ended, Ended::Idle);
}

#[tokio::test]
async fn a_list_that_shrinks_ends_the_tunnels_that_it_no_longer_permits_and_a_bad_file_changes_nothing() {
    let (outside, mut proxy) = stage(|_| {}).await;
    let asked = proxy.ask(&target(&outside)).await;
    let mut stream = talk(&outside, asked.stream).await.unwrap();
    proxy.change(|config| config["servers"].as_array_mut().unwrap().push(server("billing", &[("a.test", 443)])));
    eventually("the new list is in force", async || {
        let asked = ask(proxy.connect("uid-billing").await, &connect_head("a.test:443")).await;
        asked.status == 502
    })
    .await;
    stream.write_all(b"still").await.unwrap();
    let mut heard = [0; 5];
    within("it lives on", stream.read_exact(&mut heard)).await.unwrap();
    proxy.change(|config| config["servers"][0]["allow"] = json!([]));
    let mut rest = Vec::new();
    let _ = within("the tunnel ends", stream.read_to_end(&mut rest)).await;
    eventually("its record says why", async || {
        proxy.records.closed().iter().any(|record| {
            record.outcome.as_ref().is_some_and(|outcome| outcome.ended == Ended::Revoked)
                && record.decision.reason == Reason::EgressNotAllowed
        })
    })
    .await;
    assert_eq!(proxy.ask(&target(&outside)).await.status, 403);
}

#[tokio::test]
async fn lists_that_can_not_be_read_keep_the_last_good_ones_until_they_are_too_old() {
    let (outside, mut proxy) = stage(|_| {}).await;
    let probe = async |proxy: &EgressProxy| {
        let call = Call::bare(http::Method::GET, "/readyz").authority(AUTHORITY);
        let opened = Connection::plain(Wire::Http1, proxy.observe).await.send_only(call.request(Wire::Http1)).await;
        opened.expect("the probe listener answers").whole().await.expect("a whole answer").status.as_u16()
    };
    assert_eq!(probe(&proxy).await, 200);
    proxy.write("{\"version\": 1}");
    assert_eq!(proxy.ask(&target(&outside)).await.status, 200);
    eventually("it is not ready once they are too old", async || {
        proxy.clock.advance(601);
        probe(&proxy).await == 503
    })
    .await;
    assert_eq!(proxy.ask(&target(&outside)).await.status, 503);
    proxy.change(|_| {});
    eventually("a good file is taken", async || proxy.ask(&target(&outside)).await.status == 200).await;
}

#[tokio::test]
async fn a_process_that_ends_lets_tunnels_end() {
    let (outside, mut proxy) = stage(|config| config["process"]["drainSeconds"] = json!(1)).await;
    let asked = proxy.ask(&target(&outside)).await;
    let mut stream = talk(&outside, asked.stream).await.unwrap();
    let draining = tokio::spawn(proxy.drain());
    let listen = proxy.listen;
    eventually("no new connection is accepted", async || tokio::net::TcpStream::connect(listen).await.is_err()).await;
    stream.write_all(b"last!").await.unwrap();
    let mut heard = [0; 5];
    within("what is under way goes on", stream.read_exact(&mut heard)).await.unwrap();
    within("the process ends", draining).await.unwrap();
    assert_eq!(proxy.records.wait_for(1).await.outcome.unwrap().ended, Ended::Draining);
}

#[tokio::test]
async fn without_a_place_for_the_record_there_is_no_tunnel() {
    let (outside, proxy) = stage(|_| {}).await;
    proxy.records.set_full(true);
    assert_eq!(proxy.ask(&target(&outside)).await.status, 503);
    refused(&proxy, 1, Reason::AuditUnavailable).await;
}
