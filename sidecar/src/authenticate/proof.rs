//! One DPoP proof (RFC 9449 section 4) from its header line to verified, in the order of section 4.3: everything that costs
//! nothing first, the signature at the end. Nothing of a proof is ever logged or repeated.
//!
//! The key comes with the proof, so that it means nothing until it is the one that the access token names.

use super::algorithm;
use super::compact::normalized;
use super::json;
use super::key::{self, VerifyKey};
use super::refusal::Refusal;
use crate::thumbprint::Thumbprint;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::{HeaderMap, HeaderName, Method};
use serde_json::{Map, Value};
use std::sync::OnceLock;
use tollward_policy::config::Algorithm;
use tollward_policy::reason::Reason;

/// The header of a proof.
const DPOP: HeaderName = HeaderName::from_static("dpop");
/// Longest proof in bytes: one of an RSA key with 8192 bits has less than 4 KiB.
const MAX_PROOF: usize = 8 * 1024;
/// Longest `jti` in bytes.
const MAX_ID: usize = 256;
/// Longest `htu` in bytes.
const MAX_URL: usize = 2048;

/// A proof of which only the form was judged.
pub(super) struct Proof<'h> {
    signing_input: &'h str,
    signature: Vec<u8>,
    algorithm: Algorithm,
    jwk: Map<String, Value>,
    claims: Claims,
}

/// What a proof says.
struct Claims {
    id: String,
    method: String,
    url: String,
    issued_at: i64,
    expires_at: Option<i64>,
    not_before: Option<i64>,
    token: Thumbprint,
    nonce: Option<String>,
}

/// The key of a token's proofs, parsed once. It is kept with the token, and only after a proof by it was verified.
#[derive(Debug, Default)]
pub(super) struct ProvenKey(OnceLock<VerifyKey>);

impl<'h> Proof<'h> {
    /// The one proof of a request.
    pub(super) fn read(headers: &'h HeaderMap) -> Result<Self, Refusal> {
        let mut values = headers.get_all(DPOP).into_iter();
        let value = values.next().ok_or(invalid("the request has no DPoP header"))?;
        if values.next().is_some() {
            return Err(invalid("the request has more than one DPoP header"));
        }
        // Judged before the first character is, so that a megabyte costs as little as a byte.
        if value.len() > MAX_PROOF {
            return Err(invalid("the DPoP proof is longer than 8 KiB"));
        }
        let text = value.to_str().map_err(|_| invalid(PARTS))?;
        let (signing_input, signature) = text.rsplit_once('.').ok_or(invalid(PARTS))?;
        let (header, payload) = signing_input.split_once('.').ok_or(invalid(PARTS))?;
        if payload.contains('.') {
            return Err(invalid(PARTS));
        }
        let mut header = object(header)?;
        let algorithm = check_header(&header)?;
        let Some(Value::Object(jwk)) = header.remove("jwk") else {
            return Err(invalid("the header of the DPoP proof has no public key in jwk"));
        };
        let claims = Claims::read(&object(payload)?)?;
        Ok(Self { signing_input, signature: decode(signature)?, algorithm, jwk, claims })
    }

    /// That it was made for this method, one of these URLs, and the token of this hash.
    pub(super) fn check_request(
        &self,
        method: &Method,
        is_ours: impl FnOnce(&str) -> bool,
        token: &Thumbprint,
    ) -> Result<(), Refusal> {
        if self.claims.method != method.as_str() {
            return Err(invalid("htm of the DPoP proof is not the method of the request"));
        }
        if !is_ours(&self.claims.url) {
            return Err(invalid("htu of the DPoP proof is not the URL of this server"));
        }
        if self.claims.token != *token {
            return Err(invalid("ath of the DPoP proof is not the hash of the access token"));
        }
        Ok(())
    }

    /// That it was made within these seconds before or after now. Gives the last second at which it passes.
    pub(super) fn check_time(&self, now: i64, window: i64) -> Result<i64, Refusal> {
        let Claims { issued_at, expires_at, not_before, .. } = &self.claims;
        let until = issued_at.saturating_add(window);
        if until < now {
            return Err(invalid("iat of the DPoP proof is too long ago; check the clock of the client"));
        }
        if *issued_at > now.saturating_add(window) {
            return Err(invalid("iat of the DPoP proof is in the future; check the clock of the client"));
        }
        // Neither is part of a proof, but whoever writes one means it (RFC 7519 §4.1.4 and §4.1.5).
        if expires_at.is_some_and(|expires_at| expires_at <= now)
            || not_before.is_some_and(|not_before| not_before > now.saturating_add(window))
        {
            return Err(invalid("the DPoP proof has expired or is not valid yet"));
        }
        Ok(until)
    }

    /// That its key is the one that the token is bound to.
    pub(super) fn check_key(&self, bound_to: &Thumbprint) -> Result<(), Refusal> {
        let own = key::thumbprint(&self.jwk)
            .map_err(|_| invalid("jwk of the DPoP proof is not one public key of an accepted kind and size"))?;
        if own == *bound_to {
            Ok(())
        } else {
            Err(invalid("the key of the DPoP proof is not the one that the access token is bound to"))
        }
    }

    /// That its signature is by its key. Only after [`Self::check_key`]: `known` is the key of that thumbprint.
    pub(super) fn verify(&self, known: &ProvenKey) -> Result<(), Refusal> {
        const REFUSED: Refusal = invalid("the signature of the DPoP proof does not verify");
        let message = self.signing_input.as_bytes();
        if let Some(key) = known.0.get().filter(|key| key.fits(self.algorithm)) {
            return if key.verifies(self.algorithm, message, &self.signature) { Ok(()) } else { Err(REFUSED) };
        }
        let key = VerifyKey::import(&self.jwk, &[self.algorithm])
            .map_err(|_| invalid("jwk of the DPoP proof is no key for its alg"))?;
        if !key.verifies(self.algorithm, message, &self.signature) {
            return Err(REFUSED);
        }
        // Of two at once either is as good: they have one thumbprint.
        let _ = known.0.set(key);
        Ok(())
    }

    /// `jti`.
    pub(super) fn id(&self) -> &str {
        &self.claims.id
    }

    /// `iat`.
    pub(super) const fn issued_at(&self) -> i64 {
        self.claims.issued_at
    }

    /// `nonce`.
    pub(super) fn nonce(&self) -> Option<&str> {
        self.claims.nonce.as_deref()
    }
}

const PARTS: &str = "the DPoP proof is not three parts with dots between them";

/// `typ` and `alg`, and that nothing changes what the rest means.
fn check_header(header: &Map<String, Value>) -> Result<Algorithm, Refusal> {
    if ["crit", "b64", "zip", "enc"].iter().any(|name| header.contains_key(*name)) {
        return Err(invalid("the header of the DPoP proof has crit, b64, zip or enc"));
    }
    let is_proof = |name: &str| normalized(name) == "dpop+jwt";
    if !header.get("typ").and_then(Value::as_str).is_some_and(is_proof) {
        return Err(invalid("typ in the header of the DPoP proof is not dpop+jwt"));
    }
    header
        .get("alg")
        .and_then(Value::as_str)
        .and_then(algorithm::of_proof)
        .ok_or(invalid("alg in the header of the DPoP proof is not one of those that are accepted"))
}

impl Claims {
    fn read(claims: &Map<String, Value>) -> Result<Self, Refusal> {
        let text = |name: &str, most: usize, wrong: &'static str| {
            claims
                .get(name)
                .and_then(Value::as_str)
                .filter(|text| (1..=most).contains(&text.len()))
                .map(str::to_owned)
                .ok_or(invalid(wrong))
        };
        let time = |name: &str| {
            let whole = |value: &Value| value.as_i64().ok_or(invalid("a time in the DPoP proof is no whole number"));
            claims.get(name).map(whole).transpose()
        };
        let nonce = match claims.get("nonce") {
            None => None,
            Some(Value::String(nonce)) => Some(nonce.clone()),
            Some(Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_)) => {
                return Err(invalid("nonce of the DPoP proof is no text"));
            }
        };
        Ok(Self {
            id: text("jti", MAX_ID, "jti of the DPoP proof is no text of 1 to 256 bytes")?,
            method: text("htm", MAX_ID, "htm of the DPoP proof is not the method of the request")?,
            url: text("htu", MAX_URL, "htu of the DPoP proof is no URL of at most 2048 bytes")?,
            issued_at: time("iat")?.ok_or(invalid("iat of the DPoP proof is missing"))?,
            expires_at: time("exp")?,
            not_before: time("nbf")?,
            token: claims
                .get("ath")
                .and_then(Value::as_str)
                .and_then(Thumbprint::parse)
                .ok_or(invalid("ath of the DPoP proof is no hash of an access token"))?,
            nonce,
        })
    }
}

fn object(part: &str) -> Result<Map<String, Value>, Refusal> {
    json::object(&decode(part)?).map_err(|_| invalid("a part of the DPoP proof is not one unambiguous JSON object"))
}

/// Canonical base64url without padding.
fn decode(part: &str) -> Result<Vec<u8>, Refusal> {
    URL_SAFE_NO_PAD.decode(part).map_err(|_| invalid("a part of the DPoP proof is not canonical base64url"))
}

const fn invalid(detail: &'static str) -> Refusal {
    Refusal::new(Reason::ProofInvalid, detail)
}
