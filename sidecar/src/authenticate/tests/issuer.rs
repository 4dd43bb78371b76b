//! An issuer: real keys, and tokens with whatever header and payload a test wants.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair as RsaKeyPair, KeySize};
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, EcdsaSigningAlgorithm,
    Ed25519KeyPair, KeyPair as _, RSA_PKCS1_SHA256, RSA_PSS_SHA256, RsaEncoding,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use std::sync::OnceLock;

pub(super) const ISSUER: &str = "https://idp.example/realms/a";
pub(super) const RESOURCE: &str = "https://mcp.example.com/files/mcp";
pub(super) const NOW: i64 = 1_800_000_000;

enum Secret {
    Rsa(&'static RsaKeyPair),
    Curve(EcdsaKeyPair),
    Edwards(Ed25519KeyPair),
}

/// A key pair with its name in the key set.
pub(super) struct Key {
    pub(super) id: &'static str,
    pub(super) algorithm: &'static str,
    secret: Secret,
}

/// One RSA key for all tests: making it takes longer than everything else.
fn rsa() -> &'static RsaKeyPair {
    static KEY: OnceLock<RsaKeyPair> = OnceLock::new();
    KEY.get_or_init(|| RsaKeyPair::generate(KeySize::Rsa2048).unwrap())
}

fn curve(algorithm: &'static EcdsaSigningAlgorithm) -> Secret {
    Secret::Curve(EcdsaKeyPair::generate(algorithm).unwrap())
}

impl Key {
    /// A new key; RSA keys are all the same.
    pub(super) fn new(id: &'static str, algorithm: &'static str) -> Self {
        let secret = match algorithm {
            "RS256" | "PS256" => Secret::Rsa(rsa()),
            "ES256" => curve(&ECDSA_P256_SHA256_FIXED_SIGNING),
            "ES384" => curve(&ECDSA_P384_SHA384_FIXED_SIGNING),
            "EdDSA" | "Ed25519" => Secret::Edwards(Ed25519KeyPair::generate().unwrap()),
            other => panic!("no test key for {other}"),
        };
        Self { id, algorithm, secret }
    }

    pub(super) fn sign(&self, message: &[u8]) -> Vec<u8> {
        match &self.secret {
            Secret::Rsa(_) if self.algorithm == "PS256" => self.sign_rsa(&RSA_PSS_SHA256, message),
            Secret::Rsa(_) => self.sign_rsa(&RSA_PKCS1_SHA256, message),
            Secret::Curve(pair) => pair.sign(&SystemRandom::new(), message).unwrap().as_ref().to_vec(),
            Secret::Edwards(pair) => pair.sign(message).as_ref().to_vec(),
        }
    }

    pub(super) fn sign_rsa(&self, encoding: &'static dyn RsaEncoding, message: &[u8]) -> Vec<u8> {
        let Secret::Rsa(pair) = &self.secret else {
            panic!("not an RSA key");
        };
        let mut signature = vec![0; pair.public_modulus_len()];
        pair.sign(encoding, &SystemRandom::new(), message, &mut signature).unwrap();
        signature
    }

    /// The public key as the issuer publishes it.
    pub(super) fn jwk(&self) -> Value {
        let mut jwk = match &self.secret {
            Secret::Rsa(pair) => {
                let public = pair.public_key();
                json!({
                    "kty": "RSA",
                    "n": encode(public.modulus().big_endian_without_leading_zero()),
                    "e": encode(public.exponent().big_endian_without_leading_zero()),
                })
            }
            Secret::Curve(pair) => {
                let point = &pair.public_key().as_ref()[1..];
                let (x, y) = point.split_at(point.len() / 2);
                let name = if x.len() == 32 { "P-256" } else { "P-384" };
                json!({"kty": "EC", "crv": name, "x": encode(x), "y": encode(y)})
            }
            Secret::Edwards(pair) => {
                json!({"kty": "OKP", "crv": "Ed25519", "x": encode(pair.public_key().as_ref())})
            }
        };
        jwk["kid"] = json!(self.id);
        jwk["use"] = json!("sig");
        jwk["alg"] = json!(self.algorithm);
        jwk
    }

    /// The header of a good token.
    pub(super) fn header(&self) -> Value {
        json!({"alg": self.algorithm, "kid": self.id, "typ": "at+jwt"})
    }

    /// A good token.
    pub(super) fn token(&self) -> String {
        self.token_with(&self.header(), &claims())
    }

    /// A signed token with this header and payload.
    pub(super) fn token_with(&self, header: &Value, claims: &Value) -> String {
        self.token_of(header.to_string().as_bytes(), claims.to_string().as_bytes())
    }

    /// A signed token with these very bytes.
    pub(super) fn token_of(&self, header: &[u8], payload: &[u8]) -> String {
        self.token_of_parts(&encode(header), &encode(payload))
    }

    /// A signed token with these very parts.
    pub(super) fn token_of_parts(&self, header: &str, payload: &str) -> String {
        let input = format!("{header}.{payload}");
        let signature = encode(&self.sign(input.as_bytes()));
        format!("{input}.{signature}")
    }

    /// A good token, but for its header.
    pub(super) fn with_header(&self, change: impl FnOnce(&mut Value)) -> String {
        let mut header = self.header();
        change(&mut header);
        self.token_with(&header, &claims())
    }

    /// A good token, but for its claims.
    pub(super) fn with_claims(&self, change: impl FnOnce(&mut Value)) -> String {
        let mut claims = claims();
        change(&mut claims);
        self.token_with(&self.header(), &claims)
    }
}

/// The claims of a good token.
pub(super) fn claims() -> Value {
    json!({
        "iss": ISSUER,
        "sub": "alice",
        "aud": RESOURCE,
        "exp": NOW + 600,
        "nbf": NOW - 10,
        "iat": NOW - 10,
        "client_id": "client-1",
        "scope": "files:read files:write",
        "jti": "token-1",
    })
}

/// A JSON object without one member.
pub(super) fn without(mut object: Value, name: &str) -> Value {
    object.as_object_mut().unwrap().remove(name);
    object
}

pub(super) fn encode(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// A key set document.
pub(super) fn key_set(keys: &[Value]) -> String {
    json!({"keys": keys}).to_string()
}
