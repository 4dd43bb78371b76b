//! The relay in a sidecar: what an MCP server takes for its proxy.

use serde_json::{Value, json};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tollward_policy::config::SidecarConfig;
use tollward_policy::reason::Reason;
use tollward_sidecar::audit::Ended;
use tollward_tests::egress::{ALLOWED, Asked, EgressProxy, Outside, PROXY, ask, connect_head, talk};
use tollward_tests::issuer::Health;
use tollward_tests::world::World;

fn relay(config: &mut SidecarConfig, upstream: &Value) {
    let relay = json!({"listen": "127.0.0.1:0", "maxConnections": 16, "upstream": upstream});
    config.process.egress = Some(serde_json::from_value(relay).unwrap());
}

/// A sidecar whose server's connections go to the proxy as the server with this uid.
async fn joined(proxy: &EgressProxy, uid: &str) -> World {
    let pair = proxy.certificate(uid);
    let upstream = json!({
        "mode": "Proxy", "address": proxy.listen, "serverName": PROXY,
        "authority": proxy.beside("authority.crt", proxy.authority.certificate()),
        "certificate": proxy.beside("client.crt", &pair.certificate),
        "privateKey": proxy.beside("client.key", &pair.key),
    });
    World::cold(Health::Good, |config, _| relay(config, &upstream)).await
}

async fn asked(world: &World, head: &str) -> Asked<TcpStream> {
    ask(TcpStream::connect(world.sidecar.egress.expect("it listens")).await.unwrap(), head).await
}

#[tokio::test]
async fn a_server_reaches_what_its_list_permits_through_its_sidecar_and_the_proxy() {
    let outside = Outside::start().await;
    let proxy = EgressProxy::start(outside.address, |_| {}).await;
    let world = joined(&proxy, "uid-catalog").await;
    let to = format!("{ALLOWED}:{}", outside.address.port());
    for head in [
        connect_head(&to),
        // As Python's http.client wrote it for long, and with what clients add.
        format!("CONNECT {to} HTTP/1.0\r\n\r\n"),
        format!("CONNECT {to} HTTP/1.1\r\nHost: {to}\r\nProxy-Connection: keep-alive\r\nUser-Agent: curl\r\n\r\n"),
    ] {
        let asked = asked(&world, &head).await;
        assert_eq!(asked.status, 200, "{head}: {}", asked.head);
        let mut stream = talk(&outside, asked.stream).await.unwrap();
        stream.shutdown().await.unwrap();
    }
    let record = proxy.records.wait_for(3).await;
    assert_eq!(record.outcome.unwrap().ended, Ended::Complete);
    assert_eq!(record.http.user_agent, None, "the proxy is told nothing but the destination");
    assert_eq!(world.sidecar.records.count(), 0, "the proxy keeps the record");
    world.end();
}

#[tokio::test]
async fn a_refusal_of_the_proxy_reaches_the_server_with_its_reason() {
    let outside = Outside::start().await;
    let proxy = EgressProxy::start(outside.address, |_| {}).await;
    let world = joined(&proxy, "uid-catalog").await;
    let refused = asked(&world, &connect_head("other.example.test:443")).await;
    assert_eq!(refused.status, 403);
    assert!(refused.head.contains("proxy-status: tollward; error=http_request_denied"), "{}", refused.head);
    let text = refused.rest().await;
    assert!(text.contains("egress_not_allowed"), "{text}");
    assert_eq!(proxy.records.wait_for(1).await.decision.reason, Reason::EgressNotAllowed);
    assert_eq!((world.sidecar.records.count(), outside.connections()), (0, 0));
    world.end();
}

#[tokio::test]
async fn what_is_no_tunnel_is_refused_by_the_sidecar_itself_with_what_to_do() {
    let outside = Outside::start().await;
    let proxy = EgressProxy::start(outside.address, |_| {}).await;
    let world = joined(&proxy, "uid-catalog").await;
    let plain = asked(&world, &format!("GET http://{ALLOWED}/ HTTP/1.1\r\nHost: {ALLOWED}\r\n\r\n")).await;
    assert_eq!(plain.status, 405);
    let text = plain.rest().await;
    assert!(text.contains("https://") && text.contains("CONNECT"), "{text}");
    let record = world.sidecar.records.wait_for(1).await;
    assert_eq!(record.decision.reason, Reason::MethodNotAllowed);
    assert_eq!(asked(&world, &connect_head("127.0.0.1:443")).await.status, 400);
    assert_eq!(world.sidecar.records.wait_for(2).await.decision.reason, Reason::RequestMalformed);
    assert_eq!(proxy.records.count(), 0);
    world.end();
}

#[tokio::test]
async fn a_server_that_may_connect_nowhere_is_told_so() {
    let world = World::cold(Health::Good, |config, _| relay(config, &json!({"mode": "Deny"}))).await;
    let refused = asked(&world, &connect_head("api.example.test:443")).await;
    assert_eq!(refused.status, 403);
    let text = refused.rest().await;
    assert!(text.contains("spec.egress.mode is Deny") && text.contains("spec.egress.allow"), "{text}");
    let record = world.sidecar.records.wait_for(1).await;
    assert_eq!((record.decision.allowed, record.decision.reason), (false, Reason::EgressNotAllowed));
    assert_eq!(record.server.as_ref().map(|server| server.name.as_str()), Some("catalog"));
    assert_eq!(record.tunnel.map(|tunnel| tunnel.to).as_deref(), Some("api.example.test:443"));
    world.end();
}

#[tokio::test]
async fn without_its_proxy_a_sidecar_refuses_and_goes_no_other_way() {
    let outside = Outside::start().await;
    let mut proxy = EgressProxy::start(outside.address, |_| {}).await;
    let world = joined(&proxy, "uid-catalog").await;
    proxy.drain().await;
    let to = format!("{ALLOWED}:{}", outside.address.port());
    let refused = asked(&world, &connect_head(&to)).await;
    assert_eq!(refused.status, 502);
    let text = refused.rest().await;
    assert!(!text.contains("127.0.0.1"), "{text}");
    let record = world.sidecar.records.wait_for(1).await;
    assert_eq!(record.decision.reason, Reason::EgressUnreachable);
    assert!(record.decision.detail.unwrap().contains("egress proxy"));
    assert_eq!(outside.connections(), 0);
    world.end();
}

#[tokio::test]
async fn a_sidecar_believes_nobody_who_only_answers_at_the_proxys_address() {
    let outside = Outside::start().await;
    let (proxy, impostor) =
        (EgressProxy::start(outside.address, |_| {}).await, EgressProxy::start(outside.address, |_| {}).await);
    let pair = proxy.certificate("uid-catalog");
    let upstream = json!({
        "mode": "Proxy", "address": impostor.listen, "serverName": PROXY,
        "authority": proxy.beside("authority.crt", proxy.authority.certificate()),
        "certificate": proxy.beside("client.crt", &pair.certificate),
        "privateKey": proxy.beside("client.key", &pair.key),
    });
    let world = World::cold(Health::Good, |config, _| relay(config, &upstream)).await;
    let to = format!("{ALLOWED}:{}", outside.address.port());
    assert_eq!(asked(&world, &connect_head(&to)).await.status, 502);
    assert_eq!((impostor.records.count(), outside.connections()), (0, 0));
    world.end();
}
