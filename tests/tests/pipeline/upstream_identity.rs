//! As whom the MCP server is called: never with the caller's token, in no method, era, error, retry or redirect, whatever else
//! the caller writes; and with exactly the identity that the configuration says, or not at all.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::{Method, StatusCode};
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Value, json};
use std::collections::HashSet;
use std::path::Path;
use tollward_policy::config::SidecarConfig;
use tollward_policy::operation::Era;
use tollward_policy::reason::Reason;
use tollward_tests::client::Wire;
use tollward_tests::config::{AUTHORITY, ConfigFile, ENDPOINT, PATH, PROVIDER};
use tollward_tests::deadline::eventually;
use tollward_tests::exchange::TokenEndpoint;
use tollward_tests::issuer::Health;
use tollward_tests::mcp::Call;
use tollward_tests::upstream::{Answer, Captured};
use tollward_tests::world::{CELLS, Refusal, World};

pub(super) const SECRET: &str = "s3cret-of-the-back-end";
/// The public keys on the public listener.
const KEYS: &str = "/.well-known/tollward-assertion-keys/shop/mcp";

pub(super) fn call(world: &World, era: Era) -> Call {
    Call::tool(era, "get_product").token(&world.token())
}

fn identify(config: &mut SidecarConfig, identity: &Value) {
    config.routes[0].upstream.identity = serde_json::from_value(identity.clone()).expect("an identity");
}

fn assertion() -> Value {
    json!({"type": "SignedAssertion", "audience": "uid-catalog"})
}

fn bearer(file: &Path) -> Value {
    json!({"type": "Credential", "form": {"scheme": "Bearer", "token": file}})
}

async fn asserting() -> World {
    World::with(|config| identify(config, &assertion())).await
}

/// With a credential in a file beside the configuration.
async fn sharing() -> World {
    let world = World::cold(Health::Good, |config, file| {
        identify(config, &bearer(&file.beside("token", SECRET)));
    })
    .await;
    world.sidecar.ready().await;
    world
}

pub(super) async fn exchanging(endpoint: &TokenEndpoint) -> World {
    let world = World::cold(Health::Good, |config, file| exchange_at(config, file, endpoint.url())).await;
    world.sidecar.ready().await;
    world
}

/// Has callers' tokens exchanged at that endpoint.
pub(super) fn exchange_at(config: &mut SidecarConfig, file: &ConfigFile, url: String) {
    let client = json!({"id": "tollward", "secret": file.beside("secret", SECRET), "authentication": "Basic"});
    let target = json!({"type": "TokenExchange", "client": client, "audience": "catalog", "maxLifetimeSeconds": 3600});
    identify(config, &target);
    config.identity_providers[0].token_url = Some(url);
}

/// Fails if any piece of a signature that the issuer ever made is in what reached the MCP server.
pub(super) fn check(world: &World, reached: &[Captured]) {
    const PIECE: usize = 16;
    // A header's name arrives in lower case.
    let minted = world.issuer.minted();
    let signatures: Vec<_> = minted.iter().filter_map(|token| token.rsplit('.').next()).collect();
    let signatures = signatures.join(" ");
    let signatures = signatures.to_ascii_lowercase();
    let pieces: HashSet<_> = signatures.as_bytes().windows(PIECE).filter(|piece| !piece.contains(&b' ')).collect();
    for request in reached {
        let headers: Vec<_> =
            request.headers.iter().flat_map(|(name, value)| [name.as_str().as_bytes(), value.as_bytes()]).collect();
        let text = [&[request.target.as_bytes(), request.body.as_ref()], headers.as_slice()].concat().join(&b' ');
        let lower = text.to_ascii_lowercase();
        let leaks = lower.windows(PIECE).any(|window| pieces.contains(window));
        assert!(!leaks, "a piece of a token reached the MCP server: {}", String::from_utf8_lossy(&text));
    }
}

/// Everything that a caller can make reach the MCP server, well and badly answered.
async fn exercise(world: &World) {
    for (wire, era) in CELLS {
        world.send(wire, &call(world, era)).await;
        world.send(wire, &Call::rpc(era, "tools/list", json!({})).token(&world.token())).await;
        world.send(wire, &Call::notification(era, "notifications/cancelled").token(&world.token())).await;
        for status in [301, 307, 400, 401, 403, 404, 407, 429, 500, 503] {
            let answer = Answer::typed(StatusCode::from_u16(status).unwrap(), "application/json", "{}");
            world.upstream.next(answer.with("location", &world.upstream.url()).with("www-authenticate", "Bearer"));
            world.send(wire, &call(world, era)).await;
        }
        // On a connection that was used before, so that the client library may try again.
        world.upstream.next(Answer::Cut);
        world.send(wire, &call(world, era)).await;
    }
    for wire in Wire::ALL {
        let token = world.token();
        let session = world.send(wire, &Call::initialize().token(&token)).await.header("mcp-session-id").to_owned();
        for legacy in [Call::listen(), Call::end_session()] {
            world.send(wire, &legacy.session(&session).token(&token)).await;
        }
    }
}

#[tokio::test]
async fn without_an_identity_no_header_says_who_calls() {
    let world = World::start().await;
    exercise(&world).await;
    let reached = world.upstream.requests();
    assert!(reached.iter().any(|it| it.method == Method::GET) && reached.iter().any(|it| it.method == Method::DELETE));
    for request in &reached {
        for name in ["authorization", "tollward-assertion", "cookie", "x-api-key"] {
            assert_eq!(request.header(name), "", "{name}: {request:?}");
        }
    }
    check(&world, &reached);
    assert!(world.sidecar.records.closed().iter().all(|record| record.upstream_identity.is_none()));
    world.end();
}

#[tokio::test]
async fn with_every_identity_each_request_shows_it_and_never_the_callers_token() {
    let endpoint = TokenEndpoint::start().await;
    for (world, name, kind) in [
        (asserting().await, "tollward-assertion", "signed_assertion"),
        (sharing().await, "authorization", "shared_credential"),
        (exchanging(&endpoint).await, "authorization", "exchanged_token"),
    ] {
        exercise(&world).await;
        let reached = world.upstream.requests();
        for request in &reached {
            assert_eq!(request.headers.get_all(name).iter().count(), 1, "{kind}: {request:?}");
        }
        check(&world, &reached);
        let passed = world.sidecar.records.closed();
        let passed: Vec<_> = passed.iter().filter(|record| record.decision.allowed).collect();
        assert!(!passed.is_empty());
        for record in passed {
            assert_eq!(record.upstream_identity.as_ref().map(|shown| shown.kind), Some(kind), "{record:?}");
        }
        no_secret(&world, &[SECRET, "exchanged-"]);
        world.end();
    }
}

/// Nothing that the process emitted holds any of these.
fn no_secret(world: &World, secrets: &[&str]) {
    let records = serde_json::to_string(&world.sidecar.records.closed()).expect("records are JSON");
    let emitted = &world.sidecar.emitted;
    let said = format!("{records}{:?}{:?}{:?}", emitted.audit_records(), emitted.spans(), emitted.logs());
    for secret in secrets {
        assert!(!said.contains(secret) && !world.sidecar.metrics().contains(secret), "{secret} was told");
    }
}

/// Names under which proxies, frameworks and clients carry credentials, and some that HTTP gives a meaning on its way.
const NAMES: &[&str] = &[
    "authorization2",
    "x-authorization",
    "proxy-authorization",
    "x-forwarded-access-token",
    "x-auth-request-access-token",
    "x-access-token",
    "x-api-key",
    "cookie",
    "dpop",
    "tollward-assertion",
    "x-tollward-assertion",
    "x-mcp-token",
    "x-original-authorization",
    "x-amzn-oidc-data",
    "cf-access-jwt-assertion",
    "x-goog-iap-jwt-assertion",
    "forwarded",
    "via",
    "from",
    "referer",
    "origin2",
    "x-forwarded-for",
    "x-real-ip",
    "keep-alive",
    "trailer",
    "warning",
    "expect2",
    "authorization-",
    "authorizatio\u{6e}s",
];

/// One more header with the caller's token, whole or in part.
fn header() -> impl Strategy<Value = (String, usize, bool)> {
    let name = prop_oneof![prop::sample::select(NAMES).prop_map(str::to_owned), "[a-z][a-z0-9-]{0,20}"];
    let cased = (name, prop::bool::ANY).prop_map(|(name, upper)| if upper { name.to_uppercase() } else { name });
    (cased, 0_usize..3, prop::bool::ANY)
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_headers_repeat_the_token_none_of_it_reaches_the_mcp_server() {
    let mut runner = TestRunner::new(Config { cases: 64, ..Config::default() });
    let cases: Vec<_> = (0..64)
        .map(|_| prop::collection::vec(header(), 1..6).new_tree(&mut runner).expect("a case").current())
        .collect();
    let world = asserting().await;
    for (number, headers) in cases.into_iter().enumerate() {
        let (wire, era) = CELLS[number % CELLS.len()];
        let token = world.token();
        let mut call = Call::tool(era, "get_product").token(&token);
        for (name, part, scheme) in headers {
            // Those that say what the message is are judged by other tests.
            if ["accept", "host", "te", "content-length", "connection", "upgrade", "user-agent"]
                .contains(&&*name.to_lowercase())
            {
                continue;
            }
            let piece = [token.as_str(), token.rsplit('.').next().unwrap_or_default(), &token[..40]][part].to_owned();
            call = call.header(&name, &if scheme { format!("Bearer {piece}") } else { piece });
        }
        world.send(wire, &call).await;
    }
    check(&world, &world.upstream.requests());
    assert!(world.upstream.count() > 30, "most of them pass");
    world.end();
}

#[tokio::test]
async fn a_call_that_carries_its_own_token_as_content_is_refused() {
    let world = World::start().await;
    let refusal = Refusal::new(400, Reason::TokenInCall).answering();
    for (wire, era) in CELLS {
        let token = world.token();
        let argument = json!({"name": "get_product", "arguments": {"sku": format!("see {token}")}});
        world.refused(wire, &Call::rpc(era, "tools/call", argument).token(&token), &refusal).await;
        for (name, value) in [
            ("user-agent", token.clone()),
            ("mcp-param-sku", format!("x{token}")),
            ("baggage", format!("token={token}")),
            ("tracestate", format!("a={token}")),
        ] {
            let repeated = Call::tool(era, "get_product").token(&token).header(name, &value);
            // Only the modern era has parameters in headers; in the other one they stay here.
            if name == "mcp-param-sku" && era == Era::Legacy {
                world.passed(wire, &repeated).await;
            } else {
                world.refused(wire, &repeated, &refusal).await;
            }
        }
        // Headers that never reach the server may hold it: gateways in front write such.
        world.passed(wire, &call(&world, era).header("x-forwarded-access-token", &token)).await;
    }
    check(&world, &world.upstream.requests());
    world.end();
}

fn claims(token: &str) -> (Value, Value) {
    let part = |number: usize| {
        let text = token.split('.').nth(number).unwrap_or_default();
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(text).unwrap_or_default()).unwrap_or_default()
    };
    (part(0), part(1))
}

#[tokio::test]
async fn an_assertion_says_who_calls_and_its_keys_are_where_the_server_finds_them() {
    let world = asserting().await;
    let mut seen = HashSet::new();
    for (wire, era) in CELLS {
        let forged = call(&world, era).header("tollward-assertion", "forged").header("Tollward_Assertion", "forged");
        let (_, record) = world.passed(wire, &forged).await;
        let shown = world.upstream.last().header("tollward-assertion").to_owned();
        let (head, body) = claims(&shown);
        assert_eq!((&head["typ"], &head["alg"]), (&json!("tollward-assertion+jwt"), &json!("EdDSA")));
        assert_eq!((&body["iss"], &body["aud"]), (&json!(ENDPOINT), &json!("uid-catalog")));
        assert_eq!((&body["sub"], &body["sub_id"]["iss"]), (&json!("alice"), &json!(world.issuer.url())));
        assert_eq!((&body["scope"], &body["mcp_method"]), (&json!("mcp:catalog-read"), &json!("tools/call")));
        assert_eq!(body["exp"].as_i64().unwrap() - body["iat"].as_i64().unwrap(), 60);
        assert_eq!(record.upstream_identity.unwrap().token_id.as_deref(), body["jti"].as_str());
        assert_eq!(body["jti"], json!(record.id));
        assert!(seen.insert(body["jti"].clone()), "each call has its own");
        let public = world.send(wire, &Call::bare(Method::GET, KEYS)).await;
        assert_eq!((public.status, public.json()["keys"][0]["kid"].clone()), (StatusCode::OK, head["kid"].clone()));
        let local = world.sidecar.probe("/assertion-keys/shop/catalog").await;
        assert_eq!(local.json(), public.json());
        assert!(!public.text().contains("\"d\""), "{}", public.text());
    }
    for missing in ["/assertion-keys/shop/other", "/assertion-keys/other/catalog", "/assertion-keys/shop"] {
        assert_eq!(world.sidecar.probe(missing).await.status, StatusCode::NOT_FOUND, "{missing}");
    }
    let (reply, _) =
        world.refused(Wire::Http1, &Call::bare(Method::POST, KEYS), &Refusal::new(405, Reason::MethodNotAllowed)).await;
    assert_eq!(reply.header("allow"), "GET, HEAD, OPTIONS");
    let elsewhere = Call::bare(Method::GET, KEYS).authority("evil.example");
    world.refused(Wire::Http1, &elsewhere, &Refusal::new(403, Reason::HostNotAllowed)).await;
    world.end();
    let world = World::start().await;
    let refusal = Refusal::new(404, Reason::RouteNotFound);
    world.refused(Wire::Http1, &Call::bare(Method::GET, KEYS), &refusal).await;
}

#[tokio::test]
async fn an_assertion_is_no_access_token_even_for_whoever_trusts_its_keys() {
    let world = asserting().await;
    world.passed(Wire::Http1, &call(&world, Era::Modern)).await;
    let shown = world.upstream.last().header("tollward-assertion").to_owned();
    let stolen = |era| Call::tool(era, "get_product").token(&shown);
    for (wire, era) in CELLS {
        world.refused(wire, &stolen(era), &Refusal::invalid_token(Reason::IssuerUnknown)).await;
    }
    // The worst that somebody could configure: the endpoint as an issuer, with its own keys, for the assertion's audience.
    let keys = format!("http://{}/assertion-keys/shop/catalog", world.sidecar.observe);
    let trusting = World::with(|config| {
        let provider = &mut config.identity_providers[0];
        provider.issuer = ENDPOINT.to_owned();
        provider.jwks_url = Some(keys);
        provider.max_lifetime_seconds = None;
        provider.token_types = serde_json::from_value(json!(["at+jwt", "JWT", "none"])).unwrap();
        let audiences = json!({
            "mode": "OAuth", "providers": [PROVIDER], "audiences": ["uid-catalog"], "authServerMetadata": "Off"
        });
        config.routes[0].auth = serde_json::from_value(audiences).unwrap();
    })
    .await;
    for (wire, era) in CELLS {
        trusting.refused(wire, &stolen(era), &Refusal::invalid_token(Reason::TokenTypeRefused)).await;
    }
    // Nothing that clients or validators read names the keys.
    for path in [
        "/.well-known/oauth-protected-resource/shop/mcp",
        "/.well-known/oauth-protected-resource",
        "/.well-known/oauth-authorization-server",
    ] {
        let text = world.send(Wire::Http1, &Call::bare(Method::GET, path)).await.text();
        assert!(!text.contains("assertion") && !text.contains("EdDSA"), "{path}: {text}");
    }
    world.end();
}

#[tokio::test]
async fn a_credential_that_changes_counts_without_a_restart_and_without_one_no_call_is_made() {
    let world = sharing().await;
    let file = world.sidecar.config.folder().join("token");
    let shown = |world: &World| world.upstream.last().header("authorization").to_owned();
    world.passed(Wire::Http1, &call(&world, Era::Modern)).await;
    assert_eq!(shown(&world), format!("Bearer {SECRET}"));
    std::fs::write(&file, "rotated").unwrap();
    eventually("the new credential is shown", async || {
        world.passed(Wire::Http1, &call(&world, Era::Modern)).await;
        shown(&world) == "Bearer rotated"
    })
    .await;
    for broken in [None, Some(""), Some("two words"), Some("a\r\nx-evil: 1")] {
        match broken {
            None => std::fs::remove_file(&file).unwrap(),
            Some(content) => std::fs::write(&file, content).unwrap(),
        }
        world.clock.advance(1);
        for (wire, era) in CELLS {
            let refusal = Refusal::new(503, Reason::UpstreamIdentityUnavailable).answering();
            let (reply, _) = world.refused(wire, &call(&world, era), &refusal).await;
            assert_eq!(reply.header("retry-after"), "5");
        }
        let probe = world.sidecar.probe("/readyz").await;
        assert_eq!(probe.status, StatusCode::SERVICE_UNAVAILABLE);
        assert!(probe.text().contains("shop/catalog: the credential for the MCP server"), "{}", probe.text());
    }
    std::fs::write(&file, SECRET).unwrap();
    world.clock.advance(1);
    for (wire, era) in CELLS {
        world.passed(wire, &call(&world, era)).await;
    }
    no_secret(&world, &[SECRET]);
    world.end();
}

#[tokio::test]
async fn an_answer_whose_headers_repeat_the_credential_is_withheld() {
    let world = sharing().await;
    for (wire, era) in CELLS {
        for header in ["allow", "content-language", "mcp-protocol-version", "x-accel-buffering"] {
            let answer = Answer::json(&json!({"jsonrpc": "2.0", "id": 1, "result": {}}));
            world.upstream.next(answer.with(header, &format!("Bearer {SECRET}")).with("authorization", SECRET));
            let refusal = Refusal::new(502, Reason::UpstreamInvalid).answering();
            let (reply, _) = world.failed(wire, &call(&world, era), &refusal).await;
            assert!(!format!("{:?}{}", reply.headers, reply.text()).contains(SECRET));
        }
    }
    world.end();
}

#[tokio::test]
async fn an_identity_that_is_configured_while_running_is_in_force_for_the_next_call() {
    let mut world = World::start().await;
    world.passed(Wire::Http1, &call(&world, Era::Modern).authority(AUTHORITY).target(PATH)).await;
    world.sidecar.config.change(|config| identify(config, &assertion()));
    eventually("an assertion is shown", async || {
        world.passed(Wire::Http1, &call(&world, Era::Modern)).await;
        !world.upstream.last().header("tollward-assertion").is_empty()
    })
    .await;
    world.end();
}
