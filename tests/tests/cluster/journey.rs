//! What somebody sees who applies the example: how long it takes, what `kubectl get` prints, and what callers get.

use http::Method;
use serde_json::json;
use std::time::Instant;
use tollward_policy::operation::Era;
use tollward_policy::reason::Reason;
use tollward_tests::client::{Reply, Wire};
use tollward_tests::cluster::{Door, Manifests, SERVER, Tenant, bearing, digests, kubectl, tell};
use tollward_tests::mcp::Call;

/// Where the example puts itself.
const NAMESPACE: &str = "shop";

/// Applies the example as its reader would, by `kubectl apply -f FOLDER`.
fn apply(manifests: &Manifests) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for (number, object) in manifests.objects().into_iter().enumerate() {
        std::fs::write(folder.path().join(format!("{number}.json")), object.to_string()).expect("a file");
    }
    let path = folder.path().display().to_string();
    tell(&kubectl(&["apply", "-f", &path]).expect("the example is accepted"));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_example_becomes_ready_and_serves_both_eras() {
    let tenant = Tenant::new(NAMESPACE).await;
    let started = Instant::now();
    apply(&tenant.catalog());
    let server = tenant.ready(SERVER).await;
    tell(&format!("from kubectl apply to Ready=True: {:.1} s", started.elapsed().as_secs_f64()));
    tenant.until("the provider is ready", "catalog-idp", provider_is_ready).await;
    tell(&kubectl(&["get", "mcps,rlp,idp", "-n", NAMESPACE]).expect("kubectl lists them"));

    let (digest, replicas) = digests(&server);
    assert!(digest.starts_with("sha256:"), "{digest}");
    assert_eq!(replicas, [Some(digest)], "status says what the one replica enforces");
    let door = tenant.door(SERVER).await;
    let status = server.status.expect("a status");
    assert_eq!(status.endpoints[0].url, door.url);

    discovery(&door, &tenant.installation.issuer.url()).await;
    calls(&door).await;
    lists(&door).await;
    session(&door).await;
    limit(&door).await;
    tenant.end().await;
}

fn provider_is_ready(provider: Option<&tollward_api::IdentityProvider>) -> bool {
    let conditions = provider.and_then(|provider| provider.status.as_ref()).map(|status| &status.conditions);
    conditions.is_some_and(|all| all.iter().any(|one| one.type_ == "Ready" && one.status == "True"))
}

async fn discovery(door: &Door, issuer: &str) {
    let path = "/.well-known/oauth-protected-resource/mcp";
    let challenge = format!("Bearer resource_metadata=\"https://{}{path}\", scope=\"mcp:catalog-read\"", door.host);
    for wire in Wire::ALL {
        for era in [Era::Legacy, Era::Modern] {
            let reply = door.send(wire, Call::rpc(era, "tools/list", json!({})).target("/mcp")).await;
            assert_eq!(reply.status, 401, "{}", reply.text());
            assert_eq!(reply.header("www-authenticate"), challenge);
        }
        let reply = door.send(wire, Call::bare(Method::GET, path)).await;
        assert_eq!(reply.status, 200, "{}", reply.text());
        let metadata = reply.json();
        assert_eq!(metadata["resource"], json!(door.url));
        assert_eq!(metadata["authorization_servers"], json!([issuer]));
        assert_eq!(metadata["scopes_supported"], json!(["mcp:catalog-read"]));
    }
}

async fn calls(door: &Door) {
    let reader = door.token().mint();
    let found = door.tool(&reader, "get_product", json!({"sku": "TEA-001"})).await;
    assert_eq!(found.status, 200, "{}", found.text());
    assert!(found.text().contains("Assam Breakfast"), "{}", found.text());

    let cart = json!({"sku": "TEA-001", "quantity": 1});
    let refused = door.tool(&reader, "add_to_cart", cart.clone()).await;
    assert_eq!((refused.status.as_u16(), refused.reason().as_str()), (403, Reason::ScopeInsufficient.code()));
    let challenge = refused.header("www-authenticate");
    assert!(challenge.contains("error=\"insufficient_scope\"") && challenge.contains("mcp:cart-write"), "{challenge}");

    let stepped_up = door.token().scope("mcp:cart-write").mint();
    let added = door.tool(&stepped_up, "add_to_cart", cart).await;
    assert_eq!(added.status, 200, "{}", added.text());

    let elsewhere = door.token().with_claim("aud", "https://elsewhere.example/mcp").mint();
    assert_eq!(door.tool(&elsewhere, "get_product", json!({"sku": "TEA-001"})).await.status, 401);
}

async fn lists(door: &Door) {
    let list = async |scope: &str| {
        let call = Call::rpc(Era::Modern, "tools/list", json!({}));
        names(&door.send(Wire::Http2, bearing(call, &door.token().scope(scope).mint())).await)
    };
    assert_eq!(list("mcp:catalog-read").await, ["add_to_cart", "get_product", "search_products"]);
    assert_eq!(
        list("mcp:catalog-read mcp:checkout").await,
        ["add_to_cart", "checkout", "get_product", "search_products"]
    );
}

/// The names in an answer to `tools/list`, which may be JSON or one server-sent event.
fn names(reply: &Reply) -> Vec<String> {
    let text = reply.text();
    let data = text.lines().filter_map(|line| line.strip_prefix("data:")).find(|data| data.contains("result"));
    let answer: serde_json::Value = serde_json::from_str(data.unwrap_or(&text)).unwrap_or_default();
    let tools = answer["result"]["tools"].as_array().unwrap_or_else(|| panic!("no tools: {} {text}", reply.status));
    let mut names: Vec<_> = tools.iter().filter_map(|tool| tool["name"].as_str()).map(str::to_owned).collect();
    names.sort();
    names
}

/// A session of the legacy era, over the Service.
async fn session(door: &Door) {
    let token = door.token().mint();
    for wire in Wire::ALL {
        let begun = door.send(wire, bearing(Call::initialize(), &token)).await;
        assert_eq!(begun.status, 200, "{}", begun.text());
        let id = begun.header("mcp-session-id").to_owned();
        assert!(!id.is_empty(), "{:?}", begun.headers);
        let within = |call: Call| bearing(call, &token).session(&id);
        let initialized = door.send(wire, within(Call::notification(Era::Legacy, "notifications/initialized"))).await;
        assert!(initialized.status.is_success(), "{}", initialized.text());
        let params = json!({"name": "get_product", "arguments": {"sku": "TEA-001"}});
        let found = door.send(wire, within(Call::rpc(Era::Legacy, "tools/call", params))).await;
        assert!(found.status == 200 && found.text().contains("Assam Breakfast"), "{} {}", found.status, found.text());
        let theirs = door.token().subject("mallory").mint();
        let call = Call::rpc(Era::Legacy, "tools/list", json!({})).target("/mcp").token(&theirs).session(&id);
        assert_eq!(door.send(wire, call).await.status, 404, "a session is its caller's alone");
    }
}

async fn limit(door: &Door) {
    let searcher = |tier: &str| door.token().client(&format!("searcher-{tier}")).with_claim("tier", tier).mint();
    let basic = searcher("basic");
    for number in 1..=5 {
        let reply = door.tool(&basic, "search_products", json!({"query": "tea"})).await;
        assert_eq!(reply.status, 200, "search {number}: {}", reply.text());
    }
    let refused = door.tool(&basic, "search_products", json!({"query": "tea"})).await;
    assert_eq!((refused.status.as_u16(), refused.reason().as_str()), (429, Reason::RateLimited.code()));
    assert!(refused.header("retry-after").parse::<u32>().is_ok_and(|seconds| seconds > 0), "{:?}", refused.headers);
    for _ in 0..6 {
        let reply = door.tool(&searcher("production"), "search_products", json!({"query": "tea"})).await;
        assert_eq!(reply.status, 200, "{}", reply.text());
    }
}
