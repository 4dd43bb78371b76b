//! Whole files: one good, and the same with one thing wrong at a time.

use crate::config::load;
use serde_json::{Value, json};

pub(super) fn good() -> Value {
    json!({
        "version": 1, "minReader": 1, "generation": 3,
        "process": {
            "role": "Sidecar",
            "public": {"address": "0.0.0.0:64430", "tls": {"mode": "Off"}},
            "observe": "0.0.0.0:64431",
            "http": {
                "maxBodyBytes": 4_194_304, "maxHeaderBytes": 32768, "maxHeaders": 100, "headerTimeoutSeconds": 10,
                "bodyTimeoutSeconds": 30, "maxConnections": 10000, "maxInFlight": 10000, "maxStreamsPerConnection": 100
            },
            "dial": {"allow": [{"cidr": "127.0.0.0/8", "scheme": "http"}]},
            "drainSeconds": 25
        },
        "identityProviders": [{
            "name": "shop/idp", "issuer": "https://idp.example", "algorithms": ["ES256"], "tokenTypes": ["at+jwt"],
            "claims": {"scopes": ["scope"], "client": ["client_id", "azp"], "subject": "sub", "tokenId": ["jti"]},
            "leewaySeconds": 60, "refresh": {"intervalSeconds": 300, "cooldownSeconds": 30, "maxStaleSeconds": 86400}
        }],
        "routes": [{
            "server": {"namespace": "shop", "name": "catalog", "uid": "u1"},
            "endpoint": {"url": "https://mcp.example/catalog/mcp"},
            "upstream": {"url": "http://127.0.0.1:3000/mcp", "connectTimeoutSeconds": 2, "responseTimeoutSeconds": 60, "idleTimeoutSeconds": 300},
            "auth": {"mode": "OAuth", "providers": ["shop/idp"], "audiences": ["https://mcp.example/catalog/mcp"], "authServerMetadata": "Compat"},
            "scopes": [{"name": "mcp:catalog-read", "description": "See products"}],
            "initialScopes": ["mcp:catalog-read"],
            "rules": [{"name": "read", "match": {"tools": ["get_*"]}, "action": "Allow", "scopes": ["mcp:catalog-read"], "onMissingScope": "Challenge"}],
            "rateLimits": [],
            "session": {"maxAgeSeconds": 86400},
            "audit": {"arguments": "Redacted", "maxArgumentBytes": 4096}
        }]
    })
}

pub(super) fn refused(path: &str, value: Value) -> String {
    let mut config = good();
    if let Some(slot) = config.pointer_mut(path) {
        *slot = value;
    } else {
        let (parent, field) = path.rsplit_once('/').unwrap();
        config.pointer_mut(parent).unwrap().as_object_mut().unwrap().insert(field.into(), value);
    }
    load(config.to_string().as_bytes()).unwrap_err().to_string()
}

#[test]
fn the_documented_example_loads_and_survives_a_round_trip() {
    let config = load(good().to_string().as_bytes()).unwrap();
    assert_eq!(serde_json::to_value(&config).unwrap(), good());
}

#[test]
fn an_entry_that_denies_nobody_or_can_not_match_is_refused() {
    let deny = |entries: Value| refused("/identityProviders/0/deny", entries);
    for (entry, expected) in [
        (json!({"name": "a"}), "must name a subject, a client, a token id or a time"),
        (json!({"name": "a", "until": 1}), "must name a subject"),
        (json!({"name": "", "subject": "x"}), "must have a name"),
        (json!({"name": "a", "subject": ""}), "without control characters"),
        (json!({"name": "a", "client": " x"}), "without control characters"),
        (json!({"name": "a", "tokenId": "x\ny"}), "without control characters"),
        (json!({"name": "a", "subject": "x", "issuer": "y"}), "issuer"),
    ] {
        let message = deny(json!([entry]));
        assert!(message.contains(expected), "{entry}: {message}");
    }
    let twice = deny(json!([{"name": "a", "subject": "x"}, {"name": "a", "subject": "y"}]));
    assert!(twice.contains("deny[a]") && twice.contains("is declared twice"), "{twice}");
}

#[test]
fn an_unknown_field_anywhere_is_refused_with_its_place() {
    for parent in [
        "",
        "/process",
        "/process/public/tls",
        "/identityProviders/0",
        "/routes/0",
        "/routes/0/auth",
        "/routes/0/rules/0/match",
    ] {
        let message = refused(&format!("{parent}/bogus"), json!(1));
        assert!(message.contains("bogus"), "{parent}: {message}");
    }
}

#[test]
fn content_that_can_not_be_enforced_is_refused() {
    let table = [
        ("/routes", json!([]), "at least one server"),
        ("/routes/0/auth/providers", json!([]), "at least one"),
        ("/routes/0/auth/providers", json!(["other"]), "not configured"),
        ("/routes/0/auth/audiences", json!([]), "auth.audiences must name"),
        ("/routes/0/auth/audiences", json!([""]), "empty texts"),
        ("/routes/0/auth", json!({"mode": "Maybe"}), "unknown variant"),
        ("/routes/0/auth", json!({"mode": "None", "providers": []}), "unknown field"),
        ("/routes/0/initialScopes", json!(["other"]), "not declared"),
        ("/routes/0/scopes", json!([{"name": "mcp:all", "description": ""}]), "omnibus"),
        ("/routes/0/rules/0/match", json!({}), "nothing in particular"),
        ("/routes/0/rules/0/match", json!({"methods": ["tools/everything"]}), "unknown variant"),
        ("/routes/0/upstream/url", json!("http://10.0.0.1:3000/mcp"), "loopback"),
        ("/routes/0/upstream/socket", json!("mcp.sock"), "absolute path of at most 100 bytes"),
        ("/routes/0/upstream/socket", json!(format!("/{}", "x".repeat(100))), "absolute path of at most 100 bytes"),
        ("/routes/0/endpoint/url", json!("https://mcp.example/"), "path"),
        ("/identityProviders/0/algorithms", json!(["HS256"]), "unknown variant"),
        ("/identityProviders/0/algorithms", json!([]), "at least one"),
        ("/identityProviders/0/leewaySeconds", json!(61), "must be 0 to 60, not 61"),
        ("/identityProviders/0/refresh/cooldownSeconds", json!(0), "must be 1 to 3600"),
        ("/process/http/maxBodyBytes", json!(0), "maxBodyBytes must be 1024 to"),
        ("/process/http/maxInFlight", json!(0), "maxInFlight must be 1 to"),
        ("/routes/0/session/maxAgeSeconds", json!(59), "must be 60 to"),
        ("/routes/0/upstream/responseTimeoutSeconds", json!(0), "must be 1 to"),
        ("/routes/0/auth/providers", json!(["shop/idp", "shop/idp"]), "two providers of the issuer"),
        ("/identityProviders/0/issuer", json!("idp"), "absolute"),
        ("/routes/0/auth/senderConstraint", json!({"mode": "Required"}), "must have dpop or mutualTls"),
        (
            "/routes/0/auth/senderConstraint",
            json!({"mode": "Required", "mutualTls": true}),
            "mutualTls needs TLS on the public listener",
        ),
        ("/routes/0/auth/senderConstraint", json!({"mode": "Off", "mutualTls": true}), "unknown variant"),
        (
            "/routes/0/auth/senderConstraint",
            json!({"mode": "Optional", "dpop": {"nonce": "Off", "proofMaxAgeSeconds": 301}}),
            "proofMaxAgeSeconds must be 5 to 300, not 301",
        ),
        ("/routes/0/auth/senderConstraint", json!({"mode": "Optional", "dpop": {"nonce": "Off"}}), "missing field"),
        ("/minReader", json!(2), "upgrade the data plane"),
        ("/generation", json!(null), "invalid type"),
    ];
    for (path, value, expected) in table {
        let message = refused(path, value.clone());
        assert!(message.contains(expected), "{path} = {value}: {message}");
    }
}

#[test]
fn all_problems_are_reported_at_once() {
    let mut config = good();
    config["routes"][0]["auth"]["audiences"] = json!([]);
    config["routes"][0]["upstream"]["url"] = json!("nowhere");
    let message = load(config.to_string().as_bytes()).unwrap_err().to_string();
    assert!(message.contains("audiences") && message.contains("upstream.url"), "{message}");
}

#[test]
fn two_routes_on_one_endpoint_are_refused() {
    let mut config = good();
    let twin = config["routes"][0].clone();
    config["routes"].as_array_mut().unwrap().push(twin);
    assert!(load(config.to_string().as_bytes()).unwrap_err().to_string().contains("shares its endpoint"));
}

fn introspection() -> Value {
    json!({
        "tokens": "Opaque",
        "client": {"id": "tollward", "authentication": "Basic", "secretFile": "/etc/secret"},
        "cacheSeconds": 30
    })
}

#[test]
fn introspection_that_can_not_be_enforced_is_refused() {
    let mut config = good();
    config["identityProviders"][0]["introspection"] = introspection();
    let loaded = load(config.to_string().as_bytes()).unwrap();
    assert_eq!(serde_json::to_value(&loaded).unwrap(), config);
    let table = [
        ("/tokens", json!("Some"), "unknown variant"),
        ("/bogus", json!(1), "bogus"),
        ("/client/bogus", json!(1), "bogus"),
        ("/client/authentication", json!("None"), "unknown variant"),
        ("/client/id", json!(""), "client.id must have"),
        ("/client/id", json!("a\u{e9}"), "client.id must have"),
        ("/client/id", json!("a".repeat(513)), "client.id must have"),
        ("/client/secretFile", json!("secret"), "absolute path"),
        ("/endpointUrl", json!("introspect"), "endpointUrl must be"),
        ("/endpointUrl", json!("file:///etc/passwd"), "endpointUrl must be"),
        ("/endpointUrl", json!("https://user:secret@idp.example/introspect"), "endpointUrl must be"),
        ("/cacheSeconds", json!(301), "must be 0 to 300"),
    ];
    for (path, value, expected) in table {
        let mut changed = json!({"x": introspection()});
        let (parent, field) = path.rsplit_once('/').unwrap();
        let place = changed.pointer_mut(&format!("/x{parent}")).unwrap();
        place.as_object_mut().unwrap().insert(field.to_owned(), value.clone());
        let message = refused("/identityProviders/0/introspection", changed["x"].clone());
        assert!(message.contains(expected), "{path} = {value}: {message}");
    }
}

#[test]
fn an_opaque_token_must_have_one_possible_issuer() {
    let mut config = good();
    let mut other = config["identityProviders"][0].clone();
    other["name"] = json!("shop/other");
    other["issuer"] = json!("https://other.example");
    other["introspection"] = introspection();
    config["identityProviders"].as_array_mut().unwrap().push(other);
    config["routes"][0]["auth"]["providers"] = json!(["shop/idp", "shop/other"]);
    load(config.to_string().as_bytes()).unwrap();
    config["identityProviders"][0]["introspection"] = introspection();
    let message = load(config.to_string().as_bytes()).unwrap_err().to_string();
    assert!(message.contains("`shop/idp` and `shop/other`") && message.contains("does not say whose"), "{message}");
    config["routes"][0]["auth"]["providers"] = json!(["shop/other"]);
    load(config.to_string().as_bytes()).unwrap();
}

#[test]
fn a_profile_a_prefix_and_hosts_of_clients_are_judged() {
    let provider = "/identityProviders/0/profile";
    let profile = |audience: Value| json!({"vendor": "Entra", "audience": audience, "scopeForm": "Short"});
    assert!(refused(provider, profile(json!([]))).contains("profile.audience must name"));
    let auth = "/routes/0/auth/allowedClientHosts";
    for host in ["https://claude.ai", "Claude.ai", "*", ""] {
        assert!(refused(auth, json!([host])).contains("allowedClientHosts"), "{host}");
    }
    let prefixes = "/routes/0/auth/scopePrefixes";
    assert!(refused(prefixes, json!({"shop/other": "api://x/"})).contains("names a provider"));
    for prefix in ["", "a b", "a\"", "\r\n", "\u{e9}"] {
        assert!(refused(prefixes, json!({"shop/idp": prefix})).contains("parts of scope names"), "{prefix:?}");
    }
}
