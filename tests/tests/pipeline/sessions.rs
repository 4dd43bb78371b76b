//! Sessions of the legacy era: sealed for one caller of one server.

use http::Method;
use serde_json::json;
use tollward_policy::config::AuthConfig;
use tollward_policy::operation::Era;
use tollward_policy::reason::Reason;
use tollward_tests::client::Wire;
use tollward_tests::clock::TestClock;
use tollward_tests::config::provider;
use tollward_tests::deadline::eventually;
use tollward_tests::issuer::Issuer;
use tollward_tests::mcp::Call;
use tollward_tests::upstream::{Answer, RAW_SESSION};
use tollward_tests::world::{Refusal, World};

async fn begin(world: &World, wire: Wire, token: &str) -> String {
    let (reply, _) = world.passed(wire, &Call::initialize().token(token)).await;
    let id = reply.header("mcp-session-id").to_owned();
    assert!(!id.is_empty() && !id.contains(RAW_SESSION), "{id}");
    assert!(!reply.text().contains(RAW_SESSION) && !format!("{:?}", reply.headers).contains(RAW_SESSION));
    id
}

fn call(token: &str, session: &str) -> Call {
    Call::tool(Era::Legacy, "get_product").token(token).session(session)
}

fn unknown() -> Refusal {
    Refusal::new(404, Reason::SessionUnknown)
}

#[tokio::test]
async fn the_client_gets_a_sealed_id_and_the_mcp_server_its_own() {
    let world = World::start().await;
    for wire in Wire::ALL {
        let token = world.token();
        let id = begin(&world, wire, &token).await;
        let number =
            world.upstream.requests().iter().filter(|request| request.json()["method"] == "initialize").count() - 1;
        world.passed(wire, &call(&token, &id)).await;
        assert_eq!(world.upstream.last().header("mcp-session-id"), format!("{RAW_SESSION}-{number}"));
        world.passed(wire, &Call::listen().token(&token).session(&id)).await;
        assert_eq!(world.upstream.last().header("mcp-session-id"), format!("{RAW_SESSION}-{number}"));
        let records = serde_json::to_string(&world.sidecar.records.closed()).unwrap();
        assert!(!records.contains(&id), "a sealed id is worth a session to its owner");
        let emitted = &world.sidecar.emitted;
        let told = format!("{:?}{:?}{:?}", emitted.audit_records(), emitted.spans(), emitted.logs());
        assert!(!told.contains(&id) && !world.sidecar.metrics().contains(&id));
        assert_ne!(begin(&world, wire, &token).await, id);
    }
    world.end();
}

#[tokio::test]
async fn a_session_outlives_a_token_but_not_its_age() {
    let world = World::start().await;
    for wire in Wire::ALL {
        let id = begin(&world, wire, &world.token()).await;
        let refreshed = || world.issuer.token().with_claim("jti", "token-2").scope("mcp:catalog-write").mint();
        world.passed(wire, &call(&refreshed(), &id)).await;
        world.clock.advance(3_000);
        world.passed(wire, &call(&refreshed(), &id)).await;
        world.clock.advance(700);
        world.refused(wire, &call(&refreshed(), &id), &unknown().answering()).await;
    }
    world.end();
}

#[tokio::test]
async fn nobody_else_can_use_a_session_by_any_method() {
    let world = World::start().await;
    for wire in Wire::ALL {
        let id = begin(&world, wire, &world.token()).await;
        let strangers = [
            world.issuer.token().subject("mallory"),
            world.issuer.token().client("client-2"),
            world.issuer.token().without("client_id"),
            world.issuer.token().subject("ALICE"),
        ];
        for stranger in strangers {
            let token = stranger.mint();
            world.refused(wire, &call(&token, &id), &unknown().answering()).await;
            world.refused(wire, &Call::listen().token(&token).session(&id), &unknown()).await;
            world.refused(wire, &Call::end_session().token(&token).session(&id), &unknown()).await;
        }
        // It lives on for its owner.
        world.passed(wire, &call(&world.token(), &id)).await;
    }
    world.end();
}

#[tokio::test]
async fn a_session_of_another_issuers_subject_is_unknown() {
    let second = Issuer::start(TestClock::default()).await;
    let url = second.url();
    let world = World::with(|config| {
        config.identity_providers.push(serde_json::from_value(provider("shop/second", &url)).unwrap());
        if let AuthConfig::OAuth { providers, .. } = &mut config.routes[0].auth {
            providers.push("shop/second".into());
        }
    })
    .await;
    let token = second.token().mint();
    // Ready means that the keys of one of them are there.
    for token in [&token, &world.token()] {
        let call = Call::tool(Era::Legacy, "get_product").token(token);
        eventually("keys of both issuers", async || world.send(Wire::Http1, &call).await.status.is_success()).await;
    }
    for wire in Wire::ALL {
        let id = begin(&world, wire, &world.token()).await;
        world.refused(wire, &call(&token, &id), &unknown().answering()).await;
    }
}

#[tokio::test]
async fn a_session_is_of_one_server_only() {
    let world = World::with(|config| {
        let mut second = config.routes[0].clone();
        second.server.uid = "uid-second".into();
        second.server.name = "second".into();
        second.endpoint.url = "https://second.example.test/shop/mcp".into();
        config.routes.push(second);
    })
    .await;
    for wire in Wire::ALL {
        let token = world.token();
        let id = begin(&world, wire, &token).await;
        let elsewhere = call(&token, &id).authority("second.example.test");
        world.passed(wire, &elsewhere.clone().without("mcp-session-id")).await;
        world.refused(wire, &elsewhere, &unknown().answering()).await;
    }
    world.end();
}

#[tokio::test]
async fn ids_that_were_never_sealed_are_unknown() {
    let world = World::start().await;
    for wire in Wire::ALL {
        let token = world.token();
        let id = begin(&world, wire, &token).await;
        let flipped: String = id
            .chars()
            .rev()
            .enumerate()
            .map(|(at, c)| if at == 5 { if c == 'A' { 'B' } else { 'A' } } else { c })
            .collect();
        let flipped: String = flipped.chars().rev().collect();
        let forged = [
            format!("{RAW_SESSION}-0"),
            "1".into(),
            "x".repeat(4096),
            flipped,
            format!("{id}="),
            format!("{id}A"),
            id[..id.len() - 1].to_owned(),
            "../../etc".into(),
            String::new(),
        ];
        for id in forged {
            world.refused(wire, &call(&token, &id), &unknown().answering()).await;
        }
        let twice = call(&token, &id).header("mcp-session-id", &id);
        world.refused(wire, &twice, &Refusal::new(400, Reason::RequestMalformed).answering()).await;
    }
    world.end();
}

#[tokio::test]
async fn an_id_that_the_client_proposes_is_ignored() {
    let world = World::start().await;
    for wire in Wire::ALL {
        let (reply, _) = world.passed(wire, &Call::initialize().token(&world.token()).session("chosen-by-me")).await;
        assert!(!reply.header("mcp-session-id").contains("chosen-by-me"));
        assert_eq!(world.upstream.last().header("mcp-session-id"), "");
    }
    world.end();
}

#[tokio::test]
async fn modern_requests_know_no_session() {
    let world = World::start().await;
    for wire in Wire::ALL {
        let token = world.token();
        let id = begin(&world, wire, &token).await;
        for session in [id.as_str(), "nonsense"] {
            world.upstream.next(
                Answer::json(&json!({"jsonrpc": "2.0", "id": 1, "result": {}})).with("mcp-session-id", RAW_SESSION),
            );
            let call = Call::tool(Era::Modern, "get_product").token(&token).session(session);
            let (reply, _) = world.passed(wire, &call).await;
            assert_eq!(world.upstream.last().header("mcp-session-id"), "");
            assert_eq!(reply.header("mcp-session-id"), "", "a session begins with initialize only");
        }
    }
    world.end();
}

#[tokio::test]
async fn the_owner_ends_a_session_at_the_mcp_server() {
    let world = World::start().await;
    for wire in Wire::ALL {
        let token = world.token();
        let id = begin(&world, wire, &token).await;
        let (_, record) = world.passed(wire, &Call::end_session().token(&token).session(&id)).await;
        let last = world.upstream.last();
        assert_eq!(last.method, Method::DELETE);
        assert!(last.header("mcp-session-id").starts_with(RAW_SESSION));
        assert_eq!(record.call.unwrap().method, "(session end)");
        // Whether it still lives is the MCP server's to say.
        world.upstream.next(Answer::typed(http::StatusCode::NOT_FOUND, "application/json", "{}"));
        assert_eq!(world.send(wire, &call(&token, &id)).await.status, http::StatusCode::NOT_FOUND);
    }
    world.end();
}

#[tokio::test]
async fn a_session_id_that_can_not_be_sealed_is_the_mcp_servers_fault() {
    let world = World::start().await;
    for wire in Wire::ALL {
        for id in ["has space", &"x".repeat(600)] {
            let answer = Answer::json(&json!({"jsonrpc": "2.0", "id": 1, "result": {}})).with("mcp-session-id", id);
            world.upstream.next(answer);
            let refusal = Refusal::new(502, Reason::UpstreamInvalid).answering();
            world.failed(wire, &Call::initialize().token(&world.token()), &refusal).await;
        }
    }
    world.end();
}
