//! An issuer's documents as a status tells them: cut to what a status may hold, since the issuer decides how long they are.

use serde_json::Value;
use std::collections::BTreeSet;
use tollward_api::identityprovider::{IssuerStatus, KeyStatus};

/// Most keys, algorithms and methods that a status lists.
const MOST: (usize, usize, usize) = (32, 16, 4);
/// Most bytes of an address, of a key id and of a word.
const LONGEST: (usize, usize, usize) = (1024, 256, 32);

/// What an issuer says about itself. `metadata` with their address, if there are any that name it. `introspected_at` is where it
/// is asked about tokens, if it is.
pub(super) fn issuer(
    issuer: &str,
    metadata: Option<(String, Value)>,
    jwks_url: Option<&str>,
    keys: &[Value],
    introspected_at: Option<&str>,
) -> IssuerStatus {
    let (metadata_url, metadata) = metadata.unzip();
    let metadata = metadata.unwrap_or_default();
    let signing = || keys.iter().filter(|key| key.get("use").is_none_or(|purpose| purpose == "sig"));
    let algorithms: BTreeSet<_> = signing().filter_map(|key| word(key.get("alg")?)).collect();
    let methods = metadata.get("code_challenge_methods_supported").and_then(Value::as_array);
    IssuerStatus {
        issuer: issuer.to_owned(),
        issuer_matches: metadata_url.is_some(),
        metadata_url: metadata_url.filter(|url| url.len() <= LONGEST.0),
        jwks_url: jwks_url.map(|url| cut(url, LONGEST.0)),
        algorithms: algorithms.into_iter().take(MOST.1).collect(),
        pkce_methods: methods.into_iter().flatten().filter_map(word).take(MOST.2).collect(),
        dynamic_client_registration: metadata.get("registration_endpoint").is_some_and(Value::is_string),
        client_id_metadata_documents: metadata.get("client_id_metadata_document_supported") == Some(&Value::Bool(true)),
        introspection_endpoint: address(metadata.get("introspection_endpoint")),
        introspected_at: introspected_at.map(|url| cut(url, LONGEST.0)),
        keys: signing().map(key).take(MOST.0).collect(),
    }
}

fn key(jwk: &Value) -> KeyStatus {
    let algorithm = jwk.get("alg").or_else(|| jwk.get("kty")).and_then(word).unwrap_or_else(|| "unknown".to_owned());
    let id = jwk.get("kid").and_then(Value::as_str).filter(|id| is_plain(id)).map(|id| cut(id, LONGEST.1));
    KeyStatus { id, algorithm }
}

fn word(value: &Value) -> Option<String> {
    value.as_str().filter(|text| is_plain(text) && text.len() <= LONGEST.2).map(str::to_owned)
}

fn address(value: Option<&Value>) -> Option<String> {
    value?.as_str().filter(|url| is_plain(url) && url.len() <= LONGEST.0).map(str::to_owned)
}

/// Nothing that would look like something else in a terminal.
fn is_plain(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic())
}

fn cut(text: &str, longest: usize) -> String {
    text.get(..text.floor_char_boundary(longest)).unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::issuer;
    use serde_json::{Value, json};

    fn described(metadata: Value, keys: &Value) -> tollward_api::identityprovider::IssuerStatus {
        let metadata = ("https://idp.example/.well-known/openid-configuration".to_owned(), metadata);
        issuer("https://idp.example", Some(metadata), Some("https://idp.example/keys"), keys.as_array().unwrap(), None)
    }

    #[test]
    fn a_hostile_issuer_can_not_blow_up_a_status_nor_write_to_a_terminal() {
        let keys: Vec<_> = (0..1000).map(|number| json!({"kid": "\u{1b}[2J", "alg": format!("A{number}")})).collect();
        let long = "x".repeat(100_000);
        let metadata = json!({
            "introspection_endpoint": long, "code_challenge_methods_supported": vec!["S256"; 1000],
            "registration_endpoint": true, "client_id_metadata_document_supported": "true",
        });
        let status = described(metadata, &json!(keys));
        assert_eq!((status.keys.len(), status.algorithms.len(), status.pkce_methods.len()), (32, 16, 4));
        assert!(status.keys.iter().all(|key| key.id.is_none()));
        assert_eq!(status.introspection_endpoint, None);
        assert!(!status.dynamic_client_registration && !status.client_id_metadata_documents);
        assert!(serde_json::to_string(&status).unwrap().len() < 10_000);
    }

    #[test]
    fn keys_for_encryption_are_not_listed_and_others_have_their_algorithm_or_type() {
        let keys = json!([
            {"kid": "one", "kty": "RSA", "alg": "RS256", "use": "sig"}, {"kid": "two", "kty": "EC"},
            {"kid": "three", "kty": "RSA", "alg": "RSA-OAEP", "use": "enc"}, 7,
        ]);
        let status = described(json!({}), &keys);
        let listed: Vec<_> = status.keys.iter().map(|key| (key.id.as_deref(), key.algorithm.as_str())).collect();
        assert_eq!(listed, [(Some("one"), "RS256"), (Some("two"), "EC"), (None, "unknown")]);
    }
}
