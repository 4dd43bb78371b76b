//! The issuer: its keys, and tokens of a thousand callers.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use anyhow::{Context as _, Result};
use serde_json::{Value, json};

use super::super::message::ENDPOINT;
use super::super::token::{Algorithm, Key};
use super::configuration::{ISSUER, OTHER_SCOPE, SCOPE};

/// Callers with a token each.
const CALLERS: usize = 1_000;
/// OAuth clients that the callers use.
const CLIENTS: usize = 50;

/// What an issuer has given out.
#[derive(Debug)]
pub(super) struct Issuer {
    /// The file with its public keys.
    pub(super) keys: PathBuf,
    /// Good tokens, signed by RSA.
    pub(super) rsa: Vec<String>,
    /// Good tokens, signed on P-256.
    pub(super) elliptic: Vec<String>,
    /// Good but for the signature, which is another key's.
    pub(super) forged: String,
    /// Good but for the audience.
    pub(super) foreign: String,
    /// Good but for the scope.
    pub(super) lesser: String,
}

/// Makes all of it anew.
pub(super) fn issuer(folder: &Path) -> Result<Issuer> {
    let rsa = Key::generate(folder, "bench-rsa", Algorithm::Rs256)?;
    let elliptic = Key::generate(folder, "bench-p256", Algorithm::Es256)?;
    let forger = Key::generate(folder, "forger", Algorithm::Rs256)?.posing_as(&rsa);
    let keys = folder.join("keys.json");
    let set = json!({"keys": [rsa.public()?, elliptic.public()?]});
    fs::write(&keys, set.to_string()).with_context(|| format!("cannot write {}", keys.display()))?;
    let now = now()?;
    let signed = |key: &Key| -> Result<Vec<String>> {
        (0..CALLERS).map(|caller| key.sign(&claims(now, caller, ENDPOINT, SCOPE))).collect()
    };
    Ok(Issuer {
        keys,
        rsa: signed(&rsa)?,
        elliptic: signed(&elliptic)?,
        forged: forger.sign(&claims(now, CALLERS, ENDPOINT, SCOPE))?,
        foreign: rsa.sign(&claims(now, CALLERS, "https://other.bench.test/mcp", SCOPE))?,
        lesser: rsa.sign(&claims(now, CALLERS, ENDPOINT, OTHER_SCOPE))?,
    })
}

/// As many claims as common issuers give: a token of about 900 bytes.
fn claims(now: u64, caller: usize, audience: &str, scope: &str) -> Value {
    json!({
        "iss": ISSUER, "sub": format!("user-{caller:06}"), "aud": audience,
        "client_id": format!("client-{}", caller % CLIENTS), "scope": format!("{scope} offline_access"),
        "iat": now - 10, "nbf": now - 10, "exp": now + 12 * 3600, "auth_time": now - 60,
        "jti": format!("0192f3a4-7c1e-4b58-9d10-{caller:012}"), "tenant": "europe-west",
        "email": format!("user-{caller:06}@corp.bench.test"), "groups": ["platform", "on-call"]
    })
}

#[expect(clippy::disallowed_methods, reason = "tokens must be good for a real sidecar, which has the real time")]
fn now() -> Result<u64> {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).context("the clock is before 1970")?;
    Ok(since.as_secs())
}
