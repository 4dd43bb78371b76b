//! Every client with Keycloak: as one that it has never seen, which registers by itself, and as one that it knows.

use crate::scene::{calls, guarded_catalog};
use futures_util::{StreamExt as _, stream};
use serde_json::json;
use std::collections::BTreeSet;
use tollward_policy::config::SidecarConfig;
use tollward_policy::reason::Reason;
use tollward_sidecar::audit::Caller;
use tollward_tests::real::guarded::Guarded;
use tollward_tests::real::keycloak::{Keycloak, password};
use tollward_tests::real::verified::{Issuer, Registration, StepUp, Verified, release, rows};
use tollward_tests::real::visit::{Sdk, Told, Visit};

const TOOLS: [&str; 3] = ["add_to_cart", "get_product", "search_products"];

pub(crate) fn visit(row: &Verified, guarded: &Guarded, person: &str) -> Visit {
    let protocol = row.revisions.first().map_or("auto", |revision| Verified::protocol(revision));
    let person = ["--user", person, "--password", &password(person)];
    let visit = Visit::new(row.sdk, &guarded.url).with(person).protocol(protocol).list();
    // With a refresh token the older SDK refreshes instead of asking the person, which never brings more scopes.
    if row.sdk == Sdk::OlderTypeScript { visit.with(["--no-refresh"]) } else { visit }
}

pub(crate) fn add_to_cart(visit: &Visit) -> Visit {
    visit.clone().step_up().call("add_to_cart", &json!({"sku": "TEA-001", "quantity": 1}))
}

pub(crate) fn found(told: &Told, row: &Verified, keycloak: &Keycloak) {
    let (name, version) = release(row.sdk);
    assert_eq!(told.client(), format!("{name} {version}"));
    assert_eq!(told.sorted("/tools"), TOOLS, "{told:?}");
    assert!(told.at("/protocolVersion").as_str().is_none_or(|revision| row.revisions == [revision]), "{told:?}");
    // What clients of 2025-03-26 know of it is the address of the MCP server.
    let knows = row.revisions != ["2025-03-26"];
    assert!(
        !knows || told.at("/authorizationServer").as_str().is_none_or(|server| server == keycloak.issuer),
        "{told:?}"
    );
}

/// Clients of the calls of a tool that ended for that reason, sorted.
pub(crate) async fn callers(guarded: &Guarded, tool: &str, reason: Reason) -> Vec<String> {
    let records = calls(guarded, tool).await.into_iter().filter(|record| record.decision.reason == reason);
    let mut clients: Vec<_> = records
        .filter_map(|record| match record.caller {
            Some(Caller::Token { client, .. }) => client,
            None | Some(Caller::Anonymous { .. }) => None,
        })
        .collect();
    clients.sort_unstable();
    clients
}

/// Registers, signs in, consents, lists and calls; a second client of the kind asks for more than it registered with.
async fn registers(row: Verified, guarded: &Guarded, keycloak: &Keycloak) -> [String; 2] {
    let visit = visit(&row, guarded, "ada");
    let told = visit.clone().call("get_product", &json!({"sku": "TEA-001"})).run().await.done();
    found(&told, &row, keycloak);
    assert_eq!(told.at("/authorizations"), &json!(1), "{told:?}");
    let refused = add_to_cart(&visit).run().await;
    found(&refused, &row, keycloak);
    assert!(refused.at("/result").is_null() && row.step_up != StepUp::Yes, "{refused:?}");
    let said = refused.text("/error/message");
    let asked = said.contains("Invalid scopes") || said.contains("invalid_scope");
    let knows_step_up = Sdk::ALL.contains(&row.sdk);
    assert!(asked == knows_step_up && (knows_step_up || refused.refusal() == Some(403)), "{refused:?}");
    [&told, &refused].map(|told| told.text("/clientId").to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn every_client_registers_signs_in_and_calls_and_keycloak_keeps_it_to_the_scopes_of_its_registration() {
    let (keycloak, guarded) = guarded_catalog(|_| ()).await;
    let rows = rows(Issuer::Keycloak, Registration::Dynamic);
    let revisions: BTreeSet<_> = rows.iter().flat_map(|row| row.revisions).copied().collect();
    let visits = rows.into_iter().map(|row| registers(row, &guarded, &keycloak));
    let clients: Vec<_> = stream::iter(visits).buffer_unordered(3).collect().await;
    let sorted = |number: usize| {
        let mut clients: Vec<_> = clients.iter().map(|pair| pair[number].clone()).collect();
        clients.sort_unstable();
        clients
    };
    assert_eq!(callers(&guarded, "get_product", Reason::Allowed).await, sorted(0));
    assert_eq!(callers(&guarded, "add_to_cart", Reason::ScopeInsufficient).await, sorted(1));
    assert!(callers(&guarded, "add_to_cart", Reason::Allowed).await.is_empty(), "nobody got more scopes");
    let spoken = calls(&guarded, "get_product").await.into_iter().filter_map(|record| record.call);
    let spoken: BTreeSet<_> = spoken.map(|call| call.revision).collect();
    assert_eq!(spoken.iter().map(String::as_str).collect::<BTreeSet<_>>(), revisions);
    guarded.reached();
}

/// A client that Keycloak knows; gives whether it stepped up.
async fn is_known(row: Verified, guarded: &Guarded, keycloak: &Keycloak) -> bool {
    let told = add_to_cart(&visit(&row, guarded, "bob").registered("shop-app")).run().await;
    found(&told, &row, keycloak);
    let stepped_up = told.at("/error").is_null();
    assert_eq!(stepped_up, row.step_up == StepUp::Yes, "{told:?}");
    assert_eq!(told.sorted("/scopes").contains(&"mcp:cart-write"), stepped_up, "{told:?}");
    assert_eq!(told.at("/authorizations"), &json!(1 + u8::from(stepped_up)), "{told:?}");
    assert!(stepped_up || told.refusal() == Some(403), "{told:?}");
    stepped_up
}

#[tokio::test(flavor = "multi_thread")]
async fn every_client_that_keycloak_knows_signs_in_lists_steps_up_and_calls() {
    let (keycloak, guarded) = guarded_catalog(|_| ()).await;
    let rows = rows(Issuer::Keycloak, Registration::Known);
    let visits = rows.into_iter().map(|row| is_known(row, &guarded, &keycloak));
    let stepped_up: Vec<_> = stream::iter(visits).buffer_unordered(3).collect().await;
    let allowed = callers(&guarded, "add_to_cart", Reason::Allowed).await;
    assert_eq!(allowed, vec!["shop-app".to_owned(); stepped_up.into_iter().filter(|stepped_up| *stepped_up).count()]);
    guarded.reached();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_registers_with_all_scopes_needs_no_more_of_them() {
    let both = |config: &mut SidecarConfig| {
        config.routes[0].initial_scopes =
            serde_json::from_value(json!(["mcp:catalog-read", "mcp:cart-write"])).expect("scopes");
    };
    let (keycloak, guarded) = guarded_catalog(both).await;
    for row in rows(Issuer::Keycloak, Registration::Dynamic).iter().filter(|row| row.sdk == Sdk::TypeScript) {
        let told = add_to_cart(&visit(row, &guarded, "ada")).run().await.done();
        found(&told, row, &keycloak);
        assert_eq!(told.at("/authorizations"), &json!(1), "{told:?}");
        assert_eq!(callers(&guarded, "add_to_cart", Reason::Allowed).await, [told.text("/clientId")]);
    }
}
