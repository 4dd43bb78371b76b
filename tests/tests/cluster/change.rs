//! A change of policy reaches every running sidecar, without a restart.

use crate::limits::are_shown_for_each_replica;
use serde_json::json;
use std::time::{Duration, Instant};
use tollward_policy::reason::Reason;
use tollward_tests::cluster::{Door, LIMIT, SERVER, Tenant, digests, lives, tell};
use tollward_tests::deadline::eventually_within;

/// Waits until each replica answers a call like that; the time it took.
async fn everywhere(doors: &[Door], status: u16, reason: &str) -> Duration {
    let started = Instant::now();
    for door in doors {
        // A user of its own each time, so that no limit comes in between.
        let mut number = 0;
        eventually_within(LIMIT, "every replica enforces the change", async || {
            number += 1;
            let token = door.token().subject(&format!("{}-{number}", door.address)).mint();
            let reply = door.tool(&token, "get_product", json!({"sku": "TEA-001"})).await;
            reply.status == status && reply.reason() == reason
        })
        .await;
    }
    started.elapsed()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_edit_is_enforced_by_every_replica_without_a_restart() {
    let tenant = Tenant::new("e2e-change").await;
    let manifests = tenant.catalog().replicas(2);
    let server = tenant.serve(&manifests).await;
    let (before, replicas) = digests(&server);
    assert_eq!(replicas, [Some(before.clone()), Some(before.clone())]);
    let (pods, doors) = (tenant.pods(SERVER).await, tenant.doors(SERVER).await);
    assert_eq!(doors.len(), 2);
    everywhere(&doors, 200, "").await;
    are_shown_for_each_replica(&tenant, &doors).await;

    let deny = json!({"name": "closed", "match": {"tools": ["get_product"]}, "action": "Deny"});
    let denied = manifests.clone().rule(deny);
    let started = Instant::now();
    tenant.apply([&denied.server]).await;
    everywhere(&doors, 403, Reason::RuleDenied.code()).await;
    tell(&format!(
        "from a new Deny rule to its enforcement by both replicas: {:.1} s",
        started.elapsed().as_secs_f64()
    ));
    let server = tenant.ready(SERVER).await;
    tell(&format!("from a new Deny rule to its digest in status: {:.1} s", started.elapsed().as_secs_f64()));
    let (after, replicas) = digests(&server);
    assert_ne!(before, after);
    assert_eq!(replicas, [Some(after.clone()), Some(after)], "status says which digest each replica reports");

    // Back, and with a scope raised instead.
    let raised = manifests.with("/spec/auth/rules/0/scopes", json!(["mcp:checkout"]));
    let started = Instant::now();
    tenant.apply([&raised.server]).await;
    everywhere(&doors, 403, Reason::ScopeInsufficient.code()).await;
    tell(&format!("from a raised scope to its enforcement by both replicas: {:.1} s", started.elapsed().as_secs_f64()));
    tenant.ready(SERVER).await;
    assert_eq!(lives(&tenant.pods(SERVER).await), lives(&pods), "nothing was restarted or replaced");
    tenant.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_limit_that_is_added_is_enforced_without_a_restart() {
    let tenant = Tenant::new("e2e-limit").await;
    let server = tenant.serve(&tenant.catalog()).await;
    let (before, _) = digests(&server);
    let (pods, door) = (tenant.pods(SERVER).await, tenant.door(SERVER).await);
    let token = door.token().client("hasty").mint();
    let policy = json!({
        "apiVersion": "tollward.dev/v1alpha1", "kind": "RateLimitPolicy",
        "metadata": {"name": "strict", "namespace": tenant.namespace},
        "spec": {
            "targetRefs": [{"name": SERVER}], "tiers": {"default": "all"},
            "limits": [{"name": "once", "per": ["Client"], "rates": [{"tier": "all", "requests": 1, "window": "1h"}]}],
        },
    });
    let started = Instant::now();
    tenant.apply([&policy]).await;
    eventually_within(LIMIT, "the limit is enforced", async || {
        door.tool(&token, "get_product", json!({"sku": "TEA-001"})).await.status == 429
    })
    .await;
    tell(&format!("from a new RateLimitPolicy to its first 429: {:.1} s", started.elapsed().as_secs_f64()));
    let changed = |server: &tollward_api::MCPServer| {
        let (digest, replicas) = digests(server);
        digest != before && replicas == [Some(digest)]
    };
    tenant.server("status has the new digest", SERVER, changed).await;
    assert_eq!(lives(&tenant.pods(SERVER).await), lives(&pods));
    tenant.end().await;
}
