//! Keycloak with its experimental features: clients that are known by a document (CIMD), and tokens for the resource that was
//! asked for (RFC 8707), without a mapper that names its URL.

use crate::clients::{add_to_cart, callers, found, visit};
use crate::exchange::claims;
use crate::scene::{calls, experimental_catalog};
use crate::{last, read, refused};
use futures_util::{StreamExt as _, stream};
use http::StatusCode;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use tollward_policy::config::{AuthConfig, SidecarConfig};
use tollward_policy::reason::Reason;
use tollward_tests::real::document::Document;
use tollward_tests::real::guarded::Guarded;
use tollward_tests::real::keycloak::Keycloak;
use tollward_tests::real::provider::access_token;
use tollward_tests::real::verified::{Issuer, Registration, StepUp, Verified, rows};
use tollward_tests::real::visit::Sdk;

/// Lets only clients call whose document is on that host.
fn only(host: &str) -> impl Fn(&mut SidecarConfig) {
    let hosts = vec![host.to_owned()];
    move |config| {
        let AuthConfig::OAuth { allowed_client_hosts, .. } = &mut config.routes[0].auth else { unreachable!() };
        allowed_client_hosts.clone_from(&hosts);
    }
}

/// A client that is known by its document; gives whether it stepped up.
async fn is_documented(row: Verified, guarded: &Guarded, keycloak: &Keycloak, document: &Document) -> bool {
    let told = add_to_cart(&visit(&row, guarded, "ada").documented(&document.url)).run().await;
    found(&told, &row, keycloak);
    assert_eq!(told.text("/clientId"), document.url, "{told:?}");
    let stepped_up = told.at("/error").is_null();
    assert_eq!(stepped_up, row.step_up == StepUp::Yes, "{told:?}");
    assert!(stepped_up || told.refusal() == Some(403), "{told:?}");
    stepped_up
}

#[tokio::test(flavor = "multi_thread")]
async fn every_client_is_known_by_its_document_and_let_in_by_the_host_of_it() {
    let document = Document::serve().await;
    let (keycloak, guarded) = experimental_catalog(only(&document.host)).await;
    let rows = rows(Issuer::KeycloakExperimental, Registration::Document);
    assert_eq!(rows.iter().map(|row| row.sdk).collect::<Vec<_>>(), Sdk::ALL);
    let mut visits = rows.into_iter().map(|row| is_documented(row, &guarded, &keycloak, &document));
    // Keycloak makes a client of the document for the first, and fails for others that come meanwhile.
    let first = visits.next().expect("a row").await;
    let mut stepped_up: Vec<_> = stream::iter(visits).buffer_unordered(3).collect().await;
    stepped_up.push(first);
    let stepped_up = stepped_up.into_iter().filter(|stepped_up| *stepped_up).count();
    assert_eq!(callers(&guarded, "add_to_cart", Reason::Allowed).await, vec![document.url.clone(); stepped_up]);
    assert!(document.read() > 0, "Keycloak reads the document");
    let robot = access_token(&keycloak.program("robot", &[("resource", guarded.url.as_str())]).await);
    assert_eq!(read(&guarded, &robot).await.refusal(), Some(403), "a client without a document is not let in");
    assert_eq!(last(&guarded).await.decision.reason, Reason::ClientNotAllowed);
    guarded.reached();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_whose_document_is_on_another_host_is_refused() {
    let document = Document::serve().await;
    let (_keycloak, guarded) = experimental_catalog(only("clients.example")).await;
    let rows = rows(Issuer::KeycloakExperimental, Registration::Document);
    for row in rows.iter().filter(|row| [Sdk::TypeScript, Sdk::Python].contains(&row.sdk)) {
        let told = add_to_cart(&visit(row, &guarded, "ada").documented(&document.url)).run().await;
        assert_eq!((told.refusal(), told.text("/clientId")), (Some(403), document.url.as_str()), "{told:?}");
        assert_eq!(last(&guarded).await.decision.reason, Reason::ClientNotAllowed);
    }
    assert!(guarded.reached().is_empty(), "nothing may reach the server");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_for_the_resource_that_was_asked_for_and_passes_there_alone() {
    let (keycloak, guarded) = experimental_catalog(|_| ()).await;
    let own = guarded.url.as_str();
    let token = access_token(&keycloak.program("robot", &[("resource", own)]).await);
    assert_eq!(claims(&token)["aud"], json!(own));
    read(&guarded, &token).await.assert_done();
    assert_eq!(calls(&guarded, "get_product").await.len(), 1);

    let other = access_token(&keycloak.program("robot", &[("resource", "https://warehouse.example/mcp")]).await);
    assert_eq!(claims(&other)["aud"], json!("https://warehouse.example/mcp"));
    refused(&guarded, &other, Reason::AudienceMismatch).await;
    let none = access_token(&keycloak.program("robot", &[]).await);
    let audiences: BTreeSet<_> = claims(&none)["aud"].as_array().into_iter().flatten().map(Value::to_string).collect();
    assert_eq!(audiences, ["\"catalog\"", "\"warehouse\""].map(str::to_owned).into());
    refused(&guarded, &none, Reason::AudienceMismatch).await;

    // An audience that no client has as its resource can't be asked for, also if the token would have it.
    for asked in [
        &[("resource", "https://unknown.example/mcp")][..],
        &[("resource", "https://custom.example/mcp"), ("scope", "custom")],
    ] {
        let reply = keycloak.program("robot", asked).await;
        assert_eq!(reply.status, StatusCode::BAD_REQUEST, "{}", reply.text());
        assert_eq!(reply.json()["error"], "invalid_target", "{}", reply.text());
    }

    // The manual says so; a version that can do it would be told there.
    let reply = keycloak.program("plain-robot", &[("resource", own)]).await;
    assert_eq!(reply.status, StatusCode::INTERNAL_SERVER_ERROR, "{}", reply.text());
}
