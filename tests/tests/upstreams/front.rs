//! A real proxy in front: `HAProxy` with a certificate of its own tells the data plane who its clients are.

use http::StatusCode;
use serde_json::json;
use std::net::SocketAddr;
use tollward_policy::config::{ListenerTls, SenderConstraintConfig, SenderConstraintMode};
use tollward_policy::operation::Era;
use tollward_policy::reason::Reason;
use tollward_tests::certificates::{Authority, Pair};
use tollward_tests::client::{Connection, Reply, Trust, Wire};
use tollward_tests::config::AUTHORITY;
use tollward_tests::deadline::within;
use tollward_tests::issuer::Health;
use tollward_tests::mcp::Call;
use tollward_tests::real::front::Front;
use tollward_tests::sender::constrain;
use tollward_tests::world::World;

async fn send(address: SocketAddr, authority: &Authority, shown: Option<&Pair>, call: &Call) -> Reply {
    let trust = Trust { authority: authority.certificate().to_owned(), client: shown.cloned() };
    let connection = Connection::tls(Wire::Http1, address, AUTHORITY, &trust).await.expect("a TLS connection");
    let opened = within("an answer begins", connection.send_only(call.request(Wire::Http1))).await.expect("an answer");
    opened.whole().await.expect("a whole answer")
}

#[tokio::test]
async fn a_real_proxy_names_its_clients_and_passes_their_certificates_on() {
    let (public, proxies, clients) = (Authority::new("public"), Authority::new("proxies"), Authority::new("clients"));
    let world = World::cold(Health::Good, |config, file| {
        let pair = public.issue(AUTHORITY);
        let certificate = file.beside("public.crt", &pair.certificate);
        let private_key = file.beside("public.key", &pair.key);
        config.process.public.tls = ListenerTls::Files { certificate, private_key };
        let certificate = json!({"authority": proxies.certificate(), "name": "ingress.example.test"});
        let proxy = json!({"cidr": "127.0.0.0/8", "certificate": certificate, "clientCertificates": true});
        config.process.trusted_proxies = vec![serde_json::from_value(proxy).expect("a proxy of the right shape")];
        let mode = SenderConstraintMode::Optional;
        constrain(config, Some(SenderConstraintConfig { mode, dpop: None, mutual_tls: true }));
    })
    .await;
    world.sidecar.ready().await;
    let own = proxies.issue("ingress.example.test");
    let front = Front::start(world.sidecar.public, AUTHORITY, &public, &clients, &own).await;
    let (client, other) = (clients.issue("agent"), clients.issue("agent"));
    let bound = world.issuer.token().with_claim("cnf", json!({"x5t#S256": client.thumbprint()})).mint();
    for era in [Era::Legacy, Era::Modern] {
        let call = Call::tool(era, "get_product").token(&bound);
        let spoofed = call
            .clone()
            .header("x-forwarded-for", "198.51.100.9")
            .header("client-cert", &format!(":{}:", client.base64()));
        for (shown, call, expected) in [
            (Some(&client), &call, None),
            (Some(&client), &spoofed, None),
            (Some(&other), &spoofed, Some(Reason::TokenBindingRefused)),
            (None, &spoofed, Some(Reason::TokenBindingRefused)),
        ] {
            let records = world.sidecar.records.count();
            let reply = send(front.address, &public, shown, call).await;
            let reason = expected.map(Reason::code).unwrap_or_default();
            let status = if expected.is_none() { StatusCode::OK } else { StatusCode::UNAUTHORIZED };
            assert_eq!((reply.status, reply.reason().as_str()), (status, reason), "{}", reply.text());
            let record = world.sidecar.records.wait_for(records + 1).await;
            // The proxy listens on an address of its own, so that what it names differs from where it connects from.
            assert_eq!(record.http.client.as_deref(), Some(front.client.to_string().as_str()), "{:?}", record.http);
        }
        // Past the proxy, the same words are nobody's.
        let reply = send(world.sidecar.public, &public, None, &spoofed).await;
        assert_eq!(reply.reason(), Reason::TokenBindingRefused.code());
    }
}
