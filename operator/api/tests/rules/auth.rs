//! Modes, scopes and rules.

use crate::judge::{accepts, refuses, with};
use crate::objects::server;
use serde_json::json;
use tollward_api::MCPServer;

#[test]
fn a_mode_of_authorization_has_what_it_needs_and_nothing_else() {
    refuses::<MCPServer>(
        "MCPServer",
        &server(),
        &[
            ("/spec/auth/identityProviders", json!(null), "at least one entry in auth.identityProviders"),
            ("/spec/auth/identityProviders", json!([]), "at least one entry in auth.identityProviders"),
            (
                "/spec/auth",
                json!({"mode": "None", "scopes": [{"name": "a", "description": "b"}]}),
                "auth.mode None checks no tokens",
            ),
            ("/spec/auth", json!({"mode": "None", "clients": {"allow": ["a"]}}), "auth.mode None checks no tokens"),
            (
                "/spec/auth",
                json!({"mode": "None", "senderConstraint": {"mode": "Required", "methods": ["DPoP"]}}),
                "so senderConstraint must not be set",
            ),
            (
                "/spec/auth",
                json!({"mode": "None", "rules": [{"name": "a", "match": {"tools": ["x"]}, "scopes": ["s"]}]}),
                "rules can't require scopes",
            ),
            ("/spec/auth/initialScopes", json!(["mcp:read", "mcp:pay"]), "`mcp:pay` is not declared in auth.scopes"),
            ("/spec/auth/scopes", json!(null), "`mcp:read` is not declared in auth.scopes"),
        ],
    );
}

#[test]
fn a_sender_constraint_asks_only_for_what_can_be_checked() {
    let place = "/spec/auth/senderConstraint";
    accepts::<MCPServer>(
        "MCPServer",
        &server(),
        &[
            (place, json!({"mode": "Optional", "methods": ["DPoP", "MutualTLS"]})),
            (
                place,
                json!({"mode": "Required", "methods": ["DPoP"], "dpop": {"nonce": "Required", "proofMaxAge": "5m"}}),
            ),
            (place, json!({"mode": "Required", "methods": ["DPoP"], "dpop": {}})),
            (place, json!({"mode": "Required", "methods": ["MutualTLS"]})),
        ],
    );
    refuses::<MCPServer>(
        "MCPServer",
        &server(),
        &[
            (
                place,
                json!({"mode": "Required", "methods": ["MutualTLS"], "dpop": {"nonce": "Required"}}),
                "methods must name DPoP",
            ),
            (place, json!({"mode": "Optional", "methods": ["DPoP"], "dpop": {"proofMaxAge": "4s"}}), "from 5s to 5m"),
            (place, json!({"mode": "Optional", "methods": ["DPoP"], "dpop": {"proofMaxAge": "301s"}}), "from 5s to 5m"),
        ],
    );
    let constraint = json!({"mode": "Required", "methods": ["DPoP", "MutualTLS"]});
    let plain = with(server(), "/spec/endpoint", json!({"url": "http://mcp.example.com/mcp", "tls": {"mode": "Off"}}));
    refuses::<MCPServer>("MCPServer", &plain, &[(place, constraint, "endpoint.tls.mode must not be Off")]);
}

#[test]
fn a_rule_says_what_it_is_about_and_a_deny_needs_no_scope() {
    refuses::<MCPServer>(
        "MCPServer",
        &server(),
        &[
            ("/spec/auth/rules/0/match", json!({}), "match must name methods, tools, resources or prompts"),
            ("/spec/auth/rules/0/match", json!({"tools": []}), "match must name methods, tools, resources or prompts"),
            ("/spec/auth/rules/0/action", json!("Deny"), "rule `read` denies"),
        ],
    );
}

#[test]
fn every_omnibus_name_of_the_data_plane_is_refused_and_named() {
    for name in tollward_policy::scope::OMNIBUS {
        for scope in [
            (*name).to_owned(),
            format!("mcp:{}", name.to_uppercase()),
            format!("https://a.example/.{name}"),
            format!("a/{name}"),
        ] {
            let expected = format!("scope `{scope}` is a");
            refuses::<MCPServer>("MCPServer", &server(), &[("/spec/auth/scopes/1/name", json!(scope), &expected)]);
        }
    }
}

#[test]
fn what_cel_says_about_a_scope_is_what_the_data_plane_says() {
    for scope in [
        "mcp:catalog-read",
        "admin:users-read",
        "allocate",
        "https://a.example/files.read",
        "openid",
        "a!b",
        "defaults",
    ] {
        assert!(tollward_policy::scope::ScopeName::new(scope).is_ok(), "{scope}");
        accepts::<MCPServer>("MCPServer", &server(), &[("/spec/auth/scopes/1/name", json!(scope))]);
    }
    for (scope, expected) in [
        ("mcp:*", "wildcard"),
        ("files.*.read", "wildcard"),
        ("catalog:", "omnibus"),
        ("a/", "omnibus"),
        ("a b", "visible ASCII"),
        ("a\"b", "visible ASCII"),
        ("a\\b", "visible ASCII"),
        ("ä", "visible ASCII"),
        ("a\tb", "visible ASCII"),
    ] {
        assert!(tollward_policy::scope::ScopeName::new(scope).is_err(), "{scope}");
        refuses::<MCPServer>("MCPServer", &server(), &[("/spec/auth/scopes/1/name", json!(scope), expected)]);
    }
}

#[test]
fn clients_audiences_and_prefixes_are_bounded() {
    accepts::<MCPServer>(
        "MCPServer",
        &server(),
        &[
            ("/spec/auth/clients", json!({"allowHosts": ["claude.ai", "localhost:8080"]})),
            ("/spec/auth/clients", json!({"allow": ["a"], "allowHosts": ["claude.ai"]})),
            ("/spec/auth/audience", json!({"value": "api://shop", "shared": "Acknowledged"})),
            ("/spec/auth/identityProviders/0/scopePrefix", json!("api://shop/")),
        ],
    );
    refuses::<MCPServer>(
        "MCPServer",
        &server(),
        &[
            ("/spec/auth/clients", json!({}), "auth.clients needs an entry"),
            ("/spec/auth/clients", json!({"allowHosts": ["https://claude.ai"]}), "allowHosts"),
            ("/spec/auth/clients", json!({"allowHosts": ["Claude.ai"]}), "allowHosts"),
            ("/spec/auth/identityProviders/0/scopePrefix", json!("api://a b/"), "visible ASCII"),
        ],
    );
}
