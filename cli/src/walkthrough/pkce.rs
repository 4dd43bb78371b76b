//! Proof key for code exchange (RFC 7636), method S256.

use anyhow::anyhow;
use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::rand::fill;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// The secret of one sign-in. `Debug` is absent: whoever has the verifier can use the code.
pub(super) struct Verifier(String);

impl Verifier {
    /// A new one.
    pub(super) fn new() -> anyhow::Result<Self> {
        random().map(Self)
    }

    /// What goes to the token endpoint.
    pub(super) fn secret(&self) -> &str {
        &self.0
    }

    /// What goes through the browser.
    pub(super) fn challenge(&self) -> String {
        URL_SAFE_NO_PAD.encode(digest(&SHA256, self.0.as_bytes()))
    }
}

/// 32 random bytes as text, for verifiers and `state`.
pub(super) fn random() -> anyhow::Result<String> {
    let mut bytes = [0_u8; 32];
    fill(&mut bytes).map_err(|_| anyhow!("there are no random bytes"))?;
    Ok(URL_SAFE_NO_PAD.encode(bytes))
}

#[cfg(test)]
mod tests {
    use super::Verifier;

    #[test]
    fn the_challenge_is_that_of_the_specifications_example() {
        let verifier = Verifier("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk".into());
        assert_eq!(verifier.challenge(), "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
    }
}
