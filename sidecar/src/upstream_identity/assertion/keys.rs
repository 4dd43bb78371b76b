//! The Ed25519 keys of assertions: one signs, and the replicas' keys before and after it are published beside it, so that a
//! server which asked another replica for the keys can verify this one.

use crate::secret_file;
use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use serde_json::{Value, json};
use std::fmt;
use std::path::{Path, PathBuf};
use tollward_policy::config;
use zeroize::Zeroizing;

/// Bytes of a private and of a public key.
const LENGTH: usize = 32;

/// Why there are no keys.
#[derive(Debug, thiserror::Error)]
pub enum AssertionKeyError {
    /// A file can't be read.
    #[error("assertion key: can't read {path}: {source}")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A file holds something else.
    #[error("assertion key: {path} must hold exactly {LENGTH} raw bytes")]
    WrongLength {
        /// The file.
        path: PathBuf,
    },
    /// The library refuses the key, or the system gives no randomness.
    #[error("assertion key: no key can be made")]
    Refused,
}

/// The keys of one MCP server.
pub(in crate::upstream_identity) struct AssertionKeys {
    pair: Ed25519KeyPair,
    id: String,
    set: Bytes,
}

impl AssertionKeys {
    /// Reads key files.
    pub(in crate::upstream_identity) fn load(files: &config::AssertionKeys) -> Result<Self, AssertionKeyError> {
        let seed = read(&files.private_key)?;
        let neighbours = files.neighbours.iter().map(|file| read(file)).collect::<Result<Vec<_>, _>>()?;
        Self::new(&seed, neighbours.iter().map(|key| key.as_slice()))
    }

    /// A key that lives as long as the process.
    pub(in crate::upstream_identity) fn random() -> Result<Self, AssertionKeyError> {
        let mut seed = Zeroizing::new([0; LENGTH]);
        aws_lc_rs::rand::fill(seed.as_mut_slice()).map_err(|_| AssertionKeyError::Refused)?;
        Self::new(&seed, [])
    }

    fn new<'k>(seed: &[u8; LENGTH], neighbours: impl IntoIterator<Item = &'k [u8]>) -> Result<Self, AssertionKeyError> {
        let pair = Ed25519KeyPair::from_seed_unchecked(seed).map_err(|_| AssertionKeyError::Refused)?;
        let own = pair.public_key().as_ref().to_vec();
        let mut keys = vec![jwk(&own)];
        keys.extend(neighbours.into_iter().filter(|key| *key != own).map(jwk));
        let set = Bytes::from(json!({"keys": keys}).to_string());
        Ok(Self { id: thumbprint(&own), pair, set })
    }

    /// `kid`.
    pub(super) fn id(&self) -> &str {
        &self.id
    }

    /// The public keys as a JWK Set (RFC 7517 section 5).
    pub(super) fn set(&self) -> Bytes {
        self.set.clone()
    }

    /// A signature in JWS form (RFC 8037 section 3.1).
    pub(super) fn sign(&self, message: &[u8]) -> impl AsRef<[u8]> + use<> {
        self.pair.sign(message)
    }
}

impl fmt::Debug for AssertionKeys {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("AssertionKeys").field("id", &self.id).finish_non_exhaustive()
    }
}

fn jwk(public: &[u8]) -> Value {
    json!({
        "kty": "OKP", "crv": "Ed25519", "x": URL_SAFE_NO_PAD.encode(public), "kid": thumbprint(public),
        "alg": "EdDSA", "use": "sig",
    })
}

/// RFC 7638.
fn thumbprint(public: &[u8]) -> String {
    let canonical = format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{}"}}"#, URL_SAFE_NO_PAD.encode(public));
    URL_SAFE_NO_PAD.encode(digest(&SHA256, canonical.as_bytes()))
}

fn read(path: &Path) -> Result<Zeroizing<[u8; LENGTH]>, AssertionKeyError> {
    match secret_file::read_exact(path) {
        Ok(Some(bytes)) => Ok(bytes),
        Ok(None) => Err(AssertionKeyError::WrongLength { path: path.to_owned() }),
        Err(source) => Err(AssertionKeyError::Unreadable { path: path.to_owned(), source }),
    }
}
