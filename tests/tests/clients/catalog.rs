//! The `catalog` example: rmcp, both eras.

use crate::guards::guarded_catalog;
use crate::journey::{Journey, calls, check_caller};
use serde_json::json;
use tollward_policy::reason::Reason;
use tollward_tests::real::provider::Provider;
use tollward_tests::real::visit::{Sdk, Visit};

const LEGACY: &str = "2025-11-25";
const MODERN: &str = "2026-07-28";

/// The checkout is hidden from everybody who does not hold its scope.
const SHOWN: &[&str] = &["add_to_cart", "get_product", "search_products"];

fn journey(sdk: Sdk, protocol: &'static str, revision: &'static str) -> Journey<'static> {
    let call = ("add_to_cart", json!({"sku": "TEA-001", "quantity": 1}));
    Journey { sdk, protocol, revision, tools: SHOWN, call, rule: "cart", scope: "mcp:cart-write" }
}

async fn goes(sdk: Sdk, protocol: &'static str, revision: &'static str, provider: &Provider) {
    journey(sdk, protocol, revision).go(&guarded_catalog(provider).await, provider).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_typescript_client_signs_in_lists_steps_up_and_calls_in_the_modern_era() {
    goes(Sdk::TypeScript, "auto", MODERN, Provider::rs256()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_typescript_client_signs_in_lists_steps_up_and_calls_in_the_legacy_era() {
    goes(Sdk::TypeScript, "legacy", LEGACY, Provider::es256()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_older_typescript_client_signs_in_lists_steps_up_and_calls() {
    goes(Sdk::OlderTypeScript, "legacy", LEGACY, Provider::rs256()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_python_client_signs_in_lists_steps_up_and_calls_in_the_modern_era() {
    goes(Sdk::Python, "auto", MODERN, Provider::es256()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_python_client_signs_in_lists_steps_up_and_calls_in_the_legacy_era() {
    goes(Sdk::Python, "legacy", LEGACY, Provider::rs256()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_rust_client_signs_in_lists_steps_up_and_calls_in_the_modern_era() {
    goes(Sdk::Rust, "auto", MODERN, Provider::rs256()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_rust_client_signs_in_lists_steps_up_and_calls_in_the_legacy_era() {
    goes(Sdk::Rust, "legacy", LEGACY, Provider::es256()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn mcp_remote_signs_in_lists_steps_up_and_calls_in_the_modern_era() {
    goes(Sdk::McpRemote, "auto", MODERN, Provider::es256()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn mcp_remote_signs_in_lists_steps_up_and_calls_in_the_legacy_era() {
    goes(Sdk::McpRemote, "legacy", LEGACY, Provider::rs256()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_may_not_step_up_is_left_with_403() {
    let guarded = guarded_catalog(Provider::rs256()).await;
    for sdk in [Sdk::TypeScript, Sdk::OlderTypeScript, Sdk::Python, Sdk::Rust] {
        let call = json!({"sku": "TEA-001", "quantity": 1});
        let told = Visit::new(sdk, &guarded.url).call("add_to_cart", &call).run().await;
        assert_eq!(told.refusal(), Some(403), "{told:?}");
        assert!(told.at("/result").is_null(), "{told:?}");
    }
    let refused = calls(&guarded, "add_to_cart").await;
    assert!(refused.len() >= 4 && refused.iter().all(|record| record.decision.reason == Reason::ScopeInsufficient));
    guarded.reached();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_without_the_right_scope_learns_nothing_of_a_hidden_tool() {
    let guarded = guarded_catalog(Provider::rs256()).await;
    for sdk in [Sdk::TypeScript, Sdk::OlderTypeScript, Sdk::Python, Sdk::Rust, Sdk::McpRemote] {
        let told = Visit::new(sdk, &guarded.url).list().call("checkout", &json!({})).step_up().run().await;
        assert_eq!(told.refusal(), Some(403), "{told:?}");
        assert_eq!(told.sorted("/tools"), SHOWN);
        assert_eq!(told.at("/authorizations"), &json!(1), "there is nothing to ask for: {told:?}");
    }
    let refused = calls(&guarded, "checkout").await;
    assert_eq!(refused.len(), 5, "{refused:#?}");
    assert!(refused.iter().all(|record| record.decision.reason == Reason::Hidden), "{refused:#?}");
    guarded.reached();
}

#[tokio::test(flavor = "multi_thread")]
async fn each_person_and_each_client_is_named_in_the_records() {
    let provider = Provider::rs256();
    let guarded = guarded_catalog(provider).await;
    for (person, sdk) in [("alice", Sdk::TypeScript), ("bob", Sdk::Python)] {
        let visit = Visit::new(sdk, &guarded.url).with(["--user", person]);
        let told = visit.call("get_product", &json!({"sku": "TEA-001"})).run().await.done();
        let calls = calls(&guarded, "get_product").await;
        let last = calls.last().expect("a record of the call");
        check_caller(last, person, told.text("/clientId"), &provider.issuer);
    }
}
