//! Sealing and opening.
//!
//! Form: base64url of `hint of the key (1) | nonce (12) | AES-256-GCM-SIV(version (1) | issued at (8) | server's id) | tag (16)`.
//! The hint and the binding are authenticated with it. The hint comes from the key alone, so that a key keeps it when another one takes
//! its place in the configuration; keys that share a hint are tried in turn. GCM-SIV stays safe should two replicas ever draw one nonce.

use super::keys::{SessionKeyError, SessionKeys};
use aws_lc_rs::aead::{AES_256_GCM_SIV, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use aws_lc_rs::hmac::{HMAC_SHA256, sign};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use tollward_policy::config::ServerRef;
use tollward_policy::principal::{Principal, join_lengths};

/// Longest id of a session or an event that a server may give.
const MAX_UPSTREAM_ID: usize = 512;
/// What the hint of a key is derived for.
const HINT: &[u8] = b"tollward/v1/session-key-hint";
/// Longest sealed text; what is longer is not even decoded.
const MAX_SEALED: usize = 1024;
const VERSION: u8 = 1;
const ISSUED_AT_LENGTH: usize = 8;
/// Seconds that the clocks of two replicas may differ.
const CLOCK_SKEW: i64 = 60;

/// Whose session it is, on which server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Binding(String);

impl Binding {
    /// Binds to the caller (issuer, subject, client) and the server.
    pub fn new(principal: &Principal, server: &ServerRef) -> Self {
        Self(join_lengths([server.uid.as_str(), &principal.binding()]))
    }

    /// Binds events to the caller, the server and the server's session that they are of, if there is one.
    #[must_use]
    pub fn of_events(&self, upstream_session: Option<&str>) -> Self {
        // Lists of different lengths never join to one text, so that no event's id is a session's.
        Self(join_lengths(["event", self.0.as_str(), upstream_session.unwrap_or_default()]))
    }

    /// A text that differs for every caller and server.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn authenticated(&self, hint: u8) -> Vec<u8> {
        let mut data = Vec::with_capacity(self.0.len() + 1);
        data.push(hint);
        data.extend_from_slice(self.0.as_bytes());
        data
    }
}

/// The session is unknown. There is one answer to all that can be wrong, so that nothing can be learned by trying.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the session does not exist, has ended, or is another caller's")]
pub struct SessionError;

/// Why the server's session id can't be sealed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// The specification wants visible ASCII.
    #[error("the server's session id must be 1 to {MAX_UPSTREAM_ID} visible ASCII characters")]
    UpstreamId,
    /// The system gives no randomness.
    #[error("can't seal the session id")]
    NoRandomness,
}

struct Key {
    /// As in the configuration, for people.
    id: u8,
    hint: u8,
    aead: RandomizedNonceKey,
}

/// Seals and opens session ids.
pub struct SessionSealer {
    first: Key,
    further: Vec<Key>,
    max_age_seconds: i64,
}

impl SessionSealer {
    /// Seals with the first key, opens with all.
    pub fn new(keys: &SessionKeys, max_age_seconds: u32) -> Result<Self, SessionKeyError> {
        let mut ring = Vec::new();
        for (id, bytes) in keys.iter() {
            let aead = RandomizedNonceKey::new(&AES_256_GCM_SIV, bytes).map_err(|_| SessionKeyError::Empty)?;
            let code = sign(&aws_lc_rs::hmac::Key::new(HMAC_SHA256, bytes), HINT);
            let hint = code.as_ref().first().copied().unwrap_or_default();
            ring.push(Key { id, hint, aead });
        }
        let mut ring = ring.into_iter();
        let first = ring.next().ok_or(SessionKeyError::Empty)?;
        Ok(Self { first, further: ring.collect(), max_age_seconds: i64::from(max_age_seconds) })
    }

    /// Seals the server's session id; `now` in seconds since the epoch.
    pub fn seal(&self, upstream_id: &str, binding: &Binding, now: i64) -> Result<String, SealError> {
        let visible = upstream_id.bytes().all(|byte| byte.is_ascii_graphic());
        if upstream_id.is_empty() || upstream_id.len() > MAX_UPSTREAM_ID || !visible {
            return Err(SealError::UpstreamId);
        }
        self.seal_text(upstream_id, binding, now)
    }

    /// Seals the id of an event, which may be any text that a header can carry; `binding` as of [`Binding::of_events`].
    pub fn seal_event(&self, upstream_id: &str, binding: &Binding, now: i64) -> Result<String, SealError> {
        if upstream_id.is_empty() || upstream_id.len() > MAX_UPSTREAM_ID || upstream_id.chars().any(char::is_control) {
            return Err(SealError::UpstreamId);
        }
        self.seal_text(upstream_id, binding, now)
    }

    fn seal_text(&self, upstream_id: &str, binding: &Binding, now: i64) -> Result<String, SealError> {
        let mut payload = Vec::with_capacity(1 + ISSUED_AT_LENGTH + upstream_id.len() + AES_256_GCM_SIV.tag_len());
        payload.push(VERSION);
        payload.extend_from_slice(&now.to_be_bytes());
        payload.extend_from_slice(upstream_id.as_bytes());
        let nonce = self
            .first
            .aead
            .seal_in_place_append_tag(Aad::from(binding.authenticated(self.first.hint)), &mut payload)
            .map_err(|_| SealError::NoRandomness)?;
        let mut sealed = Vec::with_capacity(1 + NONCE_LEN + payload.len());
        sealed.push(self.first.hint);
        sealed.extend_from_slice(nonce.as_ref());
        sealed.extend_from_slice(&payload);
        Ok(URL_SAFE_NO_PAD.encode(sealed))
    }

    /// Opens a sealed id of a session or an event, giving the server's; `now` in seconds since the epoch.
    pub fn open(&self, text: &str, binding: &Binding, now: i64) -> Result<String, SessionError> {
        self.try_open(text, binding, now).ok_or(SessionError)
    }

    fn try_open(&self, text: &str, binding: &Binding, now: i64) -> Option<String> {
        if text.len() > MAX_SEALED {
            return None;
        }
        let sealed = URL_SAFE_NO_PAD.decode(text).ok()?;
        let (hint, rest) = sealed.split_first()?;
        let (nonce, payload) = rest.split_first_chunk::<NONCE_LEN>()?;
        let keys = std::iter::once(&self.first).chain(&self.further).filter(|key| key.hint == *hint);
        keys.into_iter().find_map(|key| self.open_by(key, *nonce, payload.to_vec(), binding, now))
    }

    fn open_by(
        &self,
        key: &Key,
        nonce: [u8; NONCE_LEN],
        mut payload: Vec<u8>,
        binding: &Binding,
        now: i64,
    ) -> Option<String> {
        let nonce = Nonce::assume_unique_for_key(nonce);
        let opened = key.aead.open_in_place(nonce, Aad::from(binding.authenticated(key.hint)), &mut payload).ok()?;
        let (version, rest) = opened.split_first()?;
        let (issued_at, upstream_id) = rest.split_first_chunk::<ISSUED_AT_LENGTH>()?;
        let age = now.checked_sub(i64::from_be_bytes(*issued_at))?;
        if *version != VERSION || age < -CLOCK_SKEW || age > self.max_age_seconds {
            return None;
        }
        String::from_utf8(upstream_id.to_vec()).ok()
    }
}

impl std::fmt::Debug for SessionSealer {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let ids: Vec<_> = std::iter::once(&self.first).chain(&self.further).map(|key| key.id).collect();
        formatter
            .debug_struct("SessionSealer")
            .field("keys", &ids)
            .field("max_age_seconds", &self.max_age_seconds)
            .finish()
    }
}
