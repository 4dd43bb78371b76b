//! Whatever the data plane fetches, it dials through the guard: an address that the installer did not allow gets no
//! connection, so neither a token nor a secret, and callers learn nothing of what is where.

use super::introspection::introspect;
use super::upstream_identity::exchange_at;
use serde_json::json;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tollward_policy::config::{Allowance, IntrospectedTokens, Scheme, SidecarConfig};
use tollward_policy::operation::Era;
use tollward_policy::reason::Reason;
use tollward_tests::client::Wire;
use tollward_tests::config::ConfigFile;
use tollward_tests::deadline::eventually;
use tollward_tests::issuer::Health;
use tollward_tests::mcp::Call;
use tollward_tests::world::{Refusal, World};

/// An internal service, which counts who connects and hangs up. Ends when dropped.
struct Internal {
    address: SocketAddr,
    connections: Arc<AtomicUsize>,
    _task: JoinSet<()>,
}

impl Internal {
    async fn start() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::new(127, 0, 0, 2), 0)).await.unwrap();
        let (address, connections) = (listener.local_addr().unwrap(), Arc::new(AtomicUsize::new(0)));
        let (counted, mut task) = (Arc::clone(&connections), JoinSet::new());
        task.spawn(async move {
            while listener.accept().await.is_ok() {
                counted.fetch_add(1, Ordering::SeqCst);
            }
        });
        Self { address, connections, _task: task }
    }

    fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

#[derive(Debug, Clone, Copy)]
enum Fetch {
    Keys,
    Introspection,
    Exchange,
}

impl Fetch {
    /// Sends the data plane to that address for it.
    fn send_to(self, url: String, config: &mut SidecarConfig, file: &ConfigFile) {
        match self {
            Self::Keys => config.identity_providers[0].jwks_url = Some(url),
            Self::Introspection => {
                introspect(config, file, IntrospectedTokens::Opaque);
                let asked = config.identity_providers[0].introspection.as_mut().expect("it was just written");
                asked.endpoint_url = Some(url);
            }
            Self::Exchange => exchange_at(config, file, url),
        }
    }

    /// What a call gets that needs it.
    fn refusal(self) -> Refusal {
        match self {
            Self::Keys => Refusal::new(503, Reason::KeysUnavailable),
            Self::Introspection => Refusal::new(503, Reason::IntrospectionUnavailable),
            // By then the body has been read, and the answer is to its id.
            Self::Exchange => Refusal::new(503, Reason::UpstreamIdentityUnavailable).answering(),
        }
    }

    fn token(self, world: &World) -> String {
        match self {
            Self::Keys | Self::Exchange => world.token(),
            Self::Introspection => world.issuer.opaque("opaque", json!({"active": true})),
        }
    }
}

/// A world that fetches this from there, where the installer allowed that network for plain http.
async fn world(fetch: Fetch, internal: &Internal, allowed: &str) -> World {
    World::cold(Health::Good, |config, file| {
        config.process.dial.allow = vec![Allowance { cidr: allowed.parse().unwrap(), scheme: Scheme::Http }];
        fetch.send_to(format!("http://{}/somewhere", internal.address), config, file);
    })
    .await
}

#[tokio::test]
async fn nothing_is_fetched_from_an_address_that_the_installer_did_not_allow() {
    for fetch in [Fetch::Keys, Fetch::Introspection, Fetch::Exchange] {
        let mut told = Vec::new();
        for (allowed, dialled) in [("127.0.0.0/8", true), ("127.0.0.1/32", false)] {
            let internal = Internal::start().await;
            let world = world(fetch, &internal, allowed).await;
            if !matches!(fetch, Fetch::Keys) {
                world.sidecar.ready().await;
            }
            let call = Call::tool(Era::Modern, "get_product").token(&fetch.token(&world));
            let (reply, _) = world.refused(Wire::Http1, &call, &fetch.refusal()).await;
            if dialled {
                eventually("it is dialled where it may be", async || internal.connections() > 0).await;
            }
            assert_eq!(internal.connections() > 0, dialled, "{fetch:?} with {allowed}");
            assert!(!reply.text().contains("127.0.0"), "{fetch:?}: {}", reply.text());
            told.push(reply.json().pointer("/error/message").cloned());
            world.end();
        }
        assert_eq!(told[0], told[1], "{fetch:?}: what is closed and what is forbidden look alike");
    }
}
