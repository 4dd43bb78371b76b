//! An invalid change never takes a running server down, and never opens it.

use kube::api::DeleteParams;
use serde_json::{Value, json};
use tollward_api::{IdentityProvider, MCPServer};
use tollward_policy::reason::Reason;
use tollward_tests::cluster::{Door, Manifests, SERVER, Tenant, condition, digests};

/// The example with `get_product` closed, so that an opened server shows itself.
fn guarded(tenant: &Tenant) -> Manifests {
    let deny = json!({"name": "closed", "match": {"tools": ["get_product"]}, "action": "Deny"});
    tenant.catalog().rule(deny)
}

/// The policy that was in force is in force: what it allows passes, what it denies does not, and nobody is anonymous.
async fn serves_as_before(door: &Door) {
    let token = door.token().scope("mcp:cart-write").mint();
    let added = door.tool(&token, "add_to_cart", json!({"sku": "TEA-001", "quantity": 1})).await;
    assert_eq!(added.status, 200, "{}", added.text());
    let denied = door.tool(&token, "get_product", json!({"sku": "TEA-001"})).await;
    assert_eq!(denied.reason(), Reason::RuleDenied.code(), "{}", denied.text());
    assert_eq!(door.tool("no-token", "add_to_cart", json!({})).await.status, 401);
}

fn is_refused(server: &MCPServer, kind: &str) -> bool {
    condition(server, kind).is_some_and(|(status, _, _)| status == "False")
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_api_server_can_judge_is_refused_at_admission_by_name() {
    let tenant = Tenant::new("e2e-admission").await;
    let manifests = tenant.catalog();
    tenant.apply([&manifests.server]).await;
    let cases: [(&str, Value, &str); 4] = [
        ("/spec/auth/initialScopes", json!(["mcp:unknown"]), "mcp:unknown"),
        ("/spec/auth/scopes/0/name", json!("mcp:*"), "mcp:*"),
        ("/spec/auth/identityProviders", json!([]), "identityProviders"),
        ("/spec/source/workload/transport/port", json!(64430), "6443"),
    ];
    for (pointer, value, expected) in cases {
        let edit = manifests.clone().with(pointer, value);
        let error = tenant.try_apply(&edit.server).await.expect_err("it is refused");
        assert!(error.contains(expected), "{pointer}: {error}");
    }
    tenant.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_only_the_operator_can_judge_leaves_the_old_policy_in_force() {
    let tenant = Tenant::new("e2e-invalid").await;
    let manifests = guarded(&tenant);
    let server = tenant.serve(&manifests).await;
    let (digest, _) = digests(&server);
    let door = tenant.door(SERVER).await;
    serves_as_before(&door).await;

    // Each edit also drops the rule that denies: taking it up in part would open the server.
    let cases = [
        (
            "/spec/auth/rules",
            json!([{"name": "all", "match": {"tools": ["*"]}, "scopes": ["mcp:undeclared"]}]),
            "Accepted",
        ),
        ("/spec/auth/identityProviders", json!([{"name": "nobody"}]), "ResolvedRefs"),
    ];
    for (pointer, value, kind) in cases {
        let edit = tenant.catalog().with(pointer, value);
        tenant.apply([&edit.server]).await;
        let server = tenant.server("the edit is refused", SERVER, |server| is_refused(server, kind)).await;
        let (_, reason, message) = condition(&server, kind).expect("a condition");
        assert!(!message.is_empty() && reason != "Pending", "{reason}: {message}");
        serves_as_before(&door).await;
        tenant.apply([&manifests.server]).await;
        let server = tenant.ready(SERVER).await;
        assert_eq!(digests(&server).0, digest, "a mended specification is the one that was");
        serves_as_before(&door).await;
    }
    tenant.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_whose_provider_was_deleted_goes_on_as_it_was() {
    let tenant = Tenant::new("e2e-provider").await;
    let manifests = guarded(&tenant);
    tenant.serve(&manifests).await;
    let door = tenant.door(SERVER).await;
    let providers = tenant.api::<IdentityProvider>();
    providers.delete("catalog-idp", &DeleteParams::default()).await.expect("it may be deleted");
    tenant.server("the reference is lost", SERVER, |server| is_refused(server, "ResolvedRefs")).await;
    serves_as_before(&door).await;
    tenant.apply([&manifests.provider]).await;
    tenant.ready(SERVER).await;
    serves_as_before(&door).await;
    tenant.end().await;
}
