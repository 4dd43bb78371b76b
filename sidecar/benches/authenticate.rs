//! What it costs to know a caller, in processor time for each request: tokens verified before and for the first time, alone and
//! with a DPoP proof. `cargo bench -p tollward-sidecar --bench authenticate`; Linux only.
//!
//! It measures the stage alone, in one thread and without a socket; `cargo xtask bench sidecar` measures whole requests.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::panic,
    reason = "a benchmark that can't go on has nothing to tell, and what it tells goes to its output"
)]

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair as RsaKeyPair, KeySize};
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _, RSA_PKCS1_SHA256,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use futures_util::future::BoxFuture;
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use serde_json::{Value, json};
use std::hint::black_box;
use std::path::Path;
use std::sync::Arc;
use tollward_policy::config::{AuthConfig, ProviderConfig};
use tollward_policy::endpoint::Endpoint;
use tollward_sidecar::authenticate::{
    Addressed, Authenticator, Document, Fetch, FetchFailure, Form, Presented, ProofMemory, Providers, TokenCache,
};
use tollward_sidecar::clock::Clock;
use tollward_sidecar::session::SessionKeys;
use tollward_sidecar::thumbprint::Thumbprint;

const NOW: i64 = 1_800_000_000;
const ISSUER: &str = "https://issuer.example";
const KEYS: &str = "https://issuer.example/keys";
const ENDPOINT: &str = "https://mcp.example.com/weather/mcp";
/// Requests of each row.
const REQUESTS: usize = 2_000;

struct Noon;

impl Clock for Noon {
    fn unix_nanos(&self) -> i128 {
        i128::from(NOW) * 1_000_000_000
    }
}

struct Served(String);

impl Fetch for Served {
    fn post_form<'a>(
        &'a self,
        _: &'a str,
        _: Form<'a>,
        _: Option<&'a Path>,
    ) -> BoxFuture<'a, Result<Document, FetchFailure>> {
        Box::pin(async { panic!("no token of this benchmark is asked about") })
    }

    fn get<'a>(&'a self, _: &'a str, _: Option<&'a Path>) -> BoxFuture<'a, Result<Document, FetchFailure>> {
        let body = self.0.clone().into();
        let content_type = Some("application/json".to_owned());
        Box::pin(async move { Ok(Document { status: StatusCode::OK, content_type, cache_control: None, body }) })
    }
}

enum Key {
    Rsa(RsaKeyPair),
    Curve(EcdsaKeyPair),
    Edwards(Ed25519KeyPair),
}

impl Key {
    fn new(algorithm: &str) -> Self {
        match algorithm {
            "RS256" => Self::Rsa(RsaKeyPair::generate(KeySize::Rsa2048).unwrap()),
            "ES256" => Self::Curve(EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap()),
            "EdDSA" => Self::Edwards(Ed25519KeyPair::generate().unwrap()),
            other => panic!("no key for {other}"),
        }
    }

    fn algorithm(&self) -> &'static str {
        match self {
            Self::Rsa(_) => "RS256",
            Self::Curve(_) => "ES256",
            Self::Edwards(_) => "EdDSA",
        }
    }

    fn jwk(&self) -> Value {
        match self {
            Self::Rsa(pair) => {
                let public = pair.public_key();
                let e = encode(public.exponent().big_endian_without_leading_zero());
                let n = encode(public.modulus().big_endian_without_leading_zero());
                json!({"e": e, "kty": "RSA", "n": n})
            }
            Self::Curve(pair) => {
                let (x, y) = pair.public_key().as_ref()[1..].split_at(32);
                json!({"crv": "P-256", "kty": "EC", "x": encode(x), "y": encode(y)})
            }
            Self::Edwards(pair) => json!({"crv": "Ed25519", "kty": "OKP", "x": encode(pair.public_key().as_ref())}),
        }
    }

    fn token(&self, header: &Value, claims: &Value) -> String {
        let input = format!("{}.{}", encode(header.to_string().as_bytes()), encode(claims.to_string().as_bytes()));
        let signature = match self {
            Self::Rsa(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), input.as_bytes(), &mut signature).unwrap();
                signature
            }
            Self::Curve(pair) => pair.sign(&SystemRandom::new(), input.as_bytes()).unwrap().as_ref().to_vec(),
            Self::Edwards(pair) => pair.sign(input.as_bytes()).as_ref().to_vec(),
        };
        format!("{input}.{}", encode(&signature))
    }
}

fn encode(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// A token with about as many claims as common issuers give, bound to the sender's key if there is one.
fn access_token(issuer: &Key, number: usize, sender: Option<&Key>) -> String {
    let mut claims = json!({
        "iss": ISSUER, "sub": format!("user-{number:06}"), "aud": ENDPOINT, "client_id": "client-1",
        "scope": "mcp:weather-read offline_access", "iat": NOW - 10, "nbf": NOW - 10, "exp": NOW + 3600,
        "jti": format!("token-{number}"), "tenant": "europe-west", "groups": ["platform", "on-call"],
    });
    if let Some(sender) = sender {
        // The members of the key stand in the order that RFC 7638 wants.
        let thumbprint = Thumbprint::of(sender.jwk().to_string().as_bytes());
        claims["cnf"] = json!({"jkt": thumbprint.to_string()});
    }
    let algorithm = issuer.algorithm();
    issuer.token(&json!({"alg": algorithm, "kid": algorithm, "typ": "at+jwt"}), &claims)
}

fn request(token: &str, sender: Option<&Key>, number: usize) -> HeaderMap {
    let mut headers = HeaderMap::new();
    let scheme = if sender.is_some() { "DPoP" } else { "Bearer" };
    headers.insert("authorization", HeaderValue::from_str(&format!("{scheme} {token}")).unwrap());
    if let Some(sender) = sender {
        let header = json!({"typ": "dpop+jwt", "alg": sender.algorithm(), "jwk": sender.jwk()});
        let hash = Thumbprint::of(token.as_bytes()).to_string();
        let id = format!("0192f3a4-7c1e-4b58-9d10-{number:012}");
        let claims = json!({"jti": id, "htm": "POST", "htu": ENDPOINT, "iat": NOW, "ath": hash});
        headers.insert("dpop", HeaderValue::from_str(&sender.token(&header, &claims)).unwrap());
    }
    headers
}

async fn authenticator(issuers: &[&Key]) -> Authenticator {
    let keys: Vec<_> = issuers
        .iter()
        .map(|key| {
            let mut jwk = key.jwk();
            jwk["kid"] = json!(key.algorithm());
            jwk
        })
        .collect();
    let clock: Arc<dyn Clock> = Arc::new(Noon);
    let providers = Providers::new(Arc::new(Served(json!({"keys": keys}).to_string())), Arc::clone(&clock));
    let config: ProviderConfig = serde_json::from_value(json!({
        "name": "bench/idp", "issuer": ISSUER, "jwksUrl": KEYS, "algorithms": ["RS256", "ES256"],
        "tokenTypes": ["at+jwt"],
        "claims": {"scopes": ["scope"], "client": ["client_id"], "subject": "sub", "tokenId": ["jti"]},
        "leewaySeconds": 0, "refresh": {"intervalSeconds": 300, "cooldownSeconds": 30, "maxStaleSeconds": 86_400}
    }))
    .unwrap();
    let auth: AuthConfig = serde_json::from_value(json!({
        "mode": "OAuth", "providers": ["bench/idp"], "audiences": [ENDPOINT], "authServerMetadata": "Off",
        "senderConstraint": {"mode": "Optional", "dpop": {"nonce": "Off", "proofMaxAgeSeconds": 60}}
    }))
    .unwrap();
    let (endpoint, keys) = (Endpoint::parse(ENDPOINT).unwrap(), SessionKeys::new([(0, [7; 32])]).unwrap());
    let proofs = Arc::new(ProofMemory::new(NOW - 100));
    let addressed = Addressed { endpoint: &endpoint, hosts: &[], server: "bench", keys: &keys, proofs: &proofs };
    let cache = Arc::new(TokenCache::new());
    let built = Authenticator::new(&auth, &[config], &providers, cache, clock, &addressed).unwrap();
    while !built.providers().all(|provider| provider.ready()) {
        tokio::task::yield_now().await;
    }
    built
}

/// Nanoseconds that this thread has had a processor.
fn processor_time() -> u64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    text.split(' ').next().unwrap().parse().unwrap()
}

async fn measure(authenticator: &Authenticator, name: &str, requests: &[HeaderMap]) {
    let before = processor_time();
    for headers in requests {
        let presented = Presented { headers, method: &Method::POST, certificate: None };
        let authenticated = authenticator.authenticate(presented, |_| Ok(())).await;
        assert!(black_box(authenticated).is_ok(), "{name}");
    }
    let each = (processor_time() - before) / u64::try_from(requests.len()).unwrap();
    println!("| {name} | {}.{} |", each / 1000, each % 1000 / 100);
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let [rsa, curve] = ["RS256", "ES256"].map(Key::new);
    let authenticator = authenticator(&[&rsa, &curve]).await;
    println!("| request | microseconds |\n|---|---|");
    for (name, issuer) in [("RS256", &rsa), ("ES256", &curve)] {
        let first: Vec<_> =
            (0..REQUESTS).map(|number| request(&access_token(issuer, number, None), None, number)).collect();
        measure(&authenticator, &format!("token by {name}, first time"), &first).await;
        let again = vec![first[REQUESTS - 1].clone(); REQUESTS];
        measure(&authenticator, &format!("token by {name}, verified before"), &again).await;
    }
    for sender in ["ES256", "EdDSA", "RS256"].map(Key::new) {
        let name = sender.algorithm();
        let first: Vec<_> = (0..REQUESTS)
            .map(|number| request(&access_token(&rsa, number, Some(&sender)), Some(&sender), number))
            .collect();
        measure(&authenticator, &format!("token by RS256 and proof by {name}, first time"), &first).await;
        let token = access_token(&rsa, 0, Some(&sender));
        let again: Vec<_> = (0..REQUESTS).map(|number| request(&token, Some(&sender), REQUESTS + number)).collect();
        measure(&authenticator, &format!("token verified before, proof by {name}"), &again).await;
    }
}
