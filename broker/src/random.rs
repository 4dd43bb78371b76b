//! Randomness for ids, codes and nonces. Injected, so that whole pages can be compared in tests.

use aws_lc_rs::rand::{SecureRandom, SystemRandom};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use thiserror::Error;

/// The source gave no bytes; nothing is issued then.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("the random number source gave no bytes; nothing was issued")]
pub struct RandomnessUnavailable;

/// Where unguessable bytes come from. An implementation outside of tests must be a cryptographic source.
pub trait Random: Send + Sync + 'static {
    /// Fills `bytes` completely or fails.
    fn fill(&self, bytes: &mut [u8]) -> Result<(), RandomnessUnavailable>;
}

/// The cryptographic source of aws-lc-rs.
#[derive(Debug)]
pub struct SystemRandomness(SystemRandom);

impl SystemRandomness {
    /// Seeds itself from the operating system.
    pub fn new() -> Self {
        Self(SystemRandom::new())
    }
}

impl Default for SystemRandomness {
    fn default() -> Self {
        Self::new()
    }
}

impl Random for SystemRandomness {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), RandomnessUnavailable> {
        self.0.fill(bytes).map_err(|_| RandomnessUnavailable)
    }
}

/// `BYTES` random bytes as unpadded base64url: safe in URLs, cookies, headers and JSON.
pub(crate) fn random_text<const BYTES: usize>(random: &dyn Random) -> Result<String, RandomnessUnavailable> {
    let mut bytes = [0_u8; BYTES];
    random.fill(&mut bytes)?;
    Ok(URL_SAFE_NO_PAD.encode(bytes))
}
