//! Metadata that clients read before they have a token.

use http::{Method, StatusCode};
use serde_json::json;
use tollward_policy::config::{AuthConfig, AuthServerMetadata, SidecarConfig};
use tollward_policy::reason::Reason;
use tollward_tests::client::Wire;
use tollward_tests::config::{ENDPOINT, PATH};
use tollward_tests::issuer::Health;
use tollward_tests::mcp::Call;
use tollward_tests::world::{Refusal, World};

const ROOT_FORM: &str = "/.well-known/oauth-protected-resource";
const PATH_FORM: &str = "/.well-known/oauth-protected-resource/shop/mcp";
const SERVER: &str = "/.well-known/oauth-authorization-server";

fn get(target: &str) -> Call {
    Call::bare(Method::GET, target)
}

fn metadata_of(config: &mut SidecarConfig, wanted: AuthServerMetadata) {
    if let AuthConfig::OAuth { auth_server_metadata, .. } = &mut config.routes[0].auth {
        *auth_server_metadata = wanted;
    }
}

#[tokio::test]
async fn the_resource_metadata_is_public_at_its_path_and_at_the_root() {
    let world = World::start().await;
    let expected = json!({
        "resource": ENDPOINT, "authorization_servers": [world.issuer.url()], "bearer_methods_supported": ["header"],
        "scopes_supported": ["mcp:catalog-read"], "resource_name": "Shop catalog",
    });
    for wire in Wire::ALL {
        for target in [ROOT_FORM, PATH_FORM, &format!("{PATH_FORM}?page=2"), &format!("{ROOT_FORM}?")] {
            let reply = world.send(wire, &get(target).header("mcp-protocol-version", "2024-01-01")).await;
            assert_eq!(reply.status, StatusCode::OK, "{target}");
            assert_eq!(reply.json(), expected, "{target}");
            assert_eq!(reply.header("content-type"), "application/json");
            assert_eq!(reply.header("cache-control"), "public, max-age=300");
            assert_eq!(reply.header("access-control-allow-origin"), "*");
            assert_eq!(reply.header("access-control-allow-credentials"), "");
        }
    }
    assert_eq!(world.upstream.count(), 0, "metadata is Tollward's own");
    world.end();
}

#[tokio::test]
async fn head_gives_the_length_of_the_metadata_and_no_body() {
    let world = World::start().await;
    for wire in Wire::ALL {
        for target in [PATH_FORM, SERVER] {
            let whole = world.send(wire, &get(target)).await;
            let head = world.send(wire, &get(target).method(Method::HEAD)).await;
            assert_eq!((head.status, head.body.len()), (StatusCode::OK, 0), "{target}");
            assert_eq!(head.header("content-length"), whole.body.len().to_string(), "{target}");
        }
    }
    world.end();
}

#[tokio::test]
async fn a_head_that_is_refused_has_the_length_of_its_refusal_and_no_body() {
    let world = World::start().await;
    for wire in Wire::ALL {
        for (target, status) in [(PATH, 401), ("/none", 404)] {
            let records = world.sidecar.records.count();
            let reply = world.send(wire, &get(target).method(Method::HEAD)).await;
            assert_eq!((reply.status.as_u16(), reply.body.len()), (status, 0), "{target}");
            assert!(reply.header("content-length").parse::<u32>().unwrap() > 0, "{:?}", reply.headers);
            let outcome = world.sidecar.records.wait_for(records + 1).await.outcome.unwrap();
            assert_eq!((outcome.status, outcome.bytes_out), (Some(status), 0));
        }
    }
    world.end();
}

#[tokio::test]
async fn any_page_may_ask_for_metadata_without_a_token() {
    let world = World::start().await;
    for wire in Wire::ALL {
        let preflight = get(PATH_FORM)
            .method(Method::OPTIONS)
            .header("origin", "https://anywhere.example")
            .header("access-control-request-method", "GET")
            .header("access-control-request-headers", "mcp-protocol-version, x-evil");
        let reply = world.send(wire, &preflight).await;
        assert_eq!(reply.status, StatusCode::NO_CONTENT);
        assert_eq!(reply.header("access-control-allow-origin"), "*");
        assert_eq!(reply.header("access-control-allow-methods"), "GET, HEAD, OPTIONS");
        assert_eq!(reply.header("access-control-allow-headers"), "mcp-protocol-version");
        let reply = world.send(wire, &get(PATH_FORM).header("origin", "https://anywhere.example")).await;
        assert_eq!((reply.status, reply.header("access-control-allow-origin")), (StatusCode::OK, "*"));
    }
    world.end();
}

#[tokio::test]
async fn metadata_is_only_read() {
    let world = World::start().await;
    for wire in Wire::ALL {
        for target in [ROOT_FORM, PATH_FORM, SERVER] {
            for method in [Method::POST, Method::DELETE] {
                let refusal = Refusal::new(405, Reason::MethodNotAllowed);
                let (reply, _) = world.refused(wire, &get(target).method(method), &refusal).await;
                assert_eq!(reply.header("allow"), "GET, HEAD, OPTIONS");
            }
        }
    }
    world.end();
}

#[tokio::test]
async fn older_clients_get_the_issuers_own_document_byte_for_byte() {
    let world = World::start().await;
    for wire in Wire::ALL {
        let reply = world.send(wire, &get(SERVER)).await;
        assert_eq!((reply.status, reply.text()), (StatusCode::OK, world.issuer.metadata()));
        assert_eq!(reply.header("access-control-allow-origin"), "*");
    }
    world.end();
}

#[tokio::test]
async fn the_issuers_document_can_be_switched_off() {
    let world = World::with(|config| metadata_of(config, AuthServerMetadata::Off)).await;
    for wire in Wire::ALL {
        world.refused(wire, &get(SERVER), &Refusal::new(404, Reason::RouteNotFound)).await;
    }
    world.end();
}

#[tokio::test]
async fn the_issuers_document_is_503_while_the_issuer_was_never_reached() {
    let world = World::cold(Health::Down, |_, _| ()).await;
    for wire in Wire::ALL {
        let (reply, _) = world.refused(wire, &get(SERVER), &Refusal::new(503, Reason::KeysUnavailable)).await;
        assert_eq!(reply.header("retry-after"), "5");
        assert_eq!(world.send(wire, &get(PATH_FORM)).await.status, StatusCode::OK, "this one is our own");
    }
    world.end();
}

#[tokio::test]
async fn the_root_forms_speak_for_one_endpoint_of_a_host_only() {
    let world = World::with(|config| {
        let mut second = config.routes[0].clone();
        second.server.uid = "uid-second".into();
        second.server.name = "second".into();
        second.endpoint.url = "https://mcp.example.test/other/mcp".into();
        config.routes.push(second);
    })
    .await;
    for wire in Wire::ALL {
        for target in [ROOT_FORM, SERVER] {
            world.refused(wire, &get(target), &Refusal::new(404, Reason::RouteNotFound)).await;
        }
        let reply = world.send(wire, &get("/.well-known/oauth-protected-resource/other/mcp")).await;
        assert_eq!(reply.json()["resource"], "https://mcp.example.test/other/mcp");
        assert_eq!(world.send(wire, &get(PATH_FORM)).await.json()["resource"], ENDPOINT);
    }
    world.end();
}

#[tokio::test]
async fn a_server_for_anybody_has_no_metadata() {
    let world = World::with(|config| config.routes[0].auth = AuthConfig::None {}).await;
    for wire in Wire::ALL {
        for target in [ROOT_FORM, PATH_FORM, SERVER] {
            world.refused(wire, &get(target), &Refusal::new(404, Reason::RouteNotFound)).await;
        }
    }
    world.end();
}

#[tokio::test]
async fn everything_else_is_not_found_without_a_token_being_asked_for() {
    let world = World::start().await;
    let targets = [
        "/",
        "/shop",
        "/shop/mcp/",
        "/SHOP/MCP",
        "/shop/mcp/server-card",
        "/inside/mcp",
        "/metrics",
        "/readyz",
        "/livez",
        "/v1/report",
        // Where clients of 2025-03-26 look if there is no document: Tollward is no authorization server.
        "/authorize",
        "/token",
        "/register",
        "/.well-known/openid-configuration",
        "/.well-known/oauth-protected-resource/",
        "/.well-known/oauth-protected-resource/other",
        "/.well-known/oauth-protected-resource/shop/mcp/x",
        "/.well-known/oauth-authorization-server/shop/mcp",
        "/favicon.ico",
    ];
    for wire in Wire::ALL {
        for target in targets {
            world.refused(wire, &get(target), &Refusal::new(404, Reason::RouteNotFound)).await;
        }
        let elsewhere = get(PATH).target("/").token(&world.token());
        world.refused(wire, &elsewhere, &Refusal::new(404, Reason::RouteNotFound)).await;
    }
    world.end();
}
