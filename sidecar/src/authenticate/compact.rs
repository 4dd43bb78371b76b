//! A signed token (RFC 7515 §3.1) from its text to verified claims. The types are the order of events: [`Unverified`] gives
//! away nothing but what is needed to find the key, and only it becomes [`Verified`].

use super::algorithm;
use super::bearer::BearerToken;
use super::json;
use super::key::VerifyKey;
use super::refusal::Refusal;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};
use tollward_policy::config::Algorithm;
use tollward_policy::reason::Reason;

/// Longest key id in bytes.
const MAX_KEY_ID: usize = 256;

/// A token of which nothing is proven. The claims are those of the very bytes that the signature covers.
pub(super) struct Unverified<'t> {
    signing_input: &'t str,
    signature: Vec<u8>,
    header: Header,
    claims: Map<String, Value>,
}

/// The members of the header that mean something here. `jwk`, `jku`, `x5u` and `x5c` do not: a token does not bring its key.
struct Header {
    algorithm: Algorithm,
    key_id: Option<String>,
    token_type: Option<String>,
}

/// A token whose signature one of the issuer's keys verified.
pub(super) struct Verified {
    token_type: Option<String>,
    claims: Map<String, Value>,
}

impl<'t> Unverified<'t> {
    /// Splits and decodes without judging anything but form.
    pub(super) fn parse(token: BearerToken<'t>) -> Result<Self, Refusal> {
        const PARTS: &str = "the access token is not three parts with dots between them";
        let text = token.text();
        let (signing_input, signature) = text.rsplit_once('.').ok_or(malformed(PARTS))?;
        let (header, payload) = signing_input.split_once('.').ok_or(malformed(PARTS))?;
        if payload.contains('.') {
            return Err(malformed(PARTS));
        }
        let header = Header::read(&decode(header)?)?;
        let claims = json::object(&decode(payload)?)
            .map_err(|_| malformed("the payload of the access token is not one unambiguous JSON object"))?;
        Ok(Self { signing_input, signature: decode(signature)?, header, claims })
    }

    /// `iss`, only to look for the provider whose keys will prove it.
    pub(super) fn issuer(&self) -> Result<&str, Refusal> {
        self.claims
            .get("iss")
            .and_then(Value::as_str)
            .ok_or(Refusal::new(Reason::TokenClaimsInvalid, "the claim iss is missing or is not text"))
    }

    /// The claims, unproven: for words in the audit record about a token that is refused, and for nothing else.
    pub(super) const fn claims(&self) -> &Map<String, Value> {
        &self.claims
    }

    /// `alg`.
    pub(super) const fn algorithm(&self) -> Algorithm {
        self.header.algorithm
    }

    /// `kid`, for nothing but a look-up among the issuer's keys.
    pub(super) fn key_id(&self) -> Option<&str> {
        self.header.key_id.as_deref()
    }

    /// Verifies the signature.
    pub(super) fn verify(self, key: &VerifyKey) -> Result<Verified, Refusal> {
        let Self { signing_input, signature, header, claims } = self;
        if !key.verifies(header.algorithm, signing_input.as_bytes(), &signature) {
            return Err(Refusal::new(
                Reason::TokenSignatureInvalid,
                "the signature of the access token does not verify",
            ));
        }
        Ok(Verified { token_type: header.token_type, claims })
    }
}

impl Verified {
    /// The header's `typ`.
    pub(super) fn token_type(&self) -> Option<&str> {
        self.token_type.as_deref()
    }

    /// The claims.
    pub(super) const fn claims(&self) -> &Map<String, Value> {
        &self.claims
    }

    /// The claims, to keep.
    pub(super) fn into_claims(self) -> Map<String, Value> {
        self.claims
    }
}

impl Header {
    fn read(bytes: &[u8]) -> Result<Self, Refusal> {
        let members = json::object(bytes)
            .map_err(|_| malformed("the header of the access token is not one unambiguous JSON object"))?;
        // Each changes what the signature or the payload means, and none is understood here (RFC 7515 §4.1.11).
        for name in ["crit", "b64", "zip", "enc"] {
            if members.contains_key(name) {
                return Err(malformed("the header of the access token has crit, b64, zip or enc"));
            }
        }
        let text = |name: &str| match members.get(name) {
            None => Ok(None),
            Some(value) => value
                .as_str()
                .map(Some)
                .ok_or(malformed("alg, kid, typ or cty in the header of the access token is not text")),
        };
        if text("cty")?.is_some_and(|content| normalized(content) == "jwt") {
            return Err(malformed("the access token holds another token"));
        }
        let name = text("alg")?.ok_or(malformed("the header of the access token has no alg"))?;
        let key_id = text("kid")?.map(str::to_owned);
        if key_id.as_ref().is_some_and(|id| id.len() > MAX_KEY_ID) {
            return Err(malformed("kid in the header of the access token is longer than 256 bytes"));
        }
        let token_type = text("typ")?.map(normalized);
        let algorithm = algorithm::named(name).ok_or(Refusal::new(
            Reason::TokenAlgorithmRefused,
            "the access token is not signed by an asymmetric algorithm that is known here",
        ))?;
        Ok(Self { algorithm, key_id, token_type })
    }
}

/// Whether a text has the form of a signed token: three parts, of which the first is a JSON object. Everything else is opaque.
pub(super) fn looks_signed(token: BearerToken<'_>) -> bool {
    let mut parts = token.text().split('.');
    match (parts.next(), parts.next(), parts.next(), parts.next()) {
        (Some(header), Some(_), Some(_), None) => {
            decode(header).is_ok_and(|header| header.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'{'))
        }
        (None | Some(_), _, _, _) => false,
    }
}

/// A media type as RFC 7515 §4.1.9 compares it: any case, and `application/` may be left out.
pub(super) fn normalized(media_type: &str) -> String {
    let lower = media_type.to_ascii_lowercase();
    match lower.strip_prefix("application/") {
        Some(rest) if !rest.contains('/') => rest.to_owned(),
        Some(_) | None => lower,
    }
}

/// Canonical base64url without padding: one text for one sequence of bytes.
fn decode(part: &str) -> Result<Vec<u8>, Refusal> {
    URL_SAFE_NO_PAD.decode(part).map_err(|_| malformed("a part of the access token is not canonical base64url"))
}

const fn malformed(detail: &'static str) -> Refusal {
    Refusal::new(Reason::TokenMalformed, detail)
}
