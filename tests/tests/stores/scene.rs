//! A data plane whose one limit is counted in a store.

use serde_json::{Value, json};
use std::net::SocketAddr;
use tollward_policy::config::SidecarConfig;
use tollward_policy::limits::LimitConfig;
use tollward_policy::operation::Era;
use tollward_policy::reason::Reason;
use tollward_policy::report::LimitStoreReport;
use tollward_sidecar::audit::LimitState;
use tollward_tests::client::{Connection, Reply, Wire};
use tollward_tests::config::ConfigFile;
use tollward_tests::deadline::eventually;
use tollward_tests::issuer::Health;
use tollward_tests::mcp::Call;
use tollward_tests::operator::Operator;
use tollward_tests::world::{Refusal, World};

/// So long that a loaded machine does not meet it by chance.
pub(crate) const PATIENT: u32 = 1000;

/// A data plane and who asks it for its report.
pub(crate) struct Scene {
    pub(crate) world: World,
    operator: Operator,
}

/// A store of that URL.
pub(crate) fn store(url: &str, on_failure: &str, deadline_millis: u32) -> Value {
    json!({"url": url, "mode": "Standalone", "deadlineMillis": deadline_millis, "onFailure": on_failure})
}

/// A limit by subject of `burst` at once, refilled so slowly that no test sees it.
pub(crate) fn limit(burst: u32) -> Value {
    let rate = json!({"requests": burst + 7, "windowSeconds": 36_000, "burst": burst});
    json!({"name": "calls", "match": {}, "per": ["Subject"], "tiers": {"basic": rate}})
}

/// A policy of these limits in that store.
pub(crate) fn policy(store: &Value, limits: &[Value]) -> Value {
    json!({"policy": "standard", "tiers": {"default": "basic"}, "limits": limits, "store": store})
}

/// Puts these policies in the place of others.
pub(crate) fn set(config: &mut SidecarConfig, policies: &[Value]) {
    let read = |policy: &Value| serde_json::from_value(policy.clone()).expect("a policy of the right shape");
    config.routes[0].rate_limits = policies.iter().map(read).collect();
}

/// What a call of a load is answered with, on a connection of its own.
pub(crate) async fn status(call: &Call, address: SocketAddr) -> u16 {
    let connection = Connection::plain(Wire::Http1, address).await;
    let opened = connection.send_only(call.request(Wire::Http1)).await.expect("an answer");
    opened.whole().await.expect("a whole answer").status.as_u16()
}

impl Scene {
    /// With this store, and a limit of that burst.
    pub(crate) async fn new(store: &Value, burst: u32) -> Self {
        Self::with(|config, _| set(config, &[policy(store, &[limit(burst)])])).await
    }

    /// With a changed configuration; ready.
    pub(crate) async fn with(change: impl FnOnce(&mut SidecarConfig, &ConfigFile)) -> Self {
        let operator = Operator::default();
        let world = World::cold(Health::Good, |config, file| {
            operator.listen(&mut config.process, file);
            change(config, file);
        })
        .await;
        world.sidecar.ready().await;
        Self { world, operator }
    }

    /// A call of that subject.
    pub(crate) fn call(&self, subject: &str) -> Call {
        Call::tool(Era::Modern, "get_product").token(&self.world.issuer.token().subject(subject).mint())
    }

    /// A call that passes: the answer, and how its limit stood.
    pub(crate) async fn passes(&self, subject: &str) -> (Reply, LimitState) {
        let (reply, record) = self.world.passed(Wire::Http1, &self.call(subject)).await;
        (reply, record.limits[0].clone())
    }

    /// A call that the limit refuses.
    pub(crate) async fn is_limited(&self, subject: &str) -> (Reply, LimitState) {
        let refusal = Refusal::new(429, Reason::RateLimited).answering();
        let (reply, record) = self.world.refused(Wire::Http1, &self.call(subject), &refusal).await;
        (reply, record.limits.last().expect("the limit is recorded").clone())
    }

    /// A call that is refused since the store does not count; returns the class of the failure as it is recorded.
    pub(crate) async fn is_unavailable(&self, subject: &str) -> String {
        let refusal = Refusal::new(503, Reason::LimitStoreUnavailable).answering();
        let (reply, record) = self.world.refused(Wire::Http1, &self.call(subject), &refusal).await;
        assert_eq!(reply.header("retry-after"), "1");
        let detail = record.decision.detail.expect("the record says more");
        detail.strip_prefix("the store failed: ").expect("a class").to_owned()
    }

    /// Waits until the store counts, as the operator is told.
    pub(crate) async fn counts(&self) {
        eventually("the store counts", async || self.reported().await.up).await;
    }

    /// Waits until it does not; returns what the operator is told.
    pub(crate) async fn fails(&self) -> String {
        eventually("the store is noticed to fail", async || !self.reported().await.up).await;
        self.reported().await.error.expect("a store that is down has an error")
    }

    /// What the operator is told of the store.
    pub(crate) async fn reported(&self) -> LimitStoreReport {
        let report = self.operator.report(&self.world.sidecar).await;
        assert!(report.unready.is_empty(), "a store never makes the process unready: {:?}", report.unready);
        report.limit_stores[0].clone()
    }

    /// Changes the limits of the first policy while running.
    pub(crate) async fn edit(&mut self, change: impl FnOnce(&mut Vec<LimitConfig>)) {
        self.world.sidecar.config.change(|config| change(&mut config.routes[0].rate_limits[0].limits));
        let wanted = self.world.sidecar.config.current().generation;
        eventually("the new configuration is in force", async || {
            self.operator.report(&self.world.sidecar).await.generation == wanted
        })
        .await;
    }
}
