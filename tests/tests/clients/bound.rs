//! A real client with a key of its own: `openid-client` gets a DPoP-bound token of `oidc-provider` and proves it, as RFC 9449
//! has it and not as Tollward's own tests do.

use crate::guards::catalog_guard;
use serde_json::{Value, json};
use std::time::Duration;
use tollward_policy::config::{ProofNonce, SenderConstraintMode, SidecarConfig};
use tollward_policy::reason::Reason;
use tollward_sidecar::audit::{Caller, Record};
use tollward_tests::mcp::meta;
use tollward_tests::real::guarded::Guarded;
use tollward_tests::real::place;
use tollward_tests::real::process::{Process, command};
use tollward_tests::real::provider::{Provider, ROBOT};
use tollward_tests::real::server::Server;
use tollward_tests::sender::{constrain, dpop};

/// Longest run, on a loaded machine.
const LIMIT: Duration = Duration::from_mins(1);

async fn bound_only(provider: &Provider, nonce: ProofNonce) -> Guarded {
    let bound = move |config: &mut SidecarConfig| constrain(config, Some(dpop(SenderConstraintMode::Required, nonce)));
    let guarded = catalog_guard(&provider.issuer).start(Server::catalog(), bound).await;
    provider.serve(&guarded.url, "jwt").await;
    guarded
}

fn run(provider: &Provider, guarded: &Guarded) -> Value {
    let asked = json!({
        "issuer": provider.issuer, "clientId": ROBOT.0, "clientSecret": ROBOT.1, "resource": guarded.url, "scope": "mcp:catalog-read",
        "call": {"jsonrpc": "2.0", "id": 1, "method": "tools/call",
            "params": {"name": "get_product", "arguments": {"sku": "TEA-001"}, "_meta": meta()}},
    });
    let folder = tempfile::tempdir().expect("a temporary directory");
    let question = folder.path().join("question.json");
    std::fs::write(&question, asked.to_string()).expect("the directory is writable");
    let mut program = command(place::node());
    program.arg(place::clients().join("dpop-client.mjs")).arg(&question);
    let ended = Process::start("openid-client", program).ended(LIMIT);
    serde_json::from_str(&ended.output)
        .unwrap_or_else(|error| panic!("openid-client says no JSON ({error}): {ended:?}"))
}

fn key_of(record: &Record) -> Option<&str> {
    let Some(Caller::Token { bound_to: Some(bound), .. }) = &record.caller else {
        return None;
    };
    bound.key.as_deref()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_with_a_key_is_served_and_whoever_has_its_token_without_the_key_is_not() {
    let provider = Provider::rs256();
    for nonce in [ProofNonce::Off, ProofNonce::Required] {
        let guarded = bound_only(provider, nonce).await;
        let told = run(provider, &guarded);
        assert_eq!(told["tokenType"], "dpop", "{told:#}");
        for step in ["first", "second"] {
            assert_eq!(told[step]["status"], 200, "{told:#}");
            assert!(told[step]["text"].as_str().is_some_and(|text| text.contains("Assam")), "{told:#}");
        }
        for step in ["asBearer", "withAnotherKey"] {
            assert_eq!((&told[step]["status"], &told[step]["scheme"]), (&json!(401), &json!("dpop")), "{told:#}");
        }
        let records = guarded.records().await;
        let done: Vec<_> = records.iter().filter(|record| record.decision.allowed).collect();
        assert_eq!(done.len(), 2, "{records:#?}");
        assert!(key_of(done[0]).is_some_and(|key| Some(key) == key_of(done[1])), "{done:#?}");
        let refusals = records.iter().map(|record| record.decision.reason);
        // Without a nonce the library repeats the request with the one it got.
        let refusals: Vec<_> =
            refusals.filter(|reason| ![Reason::Allowed, Reason::ProofNonceRequired].contains(reason)).collect();
        assert_eq!(refusals, [Reason::TokenBindingRefused, Reason::ProofInvalid]);
        assert_eq!(guarded.reached().len(), 2, "a thief reaches nobody");
    }
}
