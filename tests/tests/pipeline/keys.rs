//! Keys of the issuer: rotation, failures, and callers who make up key ids.

use futures_util::future::join_all;
use http::StatusCode;
use std::sync::Arc;
use tollward_policy::operation::Era;
use tollward_policy::reason::Reason;
use tollward_tests::client::Wire;
use tollward_tests::deadline::eventually;
use tollward_tests::issuer::Health;
use tollward_tests::key::Key;
use tollward_tests::mcp::Call;
use tollward_tests::world::{CELLS, Refusal, World};

fn call(era: Era, token: &str) -> Call {
    Call::tool(era, "get_product").token(token)
}

#[tokio::test]
async fn a_new_key_is_noticed_by_its_first_token_and_an_old_one_ends_with_its_removal() {
    let world = World::start().await;
    let old = world.token();
    world.passed(Wire::Http1, &call(Era::Modern, &old)).await;
    world.issuer.publish([Arc::new(Key::new("key-2", "ES256"))]);
    let new = world.token();
    for (wire, era) in CELLS {
        world.passed(wire, &call(era, &new)).await;
        // It was verified before, under keys that don't count any more.
        world.refused(wire, &call(era, &old), &Refusal::invalid_token(Reason::TokenKeyUnknown)).await;
    }
    assert_eq!(world.issuer.key_fetches(), 2);
    world.end();
}

#[tokio::test]
async fn without_keys_at_boot_requests_wait_outside_and_no_restart_is_needed() {
    for health in [Health::Down, Health::Garbage, Health::Status(StatusCode::INTERNAL_SERVER_ERROR)] {
        let world = World::cold(health, |_, _| ()).await;
        let token = world.token();
        for (wire, era) in CELLS {
            let (reply, _) = world.refused(wire, &call(era, &token), &Refusal::new(503, Reason::KeysUnavailable)).await;
            assert!(reply.header("retry-after").parse::<u64>().is_ok_and(|seconds| seconds > 0));
        }
        let probe = world.sidecar.probe("/readyz").await;
        assert_eq!(probe.status, StatusCode::SERVICE_UNAVAILABLE);
        assert!(probe.text().contains("no keys of any identity provider of shop/catalog"), "{}", probe.text());
        assert_eq!(world.sidecar.probe("/livez").await.status, StatusCode::OK, "a restart would not help");
        world.issuer.set_health(Health::Good);
        world.sidecar.ready().await;
        for (wire, era) in CELLS {
            world.passed(wire, &call(era, &token)).await;
        }
        world.end();
    }
}

#[tokio::test]
async fn a_redirect_to_keys_elsewhere_is_not_followed() {
    let elsewhere = World::start().await;
    let target = format!("{}/jwks", elsewhere.issuer.url());
    let asked = elsewhere.issuer.requests();
    let world = World::cold(Health::Redirect(target), |_, _| ()).await;
    eventually("the issuer is asked", async || world.issuer.requests() > 0).await;
    let refusal = Refusal::new(503, Reason::KeysUnavailable);
    world.refused(Wire::Http1, &call(Era::Modern, &world.token()), &refusal).await;
    assert_eq!(elsewhere.issuer.requests(), asked, "nobody went where the redirect points");
    world.end();
}

#[tokio::test]
async fn when_the_issuer_fails_later_known_keys_count_and_unknown_ones_wait() {
    for health in [Health::Down, Health::Garbage, Health::Status(StatusCode::INTERNAL_SERVER_ERROR)] {
        let world = World::start().await;
        let good = world.token();
        world.issuer.set_health(health);
        let unknown = world.issuer.token().with_header("kid", "key-9").mint();
        for (wire, era) in CELLS {
            let (reply, _) =
                world.refused(wire, &call(era, &unknown), &Refusal::new(503, Reason::KeysUnavailable)).await;
            assert!(!reply.header("retry-after").is_empty(), "a good token must not be thrown away");
            world.passed(wire, &call(era, &good)).await;
        }
        world.end();
    }
}

#[tokio::test]
async fn a_hundred_invented_key_ids_cost_one_fetch_and_good_tokens_pass_meanwhile() {
    let world = World::start().await;
    let before = world.issuer.key_fetches();
    let invented: Vec<_> =
        (0..100).map(|number| world.issuer.token().with_header("kid", format!("invented-{number}")).mint()).collect();
    let good = world.token();
    let replies =
        join_all(invented.iter().map(|token| async { world.send(Wire::Http1, &call(Era::Modern, token)).await }));
    let meanwhile = async { world.send(Wire::Http2, &call(Era::Legacy, &good)).await };
    let (replies, meanwhile) = tokio::join!(replies, meanwhile);
    assert_eq!(meanwhile.status, StatusCode::OK);
    for reply in replies {
        assert_eq!((reply.status.as_u16(), reply.reason().as_str()), (401, "token_key_unknown"));
    }
    assert!(world.issuer.key_fetches() <= before + 1, "{} fetches", world.issuer.key_fetches() - before);
    assert_eq!(world.upstream.count(), 1);
    world.sidecar.records.wait_for(101).await;
    world.end();
}
