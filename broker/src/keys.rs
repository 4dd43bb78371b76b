//! The broker's signing keys: ES256, made at start, never written anywhere. The set is built for rotation with overlap:
//! a key is published before it signs, and stays published until the last token it signed has expired.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use jsonwebtoken::jwk::{Jwk, PublicKeyUse, ThumbprintHash};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde::Serialize;
use thiserror::Error;

/// How far a verifier's clock may be behind: a retired key stays published for this much longer.
const CLOCK_SKEW: Duration = Duration::from_mins(2);

/// A key could not be made or used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("the signing key could not be made; the cryptographic library refused")]
pub struct KeyError;

/// A key pair. `Debug` shows the id only.
pub(crate) struct SigningKey {
    private: EncodingKey,
    public: Jwk,
    id: String,
}

impl std::fmt::Debug for SigningKey {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("SigningKey").field("id", &self.id).finish_non_exhaustive()
    }
}

impl SigningKey {
    /// A new key; its id is the RFC 7638 thumbprint.
    pub(crate) fn generate() -> Result<Self, KeyError> {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).map_err(|_| KeyError)?;
        let der = pair.to_pkcs8v1().map_err(|_| KeyError)?;
        let private = EncodingKey::from_ec_der(der.as_ref());
        let mut public = Jwk::from_encoding_key(&private, Algorithm::ES256).map_err(|_| KeyError)?;
        let id = public.thumbprint(ThumbprintHash::SHA256).map_err(|_| KeyError)?;
        public.common.key_id = Some(id.clone());
        public.common.public_key_use = Some(PublicKeyUse::Signature);
        Ok(Self { private, public, id })
    }

    /// Signs `claims` as an RFC 9068 access token.
    pub(crate) fn sign_access_token<C: Serialize>(&self, claims: &C) -> Result<String, KeyError> {
        let mut header = Header::new(Algorithm::ES256);
        header.typ = Some("at+jwt".to_owned());
        header.kid = Some(self.id.clone());
        jsonwebtoken::encode(&header, claims, &self.private).map_err(|_| KeyError)
    }
}

/// A key that no longer signs.
#[derive(Debug, Clone)]
struct RetiredKey {
    key: Arc<SigningKey>,
    published_until: SystemTime,
}

/// All keys at one moment; changes make a new ring.
#[derive(Debug, Clone)]
pub(crate) struct KeyRing {
    current: Arc<SigningKey>,
    next: Option<Arc<SigningKey>>,
    retired: Vec<RetiredKey>,
}

/// The document at `jwks_uri` (RFC 7517 section 5).
#[derive(Debug, Serialize)]
pub(crate) struct PublishedKeys {
    keys: Vec<Jwk>,
}

impl KeyRing {
    pub(crate) fn new(current: SigningKey) -> Self {
        Self { current: Arc::new(current), next: None, retired: Vec::new() }
    }

    /// The key that signs now.
    pub(crate) fn current(&self) -> &SigningKey {
        &self.current
    }

    /// Publishes `key`, which doesn't sign yet.
    pub(crate) fn with_next(&self, key: SigningKey) -> Self {
        Self { next: Some(Arc::new(key)), ..self.clone() }
    }

    /// Lets the published next key sign; the former one stays published while its tokens live. `None` if there is no
    /// next key, since verifiers would meet an unpublished one.
    pub(crate) fn promoted(&self, now: SystemTime, token_lifetime: Duration) -> Option<Self> {
        let next = self.next.clone()?;
        let mut retired: Vec<_> = self.retired.iter().filter(|old| now < old.published_until).cloned().collect();
        let published_until = now + token_lifetime + CLOCK_SKEW;
        retired.push(RetiredKey { key: Arc::clone(&self.current), published_until });
        Some(Self { current: next, next: None, retired })
    }

    /// The public halves.
    pub(crate) fn published(&self, now: SystemTime) -> PublishedKeys {
        let retired = self.retired.iter().filter(|old| now < old.published_until).map(|old| &old.key);
        let keys = std::iter::once(&self.current).chain(&self.next).chain(retired);
        PublishedKeys { keys: keys.map(|key| key.public.clone()).collect() }
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use super::{KeyRing, SigningKey};

    fn ids(ring: &KeyRing, now: SystemTime) -> Vec<String> {
        ring.published(now).keys.into_iter().filter_map(|key| key.common.key_id).collect()
    }

    #[test]
    fn a_key_is_published_before_it_signs_and_until_its_tokens_have_expired() {
        let (start, lifetime) = (SystemTime::UNIX_EPOCH + Duration::from_hours(1), Duration::from_mins(5));
        let first = KeyRing::new(SigningKey::generate().unwrap());
        let old = first.current().id.clone();
        assert!(first.promoted(start, lifetime).is_none(), "an unpublished key must not sign");

        let second = first.with_next(SigningKey::generate().unwrap());
        assert_eq!(second.current().id, old);
        assert_eq!(ids(&second, start).len(), 2);

        let third = second.promoted(start, lifetime).unwrap();
        assert_ne!(third.current().id, old);
        assert!(ids(&third, start + lifetime).contains(&old));
        assert!(!ids(&third, start + Duration::from_mins(8)).contains(&old));
    }

    #[test]
    fn debug_shows_no_key_material() {
        let key = SigningKey::generate().unwrap();
        assert_eq!(format!("{key:?}"), format!("SigningKey {{ id: {:?}, .. }}", key.id));
    }
}
