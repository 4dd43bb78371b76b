//! What a configuration may say.

use std::num::NonZeroU32;
use std::time::Duration;

use serde_json::json;
use url::Url;

use super::{BrokerConfig, ConfigError, Resource, ScopeText, SignIn};

fn url(text: &str) -> Url {
    Url::parse(text).unwrap()
}

fn config() -> BrokerConfig {
    BrokerConfig {
        issuer: url("http://127.0.0.1:8089"),
        resources: vec![Resource {
            url: url("http://127.0.0.1:8080/mcp"),
            name: "Catalog".to_owned(),
            scopes: vec![ScopeText { name: "catalog:read".to_owned(), description: "look products up".to_owned() }],
            default_scopes: vec!["catalog:read".to_owned()],
        }],
        sign_in: SignIn::AnyName { claims: [].into(), default_claims: [].into() },
        token_lifetime: Duration::from_mins(5),
        refresh_lifetime: Duration::from_hours(8),
        client_idle_lifetime: Duration::from_hours(24),
        registrations_per_minute: NonZeroU32::new(60).unwrap(),
        private_use_schemes: vec![],
    }
}

fn refused(change: impl FnOnce(&mut BrokerConfig)) -> ConfigError {
    let mut config = config();
    change(&mut config);
    config.check().expect_err("the configuration must be refused")
}

#[test]
fn an_issuer_has_one_spelling_without_a_trailing_slash() {
    assert_eq!(config().check().unwrap().issuer.as_str(), "http://127.0.0.1:8089");
    let with_path = BrokerConfig { issuer: url("https://localhost:8089/oauth"), ..config() }.check().unwrap().issuer;
    assert_eq!(with_path.as_str(), "https://localhost:8089/oauth");
    assert_eq!(with_path.url_of("/token"), "https://localhost:8089/oauth/token");
    assert_eq!(with_path.metadata_path(), "/.well-known/oauth-authorization-server/oauth");
    for wrong in [
        "http://127.0.0.1/a/",
        "http://127.0.0.1/?a",
        "http://127.0.0.1/#a",
        "http://u@127.0.0.1/",
        "http://127.0.0.1/:a",
    ] {
        assert_eq!(refused(|config| config.issuer = url(wrong)), ConfigError::IssuerForm(url(wrong)));
    }
}

#[test]
fn sign_in_without_proof_is_refused_outside_of_this_machine() {
    for reachable in ["https://broker.example", "https://10.0.0.1", "https://localhost.example"] {
        assert_eq!(refused(|config| config.issuer = url(reachable)), ConfigError::AnyNameNeedsLoopback(url(reachable)));
    }
    let plain = url("http://broker.example");
    assert_eq!(refused(|config| config.issuer = plain.clone()), ConfigError::IssuerScheme(plain.clone()));
}

#[test]
fn access_tokens_live_at_most_five_minutes() {
    for wrong in [Duration::ZERO, Duration::from_millis(1500), Duration::from_secs(301)] {
        assert!(matches!(refused(|config| config.token_lifetime = wrong), ConfigError::Lifetime { .. }));
    }
}

#[test]
fn resources_need_a_canonical_address_and_known_default_scopes() {
    assert_eq!(refused(|config| config.resources.clear()), ConfigError::ResourceCount(0));
    for wrong in [
        "http://tools.example/mcp",
        "https://tools.example/mcp/",
        "https://tools.example/mcp#a",
        "https://tools.example/mcp?a",
    ] {
        let error = refused(|config| config.resources[0].url = url(wrong));
        assert_eq!(error, ConfigError::ResourceForm(url(wrong)));
    }
    let twice = refused(|config| config.resources.push(config.resources[0].clone()));
    assert!(matches!(twice, ConfigError::ResourceRepeated(_)));
    let default = refused(|config| config.resources[0].default_scopes.push("other".to_owned()));
    assert!(matches!(default, ConfigError::DefaultScope { .. }));
    let spaced = refused(|config| config.resources[0].scopes[0].name = "a b".to_owned());
    assert!(matches!(spaced, ConfigError::Scope { .. }));
}

#[test]
fn claims_of_users_can_not_forge_what_the_broker_says() {
    for name in ["sub", "aud", "scope", "exp", "cnf", "act", "client_id"] {
        let forged = [(name.to_owned(), json!("x"))].into();
        let error = refused(|config| config.sign_in = SignIn::AnyName { claims: [].into(), default_claims: forged });
        assert_eq!(error, ConfigError::ReservedClaim(name.to_owned()));
    }
    let large = [("tier".to_owned(), json!("x".repeat(5000)))].into();
    let claims = [("alice".to_owned(), large)].into();
    let error = refused(|config| config.sign_in = SignIn::AnyName { claims, default_claims: [].into() });
    assert_eq!(error, ConfigError::ClaimsTooLarge);
}

#[test]
fn only_schemes_of_applications_can_be_allowed() {
    for wrong in ["javascript", "data", "http", "https", "Cursor", "a b", ""] {
        let error = refused(|config| config.private_use_schemes = vec![wrong.to_owned()]);
        assert_eq!(error, ConfigError::PrivateUseScheme(wrong.to_owned()));
    }
    assert!(BrokerConfig { private_use_schemes: vec!["com.example.app".to_owned()], ..config() }.check().is_ok());
}
