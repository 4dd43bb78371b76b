//! The official `server-everything`: a foreign server that speaks the legacy era only and knows nothing of tokens.

use crate::guards::guarded_everything;
use crate::journey::{Journey, calls};
use serde_json::json;
use tollward_policy::reason::Reason;
use tollward_tests::real::provider::Provider;
use tollward_tests::real::visit::{Sdk, Visit};

async fn goes(sdk: Sdk, protocol: &'static str, provider: &Provider) {
    let guarded = guarded_everything(provider).await;
    let journey = Journey {
        sdk,
        protocol,
        revision: "2025-11-25",
        tools: &["echo", "get-sum"],
        call: ("get-sum", json!({"a": 20, "b": 22})),
        rule: "compute",
        scope: "mcp:compute",
        documented: false,
        steps_up: true,
    };
    let told = journey.go(&guarded, provider).await;
    assert!(told.text("/result/content/0/text").contains("42"), "{told:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_typescript_client_falls_back_to_the_legacy_era_and_does_all() {
    goes(Sdk::TypeScript, "auto", Provider::es256()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_older_typescript_client_does_all() {
    goes(Sdk::OlderTypeScript, "legacy", Provider::rs256()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_python_client_falls_back_to_the_legacy_era_and_does_all() {
    goes(Sdk::Python, "auto", Provider::rs256()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_rust_client_falls_back_to_the_legacy_era_and_does_all() {
    goes(Sdk::Rust, "auto", Provider::rs256()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn mcp_remote_falls_back_to_the_legacy_era_and_does_all() {
    goes(Sdk::McpRemote, "auto", Provider::es256()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_tool_that_tells_the_environment_can_not_be_called() {
    let guarded = guarded_everything(Provider::rs256()).await;
    let told = Visit::new(Sdk::TypeScript, &guarded.url).call("get-env", &json!({})).step_up().run().await;
    assert_eq!(told.refusal(), Some(403), "{told:?}");
    let refused = calls(&guarded, "get-env").await;
    assert!(refused.iter().all(|record| record.decision.reason == Reason::NoRuleMatched), "{refused:#?}");
    assert_eq!(refused.len(), 1, "{refused:#?}");
}
