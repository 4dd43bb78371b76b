//! Lists show a caller what it could use, whatever the form in which they come.

use http::{HeaderMap, StatusCode};
use serde_json::{Value, json};
use tollward_policy::operation::Era;
use tollward_policy::reason::Reason;
use tollward_tests::client::Reply;
use tollward_tests::mcp::Call;
use tollward_tests::upstream::{Answer, event};
use tollward_tests::world::{CELLS, Refusal, World};

fn names(list: &Value, member: &str) -> Vec<String> {
    let name = |item: &Value| item[member].as_str().unwrap_or_default().to_owned();
    list.as_array().map(|items| items.iter().map(name).collect()).unwrap_or_default()
}

fn list(era: Era, method: &str, token: &str) -> Call {
    Call::rpc(era, method, json!({})).token(token)
}

fn tools(names: &[&str]) -> Value {
    let tools: Vec<_> = names.iter().map(|name| json!({"name": name})).collect();
    json!({"jsonrpc": "2.0", "id": 1, "result": {"tools": tools, "cacheScope": "public"}})
}

fn check_cache(reply: &Reply) {
    assert_eq!(reply.header("cache-control"), "private, no-store");
}

#[tokio::test]
async fn a_list_shows_what_the_caller_may_use_or_step_up_to() {
    let world = World::start().await;
    for (wire, era) in CELLS {
        let (reply, _) = world.passed(wire, &list(era, "tools/list", &world.token())).await;
        let result = reply.json()["result"].clone();
        assert_eq!(names(&result["tools"], "name"), ["get_product", "set_price"]);
        assert_eq!((&result["nextCursor"], &result["ttlMs"]), (&json!("more"), &json!(1000)));
        assert_eq!(result["cacheScope"], "private", "a list for one caller is for nobody else");
        check_cache(&reply);
        let auditor = world.issuer.token().scope("mcp:catalog-read mcp:catalog-audit").mint();
        let (reply, _) = world.passed(wire, &list(era, "tools/list", &auditor)).await;
        assert_eq!(names(&reply.json()["result"]["tools"], "name"), ["get_product", "set_price", "secret_report"]);
        let (reply, _) = world.passed(wire, &list(era, "resources/list", &world.token())).await;
        assert_eq!(names(&reply.json()["result"]["resources"], "uri"), ["shop://products/1"]);
        let (reply, _) = world.passed(wire, &list(era, "prompts/list", &world.token())).await;
        assert_eq!(names(&reply.json()["result"]["prompts"], "name"), ["describe"]);
    }
    world.end();
}

#[tokio::test]
async fn a_list_on_an_event_stream_is_filtered_event_by_event() {
    let world = World::start().await;
    let progress = json!({"jsonrpc": "2.0", "method": "notifications/progress", "params": {"progress": 1}});
    for (wire, era) in CELLS {
        world.upstream.next(Answer::events([&progress, &tools(&["drop_table", "get_product", "secret_report"])]));
        let (reply, _) = world.passed(wire, &list(era, "tools/list", &world.token())).await;
        assert_eq!(reply.header("content-type"), "text/event-stream");
        let text = reply.text();
        assert!(text.contains("notifications/progress") && text.contains("get_product"), "{text}");
        assert!(!text.contains("drop_table") && !text.contains("secret_report") && !text.contains("public"), "{text}");
        check_cache(&reply);
    }
    world.end();
}

#[tokio::test]
async fn a_list_split_anywhere_is_filtered_all_the_same() {
    let world = World::start().await;
    let text = event(&tools(&["drop_table", "get_product"]));
    for (wire, era) in CELLS {
        let (answer, tap) = Answer::stream("text/event-stream");
        world.upstream.next(answer);
        let opened = world.open(wire, &list(era, "tools/list", &world.token())).await;
        let bytes = text.clone().into_bytes();
        let feed = async move {
            for byte in bytes {
                tap.send(vec![byte]).await;
            }
        };
        let (reply, ()) = tokio::join!(opened.whole(), feed);
        let text = reply.unwrap().text();
        assert!(text.contains("get_product") && !text.contains("drop_table"), "{text}");
    }
    world.end();
}

#[tokio::test]
async fn media_types_and_statuses_that_look_odd_do_not_step_around_the_filter() {
    let world = World::start().await;
    for (wire, era) in CELLS {
        for media in ["Application/JSON", "application/json ; charset=utf-8", "application/json;x=y"] {
            for status in [StatusCode::OK, StatusCode::CREATED, StatusCode::NON_AUTHORITATIVE_INFORMATION] {
                world.upstream.next(Answer::typed(status, media, tools(&["drop_table", "get_product"]).to_string()));
                let (reply, _) = world.passed(wire, &list(era, "tools/list", &world.token())).await;
                assert_eq!(names(&reply.json()["result"]["tools"], "name"), ["get_product"], "{media} {status}");
            }
        }
    }
    world.end();
}

#[tokio::test]
async fn a_list_that_can_not_be_read_is_withheld() {
    let world = World::start().await;
    let good = tools(&["drop_table"]).to_string();
    let twice = good.replacen("\"tools\"", "\"tools\":[],\"tools\"", 1);
    let answers = [
        ("text/plain", good.clone()),
        ("text/html", good.clone()),
        ("application/jsonl", good.clone()),
        ("application/json", format!("{good}{good}")),
        ("application/json", format!("[{good}]")),
        ("application/json", twice),
        ("application/json", good.replacen("\"tools\"", "\"Tools\"", 1)),
        ("application/json", good.replacen("\"name\"", "\"Name\"", 1)),
        ("application/json", "drop_table".to_owned()),
        ("application/json", String::new()),
        ("application/json", json!({"jsonrpc": "2.0", "id": 1, "result": {}}).to_string()),
    ];
    let refusal = Refusal::new(502, Reason::UpstreamInvalid).answering();
    for (wire, era) in CELLS {
        for (media, body) in &answers {
            world.upstream.next(Answer::typed(StatusCode::OK, media, body.clone()));
            let (reply, record) = world.failed(wire, &list(era, "tools/list", &world.token()), &refusal).await;
            assert!(!reply.text().contains("drop_table"), "{media} {body}");
            assert!(record.decision.allowed, "the call was let through; the answer failed");
        }
        let compressed =
            Answer::typed(StatusCode::OK, "application/json", good.clone()).with("content-encoding", "gzip");
        world.upstream.next(compressed);
        world.failed(wire, &list(era, "tools/list", &world.token()), &refusal).await;
    }
    world.end();
}

#[tokio::test]
async fn an_event_that_can_not_be_read_ends_the_stream_before_it() {
    let world = World::start().await;
    for (wire, era) in CELLS {
        let (answer, tap) = Answer::stream("text/event-stream");
        world.upstream.next(answer);
        let mut opened = world.open(wire, &list(era, "tools/list", &world.token())).await;
        tap.send(event(&json!({"jsonrpc": "2.0", "method": "notifications/progress"}))).await;
        assert!(opened.event().await.is_some());
        tap.send(format!("data: not json drop_table\n\n{}", event(&tools(&["secret_report"])))).await;
        let mut seen = String::new();
        let failed = loop {
            match opened.piece().await {
                Some(Ok(piece)) => seen.push_str(&String::from_utf8_lossy(&piece)),
                Some(Err(_)) => break true,
                None => break false,
            }
        };
        assert!(failed, "the client can tell that the stream is not complete");
        assert!(!seen.contains("drop_table") && !seen.contains("secret_report"), "{seen}");
    }
    let records = world.sidecar.records.wait_for(CELLS.len()).await;
    assert_eq!(records.decision.reason, Reason::UpstreamInvalid);
    world.end();
}

#[tokio::test]
async fn an_error_instead_of_a_list_passes() {
    let world = World::start().await;
    let error = json!({"jsonrpc": "2.0", "id": 1, "error": {"code": -32603, "message": "no"}});
    for (wire, era) in CELLS {
        world.upstream.next(Answer::json(&error));
        let (reply, record) = world.passed(wire, &list(era, "tools/list", &world.token())).await;
        assert_eq!(reply.json(), error);
        assert_eq!(record.outcome.unwrap().rpc_code, Some(-32603));
    }
    world.end();
}

#[tokio::test]
async fn a_list_that_a_client_fetches_by_resuming_a_stream_is_filtered() {
    let world = World::start().await;
    for wire in tollward_tests::client::Wire::ALL {
        world.upstream.next(Answer::events([&tools(&["drop_table", "get_product"])]));
        let (reply, _) = world.passed(wire, &Call::listen().token(&world.token())).await;
        assert!(reply.text().contains("get_product") && !reply.text().contains("drop_table"), "{}", reply.text());
    }
    world.end();
}

#[tokio::test]
async fn an_empty_list_stays_a_list() {
    let world = World::start().await;
    for (wire, era) in CELLS {
        world.upstream.next(Answer::json(&tools(&["drop_table"])));
        let (reply, _) = world.passed(wire, &list(era, "tools/list", &world.token())).await;
        assert_eq!(reply.json()["result"]["tools"], json!([]));
        let no_content = Answer::Whole(StatusCode::ACCEPTED, HeaderMap::new(), bytes::Bytes::new());
        world.upstream.next(no_content);
        let refusal = Refusal::new(502, Reason::UpstreamInvalid).answering();
        world.failed(wire, &list(era, "tools/list", &world.token()), &refusal).await;
    }
    world.end();
}

#[tokio::test]
async fn a_list_in_an_error_answer_is_filtered_too() {
    let world = World::start().await;
    for (wire, era) in CELLS {
        world.upstream.next(Answer::typed(
            StatusCode::NOT_FOUND,
            "application/json",
            tools(&["get_product", "secret_report"]).to_string(),
        ));
        let reply = world.send(wire, &list(era, "tools/list", &world.token())).await;
        assert_eq!(reply.status, StatusCode::NOT_FOUND);
        assert_eq!(names(&reply.json()["result"]["tools"], "name"), ["get_product"]);
        world.upstream.next(Answer::typed(StatusCode::NOT_FOUND, "text/plain", "secret_report"));
        let reply = world.send(wire, &list(era, "tools/list", &world.token())).await;
        assert_eq!((reply.status, reply.text().as_str()), (StatusCode::NOT_FOUND, ""));
    }
}
