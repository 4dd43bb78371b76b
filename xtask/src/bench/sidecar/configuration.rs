//! The sidecar's configuration: everything that exists is on, and no limit is low enough to refuse.

use std::net::SocketAddr;

use serde_json::{Value, json};

use super::super::message::{ENDPOINT, PATH, STREAMING_TOOL, TOOL};
use super::super::upstream::KEYS;

/// `iss` of the tokens. Nobody resolves it: the address of the keys is configured.
pub(super) const ISSUER: &str = "https://issuer.bench.test";
/// The scope that calls need.
pub(super) const SCOPE: &str = "mcp:weather-read";
/// A declared scope that does not help them.
pub(super) const OTHER_SCOPE: &str = "mcp:weather-write";

const PROVIDER: &str = "bench/idp";

/// Addresses that the configuration names.
#[derive(Debug, Clone, Copy)]
pub(super) struct Addresses {
    pub(super) public: SocketAddr,
    pub(super) observe: SocketAddr,
    pub(super) upstream: SocketAddr,
}

/// The configuration file.
pub(super) fn document(addresses: Addresses) -> Value {
    let upstream = addresses.upstream;
    json!({
        "version": 1, "minReader": 1, "generation": 1,
        "process": process(addresses),
        "identityProviders": [{
            "name": PROVIDER, "issuer": ISSUER, "jwksUrl": format!("http://{upstream}{KEYS}"),
            "algorithms": ["RS256", "ES256"], "tokenTypes": ["at+jwt"],
            "claims": {"scopes": ["scope"], "client": ["client_id"], "subject": "sub", "tokenId": ["jti"]},
            "leewaySeconds": 30,
            "refresh": {"intervalSeconds": 300, "cooldownSeconds": 30, "maxStaleSeconds": 86_400}
        }],
        "routes": [{
            "server": {"namespace": "bench", "name": "weather", "uid": "7d0f5c1e-52a6-4c3c-9c3e-0d7a3a1f6b10"},
            "endpoint": {"url": ENDPOINT, "displayName": "Weather"},
            "upstream": {
                "url": format!("http://{upstream}{PATH}"),
                "connectTimeoutSeconds": 2, "responseTimeoutSeconds": 30, "idleTimeoutSeconds": 60
            },
            "auth": {"mode": "OAuth", "providers": [PROVIDER], "audiences": [ENDPOINT], "authServerMetadata": "Off"},
            "scopes": [
                {"name": SCOPE, "description": "See the weather"},
                {"name": OTHER_SCOPE, "description": "Change the weather"}
            ],
            "initialScopes": [SCOPE],
            "rules": rules(),
            "rateLimits": [limits()],
            "session": {"maxAgeSeconds": 86_400},
            "audit": {"arguments": "Redacted", "claims": ["tenant"], "maxArgumentBytes": 4096}
        }]
    })
}

fn process(addresses: Addresses) -> Value {
    json!({
        "role": "Sidecar",
        "public": {"address": addresses.public, "tls": {"mode": "Off"}},
        "observe": addresses.observe,
        "http": {
            "maxBodyBytes": 1_048_576, "maxHeaderBytes": 32_768, "maxHeaders": 100, "headerTimeoutSeconds": 30,
            "bodyTimeoutSeconds": 30, "maxConnections": 4_096, "maxInFlight": 4_096, "maxStreamsPerConnection": 100
        },
        "dial": {"allow": [{"cidr": "127.0.0.0/8", "scheme": "http"}]},
        "drainSeconds": 1
    })
}

/// As many as a small server has, of every kind.
fn rules() -> Value {
    let rule = |name: &str, tools: &[&str], scope: &str, missing: &str| {
        json!({
            "name": name, "match": {"tools": tools}, "action": "Allow", "scopes": [scope], "onMissingScope": missing
        })
    };
    json!([
        {"name": "never", "match": {"tools": ["drop_*"]}, "action": "Deny", "onMissingScope": "Hide"},
        rule("write", &["set_*"], OTHER_SCOPE, "Hide"),
        rule("read", &[TOOL, STREAMING_TOOL], SCOPE, "Challenge"),
        rule("history", &["history_*"], SCOPE, "Challenge"),
    ])
}

/// One limit for each client and one for each of its tools.
fn limits() -> Value {
    let limit = |name: &str, per: &[&str]| {
        let rate = json!({"requests": 1_000_000_000, "windowSeconds": 3600, "burst": 100_000_000});
        json!({"name": name, "match": {}, "per": per, "tiers": {"standard": rate}})
    };
    json!({
        "policy": "bench", "tiers": {"default": "standard"}, "store": null,
        "limits": [limit("client", &["Client"]), limit("tool", &["Client", "Tool"])]
    })
}
