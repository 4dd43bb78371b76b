//! Token exchange over the wire: who is asked how often, and that no answer that must not be used leads to a call.

use super::upstream_identity::{SECRET, call, check, exchanging};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::StatusCode;
use serde_json::{Value, json};
use tollward_policy::operation::Era;
use tollward_policy::reason::Reason;
use tollward_tests::client::Wire;
use tollward_tests::config::ENDPOINT;
use tollward_tests::exchange::TokenEndpoint;
use tollward_tests::key::encode;
use tollward_tests::mcp::Call;
use tollward_tests::upstream::Answer;
use tollward_tests::world::{CELLS, Refusal};

#[tokio::test]
async fn a_token_is_exchanged_once_for_each_caller_and_the_callers_goes_to_its_issuer_alone() {
    let endpoint = TokenEndpoint::start().await;
    let world = exchanging(&endpoint).await;
    let (alice, bob) = (world.token(), world.issuer.token().subject("bob").mint());
    for token in [&alice, &bob, &alice] {
        for (wire, era) in CELLS {
            world.passed(wire, &Call::tool(era, "get_product").token(token)).await;
            let expected = if token == &alice { "Bearer exchanged-1-" } else { "Bearer exchanged-2-" };
            let shown = world.upstream.last().header("authorization").to_owned();
            assert!(shown.starts_with(expected), "{shown}");
        }
    }
    let asked = endpoint.asked();
    assert_eq!(asked.len(), 2);
    assert!(asked[0].form.contains(&format!("subject_token={alice}&")) && asked[0].form.contains("audience=catalog"));
    assert_eq!(asked[0].authorization, format!("Basic {}", encode_standard(&format!("tollward:{SECRET}"))));
    check(&world, &world.upstream.requests());
    world.end();
}

fn encode_standard(text: &str) -> String {
    STANDARD.encode(text)
}

#[tokio::test]
async fn a_token_endpoint_that_fails_or_says_no_is_a_refusal_and_no_call() {
    let endpoint = TokenEndpoint::start().await;
    let world = exchanging(&endpoint).await;
    let own = format!("{}.{}.c2ln", encode(b"{}"), encode(json!({"aud": ENDPOINT}).to_string().as_bytes()));
    let good = |field: &str, value: Value| {
        let mut body = json!({
            "access_token": "other", "token_type": "Bearer", "expires_in": 300,
            "issued_token_type": "urn:ietf:params:oauth:token-type:access_token",
        });
        body[field] = value;
        body
    };
    let unavailable = (503, Reason::UpstreamIdentityUnavailable);
    let refused = (502, Reason::UpstreamIdentityRefused);
    for (status, body, (code, reason)) in [
        (StatusCode::INTERNAL_SERVER_ERROR, json!({}), unavailable),
        (StatusCode::FOUND, json!({"location": world.upstream.url()}), unavailable),
        (StatusCode::BAD_REQUEST, json!({"error": "invalid_target"}), refused),
        (StatusCode::UNAUTHORIZED, json!({"error": "invalid_client"}), refused),
        (StatusCode::OK, json!({}), refused),
        (StatusCode::OK, good("token_type", json!("N_A")), refused),
        (StatusCode::OK, good("expires_in", json!(null)), refused),
        (StatusCode::OK, good("expires_in", json!(3601)), refused),
        (StatusCode::OK, good("access_token", json!(own)), refused),
    ] {
        endpoint.answers(status, body.clone());
        for (wire, era) in CELLS {
            let token = world.token();
            if body.get("token_type") == Some(&json!("Bearer")) && body["access_token"] == "other" {
                // The caller's own token is no answer either.
                endpoint.answers(status, good("access_token", json!(token)));
                let call = Call::tool(era, "get_product").token(&token);
                world.refused(wire, &call, &Refusal::new(502, Reason::UpstreamIdentityRefused).answering()).await;
                endpoint.answers(status, body.clone());
            }
            let call = call(&world, era);
            let (reply, _) = world.refused(wire, &call, &Refusal::new(code, reason).answering()).await;
            assert!(
                !reply.text().contains("invalid_target") && !reply.text().contains("127.0.0.1"),
                "{}",
                reply.text()
            );
        }
    }
    endpoint.stop();
    for (wire, era) in CELLS {
        let refusal = Refusal::new(503, Reason::UpstreamIdentityUnavailable).answering();
        world.refused(wire, &call(&world, era), &refusal).await;
    }
    endpoint.resume().await;
    endpoint.recovers();
    world.passed(Wire::Http1, &call(&world, Era::Modern)).await;
    check(&world, &world.upstream.requests());
    world.end();
}

#[tokio::test]
async fn a_server_that_refuses_an_exchanged_token_is_not_called_twice_and_gets_another_one_next_time() {
    let endpoint = TokenEndpoint::start().await;
    let world = exchanging(&endpoint).await;
    let token = world.token();
    let call = Call::tool(Era::Modern, "get_product").token(&token);
    world.passed(Wire::Http1, &call).await;
    world.upstream.next(Answer::typed(StatusCode::UNAUTHORIZED, "application/json", "{}"));
    let before = world.upstream.count();
    world.failed(Wire::Http1, &call, &Refusal::new(502, Reason::UpstreamInvalid).answering()).await;
    assert_eq!(world.upstream.count(), before + 1, "a call may have had its effect already");
    world.passed(Wire::Http1, &call).await;
    assert!(world.upstream.last().header("authorization").starts_with("Bearer exchanged-2-"));
    world.end();
}

#[tokio::test]
async fn a_hundred_calls_at_once_wait_for_one_exchange() {
    let endpoint = TokenEndpoint::start().await;
    let world = exchanging(&endpoint).await;
    let token = world.token();
    let call = Call::tool(Era::Modern, "get_product").token(&token);
    let replies = futures_util::future::join_all((0..100).map(|_| world.send(Wire::Http2, &call))).await;
    assert!(replies.iter().all(|reply| reply.status == StatusCode::OK));
    assert_eq!((endpoint.asked().len(), world.upstream.count()), (1, 100));
    world.sidecar.records.wait_for(100).await;
    world.end();
}
