//! What whoever may register clients by themselves can do at Keycloak, and what closes it. Tollward believes what the issuer
//! signs: these are facts about Keycloak that the manual builds on, and a version that changes one is noticed here.

use crate::exchange::claims;
use crate::scene::{calls, guarded_catalog, text};
use crate::{last, read, refused};
use http::StatusCode;
use serde_json::{Value, json};
use tollward_policy::config::{AuthConfig, SidecarConfig};
use tollward_policy::reason::Reason;
use tollward_sidecar::audit::Caller;
use tollward_tests::real::keycloak::Keycloak;
use tollward_tests::real::provider::access_token;

/// A client as its author wants it, that people can sign in to.
fn client(id: &str, more: &Value) -> Value {
    let mut client = json!({"clientId": id, "publicClient": true, "redirectUris": ["http://127.0.0.1:33418/callback"]});
    client.as_object_mut().expect("an object").extend(more.as_object().cloned().expect("an object"));
    client
}

/// Writes a person's first name, which everybody chooses, into a claim.
fn first_name_as(claim: &str, mapper: &str) -> Value {
    let config = json!({"user.attribute": "firstName", "claim.name": claim, "access.token.claim": "true"});
    let mapper = json!({"name": "own", "protocol": "openid-connect", "protocolMapper": mapper, "config": config});
    json!({"protocolMappers": [mapper]})
}

async fn signed_in(keycloak: &Keycloak, client: &str) -> String {
    text(&keycloak.sign_in(client, "openid mcp:catalog-read", "ada").await, "access_token")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_registers_itself_writes_no_claims_unless_mappers_of_attributes_are_allowed() {
    let (keycloak, guarded) = guarded_catalog(|_| ()).await;
    for mapper in ["oidc-usermodel-property-mapper", "oidc-usermodel-attribute-mapper", "oidc-hardcoded-claim-mapper"] {
        for claim in ["sub", "azp", "aud", "groups", "realm_access.roles"] {
            let reply = keycloak.register(&client("mapped", &first_name_as(claim, mapper))).await;
            assert_eq!(reply.status, StatusCode::FORBIDDEN, "{mapper} {claim}: {}", reply.text());
        }
    }
    // As a realm is by default, all but the last are allowed.
    keycloak.forget("Allowed Protocol Mapper Types").await;
    let reply = keycloak.register(&client("mapped", &first_name_as("sub", "oidc-usermodel-property-mapper"))).await;
    assert_eq!(reply.status, StatusCode::CREATED, "{}", reply.text());
    read(&guarded, &signed_in(&keycloak, "mapped").await).await.assert_done();
    let calls = calls(&guarded, "get_product").await;
    let Some(Caller::Token { subject, .. }) = &calls.last().expect("a record").caller else { panic!("{calls:#?}") };
    assert_eq!(
        subject, "Ada",
        "whoever may change a name is whom they like, which is why the manual forbids the mapper"
    );
    guarded.reached();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_registers_itself_chooses_its_id_so_that_no_list_of_clients_knows_it() {
    let (keycloak, guarded) = guarded_catalog(|config: &mut SidecarConfig| {
        let AuthConfig::OAuth { allowed_client_hosts, .. } = &mut config.routes[0].auth else { unreachable!() };
        *allowed_client_hosts = vec!["clients.example".to_owned()];
    })
    .await;
    refused_as_client(&keycloak.robot_token("mcp:catalog-read").await, &guarded).await;
    let id = "https://clients.example/client.json";
    let reply = keycloak.register(&client(id, &json!({}))).await;
    assert_eq!((reply.status, &reply.json()["clientId"]), (StatusCode::CREATED, &json!(id)), "{}", reply.text());
    let token = signed_in(&keycloak, id).await;
    assert_eq!(claims(&token)["azp"], json!(id), "a document that nobody has read");
    read(&guarded, &token).await.assert_done();
    guarded.reached();
}

async fn refused_as_client(token: &str, guarded: &tollward_tests::real::guarded::Guarded) {
    assert_eq!(read(guarded, token).await.refusal(), Some(403));
    assert_eq!(last(guarded).await.decision.reason, Reason::ClientNotAllowed);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_registers_itself_needs_no_person_unless_its_scopes_need_a_role() {
    let (keycloak, guarded) = guarded_catalog(|_| ()).await;
    let program = json!({"publicClient": false, "serviceAccountsEnabled": true});
    let registered = keycloak.register(&client("nobody", &program)).await;
    assert_eq!(registered.status, StatusCode::CREATED, "{}", registered.text());
    let secret = text(&registered.json(), "secret");
    let token = async || access_token(&keycloak.token_of("nobody", &secret, &[("scope", "mcp:catalog-read")]).await);
    read(&guarded, &token().await).await.assert_done();

    keycloak.demand_role("mcp:catalog-read", "shopper", &["ada"]).await;
    let without = token().await;
    assert_eq!(claims(&without)["scope"], json!(""), "neither the scope nor its mapper counts");
    refused(&guarded, &without, Reason::TokenClaimsInvalid).await;
    let person = text(&keycloak.sign_in("shop-app", "openid mcp:catalog-read", "ada").await, "access_token");
    read(&guarded, &person).await.assert_done();
    guarded.reached();
}
