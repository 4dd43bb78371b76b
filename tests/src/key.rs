//! Signing keys of the issuer double: real ones, of every algorithm that the data plane knows.

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

enum Secret {
    Rsa(&'static RsaKeyPair),
    Curve(EcdsaKeyPair),
    Edwards(Ed25519KeyPair),
}

/// A key pair with its name in the key set.
pub struct Key {
    /// `kid`.
    pub id: String,
    /// `alg`.
    pub algorithm: &'static str,
    secret: Secret,
}

/// One RSA key for all tests: making it takes longer than everything else.
fn rsa() -> &'static RsaKeyPair {
    static KEY: OnceLock<RsaKeyPair> = OnceLock::new();
    KEY.get_or_init(|| RsaKeyPair::generate(KeySize::Rsa2048).expect("an RSA key"))
}

fn curve(algorithm: &'static EcdsaSigningAlgorithm) -> Secret {
    Secret::Curve(EcdsaKeyPair::generate(algorithm).expect("an EC key"))
}

impl Key {
    /// A new key for `RS256`, `PS256`, `ES256`, `ES384` or `EdDSA`. RSA keys are all the same.
    pub fn new(id: &str, algorithm: &'static str) -> Self {
        let secret = match algorithm {
            "RS256" | "PS256" => Secret::Rsa(rsa()),
            "ES256" => curve(&ECDSA_P256_SHA256_FIXED_SIGNING),
            "ES384" => curve(&ECDSA_P384_SHA384_FIXED_SIGNING),
            "EdDSA" => Secret::Edwards(Ed25519KeyPair::generate().expect("an Ed25519 key")),
            other => panic!("no test key for {other}"),
        };
        Self { id: id.to_owned(), algorithm, secret }
    }

    /// The signature in JWS form.
    pub fn sign(&self, message: &[u8]) -> Vec<u8> {
        match &self.secret {
            Secret::Rsa(pair) => {
                let encoding = if self.algorithm == "PS256" { &RSA_PSS_SHA256 } else { &RSA_PKCS1_SHA256 };
                sign_rsa(pair, encoding, message)
            }
            Secret::Curve(pair) => pair.sign(&SystemRandom::new(), message).expect("an EC signature").as_ref().to_vec(),
            Secret::Edwards(pair) => pair.sign(message).as_ref().to_vec(),
        }
    }

    /// The public key as the issuer publishes it.
    pub fn jwk(&self) -> Value {
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
                let point = pair.public_key().as_ref().get(1..).unwrap_or_default();
                let (x, y) = point.split_at(point.len() / 2);
                let name = if x.len() == 32 { "P-256" } else { "P-384" };
                json!({"kty": "EC", "crv": name, "x": encode(x), "y": encode(y)})
            }
            Secret::Edwards(pair) => json!({"kty": "OKP", "crv": "Ed25519", "x": encode(pair.public_key().as_ref())}),
        };
        if let Some(members) = jwk.as_object_mut() {
            members.insert("kid".into(), json!(self.id));
            members.insert("use".into(), json!("sig"));
            members.insert("alg".into(), json!(self.algorithm));
        }
        jwk
    }
}

fn sign_rsa(pair: &RsaKeyPair, encoding: &'static dyn RsaEncoding, message: &[u8]) -> Vec<u8> {
    let mut signature = vec![0; pair.public_modulus_len()];
    pair.sign(encoding, &SystemRandom::new(), message, &mut signature).expect("an RSA signature");
    signature
}

/// base64url without padding.
pub fn encode(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}
