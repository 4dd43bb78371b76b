//! Signature algorithms: their names on the wire and in the libraries. What is not here can't be accepted, which is
//! why neither `none` nor a symmetric algorithm appears.

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ED25519, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_2048_8192_SHA384,
    RSA_PKCS1_2048_8192_SHA512, RSA_PSS_2048_8192_SHA256, RSA_PSS_2048_8192_SHA384, RSA_PSS_2048_8192_SHA512,
    RsaParameters, VerificationAlgorithm,
};
use tollward_policy::config::Algorithm;

/// What an RSA key may verify.
pub(super) const RSA: &[Algorithm] =
    &[Algorithm::RS256, Algorithm::RS384, Algorithm::RS512, Algorithm::PS256, Algorithm::PS384, Algorithm::PS512];
/// What a key on P-256 may verify.
pub(super) const P256: &[Algorithm] = &[Algorithm::ES256];
/// What a key on P-384 may verify.
pub(super) const P384: &[Algorithm] = &[Algorithm::ES384];
/// What an Ed25519 key may verify.
pub(super) const EDWARDS: &[Algorithm] = &[Algorithm::EdDSA];

/// What may sign a DPoP proof, as `algs` of a challenge and `dpop_signing_alg_values_supported` name it.
pub const PROOF_ALGORITHMS: &[&str] = &["ES256", "ES384", "Ed25519", "EdDSA", "PS256", "RS256"];

/// The algorithm of that name, if it may sign a DPoP proof.
pub(super) fn of_proof(name: &str) -> Option<Algorithm> {
    PROOF_ALGORITHMS.contains(&name).then(|| named(name)).flatten()
}

/// How the library verifies.
pub(super) enum Parameters {
    /// With a modulus and an exponent.
    Rsa(&'static RsaParameters),
    /// With a point in its plain encoding.
    Point(&'static dyn VerificationAlgorithm),
}

/// The algorithm of a name in `alg`, compared exactly. `Ed25519` is RFC 9864's name for what `EdDSA` means here.
pub(super) fn named(name: &str) -> Option<Algorithm> {
    match name {
        "RS256" => Some(Algorithm::RS256),
        "RS384" => Some(Algorithm::RS384),
        "RS512" => Some(Algorithm::RS512),
        "PS256" => Some(Algorithm::PS256),
        "PS384" => Some(Algorithm::PS384),
        "PS512" => Some(Algorithm::PS512),
        "ES256" => Some(Algorithm::ES256),
        "ES384" => Some(Algorithm::ES384),
        "EdDSA" | "Ed25519" => Some(Algorithm::EdDSA),
        _ => None,
    }
}

/// The library's parameters. RSA is bounded to 2048..=8192 bits by them, and a PSS salt to the length of its digest.
pub(super) fn parameters(algorithm: Algorithm) -> Parameters {
    match algorithm {
        Algorithm::RS256 => Parameters::Rsa(&RSA_PKCS1_2048_8192_SHA256),
        Algorithm::RS384 => Parameters::Rsa(&RSA_PKCS1_2048_8192_SHA384),
        Algorithm::RS512 => Parameters::Rsa(&RSA_PKCS1_2048_8192_SHA512),
        Algorithm::PS256 => Parameters::Rsa(&RSA_PSS_2048_8192_SHA256),
        Algorithm::PS384 => Parameters::Rsa(&RSA_PSS_2048_8192_SHA384),
        Algorithm::PS512 => Parameters::Rsa(&RSA_PSS_2048_8192_SHA512),
        Algorithm::ES256 => Parameters::Point(&ECDSA_P256_SHA256_FIXED),
        Algorithm::ES384 => Parameters::Point(&ECDSA_P384_SHA384_FIXED),
        Algorithm::EdDSA => Parameters::Point(&ED25519),
    }
}

/// The JWT library's name of the algorithm.
pub(super) const fn library(algorithm: Algorithm) -> jsonwebtoken::Algorithm {
    match algorithm {
        Algorithm::RS256 => jsonwebtoken::Algorithm::RS256,
        Algorithm::RS384 => jsonwebtoken::Algorithm::RS384,
        Algorithm::RS512 => jsonwebtoken::Algorithm::RS512,
        Algorithm::PS256 => jsonwebtoken::Algorithm::PS256,
        Algorithm::PS384 => jsonwebtoken::Algorithm::PS384,
        Algorithm::PS512 => jsonwebtoken::Algorithm::PS512,
        Algorithm::ES256 => jsonwebtoken::Algorithm::ES256,
        Algorithm::ES384 => jsonwebtoken::Algorithm::ES384,
        Algorithm::EdDSA => jsonwebtoken::Algorithm::EdDSA,
    }
}
