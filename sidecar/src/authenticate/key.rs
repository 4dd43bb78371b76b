//! One public key of an issuer (RFC 7517), judged and parsed once when it is fetched, and bound to the algorithms that it may
//! verify: the token's header chooses among them, never beyond.

use super::algorithm::{self, Parameters};
use super::roca;
use crate::thumbprint::Thumbprint;
use aws_lc_rs::signature::{ParsedPublicKey, RsaPublicKeyComponents};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::DecodingKey;
use jsonwebtoken::crypto::aws_lc::DEFAULT_PROVIDER;
use serde_json::{Map, Value};
use tollward_policy::config::Algorithm;

/// Longest key id in bytes; a token's is bounded alike.
pub(super) const MAX_KEY_ID: usize = 256;
/// What RFC 7518 §6 and RFC 8037 call private.
const PRIVATE_MEMBERS: [&str; 8] = ["d", "p", "q", "dp", "dq", "qi", "oth", "k"];

/// Why a key of the document is not used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Ignored {
    /// Not a JSON object.
    #[error("the key is {0}")]
    NotAnObject(#[from] super::json::NotAnObject),
    /// `kid`.
    #[error("kid is no text of 1 to {MAX_KEY_ID} printable bytes")]
    KeyId,
    /// Two keys of one `kid`.
    #[error("kid is not unique in the key set, so that it names no key")]
    Repeated,
    /// `kty`.
    #[error("kty is none of RSA, EC and OKP")]
    KeyType,
    /// `oct`.
    #[error("the key is symmetric (kty oct), and a published secret proves nothing")]
    Symmetric,
    /// Private members.
    #[error("the key's private part is published (member {0}): replace the key at once")]
    Private(&'static str),
    /// `use`.
    #[error("use is not sig")]
    Use,
    /// `key_ops`.
    #[error("key_ops is no list with verify in it")]
    Operations,
    /// `crv`.
    #[error("crv is none of P-256, P-384 (EC) and Ed25519 (OKP)")]
    Curve,
    /// A number of the key.
    #[error("{0} is missing or is no canonical base64url of the right length")]
    Number(&'static str),
    /// The modulus.
    #[error("the RSA modulus is even or is not of 2048 to 8192 bits")]
    Modulus,
    /// CVE-2017-15361.
    #[error(
        "the RSA key was made by a library with the flaw CVE-2017-15361 (ROCA), so that anybody can compute its private part: replace the key at once"
    )]
    Roca,
    /// The public exponent.
    #[error("the RSA exponent is even, below 65537 or above 2^33")]
    Exponent,
    /// The point.
    #[error("the point is not on the curve, or of low order")]
    Point,
    /// `alg`.
    #[error("alg is not an algorithm of such a key, or is unknown here")]
    Algorithm,
    /// `issuer`, a member that Entra adds.
    #[error("the key says that it is another issuer's")]
    OtherIssuer,
    /// The provider's list.
    #[error("the provider's algorithms include none of this key")]
    NotAllowed,
}

/// A key that may verify.
#[derive(Debug)]
pub(super) struct VerifyKey {
    id: Option<String>,
    thumbprint: String,
    verifiers: Vec<(Algorithm, DecodingKey)>,
}

impl VerifyKey {
    /// Judges and parses a key. `allowed` is the provider's list.
    pub(super) fn import(jwk: &Map<String, Value>, allowed: &[Algorithm]) -> Result<Self, Ignored> {
        let id = key_id(jwk)?;
        check_purpose(jwk)?;
        let material = Material::read(jwk)?;
        let fitting = material.algorithms();
        let declared = match jwk.get("alg") {
            None => None,
            Some(value) => Some(
                value
                    .as_str()
                    .and_then(algorithm::named)
                    .filter(|declared| fitting.contains(declared))
                    .ok_or(Ignored::Algorithm)?,
            ),
        };
        let verifiers = fitting
            .iter()
            .filter(|algorithm| declared.is_none_or(|declared| declared == **algorithm) && allowed.contains(algorithm))
            .map(|algorithm| Ok((*algorithm, material.verifier(*algorithm)?)))
            .collect::<Result<Vec<_>, Ignored>>()?;
        if verifiers.is_empty() {
            return Err(Ignored::NotAllowed);
        }
        Ok(Self { id, thumbprint: material.thumbprint().to_string(), verifiers })
    }

    /// `kid`.
    pub(super) fn id(&self) -> Option<&str> {
        self.id.as_deref()
    }

    /// RFC 7638, SHA-256, base64url.
    pub(super) fn thumbprint(&self) -> &str {
        &self.thumbprint
    }

    /// What it may verify.
    pub(super) fn algorithms(&self) -> impl Iterator<Item = Algorithm> + '_ {
        self.verifiers.iter().map(|(algorithm, _)| *algorithm)
    }

    /// Whether it may verify `algorithm`.
    pub(super) fn fits(&self, algorithm: Algorithm) -> bool {
        self.algorithms().any(|own| own == algorithm)
    }

    /// Whether `signature` is this key's over `message`, under an algorithm that it is bound to.
    pub(super) fn verifies(&self, algorithm: Algorithm, message: &[u8], signature: &[u8]) -> bool {
        let Some((_, key)) = self.verifiers.iter().find(|(own, _)| *own == algorithm) else {
            return false;
        };
        // By name and not by the process's default, which panics if two back ends are ever compiled in.
        let verifier = (DEFAULT_PROVIDER.verifier_factory)(&algorithm::library(algorithm), key);
        verifier.is_ok_and(|verifier| verifier.verify(message, &signature.to_vec()).is_ok())
    }
}

/// The thumbprint of a public key, before anything is computed with it.
pub(super) fn thumbprint(jwk: &Map<String, Value>) -> Result<Thumbprint, Ignored> {
    check_purpose(jwk)?;
    Ok(Material::read(jwk)?.thumbprint())
}

/// `kid` of a key that may be unusable otherwise.
pub(super) fn key_id(jwk: &Map<String, Value>) -> Result<Option<String>, Ignored> {
    let Some(value) = jwk.get("kid") else {
        return Ok(None);
    };
    value
        .as_str()
        .filter(|id| (1..=MAX_KEY_ID).contains(&id.len()) && !id.chars().any(char::is_control))
        .map(|id| Some(id.to_owned()))
        .ok_or(Ignored::KeyId)
}

/// Only public keys meant for verifying.
fn check_purpose(jwk: &Map<String, Value>) -> Result<(), Ignored> {
    if jwk.get("kty").and_then(Value::as_str) == Some("oct") {
        return Err(Ignored::Symmetric);
    }
    if let Some(member) = PRIVATE_MEMBERS.into_iter().find(|member| jwk.contains_key(*member)) {
        return Err(Ignored::Private(member));
    }
    if jwk.get("use").is_some_and(|purpose| purpose.as_str() != Some("sig")) {
        return Err(Ignored::Use);
    }
    let verifies = |operations: &Value| {
        operations.as_array().is_some_and(|list| list.iter().any(|operation| operation.as_str() == Some("verify")))
    };
    if jwk.get("key_ops").is_some_and(|operations| !verifies(operations)) {
        return Err(Ignored::Operations);
    }
    Ok(())
}

/// The numbers of a key, of the right size.
enum Material {
    Rsa { modulus: Vec<u8>, exponent: Vec<u8> },
    P256 { x: Vec<u8>, y: Vec<u8> },
    P384 { x: Vec<u8>, y: Vec<u8> },
    Ed25519 { x: Vec<u8> },
}

impl Material {
    fn read(jwk: &Map<String, Value>) -> Result<Self, Ignored> {
        let curve = jwk.get("crv").and_then(Value::as_str);
        match jwk.get("kty").and_then(Value::as_str) {
            Some("RSA") => {
                let (modulus, exponent) = (number(jwk, "n", None)?, number(jwk, "e", None)?);
                check_modulus(&modulus)?;
                check_exponent(&exponent)?;
                if roca::is_marked(&modulus) {
                    return Err(Ignored::Roca);
                }
                Ok(Self::Rsa { modulus, exponent })
            }
            Some("EC") => match curve {
                Some("P-256") => Ok(Self::P256 { x: number(jwk, "x", Some(32))?, y: number(jwk, "y", Some(32))? }),
                Some("P-384") => Ok(Self::P384 { x: number(jwk, "x", Some(48))?, y: number(jwk, "y", Some(48))? }),
                Some(_) | None => Err(Ignored::Curve),
            },
            Some("OKP") if curve == Some("Ed25519") => {
                let x = number(jwk, "x", Some(32))?;
                check_edwards_point(&x)?;
                Ok(Self::Ed25519 { x })
            }
            Some("OKP") => Err(Ignored::Curve),
            Some(_) | None => Err(Ignored::KeyType),
        }
    }

    const fn algorithms(&self) -> &'static [Algorithm] {
        match self {
            Self::Rsa { .. } => algorithm::RSA,
            Self::P256 { .. } => algorithm::P256,
            Self::P384 { .. } => algorithm::P384,
            Self::Ed25519 { .. } => algorithm::EDWARDS,
        }
    }

    /// The key for verifying, once the cryptographic library has taken it: it checks that a point is on its curve and not
    /// at infinity.
    fn verifier(&self, algorithm: Algorithm) -> Result<DecodingKey, Ignored> {
        match (self, algorithm::parameters(algorithm)) {
            (Self::Rsa { modulus, exponent }, Parameters::Rsa(parameters)) => {
                let components = RsaPublicKeyComponents { n: modulus.as_slice(), e: exponent.as_slice() };
                components.to_parsed_public_key(parameters).map_err(|_| Ignored::Modulus)?;
                Ok(DecodingKey::from_rsa_raw_components(modulus, exponent))
            }
            (Self::P256 { x, y } | Self::P384 { x, y }, Parameters::Point(parameters)) => {
                let point = [&[4], x.as_slice(), y].concat();
                ParsedPublicKey::new(parameters, &point).map_err(|_| Ignored::Point)?;
                Ok(DecodingKey::from_ec_der(&point))
            }
            (Self::Ed25519 { x }, Parameters::Point(parameters)) => {
                ParsedPublicKey::new(parameters, x).map_err(|_| Ignored::Point)?;
                Ok(DecodingKey::from_ed_der(x))
            }
            (Self::Rsa { .. }, Parameters::Point(_))
            | (Self::P256 { .. } | Self::P384 { .. } | Self::Ed25519 { .. }, Parameters::Rsa(_)) => {
                Err(Ignored::Algorithm)
            }
        }
    }

    /// RFC 7638 §3: the required members in lexical order. base64url needs no escaping.
    fn thumbprint(&self) -> Thumbprint {
        let text = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        let point = |curve: &str, x: &[u8], y: &[u8]| {
            format!(r#"{{"crv":"{curve}","kty":"EC","x":"{}","y":"{}"}}"#, text(x), text(y))
        };
        let canonical = match self {
            Self::Rsa { modulus, exponent } => {
                format!(r#"{{"e":"{}","kty":"RSA","n":"{}"}}"#, text(exponent), text(modulus))
            }
            Self::P256 { x, y } => point("P-256", x, y),
            Self::P384 { x, y } => point("P-384", x, y),
            Self::Ed25519 { x } => format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{}"}}"#, text(x)),
        };
        Thumbprint::of(canonical.as_bytes())
    }
}

/// A number in base64url. Without a fixed length it must not be padded with zero octets (RFC 7518 §2, `Base64urlUInt`).
fn number(jwk: &Map<String, Value>, name: &'static str, length: Option<usize>) -> Result<Vec<u8>, Ignored> {
    let bytes = jwk
        .get(name)
        .and_then(Value::as_str)
        .and_then(|text| URL_SAFE_NO_PAD.decode(text).ok())
        .ok_or(Ignored::Number(name))?;
    let fits = match length {
        Some(length) => bytes.len() == length,
        None => bytes.first().is_some_and(|first| *first != 0),
    };
    if fits { Ok(bytes) } else { Err(Ignored::Number(name)) }
}

fn check_modulus(modulus: &[u8]) -> Result<(), Ignored> {
    let leading = modulus.first().map_or(0, |first| first.leading_zeros() as usize);
    let bits = modulus.len() * 8 - leading;
    let odd = modulus.last().is_some_and(|last| last % 2 == 1);
    if odd && (2048..=8192).contains(&bits) { Ok(()) } else { Err(Ignored::Modulus) }
}

fn check_exponent(exponent: &[u8]) -> Result<(), Ignored> {
    if exponent.len() > 8 {
        return Err(Ignored::Exponent);
    }
    let value = exponent.iter().fold(0_u64, |value, byte| value << 8 | u64::from(*byte));
    if value % 2 == 1 && (65_537..1 << 33).contains(&value) { Ok(()) } else { Err(Ignored::Exponent) }
}

/// Refuses points under which signatures can be made without a private key, and encodings with two readings.
fn check_edwards_point(point: &[u8]) -> Result<(), Ignored> {
    /// y of the points of order 4, 1, 8, 8 and 2, little-endian.
    const LOW_ORDER: [[u8; 32]; 5] = [
        [0; 32],
        [1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        [
            0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4, 0x89, 0xf2, 0xef, 0x98, 0xf0, 0xd5, 0xdf,
            0xac, 0x05, 0xd3, 0xc6, 0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53, 0xfc, 0x05,
        ],
        [
            0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b, 0x76, 0x0d, 0x10, 0x67, 0x0f, 0x2a, 0x20,
            0x53, 0xfa, 0x2c, 0x39, 0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac, 0x03, 0x7a,
        ],
        [
            0xec, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
            0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f,
        ],
    ];
    let mut y = [0; 32];
    for (own, given) in y.iter_mut().zip(point) {
        *own = *given;
    }
    // The highest bit is the sign of x and not a part of y.
    let [first, middle @ .., last] = &mut y;
    *last &= 0x7f;
    if *first >= 0xed && *last == 0x7f && middle.iter().all(|byte| *byte == 0xff) {
        // Not below the field's prime 2^255 - 19.
        return Err(Ignored::Point);
    }
    if LOW_ORDER.contains(&y) {
        return Err(Ignored::Point);
    }
    Ok(())
}
