//! The `catalog` example: rmcp, both eras.

use crate::guards::guarded_catalog;
use crate::journey::{Journey, calls, check_caller};
use futures_util::{StreamExt as _, stream};
use serde_json::json;
use tollward_policy::reason::Reason;
use tollward_tests::real::provider::Provider;
use tollward_tests::real::server::Server;
use tollward_tests::real::verified::{Issuer, Registration, StepUp, Verified, release, rows};
use tollward_tests::real::visit::{Sdk, Visit};

const MODERN: &str = "2026-07-28";

/// The checkout is hidden from everybody who does not hold its scope.
const SHOWN: &[&str] = &["add_to_cart", "get_product", "search_products"];

fn journey(row: &Verified, revision: &'static str) -> Journey<'static> {
    Journey {
        sdk: row.sdk,
        protocol: Verified::protocol(revision),
        revision,
        tools: SHOWN,
        call: ("add_to_cart", json!({"sku": "TEA-001", "quantity": 1})),
        rule: "cart",
        scope: "mcp:cart-write",
        documented: row.registration == Registration::Document,
        steps_up: row.step_up == StepUp::Yes,
    }
}

async fn goes(row: &Verified, revision: &'static str) {
    let provider = if revision == MODERN { Provider::rs256() } else { Provider::es256() };
    let told = journey(row, revision).go(&guarded_catalog(provider).await, provider).await;
    let (name, version) = release(row.sdk);
    assert_eq!(told.client(), format!("{name} {version}"));
}

async fn all_go(registration: Registration) {
    // They start while everything else of this task waits, whose deadlines don't.
    let _ = (Provider::rs256(), Provider::es256(), Server::catalog());
    let rows = rows(Issuer::OidcProvider, registration);
    assert_eq!(rows.iter().map(|row| row.sdk).collect::<Vec<_>>(), Sdk::ALL);
    let journeys = rows.iter().flat_map(|row| row.revisions.iter().map(|revision| goes(row, revision)));
    // More at once than this only wait for each other, until some wait too long.
    stream::iter(journeys).buffer_unordered(3).collect::<()>().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_client_registers_signs_in_lists_steps_up_and_calls_in_each_of_its_revisions() {
    all_go(Registration::Dynamic).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_client_is_known_by_its_document_instead_of_registering() {
    all_go(Registration::Document).await;
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
    for sdk in Sdk::ALL {
        let told = Visit::new(sdk, &guarded.url).list().call("checkout", &json!({})).step_up().run().await;
        assert_eq!(told.refusal(), Some(403), "{told:?}");
        assert_eq!(told.sorted("/tools"), SHOWN);
        assert_eq!(told.at("/authorizations"), &json!(1), "there is nothing to ask for: {told:?}");
    }
    let refused = calls(&guarded, "checkout").await;
    assert_eq!(refused.len(), Sdk::ALL.len(), "{refused:#?}");
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
