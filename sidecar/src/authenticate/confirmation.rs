//! The claim `cnf` (RFC 7800): what a token is bound to. Every member must be understood here, or the token is refused: one
//! that is not understood is a condition that nobody would check. Keycloak's `kc-jkt-type` is none: it says by which
//! protocol `jkt` is proven, and is understood if that is DPoP.

use super::refusal::Refusal;
use crate::thumbprint::Thumbprint;
use serde_json::{Map, Value};
use tollward_policy::reason::Reason;

/// Keycloak's word for how `jkt` is proven (26.7).
const KEY_TYPE: &str = "kc-jkt-type";

/// What a token is bound to, all of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Confirmation {
    /// `jkt`: the key that signs the caller's proofs (RFC 9449 section 6).
    pub(super) key: Option<Thumbprint>,
    /// `x5t#S256`: the client certificate of the caller's connection (RFC 8705 section 3.1).
    pub(super) certificate: Option<Thumbprint>,
}

impl Confirmation {
    /// Reads the claim. None: the token is bound to nobody.
    pub(super) fn read(claims: &Map<String, Value>) -> Result<Option<Self>, Refusal> {
        let Some(value) = claims.get("cnf") else {
            return Ok(None);
        };
        let members = value.as_object().filter(|members| !members.is_empty()).ok_or(refused())?;
        let mut confirmation = Self { key: None, certificate: None };
        for (name, value) in members {
            let text = value.as_str().ok_or(refused())?;
            match (name.as_str(), text) {
                ("jkt", _) => confirmation.key = Some(thumbprint(text)?),
                ("x5t#S256", _) => confirmation.certificate = Some(thumbprint(text)?),
                (KEY_TYPE, "DPoP") if members.contains_key("jkt") => {}
                _ => return Err(refused()),
            }
        }
        Ok(Some(confirmation))
    }
}

fn thumbprint(text: &str) -> Result<Thumbprint, Refusal> {
    Thumbprint::parse(text).ok_or(refused())
}

const fn refused() -> Refusal {
    Refusal::new(
        Reason::TokenBindingRefused,
        "the claim cnf of the access token is not made of jkt and x5t#S256 alone, each one SHA-256 thumbprint",
    )
}

#[cfg(test)]
mod tests {
    use super::Confirmation;
    use crate::thumbprint::Thumbprint;
    use serde_json::{Value, json};
    use tollward_policy::reason::Reason;

    fn read(confirmation: &Value) -> Result<Option<Confirmation>, Reason> {
        let claims = json!({"sub": "a", "cnf": confirmation});
        Confirmation::read(claims.as_object().unwrap()).map_err(|refusal| refusal.reason)
    }

    #[test]
    fn a_token_without_the_claim_is_bound_to_nobody() {
        assert_eq!(Confirmation::read(json!({"sub": "a"}).as_object().unwrap()), Ok(None));
    }

    #[test]
    fn both_bindings_count_if_both_are_there() {
        let (one, two) = (Thumbprint::of(b"1"), Thumbprint::of(b"2"));
        let key = Confirmation { key: Some(one), certificate: None };
        assert_eq!(read(&json!({"jkt": one.to_string()})), Ok(Some(key)));
        let certificate = Confirmation { key: None, certificate: Some(two) };
        assert_eq!(read(&json!({"x5t#S256": two.to_string()})), Ok(Some(certificate)));
        let both = Confirmation { key: Some(one), certificate: Some(two) };
        assert_eq!(read(&json!({"jkt": one.to_string(), "x5t#S256": two.to_string()})), Ok(Some(both)));
    }

    #[test]
    fn keycloak_says_how_the_key_is_proven() {
        let one = Thumbprint::of(b"1");
        let key = Confirmation { key: Some(one), certificate: None };
        assert_eq!(read(&json!({"jkt": one.to_string(), "kc-jkt-type": "DPoP"})), Ok(Some(key)));
    }

    #[test]
    fn what_is_not_understood_is_refused() {
        let text = Thumbprint::of(b"1").to_string();
        for confirmation in [
            json!({}),
            json!(null),
            json!([]),
            json!(text),
            json!({"jkt": null}),
            json!({"jkt": "x"}),
            json!({"jkt": [text]}),
            json!({"jkt": format!("{text}=")}),
            json!({"JKT": text}),
            json!({"x5t": text}),
            json!({"x5t#S512": text}),
            json!({"jwk": {}}),
            json!({"kid": "a"}),
            json!({"jkt": text, "kid": "a"}),
            json!({"jkt": text, "osc": {}}),
            json!({"kc-jkt-type": "DPoP"}),
            json!({"x5t#S256": text, "kc-jkt-type": "DPoP"}),
            json!({"jkt": text, "kc-jkt-type": "dpop"}),
            json!({"jkt": text, "kc-jkt-type": "Client-Attestation"}),
            json!({"jkt": text, "kc-jkt-type": null}),
            json!({"jkt": text, "kc-jkt-type": ["DPoP"]}),
        ] {
            assert_eq!(read(&confirmation), Err(Reason::TokenBindingRefused), "{confirmation}");
        }
    }
}
