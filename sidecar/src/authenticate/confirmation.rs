//! The claim `cnf` (RFC 7800): what a token is bound to. Every member must be understood here, or the token is refused: one
//! that is not understood is a condition that nobody would check.

use super::refusal::Refusal;
use crate::thumbprint::Thumbprint;
use serde_json::{Map, Value};
use tollward_policy::reason::Reason;

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
            let thumbprint = value.as_str().and_then(Thumbprint::parse).ok_or(refused())?;
            match name.as_str() {
                "jkt" => confirmation.key = Some(thumbprint),
                "x5t#S256" => confirmation.certificate = Some(thumbprint),
                _ => return Err(refused()),
            }
        }
        Ok(Some(confirmation))
    }
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
        ] {
            assert_eq!(read(&confirmation), Err(Reason::TokenBindingRefused), "{confirmation}");
        }
    }
}
