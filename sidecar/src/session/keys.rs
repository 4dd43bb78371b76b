//! The keys that session ids are sealed with, from files or random.

use crate::secret_file;
use aws_lc_rs::hmac::{HMAC_SHA256, Key, sign};
use std::fmt;
use std::path::PathBuf;
use tollward_policy::config::{SessionConfig, SessionKey};
use tollward_policy::principal::join_lengths;
use zeroize::Zeroizing;

/// Bytes of a key: AES-256.
pub(super) const KEY_LENGTH: usize = 32;

/// Keys by id, in the order of the configuration: the first seals, all open. Cleared from memory when dropped.
pub struct SessionKeys(Vec<(u8, Zeroizing<[u8; KEY_LENGTH]>)>);

/// Why there are no keys.
#[derive(Debug, thiserror::Error)]
pub enum SessionKeyError {
    /// The file can't be read.
    #[error("session key {id}: can't read {path}: {source}")]
    Unreadable {
        /// Id of the key.
        id: u8,
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file holds something else.
    #[error("session key {id}: {path} must hold exactly {KEY_LENGTH} raw bytes")]
    WrongLength {
        /// Id of the key.
        id: u8,
        /// The file.
        path: PathBuf,
    },
    /// Two keys of one id.
    #[error("session key {0} is configured twice; give each key an id of its own")]
    DuplicateId(u8),
    /// No key at all.
    #[error("no session key: give at least one")]
    Empty,
    /// The system gives no randomness.
    #[error("can't make a random session key")]
    NoRandomness,
}

impl SessionKeys {
    /// Keys that the caller made.
    pub fn new(keys: impl IntoIterator<Item = (u8, [u8; KEY_LENGTH])>) -> Result<Self, SessionKeyError> {
        let keys = keys.into_iter().map(|(id, key)| (id, Zeroizing::new(key))).collect();
        Self::checked(keys)
    }

    /// Reads the configured key files. If none is configured, one random key that lives as long as the process: sessions
    /// then end with it, and replicas can't open each other's.
    pub fn load(config: &SessionConfig) -> Result<Self, SessionKeyError> {
        if config.keys.is_empty() {
            return Self::random();
        }
        let keys = config.keys.iter().map(|key| read(key).map(|bytes| (key.id, bytes))).collect::<Result<_, _>>()?;
        Self::checked(keys)
    }

    fn random() -> Result<Self, SessionKeyError> {
        let mut key = Zeroizing::new([0; KEY_LENGTH]);
        aws_lc_rs::rand::fill(key.as_mut_slice()).map_err(|_| SessionKeyError::NoRandomness)?;
        Self::checked(vec![(0, key)])
    }

    fn checked(keys: Vec<(u8, Zeroizing<[u8; KEY_LENGTH]>)>) -> Result<Self, SessionKeyError> {
        if keys.is_empty() {
            return Err(SessionKeyError::Empty);
        }
        for (index, (id, _)) in keys.iter().enumerate() {
            if keys.iter().skip(index + 1).any(|(other, _)| other == id) {
                return Err(SessionKeyError::DuplicateId(*id));
            }
        }
        Ok(Self(keys))
    }

    /// Keys for another purpose of this server alone, in the same order: whoever learns one of them learns nothing about
    /// sessions.
    pub(crate) fn derive(&self, purpose: &str, server: &str) -> Vec<Key> {
        let label = join_lengths([purpose, server]);
        let derived = |key: &[u8; KEY_LENGTH]| {
            let code = sign(&Key::new(HMAC_SHA256, key), label.as_bytes());
            Key::new(HMAC_SHA256, code.as_ref())
        };
        self.iter().map(|(_, key)| derived(key)).collect()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (u8, &[u8; KEY_LENGTH])> {
        self.0.iter().map(|(id, key)| (*id, &**key))
    }
}

fn read(key: &SessionKey) -> Result<Zeroizing<[u8; KEY_LENGTH]>, SessionKeyError> {
    let (id, path) = (key.id, key.file.clone());
    match secret_file::read_exact(&path) {
        Ok(Some(bytes)) => Ok(bytes),
        Ok(None) => Err(SessionKeyError::WrongLength { id, path }),
        Err(source) => Err(SessionKeyError::Unreadable { id, path, source }),
    }
}

impl fmt::Debug for SessionKeys {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_list().entries(self.0.iter().map(|(id, _)| id)).finish()
    }
}
