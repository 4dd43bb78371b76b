//! What the MCP server gets to see, what the client gets back, and what becomes of an MCP server that fails.

use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use serde_json::json;
use tollward_policy::operation::Era;
use tollward_policy::reason::Reason;
use tollward_sidecar::audit::Ended;
use tollward_tests::config::PATH;
use tollward_tests::mcp::Call;
use tollward_tests::upstream::{Answer, UPSTREAM_PATH};
use tollward_tests::world::{CELLS, Refusal, World};

/// Headers that may reach the MCP server. `traceparent` and `tracestate` are Tollward's own; baggage passes within bounds.
const SEEN: &[&str] = &[
    "accept",
    "accept-encoding",
    "baggage",
    "content-length",
    "content-type",
    "host",
    "last-event-id",
    "mcp-method",
    "mcp-name",
    "mcp-param-sku",
    "mcp-protocol-version",
    "mcp-session-id",
    "traceparent",
    "tracestate",
    "user-agent",
];

/// Headers that must not, each with something that would show.
const HOSTILE: &[(&str, &str)] = &[
    ("cookie", "session=evil"),
    ("proxy-authorization", "Basic evil"),
    ("dpop", "evil"),
    ("x-forwarded-for", "192.0.2.1"),
    ("x-forwarded-host", "evil.example"),
    ("x-forwarded-proto", "evil"),
    ("x-forwarded-user", "evil"),
    ("x-forwarded-uri", "/evil"),
    ("x-forwarded-client-cert", "evil"),
    ("forwarded", "for=192.0.2.1;host=evil.example"),
    ("x-real-ip", "192.0.2.1"),
    ("x-original-url", "/evil"),
    ("x-rewrite-url", "/evil"),
    ("x-http-method-override", "DELETE"),
    ("x-mcp-subject", "evil"),
    ("x-auth-request-email", "evil@evil.example"),
    ("x-envoy-original-path", "/evil"),
    ("x-tollward-subject", "evil"),
    ("x-client-cert", "evil"),
    ("via", "1.1 evil"),
    ("te", "trailers"),
    ("referer", "https://evil.example"),
    ("if-none-match", "evil"),
    ("range", "bytes=0-1"),
    ("accept-encoding", "gzip, br"),
    ("x-api-key", "evil"),
    ("mcp-param-x_y", "evil"),
];

fn call(world: &World, era: Era) -> Call {
    Call::tool(era, "get_product").token(&world.token())
}

#[tokio::test]
async fn only_listed_headers_reach_the_mcp_server() {
    let world = World::start().await;
    for (wire, era) in CELLS {
        let mut hostile = call(&world, era).header("user-agent", "tester/1").header("mcp-param-sku", "A-1");
        for (name, value) in HOSTILE {
            hostile = hostile.header(name, value);
        }
        world.passed(wire, &hostile).await;
        let seen = world.upstream.last();
        for name in seen.headers.keys() {
            assert!(SEEN.contains(&name.as_str()), "{name} reached the MCP server");
        }
        let text = format!("{:?}", seen.headers);
        assert!(!text.contains("evil") && !text.contains("192.0.2.1"), "{text}");
        assert_eq!((seen.header("accept-encoding"), seen.header("user-agent")), ("identity", "tester/1"));
        assert_eq!(seen.header("mcp-param-sku"), if era == Era::Modern { "A-1" } else { "" });
    }
    world.end();
}

#[tokio::test]
async fn the_mcp_server_is_addressed_by_its_own_name_and_path() {
    let world = World::start().await;
    for (wire, era) in CELLS {
        world.passed(wire, &call(&world, era).target(&format!("{PATH}?tenant=evil&access_token=x"))).await;
        let seen = world.upstream.last();
        assert_eq!(seen.header("host"), world.upstream.authority());
        assert_eq!(seen.target, UPSTREAM_PATH);
        assert_eq!(seen.headers.get_all("host").iter().count(), 1);
    }
    world.end();
}

#[tokio::test]
async fn the_body_arrives_byte_for_byte() {
    let world = World::start().await;
    for (wire, era) in CELLS {
        let good = String::from_utf8(call(&world, era).body.to_vec()).unwrap();
        let odd = good
            .replacen(
                "\"A-1\"",
                "\"\\u00e4 \\ud83d\\ude00 \u{1f600} \\/ 1\", \"n\": 1.50e+3, \"big\": 123456789012345678901234567890",
                1,
            )
            .replacen('{', " \r\n\t{ ", 1)
            + "\n\n ";
        world.passed(wire, &call(&world, era).body(odd.clone())).await;
        assert_eq!(world.upstream.last().body, Bytes::from(odd));
    }
    world.end();
}

#[tokio::test]
async fn a_trace_goes_on_and_one_that_is_no_trace_is_begun_anew() {
    let world = World::start().await;
    let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
    for (wire, era) in CELLS {
        let traced = call(&world, era).header("traceparent", &format!("00-{trace}-00f067aa0ba902b7-01"));
        let (_, record) = world.passed(wire, &traced).await;
        let seen = world.upstream.last().header("traceparent").to_owned();
        let own = record.trace_id.clone().unwrap();
        assert!(seen.contains(&own) && !seen.contains("00f067aa0ba902b7"), "{seen} {own}");
        let (_, record) = world.passed(wire, &call(&world, era).header("traceparent", &"z".repeat(3000))).await;
        let seen = world.upstream.last().header("traceparent").to_owned();
        assert!(seen.contains(&record.trace_id.unwrap()) && seen.len() == 55, "{seen}");
    }
    world.end();
}

#[tokio::test]
async fn only_listed_headers_of_the_mcp_server_reach_the_client() {
    let world = World::start().await;
    let hostile = [
        ("set-cookie", "a=evil"),
        ("location", "https://evil.example"),
        ("www-authenticate", "Bearer realm=\"evil\""),
        ("access-control-allow-origin", "https://evil.example"),
        ("access-control-allow-credentials", "true"),
        ("server", "evil/1"),
        ("x-powered-by", "evil"),
        ("server-timing", "evil;dur=1"),
        ("x-mcp-subject", "evil"),
        ("mcp-session-id", "evil"),
        ("ratelimit", "\"evil\";r=9"),
        ("clear-site-data", "\"evil\""),
        ("refresh", "0;url=https://evil.example"),
        ("link", "<evil>"),
        ("strict-transport-security", "max-age=0; evil"),
        ("alt-svc", "h3=\"evil:443\""),
        ("trailer", "evil"),
        ("keep-alive", "evil"),
    ];
    for (wire, era) in CELLS {
        let mut answer =
            Answer::json(&json!({"jsonrpc": "2.0", "id": 1, "result": {}})).with("cache-control", "max-age=5");
        for (name, value) in hostile {
            answer = answer.with(name, value);
        }
        world.upstream.next(answer);
        let (reply, _) = world.passed(wire, &call(&world, era)).await;
        let text = format!("{:?}", reply.headers);
        assert!(!text.contains("evil") && !text.contains("allow-credentials"), "{text}");
        assert_eq!(
            (reply.header("cache-control"), reply.header("x-content-type-options")),
            ("private, no-store", "nosniff")
        );
    }
    world.end();
}

#[tokio::test]
async fn an_mcp_server_that_asks_for_tokens_or_redirects_is_broken() {
    let world = World::start().await;
    let refusal = Refusal::new(502, Reason::UpstreamInvalid).answering();
    for (wire, era) in CELLS {
        for status in [301, 302, 303, 307, 308, 401, 403, 407] {
            let answer = Answer::typed(StatusCode::from_u16(status).unwrap(), "application/json", "{\"evil\":true}");
            let answer =
                answer.with("location", "http://evil.example/mcp").with("www-authenticate", "Basic realm=\"evil\"");
            world.upstream.next(answer.with("set-cookie", "evil=1"));
            let before = world.upstream.count();
            let (reply, record) = world.failed(wire, &call(&world, era), &refusal).await;
            assert!(!format!("{:?}{}", reply.headers, reply.text()).contains("evil"), "{status}: {reply:?}");
            assert!(record.decision.allowed);
            assert_eq!(world.upstream.count(), before + 1, "nobody followed");
        }
    }
    world.end();
}

#[tokio::test]
async fn errors_of_the_mcp_server_pass_and_are_recorded() {
    let world = World::start().await;
    let error = json!({"jsonrpc": "2.0", "id": 1, "error": {"code": -32602, "message": "no such product"}});
    let failed = json!({"jsonrpc": "2.0", "id": 1, "result": {"isError": true, "content": []}});
    for (wire, era) in CELLS {
        world.upstream.next(Answer::typed(StatusCode::BAD_REQUEST, "application/json", error.to_string()));
        let reply = world.send(wire, &call(&world, era)).await;
        assert_eq!((reply.status, reply.json()), (StatusCode::BAD_REQUEST, error.clone()));
        world.upstream.next(Answer::json(&error));
        let (reply, record) = world.passed(wire, &call(&world, era)).await;
        assert_eq!((reply.json(), record.outcome.unwrap().rpc_code), (error.clone(), Some(-32602)));
        world.upstream.next(Answer::json(&failed));
        let (_, record) = world.passed(wire, &call(&world, era)).await;
        assert!(record.outcome.unwrap().tool_error);
    }
    world.end();
}

#[tokio::test]
async fn an_mcp_server_that_is_down_is_502_and_back_at_once() {
    let world = World::start().await;
    world.upstream.stop();
    let refusal = Refusal::new(502, Reason::UpstreamUnreachable).answering();
    for (wire, era) in CELLS {
        let (reply, record) = world.failed(wire, &call(&world, era), &refusal).await;
        assert!(!reply.text().contains("127.0.0.1") && !reply.text().contains("refused"), "{}", reply.text());
        assert!(record.decision.allowed);
    }
    world.upstream.resume().await;
    for (wire, era) in CELLS {
        world.passed(wire, &call(&world, era)).await;
    }
    world.end();
}

#[tokio::test]
async fn an_mcp_server_that_does_not_answer_in_time_is_504_and_let_go() {
    let world = World::with(|config| config.routes[0].upstream.response_timeout_seconds = 1).await;
    for (wire, era) in CELLS {
        let (answer, mut decision) = Answer::later();
        world.upstream.next(answer);
        world.failed(wire, &call(&world, era), &Refusal::new(504, Reason::UpstreamTimeout).answering()).await;
        tollward_tests::deadline::within("the MCP server is let go", decision.gone()).await;
    }
    world.end();
}

#[tokio::test]
async fn a_call_is_never_made_twice() {
    let world = World::start().await;
    for (wire, era) in CELLS {
        // So that the next one goes over a connection that was used before.
        world.passed(wire, &call(&world, era)).await;
        let before = world.upstream.count();
        world.upstream.next(Answer::Cut);
        world.failed(wire, &call(&world, era), &Refusal::new(502, Reason::UpstreamInvalid).answering()).await;
        assert_eq!(world.upstream.count(), before + 1, "a call may have had its effect already");
    }
    world.end();
}

#[tokio::test]
async fn an_answer_that_breaks_off_can_not_be_taken_for_whole() {
    let world = World::start().await;
    for (wire, era) in CELLS {
        for media in ["application/json", "text/event-stream"] {
            let (answer, tap) = Answer::stream(media);
            world.upstream.next(answer);
            let records = world.sidecar.records.count();
            let mut opened = world.open(wire, &call(&world, era)).await;
            tap.send("{\"jsonrpc\":").await;
            assert_eq!(opened.piece().await.unwrap().unwrap(), "{\"jsonrpc\":");
            tap.cut().await;
            assert!(opened.piece().await.unwrap().is_err(), "{wire:?} {media}: the client can tell");
            let record = world.sidecar.records.wait_for(records + 1).await;
            assert_eq!(
                (record.decision.reason, record.outcome.unwrap().ended),
                (Reason::UpstreamInvalid, Ended::UpstreamBroke)
            );
        }
    }
    world.end();
}

#[tokio::test]
async fn an_answer_that_pauses_for_too_long_ends() {
    let world = World::with(|config| config.routes[0].upstream.idle_timeout_seconds = 1).await;
    for (wire, era) in CELLS {
        let (answer, tap) = Answer::stream("application/json");
        world.upstream.next(answer);
        let records = world.sidecar.records.count();
        let mut opened = world.open(wire, &call(&world, era)).await;
        tap.send("{").await;
        assert_eq!(opened.piece().await.unwrap().unwrap(), "{");
        assert!(opened.piece().await.unwrap().is_err());
        tollward_tests::deadline::within("the MCP server is let go", tap.gone()).await;
        let record = world.sidecar.records.wait_for(records + 1).await;
        assert_eq!(record.outcome.unwrap().ended, Ended::UpstreamBroke);
    }
    world.end();
}

#[tokio::test]
async fn a_big_answer_passes_whole() {
    let world = World::start().await;
    let text = "0123456789abcdef".repeat(512 * 1024);
    let body = json!({"jsonrpc": "2.0", "id": 1, "result": {"content": [{"type": "text", "text": text}]}}).to_string();
    for (wire, era) in CELLS {
        world.upstream.next(Answer::typed(StatusCode::OK, "application/json", body.clone()));
        let (reply, record) = world.passed(wire, &call(&world, era)).await;
        assert!(reply.body == body, "every byte");
        assert_eq!(record.outcome.unwrap().bytes_out, body.len() as u64);
    }
    world.end();
}

#[tokio::test]
async fn an_answer_without_content_stays_one() {
    let world = World::start().await;
    for (wire, era) in CELLS {
        world.upstream.next(Answer::Whole(StatusCode::NO_CONTENT, HeaderMap::new(), Bytes::new()));
        let (reply, _) = world.passed(wire, &call(&world, era)).await;
        assert_eq!((reply.status, reply.body.len()), (StatusCode::NO_CONTENT, 0));
    }
    world.end();
}

#[tokio::test]
async fn a_call_whose_intent_can_not_be_stored_is_not_made() {
    let world = World::start().await;
    for (wire, era) in CELLS {
        world.sidecar.records.set_full(true);
        let refusal = Refusal::new(503, Reason::AuditUnavailable).answering();
        world.refused(wire, &call(&world, era), &refusal).await;
        world.sidecar.records.set_full(false);
        world.passed(wire, &call(&world, era)).await;
    }
    world.end();
}

#[tokio::test]
async fn secrets_in_arguments_are_not_recorded() {
    let world = World::start().await;
    for (wire, era) in CELLS {
        let arguments = json!({"sku": "A-1", "password": "hunter2", "note": format!("Bearer {}", world.token())});
        let call =
            Call::rpc(era, "tools/call", json!({"name": "get_product", "arguments": arguments})).token(&world.token());
        let (_, record) = world.passed(wire, &call).await;
        let kept = record.call.unwrap().arguments.unwrap();
        assert_eq!(kept, json!({"sku": "A-1", "password": "[redacted]", "note": "[redacted]"}));
        assert_eq!(
            world.upstream.last().json()["params"]["arguments"]["password"],
            "hunter2",
            "the MCP server gets it"
        );
    }
}

#[tokio::test]
async fn text_of_the_caller_can_not_break_a_record() {
    let world = World::start().await;
    let agent = "evil\" \u{2028} {\"allowed\":true}";
    for (wire, era) in CELLS {
        let name = "get_\u{2028}\"},{ \u{202e}";
        let mut call = Call::rpc(era, "tools/call", json!({"name": "x"})).token(&world.token()).without("mcp-name");
        let body = String::from_utf8(call.body.to_vec()).unwrap();
        call.body = body.replacen("\"name\":\"x\"", &format!("\"name\":{}", json!(name)), 1).into();
        call.headers.insert("user-agent", http::HeaderValue::from_bytes(agent.as_bytes()).unwrap());
        let records = world.sidecar.records.count();
        world.send(wire, &call).await;
        let record = world.sidecar.records.wait_for(records + 1).await;
        let line = serde_json::to_string(&record).unwrap();
        assert!(!line.contains('\n') && !line.contains('\u{1b}'), "{line}");
        let read: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert_eq!(read["http"]["userAgent"], agent);
    }
    world.end();
}
