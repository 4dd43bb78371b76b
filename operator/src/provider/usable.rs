//! Whether an issuer's keys can verify anything: keys of other algorithms than the provider may use are found and fetched, and
//! refuse every token. Pure, and only as far as a status tells: sidecars judge each key for themselves.

use crate::discovery::Looked;
use tollward_api::identityprovider::{ExternalProvider, IssuerStatus, KeyStatus};
use tollward_desired::algorithms;
use tollward_policy::config::Algorithm;

/// As many keys as a status lists. Of more there may be good ones that it does not.
const LISTED: usize = 32;

/// What was found, as a failure if no token can be verified with it. Tokens of a provider with introspection need no keys.
pub(super) fn judged(looked: Looked, external: &ExternalProvider) -> Looked {
    let good = looked.error.is_none() && external.introspection.is_none();
    let issuers = looked.found.as_ref().filter(|_| good).map(|(issuers, _)| issuers.as_slice());
    match unusable(issuers.unwrap_or_default(), &algorithms(external)) {
        Some(fault) => Looked { error: Some(fault), ..looked },
        None => looked,
    }
}

/// What is wrong with the first issuer of whose keys none is for one of these algorithms.
fn unusable(issuers: &[IssuerStatus], algorithms: &[Algorithm]) -> Option<String> {
    let all_listed = |issuer: &&IssuerStatus| (1..LISTED).contains(&issuer.keys.len());
    let fits = |key: &KeyStatus| algorithms.iter().any(|algorithm| names(*algorithm).contains(&key.algorithm.as_str()));
    let issuer = issuers.iter().filter(all_listed).find(|issuer| !issuer.keys.iter().any(fits))?;
    let allowed: Vec<_> = algorithms.iter().map(|algorithm| names(*algorithm)[0]).collect();
    let mut found: Vec<_> = issuer.keys.iter().map(|key| key.algorithm.as_str()).collect();
    found.sort_unstable();
    found.dedup();
    Some(format!(
        "No token of {} can be verified: its {} keys are for {}, and the provider may use {}. Let it sign by one of these, or set \
         external.algorithms",
        issuer.issuer,
        issuer.keys.len(),
        found.join(", "),
        allowed.join(", "),
    ))
}

/// The algorithm's name, and what a status has for a key that does not say its own: the type of the key.
const fn names(algorithm: Algorithm) -> [&'static str; 3] {
    match algorithm {
        Algorithm::RS256 => ["RS256", "RSA", "RS256"],
        Algorithm::RS384 => ["RS384", "RSA", "RS384"],
        Algorithm::RS512 => ["RS512", "RSA", "RS512"],
        Algorithm::PS256 => ["PS256", "RSA", "PS256"],
        Algorithm::PS384 => ["PS384", "RSA", "PS384"],
        Algorithm::PS512 => ["PS512", "RSA", "PS512"],
        Algorithm::ES256 => ["ES256", "EC", "ES256"],
        Algorithm::ES384 => ["ES384", "EC", "ES384"],
        // RFC 9864 names the curve.
        Algorithm::EdDSA => ["EdDSA", "OKP", "Ed25519"],
    }
}

#[cfg(test)]
mod tests {
    use super::judged;
    use crate::discovery::Looked;
    use jiff::Timestamp;
    use serde_json::{Value, json};
    use tollward_api::identityprovider::{ExternalProvider, IssuerStatus};

    fn external(more: &Value) -> ExternalProvider {
        let mut external = json!({"preset": "Keycloak", "issuer": "https://sso.example/realms/shop"});
        external.as_object_mut().unwrap().extend(more.as_object().cloned().unwrap());
        serde_json::from_value(external).unwrap()
    }

    fn looked(keys: &[&str]) -> Looked {
        let keys: Vec<_> = keys.iter().map(|algorithm| json!({"algorithm": algorithm})).collect();
        let issuer = json!({
            "issuer": "https://sso.example/realms/shop", "issuerMatches": true, "keys": keys,
            "dynamicClientRegistration": false, "clientIdMetadataDocuments": false,
        });
        let issuer: IssuerStatus = serde_json::from_value(issuer).unwrap();
        Looked { error: None, found: Some((vec![issuer], Timestamp::UNIX_EPOCH)), again: Timestamp::UNIX_EPOCH }
    }

    fn fault(keys: &[&str], more: &Value) -> Option<String> {
        judged(looked(keys), &external(more)).error
    }

    #[test]
    fn an_issuer_none_of_whose_keys_may_be_used_is_no_good() {
        let told = fault(&["ES512", "ES512", "unknown"], &json!({})).unwrap();
        assert!(told.contains("3 keys are for ES512, unknown, and the provider may use RS256, PS256, ES256"), "{told}");
        assert!(told.contains("external.algorithms"), "{told}");
        let found = judged(looked(&["ES512"]), &external(&json!({}))).found.unwrap().0;
        assert_eq!(found[0].keys.len(), 1, "what was found is told all the same");
    }

    #[test]
    fn one_key_that_may_be_used_is_enough_and_what_is_not_known_is_no_fault() {
        for keys in [&["ES512", "RS256"][..], &["RSA"], &["EC"], &[]] {
            assert_eq!(fault(keys, &json!({})), None, "{keys:?}");
        }
        assert_eq!(fault(&["Ed25519"], &json!({"algorithms": ["EdDSA"]})), None);
        assert!(fault(&["RSA"], &json!({"algorithms": ["EdDSA"]})).is_some());
        assert_eq!(fault(&["ES512"; 32], &json!({})), None, "more keys than are listed");
        let introspection = json!({"client": {"id": "a", "secret": {"name": "a"}}});
        assert_eq!(fault(&["ES512"], &json!({"introspection": introspection})), None);
    }
}
