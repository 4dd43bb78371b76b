//! Pages in browsers: origins, preflights, and names that were rebound to this address.

use http::{Method, StatusCode};
use tollward_policy::operation::Era;
use tollward_policy::reason::Reason;
use tollward_tests::client::{Wire, exchange};
use tollward_tests::config::PATH;
use tollward_tests::mcp::Call;
use tollward_tests::world::{CELLS, Refusal, World};

const PAGE: &str = "https://app.example.test";
const OWN: &str = "https://mcp.example.test";

async fn world() -> World {
    World::with(|config| {
        config.routes[0].endpoint.allowed_origins = vec![PAGE.into()];
        config.routes[0].endpoint.hosts = vec!["catalog.shop.svc:8443".into()];
    })
    .await
}

#[tokio::test]
async fn a_page_of_another_origin_is_refused_before_its_token_is_looked_at() {
    let world = world().await;
    let origins = [
        "https://evil.example",
        "null",
        "http://app.example.test",
        "https://app.example.test.evil.example",
        "https://app.example.test:8443",
        "https://app.example.test/",
        "https://APP.EXAMPLE.TEST",
        "https://evil-app.example.test",
        "http://localhost:3000",
        "",
        "*",
        "https://app.example.test, https://evil.example",
        "https://app.example.test@evil.example",
    ];
    let refusal = Refusal::new(403, Reason::OriginNotAllowed);
    for (wire, era) in CELLS {
        for origin in origins {
            let call = Call::tool(era, "get_product").header("origin", origin);
            for call in [call.clone(), call.token(&world.token())] {
                let (reply, record) = world.refused(wire, &call, &refusal).await;
                assert_eq!(reply.header("access-control-allow-origin"), "");
                assert_eq!(record.caller, None);
            }
            world.refused(wire, &Call::listen().header("origin", origin), &refusal).await;
            world.refused(wire, &Call::end_session().header("origin", origin), &refusal).await;
        }
        let twice = Call::tool(era, "get_product").header("origin", PAGE).header("origin", "https://evil.example");
        world.refused(wire, &twice, &Refusal::new(400, Reason::RequestMalformed)).await;
    }
    world.end();
}

#[tokio::test]
async fn a_page_that_may_call_can_read_answers_and_challenges() {
    let world = world().await;
    for (wire, era) in CELLS {
        for origin in [PAGE, OWN] {
            let call = Call::tool(era, "get_product").header("origin", origin);
            let (passed, _) = world.passed(wire, &call.clone().token(&world.token())).await;
            let missing = Refusal::new(401, Reason::CredentialsMissing).challenge("");
            let (refused, _) = world.refused(wire, &call, &missing).await;
            for reply in [passed, refused] {
                assert_eq!(reply.header("access-control-allow-origin"), origin);
                assert_eq!(reply.header("access-control-allow-credentials"), "");
                let exposed = reply.header("access-control-expose-headers");
                for name in ["WWW-Authenticate", "Mcp-Session-Id", "Retry-After", "RateLimit"] {
                    assert!(exposed.contains(name), "{exposed}");
                }
                let vary: Vec<_> = reply.headers.get_all("vary").iter().collect();
                assert_eq!(vary, ["Origin"]);
            }
        }
        let (reply, _) = world.passed(wire, &Call::tool(era, "get_product").token(&world.token())).await;
        assert_eq!((reply.header("access-control-allow-origin"), reply.header("vary")), ("", "Origin"));
    }
    world.end();
}

#[tokio::test]
async fn a_preflight_is_answered_here_without_a_token() {
    let world = world().await;
    for wire in Wire::ALL {
        let preflight = |origin: &str| {
            Call::bare(Method::OPTIONS, PATH)
                .header("origin", origin)
                .header("access-control-request-method", "POST")
                .header(
                    "access-control-request-headers",
                    "authorization, Content-Type,mcp-param-sku, cookie, x-evil, mcp-session-id",
                )
        };
        let reply = world.send(wire, &preflight(PAGE)).await;
        assert_eq!((reply.status, reply.body.len()), (StatusCode::NO_CONTENT, 0));
        assert_eq!(reply.header("access-control-allow-origin"), PAGE);
        assert_eq!(reply.header("access-control-allow-methods"), "GET, POST, DELETE, OPTIONS");
        assert_eq!(
            reply.header("access-control-allow-headers"),
            "authorization, content-type, mcp-param-sku, mcp-session-id"
        );
        assert_eq!(reply.header("access-control-allow-credentials"), "");
        let (reply, _) =
            world.refused(wire, &preflight("https://evil.example"), &Refusal::new(403, Reason::OriginNotAllowed)).await;
        assert_eq!(reply.header("access-control-allow-headers"), "");
        let plain = world.send(wire, &Call::bare(Method::OPTIONS, PATH)).await;
        assert_eq!((plain.status, plain.header("allow")), (StatusCode::NO_CONTENT, "GET, POST, DELETE, OPTIONS"));
    }
    assert_eq!(world.upstream.count(), 0);
    world.end();
}

#[tokio::test]
async fn a_name_that_was_rebound_to_this_address_is_refused() {
    let world = world().await;
    let names = [
        "evil.example",
        "127.0.0.1",
        "localhost",
        "mcp.example.test.evil.example",
        "mcp.example.test:8080",
        "evil-mcp.example.test",
        "catalog.shop.svc",
        "[::1]",
        "xn--mcp-example.test",
    ];
    for (wire, era) in CELLS {
        for name in names {
            let call = Call::tool(era, "get_product").authority(name).token(&world.token());
            world.refused(wire, &call, &Refusal::new(403, Reason::HostNotAllowed)).await;
        }
        for name in [
            "mcp.example.test",
            "MCP.Example.TEST",
            "mcp.example.test.",
            "mcp.example.test:443",
            "catalog.shop.svc:8443",
        ] {
            world.passed(wire, &Call::tool(era, "get_product").authority(name).token(&world.token())).await;
        }
    }
    world.end();
}

#[tokio::test]
async fn nothing_that_a_client_sends_gets_into_urls_that_tollward_names() {
    let world = world().await;
    let poison = "evil.example\", error=\"insufficient_scope";
    for (wire, era) in CELLS {
        let call = Call::tool(era, "get_product")
            .authority("catalog.shop.svc:8443")
            .header("x-forwarded-host", poison)
            .header("x-forwarded-proto", "gopher")
            .header("forwarded", "host=evil.example;proto=http")
            .header("x-forwarded-prefix", "/evil");
        let missing = Refusal::new(401, Reason::CredentialsMissing).challenge("");
        let (reply, _) = world.refused(wire, &call, &missing).await;
        assert!(!format!("{:?}{}", reply.headers, reply.text()).contains("evil"));
        let metadata = call.method(Method::GET).target("/.well-known/oauth-protected-resource/shop/mcp").body("");
        let reply = world.send(wire, &metadata).await;
        assert_eq!(reply.json()["resource"], "https://mcp.example.test/shop/mcp");
        assert!(!reply.text().contains("evil"));
    }
    world.end();
}

#[tokio::test]
async fn header_names_with_underscores_imitate_nothing() {
    let world = world().await;
    for (wire, era) in CELLS {
        for name in
            ["x_forwarded_user", "mcp_session_id", "mcp_method", "content_length", "transfer_encoding", "x_mcp_subject"]
        {
            let call = Call::tool(era, "get_product").token(&world.token()).header(name, "evil");
            world.refused(wire, &call, &Refusal::new(400, Reason::RequestMalformed)).await;
        }
        let call = Call::tool(era, "get_product").token(&world.token()).header("x_request_id", "kept-outside");
        world.passed(wire, &call).await;
        assert!(!format!("{:?}", world.upstream.last().headers).contains("kept-outside"));
    }
    world.end();
}

#[tokio::test]
async fn a_path_is_the_endpoints_own_byte_for_byte() {
    let world = world().await;
    let malformed = [
        "/shop/../shop/mcp",
        "/shop/./mcp",
        "/shop//mcp",
        "//shop/mcp",
        "/shop/mcp/..",
        "/shop/mcp/.",
        "/shop%2fmcp",
        "/shop%2Fmcp",
        "/shop/%2e%2e/shop/mcp",
        "/shop/mcp;a=b",
        "/shop/mcp%00",
        "/shop%5cmcp",
        "/shop/mcp/..;/admin",
    ];
    let other = ["/shop/mc%70", "/SHOP/mcp", "/shop/mcp/", "/shop/mcp%20", "/shop%252fmcp", "/shop/mcpx", "/shop"];
    for (wire, era) in CELLS {
        let call = Call::tool(era, "get_product").token(&world.token());
        for target in malformed {
            world.refused(wire, &call.clone().target(target), &Refusal::new(400, Reason::RequestMalformed)).await;
        }
        for target in other {
            world.refused(wire, &call.clone().target(target), &Refusal::new(404, Reason::RouteNotFound)).await;
        }
        let (_, record) = world.passed(wire, &call.target("/shop/mcp?sku=secret-query")).await;
        assert_eq!(record.http.path, PATH, "a query may hold a secret");
    }
    world.end();
}

#[tokio::test]
async fn a_form_of_another_page_can_not_make_a_call() {
    let world = world().await;
    for (wire, era) in CELLS {
        let call = Call::tool(era, "get_product").token(&world.token());
        let simple = call
            .only("content-type", "text/plain")
            .header("sec-fetch-site", "cross-site")
            .header("sec-fetch-mode", "no-cors");
        let refusal = Refusal::new(415, Reason::MediaTypeRefused).code(-32600);
        world.refused(wire, &simple, &refusal).await;
    }
    let get = Call::bare(Method::GET, &format!("{PATH}?name=get_product")).token(&world.token());
    let with_body = get.only("content-type", "application/json").body(Call::tool(Era::Legacy, "get_product").body);
    for wire in Wire::ALL {
        world.refused(wire, &with_body, &Refusal::new(400, Reason::RequestMalformed)).await;
    }
    world.end();
}

#[tokio::test]
async fn a_page_of_another_origin_is_refused_before_its_body_is_read() {
    let world = world().await;
    // The body never comes; a server that waited for it would answer 408 at the earliest.
    let request = format!(
        "POST {PATH} HTTP/1.1\r\nHost: mcp.example.test\r\nOrigin: https://evil.example\r\nContent-Type: application/json\r\n\
         Content-Length: 1000\r\nExpect: 100-continue\r\n\r\n"
    );
    let answer = exchange(world.sidecar.public, request.as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 403 ") && answer.contains("origin_not_allowed"), "{answer}");
    world.end();
}

#[tokio::test]
async fn a_page_can_not_open_a_web_socket() {
    let world = world().await;
    for (origin, status) in [("https://evil.example", "403"), (PAGE, "401")] {
        let request = format!(
            "GET {PATH} HTTP/1.1\r\nHost: mcp.example.test\r\nOrigin: {origin}\r\nConnection: Upgrade, close\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        );
        let answer = exchange(world.sidecar.public, request.as_bytes()).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{answer}");
    }
    assert_eq!(world.upstream.count(), 0);
    world.end();
}
