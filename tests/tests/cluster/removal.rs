//! Deleting an `MCPServer` leaves nothing behind.

use serde_json::json;
use std::collections::BTreeSet;
use std::time::Instant;
use tollward_tests::cluster::{LIMIT, SERVER, Tenant, digests, tell};
use tollward_tests::deadline::eventually_within;

async fn names(tenant: &Tenant) -> BTreeSet<String> {
    tenant.inventory().await.into_keys().collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_server_leaves_nothing_behind() {
    let tenant = Tenant::new("e2e-removal").await;
    let manifests = tenant.catalog().replicas(2);
    tenant.apply([&manifests.provider, &manifests.limits]).await;
    let before = names(&tenant).await;
    tenant.apply([&manifests.server]).await;
    let server = tenant.ready(SERVER).await;
    assert_eq!(digests(&server).1.len(), 2);
    let made: Vec<_> = names(&tenant).await.difference(&before).cloned().collect();
    assert!(made.len() >= 12, "a server, seven children, a ReplicaSet, two Pods, a slice: {made:#?}");

    let started = Instant::now();
    tenant.delete(SERVER).await;
    let mut left = Vec::new();
    eventually_within(LIMIT, "everything of the server is gone", async || {
        left = names(&tenant).await.symmetric_difference(&before).cloned().collect();
        left.is_empty()
    })
    .await;
    tell(&format!(
        "from the deletion of a server with two replicas to nothing of it: {:.1} s",
        started.elapsed().as_secs_f64()
    ));
    assert!(left.is_empty(), "{left:#?}");

    // A server of the same name begins anew, with keys of its own.
    tenant.apply([&manifests.server]).await;
    tenant.ready(SERVER).await;
    let door = tenant.door(SERVER).await;
    assert_eq!(door.tool(&door.token().mint(), "get_product", json!({"sku": "TEA-001"})).await.status, 200);
    tenant.end().await;
}
