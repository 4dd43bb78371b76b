//! Many requests of all kinds at once, some of them abandoned: one record for each, no more and no less.

use futures_util::future::join_all;
use http::Method;
use serde_json::json;
use std::collections::BTreeMap;
use tollward_policy::operation::Era;
use tollward_sidecar::audit::Ended;
use tollward_tests::client::{Connection, Wire};
use tollward_tests::deadline::{eventually, within};
use tollward_tests::mcp::Call;
use tollward_tests::upstream::Answer;
use tollward_tests::world::World;

/// Requests that are answered.
const ANSWERED: usize = 440;
/// Requests whose client leaves while the MCP server thinks.
const ABANDONED: usize = 60;

fn mixed(world: &World, index: usize) -> Call {
    let era = if index.is_multiple_of(2) { Era::Legacy } else { Era::Modern };
    let good = world.token();
    match index % 11 {
        0 => Call::tool(era, "get_product").token(&good),
        1 => Call::tool(era, "get_product"),
        2 => Call::tool(era, "set_price").token(&good),
        3 => Call::rpc(era, "tools/list", json!({})).token(&good),
        4 => Call::post(era, "[]").token(&good),
        5 => Call::bare(Method::GET, "/.well-known/oauth-protected-resource"),
        6 => Call::tool(era, "get_product").token(&world.issuer.token().without("exp").mint()),
        7 => Call::tool(era, "get_product").token(&good).authority("evil.example"),
        8 => Call::bare(Method::GET, "/nowhere"),
        9 => Call::bare(Method::OPTIONS, "/shop/mcp"),
        _ => Call::notification(era, "notifications/cancelled").token(&good),
    }
}

/// Sends calls whose answers never come, and leaves once they have reached the MCP server.
async fn abandoned(world: &World) {
    for _ in 0..ABANDONED {
        let (answer, decision) = Answer::later();
        world.upstream.next(answer);
        // Held so that the MCP server goes on thinking.
        std::mem::forget(decision);
    }
    let before = world.upstream.count();
    let calls: Vec<_> = (0..ABANDONED).map(|_| Call::tool(Era::Modern, "get_product").token(&world.token())).collect();
    let waiting = join_all(calls.iter().enumerate().map(|(index, call)| async move {
        let wire = Wire::ALL[index % 2];
        let mut connection = Connection::plain(wire, world.sidecar.public).await;
        let answered = connection.send(call.request(wire)).await;
        panic!("no answer was to come: {:?}", answered.map(|opened| opened.status));
    }));
    tokio::select! {
        _ = waiting => {}
        () = world.upstream.received(before + ABANDONED) => {}
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_storm_of_requests_leaves_one_record_for_each() {
    let world = World::start().await;
    abandoned(&world).await;
    eventually("every abandoned call is recorded", async || world.sidecar.records.count() == ABANDONED).await;
    let replies = join_all((0..ANSWERED).map(|index| {
        let (call, world) = (mixed(&world, index), &world);
        async move { world.send(Wire::ALL[index / 2 % 2], &call).await.status.as_u16() }
    }));
    let statuses = within("all are answered", replies).await;
    let total = ANSWERED + ABANDONED;
    eventually("every request is recorded", async || world.sidecar.records.count() >= total).await;
    let records = world.sidecar.records.closed();
    assert_eq!(records.len(), total);
    let mut numbers: Vec<_> = records.iter().map(|record| record.seq).collect();
    numbers.sort_unstable();
    assert_eq!(numbers, (1..=total as u64).collect::<Vec<_>>(), "no number is missing and none stands twice");
    let count = |statuses: &mut dyn Iterator<Item = u16>| {
        statuses.fold(BTreeMap::new(), |mut counts, status| {
            *counts.entry(status).or_insert(0) += 1;
            counts
        })
    };
    let recorded = records.iter().filter_map(|record| record.outcome.as_ref()?.status);
    assert_eq!(count(&mut recorded.into_iter()), count(&mut statuses.into_iter()), "records tell what clients saw");
    let gone = records
        .iter()
        .filter(|record| record.outcome.as_ref().is_some_and(|outcome| outcome.ended == Ended::ClientGone));
    assert_eq!(gone.count(), ABANDONED);
    assert_eq!(samples(&world.sidecar.metrics(), "tollward_audit_records"), total, "the metric counts them too");
    world.end();
}

/// The sum of a metric's samples.
fn samples(metrics: &str, name: &str) -> usize {
    let lines = metrics.lines().filter(|line| line.starts_with(name));
    lines.filter_map(|line| line.rsplit(' ').next()?.parse::<usize>().ok()).sum()
}
