//! Tasks: a handle that the MCP server made is of use to the caller that it was made for, and to nobody else.

use http::StatusCode;
use serde_json::{Value, json};
use tollward_policy::operation::Era;
use tollward_policy::reason::Reason;
use tollward_tests::client::Wire;
use tollward_tests::mcp::Call;
use tollward_tests::upstream::Answer;
use tollward_tests::world::{CELLS, Refusal, World};

async fn world() -> World {
    World::with(|config| {
        let methods = ["tasks/get", "tasks/result", "tasks/list", "tasks/cancel", "tasks/update"];
        let rule = json!({"name": "tasks", "match": {"methods": methods}, "action": "Allow", "scopes": ["mcp:catalog-read"], "onMissingScope": "Challenge"});
        config.routes[0].rules.push(serde_json::from_value(rule).unwrap());
    })
    .await
}

/// The answer to a call that goes on as a task.
fn task(era: Era, id: &str) -> Value {
    let result = match era {
        Era::Legacy => json!({"task": {"taskId": id, "status": "working", "ttl": 60_000}}),
        Era::Modern => json!({"resultType": "task", "taskId": id, "status": "working"}),
    };
    json!({"jsonrpc": "2.0", "id": 1, "result": result})
}

fn about(era: Era, method: &str, id: &str, token: &str) -> Call {
    let mut params = json!({"taskId": id});
    if method == "tasks/update" {
        params["inputResponses"] = json!({});
    }
    let call = Call::rpc(era, method, params).token(token);
    match era {
        Era::Legacy => call,
        Era::Modern => call.header("mcp-name", id),
    }
}

fn methods(era: Era) -> &'static [&'static str] {
    match era {
        Era::Legacy => &["tasks/get", "tasks/result", "tasks/cancel"],
        Era::Modern => &["tasks/get", "tasks/cancel", "tasks/update"],
    }
}

#[tokio::test]
async fn a_task_is_of_the_caller_whose_call_began_it() {
    let world = world().await;
    let unknown = Refusal::new(403, Reason::TaskUnknown).answering();
    for (number, (wire, era)) in CELLS.into_iter().enumerate() {
        let (alice, mallory) = (world.token(), world.issuer.token().subject("mallory").mint());
        let other_client = world.issuer.token().client("client-2").mint();
        for as_stream in [false, true] {
            let id = format!("task-{number}-{as_stream}");
            for method in methods(era) {
                world.refused(wire, &about(era, method, &id, &alice), &unknown).await;
            }
            let answer = task(era, &id);
            let answer = if as_stream { Answer::events([&answer]) } else { Answer::json(&answer) };
            world.upstream.next(answer);
            world.passed(wire, &Call::tool(era, "get_product").token(&alice)).await;
            let refreshed = world.issuer.token().with_claim("jti", "token-2").mint();
            for method in methods(era) {
                for token in [&alice, &refreshed] {
                    world.passed(wire, &about(era, method, &id, token)).await;
                }
                for token in [&mallory, &other_client] {
                    world.refused(wire, &about(era, method, &id, token), &unknown).await;
                }
            }
            // An answer to somebody else that names it changes nothing.
            world.upstream.next(Answer::json(&task(era, &id)));
            world.passed(wire, &Call::tool(era, "get_product").token(&mallory)).await;
            world.refused(wire, &about(era, "tasks/get", &id, &mallory), &unknown).await;
        }
    }
    world.end();
}

#[tokio::test]
async fn without_a_rule_a_task_is_denied_as_ever_whosever_it_is() {
    let world = World::start().await;
    for (wire, era) in CELLS {
        let refusal = Refusal::new(403, Reason::NoRuleMatched).answering();
        world.refused(wire, &about(era, "tasks/get", "task-1", &world.token()), &refusal).await;
    }
    world.end();
}

#[tokio::test]
async fn a_list_of_tasks_shows_the_callers_own() {
    let world = world().await;
    for wire in Wire::ALL {
        let (alice, bob) = (world.token(), world.issuer.token().subject("bob").mint());
        for (token, id) in [(&alice, "hers"), (&bob, "his")] {
            world.upstream.next(Answer::json(&task(Era::Legacy, id)));
            world.passed(wire, &Call::tool(Era::Legacy, "get_product").token(token)).await;
        }
        let all = json!({"jsonrpc": "2.0", "id": 1, "result": {
            "tasks": [{"taskId": "hers", "status": "working"}, {"taskId": "his"}, {"taskId": "before"}], "nextCursor": "2"}});
        for (token, id) in [(&alice, "hers"), (&bob, "his")] {
            world.upstream.next(Answer::json(&all));
            let list = Call::rpc(Era::Legacy, "tasks/list", json!({})).token(token);
            let (reply, _) = world.passed(wire, &list).await;
            let ids: Vec<_> =
                reply.json()["result"]["tasks"].as_array().unwrap().iter().map(|task| task["taskId"].clone()).collect();
            assert_eq!((ids, reply.json()["result"]["nextCursor"].clone()), (vec![json!(id)], json!("2")));
        }
    }
    world.end();
}

#[tokio::test]
async fn a_result_that_only_looks_like_a_task_is_passed_on_and_its_outcome_known() {
    let world = world().await;
    for (wire, era) in CELLS {
        for task in [json!(7), json!("text"), json!([]), json!({"taskId": 7}), json!({"taskId": ""})] {
            let answer = json!({"jsonrpc": "2.0", "id": 1, "result": {"task": task, "taskId": null, "isError": true}});
            world.upstream.next(Answer::json(&answer));
            let (reply, record) = world.passed(wire, &Call::tool(era, "get_product").token(&world.token())).await;
            assert_eq!((reply.status, reply.json()), (StatusCode::OK, answer));
            let outcome = record.outcome.unwrap();
            assert!(outcome.determined && outcome.tool_error);
        }
    }
    world.end();
}
