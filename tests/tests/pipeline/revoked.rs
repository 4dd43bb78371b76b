//! The kill switch: an entry of a provider's `deny` is enforced for new requests and for answers that are under way.

use http::StatusCode;
use serde_json::{Value, json};
use std::time::Duration;
use tollward_policy::config::{AuthConfig, SidecarConfig};
use tollward_policy::operation::Era;
use tollward_policy::reason::Reason;
use tollward_sidecar::audit::{Caller, Ended, Record};
use tollward_tests::client::{Connection, Wire};
use tollward_tests::deadline::{eventually_within, within, within_time};
use tollward_tests::mcp::Call;
use tollward_tests::upstream::{Answer, Tap, event};
use tollward_tests::world::{CELLS, Refusal, World};

/// What is promised for a change on file.
const IN_FORCE: Duration = Duration::from_secs(2);

/// A change of the configuration on file.
type Change = fn(&mut SidecarConfig);

fn deny(world: &mut World, entries: &Value) {
    let entries = serde_json::from_value(entries.clone()).unwrap();
    world.sidecar.config.change(|config| config.identity_providers[0].deny = entries);
}

fn revoked() -> Refusal {
    Refusal::invalid_token(Reason::TokenRevoked)
}

/// Waits until a caller's token is refused.
async fn refuses(world: &World, token: &str) {
    let call = Call::tool(Era::Modern, "get_product").token(token);
    eventually_within(IN_FORCE, "the token is refused", async || {
        world.send(Wire::Http1, &call).await.status == StatusCode::UNAUTHORIZED
    })
    .await;
}

fn progress() -> String {
    event(&json!({"jsonrpc": "2.0", "method": "notifications/progress", "params": {"progress": 1}}))
}

/// The record proves who was cut off, by which entry and under which configuration it had been let in.
fn proves(record: &Record, entry: &str) {
    assert_eq!(record.decision.reason, Reason::TokenRevoked, "{record:#?}");
    assert_eq!(record.decision.denied_by.as_deref(), Some(entry));
    assert!(record.decision.policy_digest.is_some());
    let Some(Caller::Token { subject, token_id, .. }) = &record.caller else { panic!("{record:#?}") };
    assert_eq!((subject.as_str(), token_id.as_deref()), ("alice", Some("token-1")));
}

#[tokio::test]
async fn a_denied_caller_is_refused_everywhere_and_the_record_says_by_which_entry() {
    let mut world = World::start().await;
    let (alice, bob) = (world.token(), world.issuer.token().subject("bob").mint());
    let legacy = Call::tool(Era::Legacy, "get_product");
    for wire in Wire::ALL {
        world.passed(wire, &legacy.clone().token(&alice)).await;
        world.passed(wire, &legacy.clone().token(&bob)).await;
    }
    let (begun, _) = world.passed(Wire::Http1, &Call::initialize().token(&alice)).await;
    let session = begun.header("mcp-session-id").to_owned();
    let fetches = world.issuer.key_fetches();

    deny(&mut world, &json!([{"name": "laptop", "subject": "alice"}]));
    refuses(&world, &alice).await;
    let refreshed = world.issuer.token().with_claim("iat", world.issuer.now()).mint();
    for (wire, era) in CELLS {
        for token in [&alice, &refreshed] {
            let (reply, record) = world.refused(wire, &Call::tool(era, "get_product").token(token), &revoked()).await;
            proves(&record, "shop/idp/laptop");
            let answer = format!("{} {:?}", reply.text(), reply.headers);
            assert!(!answer.contains("laptop") && !answer.contains("alice"), "{answer}");
        }
        world.passed(wire, &Call::tool(era, "get_product").token(&bob)).await;
    }
    for wire in Wire::ALL {
        world.refused(wire, &legacy.clone().token(&alice).session(&session), &revoked()).await;
        world.refused(wire, &Call::listen().token(&alice).session(&session), &revoked()).await;
        world.refused(wire, &Call::end_session().token(&alice).session(&session), &revoked()).await;
        let stolen = legacy.clone().token(&bob).session(&session);
        world.refused(wire, &stolen, &Refusal::new(404, Reason::SessionUnknown).answering()).await;
    }
    assert_eq!(world.issuer.key_fetches(), fetches, "a revocation does not ask the issuer for keys");

    deny(&mut world, &json!([]));
    let call = Call::tool(Era::Modern, "get_product").token(&alice);
    eventually_within(IN_FORCE, "the entry is taken back", async || {
        world.send(Wire::Http1, &call).await.status == StatusCode::OK
    })
    .await;
    world.end();
}

/// Each way to say that it is alice's token, and bob's that none of them is about.
#[tokio::test]
async fn a_token_can_be_named_by_client_id_or_age_as_well() {
    let mut world = World::start().await;
    let now = world.issuer.now();
    let alice = world.token();
    let bob =
        world.issuer.token().subject("bob").client("client-2").with_claim("jti", "token-2").with_claim("iat", now);
    let bob = bob.mint();
    for entry in [
        json!({"client": "client-1"}),
        json!({"tokenId": "token-1"}),
        json!({"issuedBefore": now}),
        json!({"subject": "alice", "client": "client-1", "tokenId": "token-1", "issuedBefore": now, "until": now + 60}),
    ] {
        let mut named = entry.clone();
        named["name"] = "entry".into();
        deny(&mut world, &json!([named]));
        refuses(&world, &alice).await;
        for (wire, era) in CELLS {
            let (_, record) = world.refused(wire, &Call::tool(era, "get_product").token(&alice), &revoked()).await;
            proves(&record, "shop/idp/entry");
            world.passed(wire, &Call::tool(era, "get_product").token(&bob)).await;
        }
        deny(&mut world, &json!([]));
        let call = Call::tool(Era::Modern, "get_product").token(&alice);
        eventually_within(IN_FORCE, "the entry is taken back", async || {
            world.send(Wire::Http1, &call).await.status == StatusCode::OK
        })
        .await;
    }
    world.end();
}

/// Streams without an end of their own.
fn listening(era: Era, token: &str) -> Call {
    match era {
        Era::Legacy => Call::listen().token(token),
        Era::Modern => {
            Call::rpc(era, "subscriptions/listen", json!({"notifications": {"toolsListChanged": true}})).token(token)
        }
    }
}

#[tokio::test]
async fn open_streams_of_a_denied_caller_end_and_those_of_others_go_on() {
    let mut world = World::start().await;
    let (alice, bob) = (world.token(), world.issuer.token().subject("bob").mint());
    let mut hers = Vec::new();
    let mut his = Vec::new();
    for (wire, era) in CELLS {
        for call in
            [|era, token: &str| listening(era, token), |era, token: &str| Call::tool(era, "get_product").token(token)]
        {
            for (token, streams) in [(&alice, &mut hers), (&bob, &mut his)] {
                let (answer, tap) = Answer::stream("text/event-stream");
                world.upstream.next(answer);
                let mut opened = world.open(wire, &call(era, token)).await;
                tap.send(progress()).await;
                assert!(within("an event", opened.event()).await.is_some());
                streams.push((opened, tap));
            }
        }
    }
    let records = world.sidecar.records.count();
    deny(&mut world, &json!([{"name": "laptop", "subject": "alice"}]));
    for (opened, tap) in &mut hers {
        let rest = within_time(IN_FORCE, "her stream ends", opened.piece()).await;
        assert!(rest.is_none(), "at an event: {rest:?}");
        within_time(IN_FORCE, "the MCP server is let go", tap.gone()).await;
    }
    world.sidecar.records.wait_for(records + hers.len()).await;
    for record in world.sidecar.records.closed().iter().skip(records) {
        proves(record, "shop/idp/laptop");
        assert!(record.decision.allowed, "the call had been let through, and the record says so");
        let outcome = record.outcome.clone().unwrap();
        assert_eq!((outcome.ended, outcome.status), (Ended::Revoked, Some(200)));
    }
    for (opened, tap) in &mut his {
        tap.send(progress()).await;
        assert!(within("his stream goes on", opened.event()).await.is_some());
    }
    world.end();
}

#[tokio::test]
async fn a_stream_that_never_pauses_ends_too() {
    let mut world = World::start().await;
    for (wire, era) in CELLS {
        let (answer, tap) = Answer::stream("text/event-stream");
        world.upstream.next(answer);
        let mut opened = world.open(wire, &listening(era, &world.token())).await;
        let talking = tokio::spawn(async move { while tap.offer(progress().repeat(200)).await {} });
        opened.piece().await.unwrap().unwrap();
        deny(&mut world, &json!([{"name": "laptop", "subject": "alice"}]));
        let reading = async { while let Some(Ok(_)) = opened.piece().await {} };
        within_time(Duration::from_secs(5), "the stream ends", reading).await;
        within("the MCP server is let go", talking).await.unwrap();
        deny(&mut world, &json!([]));
        let call = Call::tool(Era::Modern, "get_product").token(&world.token());
        eventually_within(IN_FORCE, "she is back", async || world.send(wire, &call).await.status == StatusCode::OK)
            .await;
    }
    world.end();
}

#[tokio::test]
async fn a_document_that_is_under_way_breaks_off_so_that_a_part_is_not_taken_for_the_whole() {
    let mut world = World::start().await;
    for (wire, era) in CELLS {
        let (answer, tap) = Answer::stream("application/json");
        world.upstream.next(answer);
        let mut opened = world.open(wire, &Call::tool(era, "get_product").token(&world.token())).await;
        tap.send("{\"jsonrpc\":\"2.0\",".to_owned()).await;
        opened.piece().await.unwrap().unwrap();
        let records = world.sidecar.records.count();
        deny(&mut world, &json!([{"name": "laptop", "subject": "alice"}]));
        let rest = within_time(IN_FORCE, "the answer ends", opened.piece()).await;
        assert!(matches!(rest, Some(Err(_))), "{wire:?} {era:?}: {rest:?}");
        within_time(IN_FORCE, "the MCP server is let go", tap.gone()).await;
        let record = world.sidecar.records.wait_for(records + 1).await;
        proves(&record, "shop/idp/laptop");
        assert_eq!(record.outcome.unwrap().ended, Ended::Revoked);
        back(&mut world).await;
    }
    world.end();
}

/// Takes every entry back.
async fn back(world: &mut World) {
    deny(world, &json!([]));
    let call = Call::tool(Era::Modern, "get_product").token(&world.token());
    eventually_within(IN_FORCE, "she is back", async || world.send(Wire::Http1, &call).await.status == StatusCode::OK)
        .await;
}

#[tokio::test]
async fn a_call_whose_answer_has_not_begun_is_refused_although_the_mcp_server_has_it() {
    let mut world = World::start().await;
    let silent_list = |tap: &mut Option<Tap>| {
        let (answer, own) = Answer::stream("application/json");
        *tap = Some(own);
        answer
    };
    for (wire, era) in CELLS {
        for method in ["tools/call", "tools/list"] {
            let mut tap = None;
            let mut decision = None;
            // A slow tool has no head yet, a slow list no body.
            if method == "tools/list" {
                world.upstream.next(silent_list(&mut tap));
            } else {
                let (answer, own) = Answer::later();
                decision = Some(own);
                world.upstream.next(answer);
            }
            let params =
                if method == "tools/list" { json!({}) } else { json!({"name": "get_product", "arguments": {}}) };
            let call = Call::rpc(era, method, params).token(&world.token());
            let (public, request) = (world.sidecar.public, call.request(wire));
            let (calls, records) = (world.upstream.count(), world.sidecar.records.count());
            let waiting = tokio::spawn(async move {
                let opened = Connection::plain(wire, public).await.send_only(request).await.expect("an answer begins");
                opened.whole().await.expect("an answer ends")
            });
            world.upstream.received(calls + 1).await;
            deny(&mut world, &json!([{"name": "laptop", "subject": "alice"}]));
            let reply = within_time(IN_FORCE, "the call is refused", waiting).await.unwrap();
            assert_eq!((reply.status.as_u16(), reply.reason()), (401, Reason::TokenRevoked.code().to_owned()));
            assert!(reply.header("www-authenticate").contains("error=\"invalid_token\""), "{:?}", reply.headers);
            if let Some(mut decision) = decision {
                within_time(IN_FORCE, "the MCP server is let go", decision.gone()).await;
            }
            if let Some(tap) = tap {
                within_time(IN_FORCE, "the MCP server is let go", tap.gone()).await;
            }
            let record = world.sidecar.records.wait_for(records + 1).await;
            proves(&record, "shop/idp/laptop");
            assert!(record.decision.allowed, "it was let through, and may have done something");
            let outcome = record.outcome.unwrap();
            assert_eq!((outcome.ended, outcome.status), (Ended::Revoked, Some(401)));
            back(&mut world).await;
        }
    }
    world.end();
}

#[tokio::test]
async fn a_provider_that_is_gone_or_another_one_and_an_audience_that_is_changed_end_the_streams_of_callers() {
    let gone = |config: &mut SidecarConfig| {
        let renamed = serde_json::to_string(&config.routes[0].auth).unwrap().replace("shop/idp", "shop/new");
        config.routes[0].auth = serde_json::from_str(&renamed).unwrap();
        config.identity_providers[0].name = "shop/new".into();
    };
    let replaced = |config: &mut SidecarConfig| config.identity_providers[0].issuer.push_str("/other");
    let moved = |config: &mut SidecarConfig| {
        let AuthConfig::OAuth { audiences, .. } = &mut config.routes[0].auth else { panic!("OAuth") };
        *audiences = vec!["api://another".into()];
    };
    let changes: [(Change, Reason); 3] =
        [(gone, Reason::IssuerUnknown), (replaced, Reason::IssuerUnknown), (moved, Reason::AudienceMismatch)];
    for (change, reason) in changes {
        let mut world = World::start().await;
        let (answer, tap) = Answer::stream("text/event-stream");
        world.upstream.next(answer);
        let mut opened = world.open(Wire::Http2, &listening(Era::Modern, &world.token())).await;
        tap.send(progress()).await;
        assert!(within("an event", opened.event()).await.is_some());
        world.sidecar.config.change(change);
        assert!(within_time(IN_FORCE, "the stream ends", opened.piece()).await.is_none());
        let record = world.sidecar.records.wait_for(1).await;
        assert_eq!((record.decision.reason, record.outcome.unwrap().ended), (reason, Ended::Revoked));
        world.end();
    }
}

#[tokio::test]
async fn a_thousand_entries_about_others_keep_nobody_out() {
    let mut world = World::start().await;
    let entries: Vec<_> = (0..1000)
        .map(|number| match number % 3 {
            0 => json!({"name": format!("e{number}"), "subject": format!("user-{number}")}),
            1 => json!({"name": format!("e{number}"), "client": format!("app-{number}")}),
            _ => json!({"name": format!("e{number}"), "tokenId": format!("id-{number}")}),
        })
        .collect();
    deny(&mut world, &json!(entries));
    refuses(&world, &world.issuer.token().subject("user-999").mint()).await;
    for (wire, era) in CELLS {
        world.passed(wire, &Call::tool(era, "get_product").token(&world.token())).await;
        let app = world.issuer.token().client("app-1").mint();
        world.refused(wire, &Call::tool(era, "get_product").token(&app), &revoked()).await;
    }
    world.end();
}
