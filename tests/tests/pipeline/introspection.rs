//! Opaque tokens through the listener: what the authorization server says about one decides, and nothing else.

use http::StatusCode;
use serde_json::{Value, json};
use tollward_policy::config::{
    ClientAuthentication, IntrospectedTokens, IntrospectionClient, IntrospectionConfig, SidecarConfig,
};
use tollward_policy::operation::Era;
use tollward_policy::reason::Reason;
use tollward_sidecar::audit::Caller;
use tollward_tests::client::Wire;
use tollward_tests::config::{ConfigFile, ENDPOINT};
use tollward_tests::issuer::Health;
use tollward_tests::issuer::introspection::{CLIENT, Fixed, SECRET};
use tollward_tests::mcp::Call;
use tollward_tests::world::{CELLS, Refusal, World};

const SECRET_FILE: &str = "introspection-secret";

/// Lets the first provider introspect.
pub(super) fn introspect(config: &mut SidecarConfig, file: &ConfigFile, tokens: IntrospectedTokens) {
    let secret_file = file.beside(SECRET_FILE, &format!("{SECRET}\n"));
    let authentication = ClientAuthentication::Basic;
    let client = IntrospectionClient { id: CLIENT.into(), authentication, secret_file };
    config.identity_providers[0].introspection =
        Some(IntrospectionConfig { tokens, endpoint_url: None, client, cache_seconds: 300 });
}

async fn world(tokens: IntrospectedTokens) -> World {
    let world = World::cold(Health::Good, |config, file| introspect(config, file, tokens)).await;
    world.sidecar.ready().await;
    world
}

fn answer(world: &World) -> Value {
    json!({
        "active": true, "iss": world.issuer.url(), "sub": "alice", "aud": ENDPOINT, "client_id": "client-1",
        "scope": "mcp:catalog-read", "token_type": "Bearer", "iat": world.issuer.now() - 5, "exp": world.issuer.now() + 3600,
        "jti": "token-1",
    })
}

fn with(world: &World, name: &str, value: Value) -> Value {
    let mut answer = answer(world);
    if value.is_null() {
        answer.as_object_mut().unwrap().remove(name);
    } else {
        answer[name] = value;
    }
    answer
}

fn call(era: Era, token: &str) -> Call {
    Call::tool(era, "get_product").token(token)
}

fn unavailable() -> Refusal {
    Refusal::new(503, Reason::IntrospectionUnavailable)
}

#[tokio::test]
async fn an_opaque_token_is_as_good_as_what_its_issuer_says_about_it() {
    let world = world(IntrospectedTokens::Opaque).await;
    for (index, (wire, era)) in CELLS.into_iter().enumerate() {
        let token = world.issuer.opaque(&format!("good-{index}"), answer(&world));
        let (_, record) = world.passed(wire, &call(era, &token)).await;
        let Some(Caller::Token { subject, client, scopes, .. }) = record.caller else {
            panic!("the caller is known");
        };
        assert_eq!((subject.as_str(), client.as_deref()), ("alice", Some("client-1")));
        assert_eq!(scopes, ["mcp:catalog-read"]);
        world.passed(wire, &call(era, &token)).await;
        let write = Call::tool(era, "set_price").token(&token);
        let reply = world.send(wire, &write).await;
        assert_eq!((reply.status.as_u16(), reply.reason().as_str()), (403, "scope_insufficient"));
        world.sidecar.records.wait_for((index + 1) * 3).await;
    }
    let questions = world.issuer.introspection().questions();
    assert_eq!(questions.len(), 4, "each token was asked about once");
    for question in questions {
        let fields: Vec<_> = question.form.keys().map(String::as_str).collect();
        assert_eq!(fields, ["token", "token_type_hint"]);
        assert!(question.authorization.is_some_and(|header| header.starts_with("Basic ")));
    }
    // A signed token is nobody's question.
    world.passed(Wire::Http1, &call(Era::Modern, &world.token())).await;
    assert_eq!(world.issuer.introspection().questions().len(), 4);
    world.end();
}

#[tokio::test]
async fn whatever_the_issuer_does_not_say_exactly_is_refused_in_every_cell() {
    let world = world(IntrospectedTokens::Opaque).await;
    let now = world.issuer.now();
    let mut by_name = with(&world, "sub", Value::Null);
    by_name["username"] = json!("alice");
    let cases = [
        ("not active", json!({"active": false}), Reason::TokenInactive),
        ("active in words", with(&world, "active", json!("true")), Reason::TokenInactive),
        ("no verdict", with(&world, "active", Value::Null), Reason::TokenInactive),
        ("no audience", with(&world, "aud", Value::Null), Reason::TokenClaimsInvalid),
        ("another audience", with(&world, "aud", json!(format!("{ENDPOINT}/"))), Reason::AudienceMismatch),
        ("another issuer", with(&world, "iss", json!("https://evil.example")), Reason::IssuerUnknown),
        ("expired", with(&world, "exp", json!(now - 1)), Reason::TokenExpired),
        ("an expiry in words", with(&world, "exp", json!("tomorrow")), Reason::TokenClaimsInvalid),
        ("a username and no sub", by_name, Reason::TokenClaimsInvalid),
        ("a refresh token", with(&world, "token_use", json!("refresh_token")), Reason::TokenTypeRefused),
        ("bound to a key", with(&world, "cnf", json!({"jkt": "x"})), Reason::TokenBindingRefused),
    ];
    for (wire, era) in CELLS {
        for (index, (what, answer, reason)) in cases.iter().enumerate() {
            let token = world.issuer.opaque(&format!("bad-{index}"), answer.clone());
            let (_, record) = world.refused(wire, &call(era, &token), &Refusal::invalid_token(*reason)).await;
            assert_eq!(record.caller, None, "{what}: nobody was verified");
        }
        world.refused(wire, &call(era, "never-issued"), &Refusal::invalid_token(Reason::TokenInactive)).await;
    }
    world.end();
}

#[tokio::test]
async fn while_the_issuer_can_not_be_asked_callers_are_told_to_come_back() {
    let page = |status, media, body: &str| Fixed::Answer(status, media, body.to_owned());
    for fixed in [
        Fixed::Cut,
        page(StatusCode::SERVICE_UNAVAILABLE, "application/json", "{}"),
        page(StatusCode::UNAUTHORIZED, "application/json", r#"{"error":"invalid_client"}"#),
        page(StatusCode::FORBIDDEN, "application/json", "{}"),
        page(StatusCode::FOUND, "text/html", ""),
        page(StatusCode::OK, "text/html", "<html>sign in"),
        page(StatusCode::OK, "application/token-introspection+jwt", "e30.e30.e30"),
        page(StatusCode::OK, "application/json", &format!("{{\"active\":true,\"x\":\"{}\"}}", "a".repeat(64 * 1024))),
    ] {
        let world = world(IntrospectedTokens::Opaque).await;
        let known = world.issuer.opaque("known", answer(&world));
        world.passed(Wire::Http1, &call(Era::Modern, &known)).await;
        world.issuer.introspection().fix(Some(fixed.clone()));
        for (index, (wire, era)) in CELLS.into_iter().enumerate() {
            let token = world.issuer.opaque(&format!("unknown-{index}"), answer(&world));
            let (reply, record) = world.refused(wire, &call(era, &token), &unavailable()).await;
            let wait = reply.header("retry-after").parse::<u64>();
            assert!(wait.is_ok_and(|seconds| seconds > 0), "{fixed:?}");
            assert_eq!(record.caller, None);
            world.passed(wire, &call(era, &known)).await;
            world.passed(wire, &call(era, &world.token())).await;
        }
        let logs = format!("{:?}", world.sidecar.emitted.logs());
        assert!(!logs.contains(SECRET), "{logs}");
        world.end();
    }
}

#[tokio::test]
async fn a_new_secret_counts_without_a_restart() {
    let world = world(IntrospectedTokens::Opaque).await;
    for (index, (wire, era)) in CELLS.into_iter().enumerate() {
        let secret = format!("another secret {index}");
        world.issuer.introspection().change_secret(&secret);
        world.sidecar.config.beside(SECRET_FILE, &secret);
        let token = world.issuer.opaque(&format!("rotated-{index}"), answer(&world));
        world.passed(wire, &call(era, &token)).await;
    }
    world.end();
}

#[tokio::test]
async fn a_revoked_token_ends_with_the_answer_about_it_also_if_it_is_signed() {
    for (wire, era) in CELLS {
        let world = world(IntrospectedTokens::All).await;
        let (opaque, signed) = (world.issuer.opaque("revoked", answer(&world)), world.token());
        world.issuer.introspection().say(&signed, answer(&world));
        for token in [&opaque, &signed] {
            world.passed(wire, &call(era, token)).await;
            world.issuer.introspection().say(token, json!({"active": false}));
            world.clock.advance(200);
            world.passed(wire, &call(era, token)).await;
            world.clock.advance(100);
            world.refused(wire, &call(era, token), &Refusal::invalid_token(Reason::TokenInactive)).await;
        }
        let questions = world.issuer.introspection().questions().len();
        let forged = format!("{}x", world.token());
        let refusal = Refusal::invalid_token(Reason::TokenMalformed);
        world.refused(wire, &call(era, &forged), &refusal).await;
        assert_eq!(world.issuer.introspection().questions().len(), questions);
        world.end();
    }
}

#[tokio::test]
async fn an_answer_for_one_server_is_none_for_another() {
    let elsewhere = "https://mcp.example.test/bank/mcp";
    let world = World::cold(Health::Good, |config, file| {
        introspect(config, file, IntrospectedTokens::Opaque);
        let mut bank = serde_json::to_value(&config.routes[0]).unwrap();
        bank["server"] = json!({"namespace": "bank", "name": "ledger", "uid": "uid-ledger"});
        bank["endpoint"]["url"] = json!(elsewhere);
        bank["auth"]["audiences"] = json!([elsewhere]);
        config.routes.push(serde_json::from_value(bank).unwrap());
    })
    .await;
    world.sidecar.ready().await;
    let token = world.issuer.opaque("shop", answer(&world));
    for (wire, era) in CELLS {
        world.passed(wire, &call(era, &token)).await;
        let reply = world.send(wire, &call(era, &token).target("/bank/mcp")).await;
        assert_eq!((reply.status.as_u16(), reply.reason().as_str()), (401, "audience_mismatch"));
    }
    assert_eq!(world.upstream.count(), 4, "nothing reached the other server");
    world.sidecar.records.wait_for(8).await;
    world.end();
}

#[tokio::test]
async fn a_flood_of_invented_tokens_does_not_reach_the_issuer_and_keeps_nobody_out_who_is_known() {
    let world = world(IntrospectedTokens::Opaque).await;
    let known = world.issuer.opaque("known", answer(&world));
    world.passed(Wire::Http1, &call(Era::Modern, &known)).await;
    let before = world.issuer.introspection().questions().len();
    let mut sent = 0;
    // The budget is refilled by time, so that a slow machine needs more than it holds.
    let limited = loop {
        let reply = world.send(Wire::Http1, &call(Era::Modern, &format!("invented-{sent}"))).await;
        if reply.status.as_u16() == 429 {
            break reply;
        }
        assert_eq!((reply.status.as_u16(), reply.reason().as_str()), (401, "token_inactive"));
        sent += 1;
        assert!(sent < 10_000, "the address's budget never ends");
    };
    assert!(!limited.header("retry-after").is_empty());
    assert_eq!(world.issuer.introspection().questions().len(), before + sent, "who is refused asks nothing");
    world.sidecar.records.wait_for(sent + 2).await;
    for (wire, era) in CELLS {
        world.passed(wire, &call(era, &known)).await;
        world.passed(wire, &call(era, &world.token())).await;
    }
    world.end();
}
