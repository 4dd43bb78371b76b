//! Throw-away keys and access tokens, made by openssl: xtask itself compiles without any cryptography.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};
use serde_json::{Value, json};

use crate::process;

/// How a token is signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Algorithm {
    /// RSA with 2048 bits, what most issuers use.
    Rs256,
    /// The curve P-256.
    Es256,
}

/// A key of an issuer.
#[derive(Debug)]
pub(super) struct Key {
    id: &'static str,
    algorithm: Algorithm,
    file: PathBuf,
}

impl Algorithm {
    const fn name(self) -> &'static str {
        match self {
            Self::Rs256 => "RS256",
            Self::Es256 => "ES256",
        }
    }
}

impl Key {
    /// A new key, kept in a file of its id in this folder.
    pub(super) fn generate(folder: &Path, id: &'static str, algorithm: Algorithm) -> Result<Self> {
        let file = folder.join(id).with_extension("pem");
        let options = match algorithm {
            Algorithm::Rs256 => ["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"],
            Algorithm::Es256 => ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"],
        };
        process::capture(Command::new("openssl").arg("genpkey").args(options).arg("-out").arg(&file))?;
        Ok(Self { id, algorithm, file })
    }

    /// Another key's id on this one, as a forger would do.
    pub(super) fn posing_as(mut self, other: &Self) -> Self {
        self.id = other.id;
        self
    }

    /// The public half as a JSON Web Key (RFC 7517).
    pub(super) fn public(&self) -> Result<Value> {
        let (id, algorithm) = (self.id, self.algorithm.name());
        match self.algorithm {
            Algorithm::Rs256 => {
                let mut command = Command::new("openssl");
                let text = process::capture(command.args(["rsa", "-noout", "-modulus", "-in"]).arg(&self.file))?;
                let digits = text.strip_prefix("Modulus=").context("openssl printed no modulus")?;
                let n = base64url(&bytes(digits)?);
                Ok(json!({"kid": id, "alg": algorithm, "use": "sig", "kty": "RSA", "n": n, "e": "AQAB"}))
            }
            Algorithm::Es256 => {
                let public = self.file.with_extension("der");
                let mut command = Command::new("openssl");
                command.args(["pkey", "-pubout", "-outform", "DER", "-in"]).arg(&self.file).arg("-out").arg(&public);
                process::capture(&mut command)?;
                let der = fs::read(&public).context("openssl wrote no public key")?;
                // The uncompressed point ends the structure: 32 bytes of x, 32 bytes of y.
                let point = der.split_last_chunk::<64>().map(|(_, point)| point.split_at(32));
                let (x, y) = point.context("openssl wrote a public key that is too short")?;
                let (x, y) = (base64url(x), base64url(y));
                Ok(json!({"kid": id, "alg": algorithm, "use": "sig", "kty": "EC", "crv": "P-256", "x": x, "y": y}))
            }
        }
    }

    /// An access token of RFC 9068 with these claims.
    pub(super) fn sign(&self, claims: &Value) -> Result<String> {
        let header = json!({"alg": self.algorithm.name(), "kid": self.id, "typ": "at+jwt"});
        let text = [header, claims.clone()].map(|part| base64url(part.to_string().as_bytes())).join(".");
        let (input, output) = (self.file.with_extension("input"), self.file.with_extension("signature"));
        fs::write(&input, &text).with_context(|| format!("cannot write {}", input.display()))?;
        let mut command = Command::new("openssl");
        command.args(["dgst", "-sha256", "-sign"]).arg(&self.file).arg("-out").arg(&output).arg(&input);
        process::capture(&mut command)?;
        let signature = fs::read(&output).context("openssl wrote no signature")?;
        let signature = match self.algorithm {
            Algorithm::Rs256 => signature,
            Algorithm::Es256 => two_numbers(&signature).context("openssl wrote an odd ECDSA signature")?,
        };
        Ok(format!("{text}.{}", base64url(&signature)))
    }
}

/// From the DER of ECDSA (a sequence of two integers) to the 64 bytes of RFC 7518 section 3.4.
fn two_numbers(der: &[u8]) -> Option<Vec<u8>> {
    let (mut rest, mut both) = (der.get(2..)?, Vec::with_capacity(64));
    for _ in 0..2 {
        let (length, after) = rest.strip_prefix(&[2])?.split_first()?;
        let (number, after) = after.split_at_checked(usize::from(*length))?;
        let significant = number.strip_prefix(&[0]).unwrap_or(number);
        both.resize(both.len() + 32usize.checked_sub(significant.len())?, 0);
        both.extend_from_slice(significant);
        rest = after;
    }
    rest.is_empty().then_some(both)
}

/// Bytes of pairs of hexadecimal digits.
fn bytes(digits: &str) -> Result<Vec<u8>> {
    let pairs = digits.as_bytes().chunks(2).map(|pair| {
        let pair = std::str::from_utf8(pair).context("openssl printed other than ASCII")?;
        u8::from_str_radix(pair, 16).context("openssl printed other than hexadecimal digits")
    });
    pairs.collect()
}

/// Base64 with the URL-safe alphabet and without padding (RFC 4648 section 5).
fn base64url(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for group in bytes.chunks(3) {
        let mut bits = [0; 4];
        bits.iter_mut().skip(1).zip(group).for_each(|(place, byte)| *place = *byte);
        let bits = u32::from_be_bytes(bits);
        // Three bytes are four letters, two are three, one is two.
        for shift in [18, 12, 6, 0].into_iter().take(group.len() + 1) {
            let letter = usize::try_from(bits >> shift & 63).ok().and_then(|index| ALPHABET.get(index));
            text.extend(letter.copied().map(char::from));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64url_is_that_of_the_rfc() {
        let table = [("", ""), ("f", "Zg"), ("fo", "Zm8"), ("foo", "Zm9v"), ("foob", "Zm9vYg"), ("fooba", "Zm9vYmE")];
        for (plain, encoded) in table {
            assert_eq!(base64url(plain.as_bytes()), encoded);
        }
        assert_eq!(base64url(&[0xfb, 0xff]), "-_8");
    }

    #[test]
    fn ecdsa_integers_lose_their_sign_byte_and_gain_leading_zeros() {
        let mut der = vec![0x30, 0x26, 2, 33, 0];
        der.extend([0xff; 32]);
        der.extend([2, 1, 7]);
        let both = two_numbers(&der).expect("two integers");
        assert_eq!(both[..32], [0xff; 32]);
        assert_eq!(both[32..63], [0; 31]);
        assert_eq!(both[63], 7);
        assert_eq!(two_numbers(&der[..20]), None);
    }
}
