//! Signatures of the Wycheproof collection: each is good, or bad in a way that some library once took for good (J28, J29, J32,
//! J33).

use super::issuer::encode;
use crate::authenticate::key::VerifyKey;
use serde_json::{Map, Value, json};
use tollward_policy::config::Algorithm;
use wycheproof::TestResult;
use wycheproof::{ecdsa, eddsa, rsa_pkcs1_verify, rsa_pss_verify};

/// How many signatures were judged each way.
#[derive(Default)]
struct Tally {
    good: usize,
    bad: usize,
}

impl Tally {
    fn judge(&mut self, key: &VerifyKey, algorithm: Algorithm, message: &[u8], signature: &[u8], case: &Case) {
        let verifies = key.verifies(algorithm, message, signature);
        match case.result {
            TestResult::Valid => {
                assert!(verifies, "{algorithm:?} {}, {}: is good", case.id, case.comment);
                self.good += 1;
            }
            TestResult::Invalid => {
                assert!(!verifies, "{algorithm:?} {}, {}: is bad", case.id, case.comment);
                self.bad += 1;
            }
            // Libraries may differ, and none of these lets anybody sign who could not before.
            TestResult::Acceptable => {}
        }
    }

    fn at_least(&self, good: usize, bad: usize) {
        assert!(self.good >= good && self.bad >= bad, "{} good and {} bad ones were judged", self.good, self.bad);
    }
}

struct Case<'t> {
    id: usize,
    comment: &'t str,
    result: TestResult,
}

fn import(jwk: Value, algorithm: Algorithm) -> VerifyKey {
    let members: Map<String, Value> = serde_json::from_value(jwk).unwrap();
    VerifyKey::import(&members, &[algorithm]).unwrap()
}

/// A big-endian number as a JWK has it, without zero octets in front.
fn number(bytes: &[u8]) -> String {
    let start = bytes.iter().position(|byte| *byte != 0).unwrap_or(bytes.len());
    encode(&bytes[start..])
}

fn rsa_key(n: &[u8], e: &[u8], algorithm: Algorithm) -> VerifyKey {
    import(json!({"kty": "RSA", "n": number(n), "e": number(e)}), algorithm)
}

/// A coordinate of `length` octets.
fn coordinate(bytes: &[u8], length: usize) -> String {
    let mut padded = vec![0; length.saturating_sub(bytes.len())];
    padded.extend_from_slice(&bytes[bytes.len().saturating_sub(length)..]);
    encode(&padded)
}

#[test]
fn ecdsa_signatures_are_judged_as_wycheproof_says() {
    let sets = [
        (ecdsa::TestName::EcdsaSecp256r1Sha256P1363, Algorithm::ES256, "P-256", 32),
        (ecdsa::TestName::EcdsaSecp384r1Sha384P1363, Algorithm::ES384, "P-384", 48),
    ];
    for (name, algorithm, curve, length) in sets {
        let mut tally = Tally::default();
        for group in ecdsa::TestSet::load(name).unwrap().test_groups {
            let (x, y) = (coordinate(&group.key.affine_x, length), coordinate(&group.key.affine_y, length));
            let key = import(json!({"kty": "EC", "crv": curve, "x": x, "y": y}), algorithm);
            for test in &group.tests {
                let case = Case { id: test.tc_id, comment: &test.comment, result: test.result };
                tally.judge(&key, algorithm, &test.msg, &test.sig, &case);
            }
        }
        tally.at_least(100, 50);
    }
}

#[test]
fn ed25519_signatures_are_judged_as_wycheproof_says() {
    let mut tally = Tally::default();
    for group in eddsa::TestSet::load(eddsa::TestName::Ed25519).unwrap().test_groups {
        let key = import(json!({"kty": "OKP", "crv": "Ed25519", "x": encode(&group.key.pk)}), Algorithm::EdDSA);
        for test in &group.tests {
            let case = Case { id: test.tc_id, comment: &test.comment, result: test.result };
            tally.judge(&key, Algorithm::EdDSA, &test.msg, &test.sig, &case);
        }
    }
    tally.at_least(50, 50);
}

#[test]
fn rsa_signatures_with_sloppy_padding_are_bad() {
    use rsa_pkcs1_verify::TestName::{Rsa2048Sha256, Rsa2048Sha384, Rsa2048Sha512, Rsa3072Sha256, Rsa4096Sha256};
    let sets = [
        (Rsa2048Sha256, Algorithm::RS256),
        (Rsa3072Sha256, Algorithm::RS256),
        (Rsa4096Sha256, Algorithm::RS256),
        (Rsa2048Sha384, Algorithm::RS384),
        (Rsa2048Sha512, Algorithm::RS512),
    ];
    for (name, algorithm) in sets {
        let mut tally = Tally::default();
        for group in rsa_pkcs1_verify::TestSet::load(name).unwrap().test_groups {
            let small = group.tests.iter().any(|test| test.flags.contains(&rsa_pkcs1_verify::TestFlag::SmallPublicKey));
            if small {
                // Exponents below 65537 are refused when the key is read, in a test of their own.
                continue;
            }
            let key = rsa_key(&group.key.n, &group.key.e, algorithm);
            for test in &group.tests {
                let case = Case { id: test.tc_id, comment: &test.comment, result: test.result };
                tally.judge(&key, algorithm, &test.msg, &test.sig, &case);
            }
        }
        tally.at_least(5, 200);
    }
}

#[test]
fn rsa_pss_signatures_with_another_salt_or_hash_are_bad() {
    use rsa_pss_verify::TestName::{
        RsaPss2048Sha256Mgf1SaltLen0, RsaPss2048Sha256Mgf1SaltLen32, RsaPss2048Sha384Mgf1SaltLen48,
        RsaPss4096Sha512Mgf1SaltLen32, RsaPss4096Sha512Mgf1SaltLen64,
    };
    let sets = [
        (RsaPss2048Sha256Mgf1SaltLen32, Algorithm::PS256, true),
        (RsaPss2048Sha384Mgf1SaltLen48, Algorithm::PS384, true),
        (RsaPss4096Sha512Mgf1SaltLen64, Algorithm::PS512, true),
        // Good signatures with a salt that RFC 7518 section 3.5 does not allow.
        (RsaPss2048Sha256Mgf1SaltLen0, Algorithm::PS256, false),
        (RsaPss4096Sha512Mgf1SaltLen32, Algorithm::PS512, false),
    ];
    for (name, algorithm, salt_fits) in sets {
        let mut tally = Tally::default();
        for group in rsa_pss_verify::TestSet::load(name).unwrap().test_groups {
            let key = rsa_key(&group.key.n, &group.key.e, algorithm);
            for test in &group.tests {
                let result = match salt_fits {
                    true => test.result,
                    // The set's bad example of a salt is of the length that we want.
                    false if test.comment.starts_with("s_len changed to") => TestResult::Acceptable,
                    false => TestResult::Invalid,
                };
                let case = Case { id: test.tc_id, comment: &test.comment, result };
                tally.judge(&key, algorithm, &test.msg, &test.sig, &case);
            }
        }
        tally.at_least(if salt_fits { 5 } else { 0 }, 20);
    }
}
