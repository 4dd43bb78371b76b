//! Whose word about a client counts: that of a trusted proxy, known by its address or its certificate, and nobody else's.

use http::StatusCode;
use serde_json::{Value, json};
use tollward_policy::config::{ListenerTls, SenderConstraintConfig, SenderConstraintMode, SidecarConfig};
use tollward_policy::operation::Era;
use tollward_policy::reason::Reason;
use tollward_tests::certificates::{Authority, Pair, self_signed};
use tollward_tests::client::{Connection, Reply, Trust, Wire};
use tollward_tests::config::AUTHORITY;
use tollward_tests::deadline::within;
use tollward_tests::issuer::Health;
use tollward_tests::mcp::Call;
use tollward_tests::sender::constrain;
use tollward_tests::world::{CELLS, Refusal, World};

/// Each address may send two requests.
fn bounded(config: &mut SidecarConfig) {
    let rate = json!({"requests": 3, "windowSeconds": 86_400, "burst": 2});
    let policy = json!({"policy": "door", "tiers": {"default": "basic"}, "beforeAuthentication": {"requests": rate}});
    let route = config.routes.first_mut().expect("one route");
    route.rate_limits = vec![serde_json::from_value(policy).expect("a policy of the right shape")];
}

fn trust(config: &mut SidecarConfig, proxies: Value) {
    config.process.trusted_proxies = serde_json::from_value(proxies).expect("proxies of the right shape");
}

fn of(world: &World, era: Era, client: &str) -> Call {
    Call::tool(era, "get_product").token(&world.token()).header("x-forwarded-for", client)
}

#[tokio::test]
async fn clients_behind_a_trusted_proxy_are_told_apart() {
    for (wire, era) in CELLS {
        let world = World::with(|config| {
            bounded(config);
            trust(config, json!([{"cidr": "127.0.0.1/32"}]));
        })
        .await;
        for client in ["198.51.100.1", "198.51.100.2", "203.0.113.9, 198.51.100.3"] {
            for _ in 0..2 {
                let (_, record) = world.passed(wire, &of(&world, era, client)).await;
                let last = client.rsplit(", ").next().map(str::to_owned);
                assert_eq!((record.http.peer.as_str(), record.http.client), ("127.0.0.1", last));
            }
        }
        // Another spelling of one's own list is the same client, and the first in it is anybody's word.
        for client in ["198.51.100.1", "192.0.2.77, 198.51.100.1", "198.51.100.1:4711"] {
            let (_, record) =
                world.refused(wire, &of(&world, era, client), &Refusal::new(429, Reason::RateLimited)).await;
            assert_eq!(record.http.client.as_deref(), Some("198.51.100.1"));
        }
        world.passed(wire, &of(&world, era, "198.51.100.1, 198.51.100.4")).await;
        world.end();
    }
}

#[tokio::test]
async fn what_anybody_else_writes_into_these_headers_counts_for_nothing() {
    for (wire, era) in CELLS {
        let world = World::with(|config| {
            bounded(config);
            trust(config, json!([{"cidr": "192.0.2.0/24"}, {"cidr": "127.0.0.1/32", "header": "Forwarded"}]));
        })
        .await;
        for client in ["198.51.100.1", "198.51.100.2"] {
            let (_, record) = world.passed(wire, &of(&world, era, client)).await;
            assert_eq!((record.http.peer.as_str(), record.http.client), ("127.0.0.1", None));
        }
        let spoofed = of(&world, era, "198.51.100.3").header("x-real-ip", "198.51.100.3");
        world.refused(wire, &spoofed, &Refusal::new(429, Reason::RateLimited)).await;
        world.end();
    }
}

/// A listener with TLS behind proxies that show a certificate.
struct Fronted {
    world: World,
    public: Authority,
}

impl Fronted {
    async fn start(proxies: &Authority, client_certificates: bool) -> Self {
        let public = Authority::new("public");
        let world = World::cold(Health::Good, |config, file| {
            let pair = public.issue(AUTHORITY);
            let certificate = file.beside("public.crt", &pair.certificate);
            let private_key = file.beside("public.key", &pair.key);
            config.process.public.tls = ListenerTls::Files { certificate, private_key };
            bounded(config);
            let certificate = json!({"authority": proxies.certificate(), "name": "ingress.example.test"});
            let proxy =
                json!({"cidr": "0.0.0.0/0", "certificate": certificate, "clientCertificates": client_certificates});
            trust(config, json!([proxy]));
            if client_certificates {
                let mode = SenderConstraintMode::Optional;
                constrain(config, Some(SenderConstraintConfig { mode, dpop: None, mutual_tls: true }));
            }
        })
        .await;
        world.sidecar.ready().await;
        Self { world, public }
    }

    async fn send(&self, wire: Wire, shown: Option<&Pair>, call: &Call) -> Reply {
        let trust = Trust { authority: self.public.certificate().to_owned(), client: shown.cloned() };
        let connection = Connection::tls(wire, self.world.sidecar.public, AUTHORITY, &trust).await;
        let connection = connection.expect("a TLS connection");
        let opened = within("an answer begins", connection.send_only(call.request(wire))).await.expect("an answer");
        opened.whole().await.expect("a whole answer")
    }

    async fn client_of(&self, wire: Wire, shown: Option<&Pair>, call: &Call) -> Option<String> {
        let records = self.world.sidecar.records.count();
        self.send(wire, shown, call).await;
        self.world.sidecar.records.wait_for(records + 1).await.http.client
    }
}

#[tokio::test]
async fn a_proxy_is_known_by_its_certificate_and_not_by_one_that_looks_like_it() {
    let proxies = Authority::new("proxies");
    let fronted = Fronted::start(&proxies, false).await;
    let good = proxies.issue("ingress.example.test");
    let wrong = [
        None,
        Some(proxies.issue("other.example.test")),
        Some(Authority::new("proxies").issue("ingress.example.test")),
        Some(self_signed("ingress.example.test")),
    ];
    for (wire, era) in CELLS {
        let call = of(&fronted.world, era, "198.51.100.7");
        assert_eq!(fronted.client_of(wire, Some(&good), &call).await.as_deref(), Some("198.51.100.7"));
        for shown in &wrong {
            assert_eq!(fronted.client_of(wire, shown.as_ref(), &call).await, None);
        }
    }
    fronted.world.end();
}

#[tokio::test]
async fn a_certificate_that_a_trusted_proxy_passes_on_is_its_clients_and_the_proxys_own_is_nobodys() {
    let proxies = Authority::new("proxies");
    let fronted = Fronted::start(&proxies, true).await;
    let (proxy, client, other) = (proxies.issue("ingress.example.test"), self_signed("agent"), self_signed("agent"));
    let bound =
        |pair: &Pair| fronted.world.issuer.token().with_claim("cnf", json!({"x5t#S256": pair.thumbprint()})).mint();
    let mut number = 0;
    for (wire, era) in CELLS {
        // Each from an address of its own, which may send two.
        let mut call = |token: &str| {
            number += 1;
            Call::tool(era, "get_product").token(token).header("x-forwarded-for", &format!("198.51.100.{number}"))
        };
        let passed_on = |call: Call, pair: &Pair| call.header("client-cert", &format!(":{}:", pair.base64()));
        let good = passed_on(call(&bound(&client)), &client);
        assert_eq!(fronted.send(wire, Some(&proxy), &good).await.status, StatusCode::OK);
        for (shown, call) in [
            (&proxy, passed_on(call(&bound(&client)), &other)),
            (&proxy, call(&bound(&client))),
            (&proxy, call(&bound(&proxy))),
            (&other, passed_on(call(&bound(&client)), &client)),
        ] {
            let reply = fronted.send(wire, Some(shown), &call).await;
            let expected = [Reason::TokenBindingRefused.code(), Reason::RateLimited.code()];
            assert!(expected.contains(&reply.reason().as_str()), "{}", reply.text());
        }
    }
}
