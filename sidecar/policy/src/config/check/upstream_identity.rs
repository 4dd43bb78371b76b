//! What an upstream identity must not be: a token for Tollward itself, or one of a caller whom nobody verified.

use super::Problems;
use crate::config::{
    AuthConfig, CredentialForm, ExchangeClient, MAX_EXCHANGED_SECONDS, RouteConfig, UpstreamIdentity,
    is_credential_header,
};
use crate::scope::is_scope_text;
use url::Url;

/// Longest audience, resource and client id, in bytes.
const MAX_TEXT: usize = 512;

pub(super) fn check(route: &RouteConfig, place: &str, problems: &mut Problems) {
    match &route.upstream.identity {
        UpstreamIdentity::None {} => {}
        UpstreamIdentity::SignedAssertion { audience, keys: _ } => {
            needs_callers(&route.auth, "SignedAssertion", place, problems);
            problems.unless(is_text(audience), place, "upstream.identity.audience must be 1 to 512 visible characters");
            not_own(audience, "audience", route, place, problems);
        }
        UpstreamIdentity::TokenExchange { client, audience, resource, scopes, max_lifetime_seconds } => {
            needs_callers(&route.auth, "TokenExchange", place, problems);
            check_issuers(&route.auth, place, problems);
            check_client(client, place, problems);
            check_target(audience.as_deref(), resource.as_deref(), route, place, problems);
            let fine = scopes.iter().all(|scope| is_scope_text(scope));
            problems.unless(fine, place, "upstream.identity.scopes must be scopes of RFC 6749");
            let bounds = 60..=MAX_EXCHANGED_SECONDS;
            problems.within(place, "upstream.identity.maxLifetimeSeconds", *max_lifetime_seconds, bounds);
        }
        UpstreamIdentity::Credential { form } => match form {
            CredentialForm::Bearer { token: _ } | CredentialForm::Basic { username: _, password: _ } => {}
            CredentialForm::Header { name, value: _ } => problems.unless(
                is_credential_header(name),
                place,
                "upstream.identity.form.name is no header that a credential may stand in",
            ),
        },
    }
}

/// There is nothing to say about a caller whom nobody asked.
fn needs_callers(auth: &AuthConfig, kind: &str, place: &str, problems: &mut Problems) {
    if matches!(auth, AuthConfig::None {}) {
        problems.push(place, format!("upstream.identity {kind} needs auth.mode OAuth: without it callers are unknown"));
    }
}

/// The caller's token is shown to whoever issued it and to nobody else.
fn check_issuers(auth: &AuthConfig, place: &str, problems: &mut Problems) {
    match auth {
        AuthConfig::OAuth { providers, .. } => problems.unless(
            providers.len() == 1,
            place,
            "upstream.identity TokenExchange needs exactly one provider: a caller's token may go to its issuer only",
        ),
        AuthConfig::None {} => {}
    }
}

fn check_client(client: &ExchangeClient, place: &str, problems: &mut Problems) {
    problems.unless(is_text(&client.id), place, "upstream.identity.client.id must be 1 to 512 visible characters");
}

fn check_target(
    audience: Option<&str>,
    resource: Option<&str>,
    route: &RouteConfig,
    place: &str,
    problems: &mut Problems,
) {
    if audience.is_none() && resource.is_none() {
        problems.push(place, "upstream.identity TokenExchange needs an audience or a resource");
    }
    if let Some(audience) = audience {
        problems.unless(is_text(audience), place, "upstream.identity.audience must be 1 to 512 visible characters");
        not_own(audience, "audience", route, place, problems);
    }
    if let Some(resource) = resource {
        let absolute = Url::parse(resource).is_ok_and(|url| url.fragment().is_none());
        problems.unless(
            absolute && is_text(resource),
            place,
            "upstream.identity.resource must be an absolute URI without fragment (RFC 8707)",
        );
        not_own(resource, "resource", route, place, problems);
    }
}

/// What is good at Tollward itself would let the MCP server call as its callers.
fn not_own(value: &str, field: &str, route: &RouteConfig, place: &str, problems: &mut Problems) {
    let own = match &route.auth {
        AuthConfig::OAuth { audiences, .. } => audiences.iter().any(|audience| audience == value),
        AuthConfig::None {} => false,
    };
    if own || value == route.endpoint.url {
        problems.push(place, format!("upstream.identity.{field} is this endpoint's own; name the server behind it"));
    }
}

/// Some vendors name a policy in the query of their token endpoints.
pub(super) fn check_token_url(url: &str, place: &str, problems: &mut Problems) {
    let fine = Url::parse(url).is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.fragment().is_none());
    problems.unless(fine, place, "tokenUrl must be an absolute http(s) URL without fragment");
}

/// RFC 6749 appendix A.1: visible characters and spaces.
pub(super) fn is_text(text: &str) -> bool {
    (1..=MAX_TEXT).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ')
}

#[cfg(test)]
mod tests {
    use super::super::tests::{good, refused};
    use crate::config::{is_credential_header, load};
    use serde_json::{Value, json};

    const ENDPOINT: &str = "https://mcp.example/catalog/mcp";

    fn exchange() -> Value {
        let client = json!({"id": "tollward", "secret": "/s/secret", "authentication": "Basic"});
        json!({"type": "TokenExchange", "client": client, "audience": "catalog", "maxLifetimeSeconds": 3600})
    }

    fn with(mut identity: Value, field: &str, value: Value) -> Value {
        identity[field] = value;
        identity
    }

    #[test]
    fn every_kind_of_identity_loads_and_survives_a_round_trip() {
        for identity in [
            json!({"type": "SignedAssertion", "audience": "u1"}),
            json!({"type": "SignedAssertion", "audience": "u1", "keys": {"privateKey": "/k", "neighbours": ["/a", "/b"]}}),
            exchange(),
            with(exchange(), "resource", json!("https://catalog.internal/")),
            json!({"type": "Credential", "form": {"scheme": "Bearer", "token": "/t"}}),
            json!({"type": "Credential", "form": {"scheme": "Basic", "username": "/u", "password": "/p"}}),
            json!({"type": "Credential", "form": {"scheme": "Header", "name": "X-Api-Key", "value": "/v"}}),
        ] {
            let mut config = good();
            config["routes"][0]["upstream"]["identity"] = identity.clone();
            let read = load(config.to_string().as_bytes()).unwrap_or_else(|error| panic!("{identity}: {error}"));
            assert_eq!(serde_json::to_value(&read).unwrap(), config);
        }
        assert!(load(good().to_string().as_bytes()).unwrap().routes[0].upstream.identity.is_none());
    }

    #[test]
    fn an_identity_that_says_too_little_or_too_much_is_refused() {
        let assertion = |audience: &str| json!({"type": "SignedAssertion", "audience": audience});
        let header =
            |name: &str| json!({"type": "Credential", "form": {"scheme": "Header", "name": name, "value": "/v"}});
        for (identity, expected) in [
            (json!({"type": "Passthrough"}), "unknown variant"),
            (json!({"type": "None", "audience": "x"}), "unknown field"),
            (json!({"type": "SignedAssertion"}), "audience"),
            (assertion(""), "1 to 512"),
            (assertion(ENDPOINT), "this endpoint's own"),
            (json!({"type": "TokenExchange", "audience": "x", "maxLifetimeSeconds": 60}), "client"),
            (with(exchange(), "audience", json!(null)), "an audience or a resource"),
            (with(exchange(), "audience", json!(ENDPOINT)), "this endpoint's own"),
            (with(exchange(), "resource", json!(ENDPOINT)), "this endpoint's own"),
            (with(exchange(), "resource", json!("catalog")), "absolute URI"),
            (with(exchange(), "scopes", json!(["a b"])), "RFC 6749"),
            (with(exchange(), "maxLifetimeSeconds", json!(86_401)), "must be 60 to 86400"),
            (header("Mcp-Session-Id"), "no header"),
            (header("x_api_key"), "no header"),
        ] {
            let message = refused("/routes/0/upstream/identity", identity.clone());
            assert!(message.contains(expected), "{identity}: {message}");
        }
        let message = refused("/identityProviders/0/tokenUrl", json!("token"));
        assert!(message.contains("tokenUrl must be"), "{message}");
    }

    #[test]
    fn callers_whom_nobody_verified_have_no_identity_to_show() {
        for identity in [json!({"type": "SignedAssertion", "audience": "u1"}), exchange()] {
            let mut config = good();
            config["routes"][0]["upstream"]["identity"] = identity;
            config["routes"][0]["auth"] = json!({"mode": "None"});
            config["routes"][0]["rules"][0]["scopes"] = json!([]);
            let error = load(config.to_string().as_bytes()).unwrap_err().to_string();
            assert!(error.contains("needs auth.mode OAuth"), "{error}");
        }
    }

    #[test]
    fn a_token_may_not_be_shown_to_an_issuer_that_did_not_issue_it() {
        let mut config = good();
        let mut second = config["identityProviders"][0].clone();
        (second["name"], second["issuer"]) = (json!("shop/second"), json!("https://second.example"));
        config["identityProviders"].as_array_mut().unwrap().push(second);
        config["routes"][0]["auth"]["providers"] = json!(["shop/idp", "shop/second"]);
        config["routes"][0]["upstream"]["identity"] = exchange();
        let error = load(config.to_string().as_bytes()).unwrap_err().to_string();
        assert!(error.contains("exactly one provider"), "{error}");
    }

    #[test]
    fn a_credential_may_not_stand_in_a_header_that_means_something_else() {
        for name in ["Authorization", "X-Api-Key", "apikey", "Cookie", "PRIVATE-TOKEN"] {
            assert!(is_credential_header(name), "{name}");
        }
        let long = "a".repeat(65);
        for name in [
            "",
            "Host",
            "content-length",
            "Transfer-Encoding",
            "MCP-Protocol-Version",
            "mcp-param-x",
            "Tollward-Assertion",
            "X-Forwarded-User",
            "traceparent",
            "x_api_key",
            "a b",
            "a:b",
            "ä",
            "1a",
            "-a",
            "a\r\nb",
            &long,
        ] {
            assert!(!is_credential_header(name), "{name}");
        }
    }
}
