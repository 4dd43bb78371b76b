//! Where a token may stand, and who may use one.

use serde_json::json;
use tollward_policy::config::{AuthConfig, SidecarConfig};
use tollward_policy::operation::Era;
use tollward_policy::reason::Reason;
use tollward_sidecar::audit::Caller;
use tollward_tests::client::{Connection, Wire};
use tollward_tests::config::PATH;
use tollward_tests::mcp::Call;
use tollward_tests::world::{CELLS, Refusal, World};

fn missing() -> Refusal {
    Refusal::new(401, Reason::CredentialsMissing).challenge("")
}

/// Credentials of another scheme are none of ours, so there is nothing wrong with a token (RFC 6750 section 3.1).
fn other_scheme() -> Refusal {
    Refusal::new(401, Reason::CredentialsMalformed).challenge("")
}

fn malformed() -> Refusal {
    Refusal::new(401, Reason::CredentialsMalformed).challenge("invalid_token")
}

#[tokio::test]
async fn a_request_without_a_token_is_told_where_to_get_one() {
    let world = World::start().await;
    for (wire, era) in CELLS {
        let (_, record) = world.refused(wire, &Call::tool(era, "get_product"), &missing()).await;
        assert_eq!(record.caller, None, "nobody was verified");
    }
    for wire in Wire::ALL {
        world.refused(wire, &Call::listen(), &missing()).await;
        world.refused(wire, &Call::end_session(), &missing()).await;
        world.refused(wire, &Call::initialize(), &missing()).await;
    }
    world.end();
}

#[tokio::test]
async fn a_token_anywhere_but_in_the_authorization_header_is_none() {
    let world = World::start().await;
    let token = world.token();
    for (wire, era) in CELLS {
        let call = Call::tool(era, "get_product");
        let cases = [
            call.clone().target(&format!("{PATH}?access_token={token}")),
            call.clone().header("cookie", &format!("access_token={token}")),
            call.clone().header("x-api-key", &token),
            call.clone().header("proxy-authorization", &format!("Bearer {token}")),
            call.clone().header("x-forwarded-access-token", &token),
        ];
        for case in cases {
            world.refused(wire, &case, &missing()).await;
        }
        let form = call.body(format!("access_token={token}")).only("content-type", "application/x-www-form-urlencoded");
        world.refused(wire, &form, &missing()).await;
    }
    world.end();
}

#[tokio::test]
async fn an_authorization_header_that_is_not_one_bearer_token_is_refused() {
    let world = World::start().await;
    let token = world.token();
    let schemes = [
        "Basic YWxpY2U6c2VjcmV0".to_owned(),
        "Negotiate abcdefgh".to_owned(),
        format!("DPoP {token}"),
        format!("Token {token}"),
        token.clone(),
        format!("Bearer\t{token}"),
        format!("Bearer{token}"),
    ];
    let shapes =
        [format!("Bearer  {token}"), "Bearer".to_owned(), format!("Bearer {token} x"), format!("Bearer \"{token}\"")];
    for (wire, era) in CELLS {
        let call = |value: &str| Call::tool(era, "get_product").header("authorization", value);
        for value in &schemes {
            world.refused(wire, &call(value), &other_scheme()).await;
        }
        for value in &shapes {
            world.refused(wire, &call(value), &malformed()).await;
        }
        for value in [format!("Bearer {token}, Bearer {token}"), format!("Bearer {token},")] {
            world.refused(wire, &call(&value), &Refusal::new(400, Reason::RequestMalformed)).await;
        }
    }
    world.end();
}

#[tokio::test]
async fn two_authorization_headers_are_a_bad_request() {
    let world = World::start().await;
    let (good, other) = (world.token(), world.issuer.token().subject("mallory").mint());
    for (wire, era) in CELLS {
        for (first, second) in [(&good, &good), (&good, &other), (&other, &good)] {
            let call = Call::tool(era, "get_product").token(first).header("authorization", &format!("Bearer {second}"));
            world.refused(wire, &call, &Refusal::new(400, Reason::RequestMalformed)).await;
        }
    }
    world.end();
}

#[tokio::test]
async fn the_scheme_is_compared_without_case() {
    let world = World::start().await;
    for (wire, era) in CELLS {
        for scheme in ["bearer", "BEARER", "Bearer"] {
            let call = Call::tool(era, "get_product").header("authorization", &format!("{scheme} {}", world.token()));
            let (_, record) = world.passed(wire, &call).await;
            let Some(Caller::Token { subject, client, token_id, scopes, .. }) = record.caller else {
                panic!("the caller is known");
            };
            assert_eq!(
                (subject.as_str(), client.as_deref(), token_id.as_deref()),
                ("alice", Some("client-1"), Some("token-1"))
            );
            assert_eq!(scopes, ["mcp:catalog-read"]);
        }
    }
    world.end();
}

#[tokio::test]
async fn a_probe_of_a_load_balancer_needs_a_token_too() {
    let world = World::start().await;
    for (wire, era) in CELLS {
        for agent in ["kube-probe/1.37", "GoogleHC/1.0", "ELB-HealthChecker/2.0"] {
            let call = Call::tool(era, "get_product").header("user-agent", agent);
            let (_, record) = world.refused(wire, &call, &missing()).await;
            assert_eq!(record.http.user_agent.as_deref(), Some(agent));
        }
    }
    world.end();
}

fn allow_clients(config: &mut SidecarConfig, clients: &[&str]) {
    if let AuthConfig::OAuth { allowed_clients, .. } = &mut config.routes[0].auth {
        *allowed_clients = clients.iter().map(|client| (*client).to_owned()).collect();
    }
}

#[tokio::test]
async fn only_listed_clients_may_call_if_there_is_a_list() {
    let world = World::with(|config| allow_clients(config, &["client-1"])).await;
    for (wire, era) in CELLS {
        let call = Call::tool(era, "get_product");
        world.passed(wire, &call.clone().token(&world.token())).await;
        let refusal = Refusal::new(403, Reason::ClientNotAllowed);
        for token in [world.issuer.token().client("client-2"), world.issuer.token().without("client_id")] {
            world.refused(wire, &call.clone().token(&token.mint()), &refusal).await;
        }
    }
    world.end();
}

#[tokio::test]
async fn two_callers_on_one_connection_are_judged_apart() {
    let world = World::start().await;
    let (alice, bob) = (world.token(), world.issuer.token().subject("bob").scope("").mint());
    for wire in Wire::ALL {
        let before = world.sidecar.records.count();
        let mut connection = Connection::plain(wire, world.sidecar.public).await;
        let mut statuses = Vec::new();
        for token in [Some(&alice), Some(&bob), None, Some(&alice)] {
            let call = Call::tool(Era::Modern, "get_product");
            let call = token.map_or(call.clone(), |token| call.token(token));
            let opened = connection.send(call.request(wire)).await.unwrap();
            statuses.push(opened.whole().await.unwrap().status.as_u16());
        }
        assert_eq!(statuses, [200, 403, 401, 200]);
        world.sidecar.records.wait_for(before + 4).await;
    }
    world.end();
}

#[tokio::test]
async fn a_server_for_anybody_still_denies_what_no_rule_allows() {
    let world = World::with(|config| {
        config.routes[0].auth = AuthConfig::None {};
        let mut open = config.routes[0].rules[0].clone();
        open.name = "open".into();
        open.matches = serde_json::from_value(json!({"tools": ["ping_*"]})).unwrap();
        open.scopes = Vec::new();
        config.routes[0].rules.push(open);
    })
    .await;
    for (wire, era) in CELLS {
        let (_, record) = world.passed(wire, &Call::tool(era, "ping_me")).await;
        assert_eq!(record.caller, Some(Caller::Anonymous {}));
        let none = Refusal::new(403, Reason::NoRuleMatched).answering();
        world.refused(wire, &Call::tool(era, "drop_table"), &none).await;
        // Nobody can step up without a token, so there is no challenge.
        let scope = Refusal::new(403, Reason::ScopeInsufficient).answering();
        world.refused(wire, &Call::tool(era, "get_product"), &scope).await;
    }
    world.end();
}
