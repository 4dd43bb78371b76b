//! Entra ID: learn.microsoft.com/entra/identity-platform/access-tokens (samples of both versions, keys with `issuer`),
//! .../access-token-claims-reference (claims, groups overage) and .../id-token-claims-reference.

use super::{auth, but, passes, refused, trap};
use serde_json::{Value, json};
use std::sync::Arc;
use tollward_policy::operation::Era;
use tollward_policy::reason::Reason;
use tollward_tests::client::Wire;
use tollward_tests::config::METADATA_URL;
use tollward_tests::deadline::eventually;
use tollward_tests::key::Key;
use tollward_tests::mcp::Call;
use tollward_tests::vendor::{Vendor, world};
use tollward_tests::world::World;

const TENANT: &str = "72f988bf-86f1-41af-91ab-2d7cd011db47";
const OTHER: &str = "fa15d692-e9c7-4460-a743-29f2956fd429";
const APP: &str = "6e74172b-be56-4843-9ff4-e66a39bb12e3";
const CLIENT: &str = "75dbe77f-10a3-4e59-85fd-8c127544f17c";
const GRAPH: &str = "00000003-0000-0000-c000-000000000000";

fn v2(vendor: &Vendor, tenant: &str) -> String {
    format!("{}/{tenant}/v2.0", vendor.base)
}

/// Entra has OpenID Connect's metadata only, and says in each key whose it is.
fn serve(vendor: &Vendor, tenant: &str, key_issuer: &str) {
    let metadata = format!("/{tenant}/v2.0/.well-known/openid-configuration");
    let keys = format!("/{tenant}/discovery/v2.0/keys");
    vendor.serve(&v2(vendor, tenant), &[&metadata], &keys, &json!({"issuer": key_issuer, "x5t": "x", "alg": null}));
}

/// The sample of version 2.0.
fn claims(vendor: &Vendor, world: &World) -> Value {
    let now = world.issuer.now();
    json!({
        "aud": APP, "iss": v2(vendor, TENANT), "iat": now, "nbf": now, "exp": now + 3900, "aio": "AXQAi/8IAAAA",
        "azp": CLIENT, "azpacr": "0", "name": "Abe Lincoln", "oid": "690222be-ff1a-4d56-abd1-7e4f7d38e474",
        "preferred_username": "abeli@microsoft.com", "rh": "I", "scp": "access_as_user mcp:catalog-read",
        "sub": "HKZpfaHyWadeOouYlitjrI-KffTm222X5rrV3xDqfKQ", "tid": TENANT, "uti": "fqiBqXLPj0eQa82S-IYFAA", "ver": "2.0",
    })
}

async fn start() -> (Vendor, World) {
    let vendor = Vendor::start().await;
    serve(&vendor, TENANT, "https://login.microsoftonline.com/{tenantid}/v2.0");
    let own = auth(&json!({
        "audience": {"value": APP}, "identityProviders": [{"name": "idp", "scopePrefix": "api://shop/"}],
    }));
    let world = world(&json!({"preset": "Entra", "issuer": v2(&vendor, TENANT)}), &own).await;
    (vendor, world)
}

#[tokio::test]
async fn a_token_of_version_2_passes_and_clients_are_told_the_long_names_of_scopes() {
    let (vendor, world) = start().await;
    let claims = claims(&vendor, &world);
    let token = |change: Value| vendor.token(&world, &json!({"typ": "JWT"}), &but(&claims, &change)).mint();
    let caller = passes(&world, &token(json!({}))).await;
    assert_eq!(caller, ("690222be-ff1a-4d56-abd1-7e4f7d38e474".into(), Some(CLIENT.into())));
    // The token says `mcp:catalog-read`, the client must ask for more than that.
    let (_, challenge) =
        refused(&world, &token(json!({"scp": "access_as_user"})), 403, Reason::ScopeInsufficient).await;
    assert!(challenge.contains("scope=\"api://shop/mcp:catalog-read\""), "{challenge}");
    let (_, challenge) = refused(&world, "junk", 401, Reason::TokenMalformed).await;
    assert!(challenge.contains("scope=\"api://shop/mcp:catalog-read\""), "{challenge}");
    let metadata = METADATA_URL.trim_start_matches("https://mcp.example.test");
    let metadata = world.send(Wire::Http1, &Call::bare(http::Method::GET, metadata)).await.json();
    assert_eq!(metadata["scopes_supported"], json!(["api://shop/mcp:catalog-read"]));
    assert_eq!(metadata["authorization_servers"], json!([v2(&vendor, TENANT)]));
    // An app without a person has roles and no scopes.
    let app = json!({"scp": null, "roles": ["mcp:catalog-read"], "idtyp": "app"});
    refused(&world, &token(app), 403, Reason::ScopeInsufficient).await;
    world.end();
}

#[tokio::test]
async fn entras_other_tokens_are_refused_with_advice() {
    let (vendor, world) = start().await;
    let claims = claims(&vendor, &world);
    let token = |change: Value| vendor.token(&world, &json!({"typ": "JWT"}), &but(&claims, &change));
    let sts = format!("https://sts.windows.net/{TENANT}/");
    let v1 = json!({"iss": sts, "ver": "1.0", "azp": null, "appid": CLIENT});
    trap(&world, &token(v1.clone()).mint(), Reason::IssuerUnknown, "requestedAccessTokenVersion to 2").await;
    // Graph's tokens are version 1.0 with a nonce in the header.
    let graph = token(but(&v1, &json!({"aud": GRAPH}))).with_header("nonce", "n").mint();
    trap(&world, &graph, Reason::IssuerUnknown, "Microsoft Graph").await;
    let graph = token(json!({"aud": "https://graph.microsoft.com"}));
    trap(&world, &graph.mint(), Reason::AudienceMismatch, "Microsoft Graph").await;
    let attacker = Arc::new(Key::new("vendor-key", "RS256"));
    let forged = graph.forged_by(&attacker).with_header("kid", vendor.key.id.as_str());
    let broken = forged.mint_with(|_| vec![1; 256]);
    trap(&world, &broken, Reason::TokenSignatureInvalid, "Microsoft Graph").await;
    let uri = json!({"aud": "api://shop"});
    trap(&world, &token(uri).mint(), Reason::AudienceMismatch, "client id of the API's app registration").await;
    // An ID token for an app that is client and API at once has the right audience.
    let id_token = json!({"azp": null, "azpacr": null, "scp": null, "roles": ["mcp:catalog-read"]});
    trap(&world, &token(id_token).mint(), Reason::TokenTypeRefused, "If it is an ID token").await;
    let stranger = json!({"tid": OTHER});
    trap(&world, &token(stranger).mint(), Reason::TokenTypeRefused, "ver, tid and the client").await;
    trap(&world, &token(json!({"oid": null})).mint(), Reason::TokenClaimsInvalid, "oid").await;
    let other = json!({"iss": v2(&vendor, OTHER), "tid": OTHER});
    trap(&world, &token(other).mint(), Reason::IssuerUnknown, "a tenant that is not accepted").await;
    world.end();
}

#[tokio::test]
async fn of_several_tenants_only_the_listed_ones_pass_each_under_its_own_issuer() {
    let vendor = Vendor::start().await;
    let third = "9188040d-6c67-4c5b-b112-36a304b66dad";
    for tenant in [TENANT, OTHER, third] {
        serve(&vendor, tenant, "https://login.microsoftonline.com/{tenantid}/v2.0");
    }
    let issuer = format!("{}/{{tenantid}}/v2.0", vendor.base);
    let external = json!({"preset": "Entra", "issuer": issuer, "tenants": [TENANT, OTHER]});
    let world = world(&external, &auth(&json!({"audience": {"value": APP}}))).await;
    let claims = claims(&vendor, &world);
    let token = |change: Value| vendor.token(&world, &json!({"typ": "JWT"}), &but(&claims, &change)).mint();
    for tenant in [TENANT, OTHER] {
        let token = token(json!({"iss": v2(&vendor, tenant), "tid": tenant}));
        // A server is ready with the keys of one of its providers.
        let call = Call::tool(Era::Modern, "get_product").token(&token);
        eventually("the tenant's keys are there", async || world.send(Wire::Http1, &call).await.status.is_success())
            .await;
        passes(&world, &token).await;
    }
    let unlisted = json!({"iss": v2(&vendor, third), "tid": third});
    trap(&world, &token(unlisted), Reason::IssuerUnknown, "a tenant that is not accepted").await;
    let template = json!({"iss": issuer});
    trap(&world, &token(template), Reason::IssuerUnknown, "a tenant that is not accepted").await;
    let mixed = json!({"iss": v2(&vendor, TENANT), "tid": OTHER});
    trap(&world, &token(mixed), Reason::TokenTypeRefused, "tid").await;
    world.end();
}

#[tokio::test]
async fn a_key_of_another_tenant_verifies_nothing() {
    let vendor = Vendor::start().await;
    serve(&vendor, TENANT, &format!("https://login.microsoftonline.com/{OTHER}/v2.0"));
    let external = json!({"preset": "Entra", "issuer": v2(&vendor, TENANT)});
    let configured = tollward_tests::vendor::configured(&external, &auth(&json!({"audience": {"value": APP}})));
    let world = World::cold(tollward_tests::issuer::Health::Good, |config, _| {
        config.identity_providers = configured.identity_providers.clone();
        config.routes[0].auth = configured.routes[0].auth.clone();
    })
    .await;
    let token = vendor.token(&world, &json!({"typ": "JWT"}), &claims(&vendor, &world)).mint();
    refused(&world, &token, 503, Reason::KeysUnavailable).await;
}

#[tokio::test]
async fn a_token_of_version_1_passes_where_the_provider_says_so() {
    let vendor = Vendor::start().await;
    let issuer = format!("{}/{TENANT}/", vendor.base);
    let metadata = format!("/{TENANT}/.well-known/openid-configuration");
    vendor.serve(&issuer, &[&metadata], "/common/discovery/keys", &json!({"x5t": "x"}));
    let own = auth(&json!({"audience": {"value": "api://shop"}}));
    let world = world(&json!({"preset": "Entra", "issuer": issuer}), &own).await;
    let version = json!({"iss": issuer, "ver": "1.0", "azp": null, "appid": CLIENT, "aud": "api://shop"});
    let claims = but(&claims(&vendor, &world), &version);
    let token = |change: Value| vendor.token(&world, &json!({"typ": "JWT"}), &but(&claims, &change));
    assert_eq!(passes(&world, &token(json!({})).mint()).await.1.as_deref(), Some(CLIENT));
    trap(&world, &token(json!({"appid": null})).mint(), Reason::TokenTypeRefused, "appid in version 1.0").await;
    let v2 = json!({"iss": v2(&vendor, TENANT), "ver": "2.0"});
    trap(&world, &token(v2).mint(), Reason::IssuerUnknown, "set up for version 1.0").await;
    world.end();
}
