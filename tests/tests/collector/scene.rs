//! An issuer, an MCP server, and the sidecar's binary between them, told by its environment where to export.

use http::Method;
use serde_json::json;
use tollward_policy::config::SidecarConfig;
use tollward_policy::operation::Era;
use tollward_tests::client::{Connection, Reply, Wire};
use tollward_tests::clock::TestClock;
use tollward_tests::config::{AUTHORITY, ConfigFile, standard};
use tollward_tests::deadline::{eventually, within};
use tollward_tests::issuer::Issuer;
use tollward_tests::mcp::Call;
use tollward_tests::program::Program;
use tollward_tests::real::collector::Collector;
use tollward_tests::real::received::Received;
use tollward_tests::upstream::{RAW_SESSION, Upstream};

/// Everything but the collector.
pub(crate) struct Scene {
    pub(crate) issuer: Issuer,
    pub(crate) program: Program,
    pub(crate) upstream: Upstream,
    _file: ConfigFile,
}

impl Scene {
    /// Starts the sidecar with these variables and waits until it is ready.
    pub(crate) async fn start(environment: &[(String, String)]) -> Self {
        Self::with(environment, |_| ()).await
    }

    /// With a changed configuration.
    pub(crate) async fn with(environment: &[(String, String)], change: impl FnOnce(&mut SidecarConfig)) -> Self {
        let (issuer, upstream) = (Issuer::start(TestClock::default()).await, Upstream::start().await);
        let mut config = standard(&issuer.url(), &upstream.url());
        change(&mut config);
        let file = ConfigFile::new(config);
        let program = Program::start_with(file.path(), environment);
        let scene = Self { issuer, program, upstream, _file: file };
        eventually("/readyz answers 200", async || scene.probe("/readyz").await.status.is_success()).await;
        scene
    }

    /// A call that is let through.
    pub(crate) fn call(&self) -> Call {
        Call::tool(Era::Modern, "get_product").token(&self.issuer.token().mint())
    }

    /// Sends a call.
    pub(crate) async fn send(&self, call: &Call) -> Reply {
        let connection = Connection::plain(Wire::Http1, self.program.public).await;
        let answered = within("an answer begins", connection.send_only(call.request(Wire::Http1))).await;
        within("an answer ends", answered.expect("an answer").whole()).await.expect("an answer does not break off")
    }

    /// Sends a call that is refused; the id of the request.
    pub(crate) async fn refused(&self, call: &Call, status: u16) -> String {
        let reply = self.send(call).await;
        assert_eq!(reply.status.as_u16(), status, "{}", reply.text());
        let id = reply.json().pointer("/error/data/requestId").and_then(|id| id.as_str().map(str::to_owned));
        id.expect("a refusal names its request")
    }

    /// Asks the listener of probes.
    pub(crate) async fn probe(&self, path: &str) -> Reply {
        let call = Call::bare(Method::GET, path).authority(AUTHORITY);
        let connection = Connection::plain(Wire::Http1, self.program.observe).await;
        let answered = connection.send_only(call.request(Wire::Http1)).await.expect("the probe listener answers");
        answered.whole().await.expect("a whole answer")
    }

    /// The sum of a metric's samples whose lines hold all of these texts.
    pub(crate) async fn metric(&self, name: &str, labels: &[&str]) -> u64 {
        let text = self.probe("/metrics").await.text();
        let lines =
            text.lines().filter(|line| line.starts_with(name) && labels.iter().all(|label| line.contains(label)));
        lines.filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok()).sum()
    }

    /// Fails if any token, or any part of one, is in a text.
    pub(crate) fn check_secrets(&self, text: &str, place: &str) {
        for token in self.issuer.minted() {
            let mut parts = token.split('.').skip(1).filter(|part| part.len() > 16);
            assert!(!parts.any(|part| text.contains(part)), "{place} holds a part of a token");
        }
        for secret in [RAW_SESSION, "Bearer ", "bearer "] {
            assert!(!text.contains(secret), "{place} holds {secret}");
        }
    }
}

/// A `traceparent` of a trace of its own, sampled; with the ids of trace and span.
pub(crate) fn traceparent(number: u16) -> (String, String, String) {
    let (trace, span) = (format!("4bf92f3577b34da6a3ce929d{number:08x}"), format!("00f067aa0ba9{number:04x}"));
    (format!("00-{trace}-{span}-01"), trace, span)
}

/// What the collector has once it fulfils a condition.
pub(crate) async fn once(collector: &Collector, what: &str, condition: impl Fn(&Received) -> bool) -> Received {
    let mut received = Received::default();
    eventually(what, async || {
        received = collector.received();
        condition(&received)
    })
    .await;
    received
}

/// A limit of two calls of `get_limited` for each client.
pub(crate) fn limit(config: &mut SidecarConfig) {
    let rate = json!({"requests": 9, "windowSeconds": 3600, "burst": 2});
    let limit =
        json!({"name": "calls", "match": {"tools": ["get_limited"]}, "per": ["Client"], "tiers": {"basic": rate}});
    let policy = json!({"policy": "standard", "tiers": {"default": "basic"}, "limits": [limit]});
    let policy = serde_json::from_value(policy).expect("a policy of the right shape");
    config.routes.first_mut().expect("there is a route").rate_limits = vec![policy];
}
