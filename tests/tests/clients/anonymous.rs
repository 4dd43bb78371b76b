//! Servers without authorization: still nothing but what rules allow.

use crate::guards::catalog_guard;
use crate::journey::calls;
use futures_util::{StreamExt as _, stream};
use serde_json::json;
use tollward_policy::reason::Reason;
use tollward_sidecar::audit::Caller;
use tollward_tests::real::guarded::{Guard, Guarded};
use tollward_tests::real::server::Server;
use tollward_tests::real::verified::{ROWS, Verified};
use tollward_tests::real::visit::{Sdk, Visit};

fn open_guard() -> Guard {
    let look = json!({
        "name": "look", "match": {"tools": ["search_products", "get_product"]}, "action": "Allow", "scopes": [],
        "onMissingScope": "Hide"
    });
    Guard { issuer: None, rules: json!([look]), initial_scopes: json!([]), ..catalog_guard("") }
}

/// The client of a row, and how it is told to speak each revision.
fn speaks(row: &Verified) -> impl Iterator<Item = (Sdk, &'static str)> {
    let sdk = row.sdk;
    row.revisions.iter().map(move |revision| (sdk, Verified::protocol(revision)))
}

async fn calls_what_rules_allow(guarded: &Guarded, sdk: Sdk, protocol: &str) {
    let visit = Visit::new(sdk, &guarded.url).protocol(protocol);
    let told = visit.clone().list().call("get_product", &json!({"sku": "TEA-001"})).run().await.done();
    assert_eq!(told.sorted("/tools"), ["get_product", "search_products"], "{told:?}");
    assert!(told.text("/result/content/0/text").contains("Assam"), "{told:?}");
    assert_eq!(told.at("/authorizations"), &json!(0), "{told:?}");
    let told = visit.call("add_to_cart", &json!({"sku": "TEA-001", "quantity": 1})).step_up().run().await;
    assert_eq!(told.refusal(), Some(403), "{told:?}");
    assert_eq!(told.at("/authorizations"), &json!(0), "{told:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_anonymous_client_sees_and_calls_what_rules_allow_and_nothing_else() {
    let guarded = open_guard().start(Server::catalog(), |_| ()).await;
    let mut clients = Vec::new();
    for client in ROWS.iter().flat_map(speaks) {
        // Rows of other providers are of the same client.
        if !clients.contains(&client) {
            clients.push(client);
        }
    }
    let visits = clients.iter().map(|(sdk, protocol)| calls_what_rules_allow(&guarded, *sdk, protocol));
    stream::iter(visits).buffer_unordered(3).collect::<()>().await;
    let refused = calls(&guarded, "add_to_cart").await;
    assert_eq!(refused.len(), clients.len(), "{refused:#?}");
    assert!(refused.iter().all(|record| record.decision.reason == Reason::NoRuleMatched), "{refused:#?}");
    let records = guarded.records().await;
    assert!(records.iter().all(|record| matches!(record.caller, None | Some(Caller::Anonymous {}))), "{records:#?}");
    guarded.reached();
}
