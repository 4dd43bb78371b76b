//! An issuer's keys as one document (RFC 7517 §5) gives them: all of it becomes the new set or none of it does, but a key that
//! is no use to us takes none of the others with it.

use super::json;
use super::key::{Ignored, VerifyKey, key_id};
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value};
use std::collections::HashMap;
use std::sync::Arc;
use tollward_policy::config::{Algorithm, ProviderConfig};

/// Largest document in bytes.
pub(super) const MAX_DOCUMENT: usize = 256 * 1024;
/// Most keys of a document. Issuers have a handful.
const MAX_KEYS: usize = 100;

/// Why a document is no key set.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum KeySetError {
    /// Larger than the limit.
    #[error("the key set has {0} bytes, at most {MAX_DOCUMENT} are read")]
    TooLarge(usize),
    /// Not a JSON object with a list `keys`.
    #[error("the key set is no JSON object with a list `keys`")]
    Malformed,
    /// More keys than the limit.
    #[error("the key set has {0} keys, at most {MAX_KEYS} are read")]
    TooMany(usize),
    /// No key is left.
    #[error("none of the key set's {0} keys can be used{1}")]
    Unusable(usize, String),
}

/// A key that is not used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct IgnoredKey {
    /// Its `kid`, if it has a readable one.
    pub(super) id: Option<String>,
    /// Why.
    pub(super) reason: Ignored,
}

/// The usable keys: at least one, unless the issuer has none at all.
#[derive(Debug)]
pub(super) struct KeySet {
    keys: Vec<Arc<VerifyKey>>,
    by_id: HashMap<String, Arc<VerifyKey>>,
    ignored: Vec<IgnoredKey>,
}

/// What a token's `kid` and `alg` name.
#[derive(Debug)]
pub(super) enum Selection {
    /// One key.
    Key(Arc<VerifyKey>),
    /// A key that is bound to other algorithms.
    OtherAlgorithm,
    /// Several keys, since the token names none.
    Ambiguous,
    /// No key.
    Unknown,
}

#[derive(Deserialize)]
struct Document {
    keys: Vec<Box<RawValue>>,
}

impl KeySet {
    /// Of an issuer whose tokens are all opaque.
    pub(super) fn none() -> Self {
        Self { keys: Vec::new(), by_id: HashMap::new(), ignored: Vec::new() }
    }

    /// Reads a document of the provider.
    pub(super) fn parse(document: &[u8], provider: &ProviderConfig) -> Result<Self, KeySetError> {
        if document.len() > MAX_DOCUMENT {
            return Err(KeySetError::TooLarge(document.len()));
        }
        let Document { keys: entries } = serde_json::from_slice(document).map_err(|_| KeySetError::Malformed)?;
        if entries.len() > MAX_KEYS {
            return Err(KeySetError::TooMany(entries.len()));
        }
        let read: Vec<_> = entries.iter().map(|entry| read(entry, provider)).collect();
        let mut uses: HashMap<&str, usize> = HashMap::new();
        for id in read.iter().filter_map(|(id, _)| id.as_deref()) {
            *uses.entry(id).or_default() += 1;
        }
        let (mut keys, mut ignored) = (Vec::new(), Vec::new());
        for (id, key) in &read {
            let repeated = id.as_deref().and_then(|id| uses.get(id)).is_some_and(|uses| *uses > 1);
            let reason = match key {
                // The worse news is that the private part is public.
                Err(reason @ Ignored::Private(_)) => reason.clone(),
                Ok(_) | Err(_) if repeated => Ignored::Repeated,
                Err(reason) => reason.clone(),
                Ok(key) => {
                    keys.push(Arc::clone(key));
                    continue;
                }
            };
            ignored.push(IgnoredKey { id: id.clone(), reason });
        }
        if keys.is_empty() {
            let first = ignored.first().map(|first| format!(": {}", first.reason));
            return Err(KeySetError::Unusable(entries.len(), first.unwrap_or_default()));
        }
        let by_id = keys.iter().filter_map(|key| Some((key.id()?.to_owned(), Arc::clone(key)))).collect();
        Ok(Self { keys, by_id, ignored })
    }

    /// The key of a token. Without a `kid` it must be the only one that fits.
    pub(super) fn select(&self, id: Option<&str>, algorithm: Algorithm) -> Selection {
        if let Some(id) = id {
            return match self.by_id.get(id) {
                None => Selection::Unknown,
                Some(key) if key.fits(algorithm) => Selection::Key(Arc::clone(key)),
                Some(_) => Selection::OtherAlgorithm,
            };
        }
        let mut fitting = self.keys.iter().filter(|key| key.fits(algorithm));
        match (fitting.next(), fitting.next()) {
            (None, _) => Selection::Unknown,
            (Some(key), None) => Selection::Key(Arc::clone(key)),
            (Some(_), Some(_)) => Selection::Ambiguous,
        }
    }

    /// The usable keys, in the document's order.
    pub(super) fn keys(&self) -> impl Iterator<Item = &VerifyKey> {
        self.keys.iter().map(AsRef::as_ref)
    }

    /// The others.
    pub(super) fn ignored(&self) -> &[IgnoredKey] {
        &self.ignored
    }

    /// Whether both sets judge every token alike, so that what was verified under one holds under the other.
    pub(super) fn is_equivalent(&self, other: &Self) -> bool {
        let alike = |left: &VerifyKey, right: &VerifyKey| {
            left.id() == right.id()
                && left.thumbprint() == right.thumbprint()
                && left.algorithms().eq(right.algorithms())
        };
        self.keys.len() == other.keys.len() && self.keys().zip(other.keys()).all(|(left, right)| alike(left, right))
    }
}

/// One entry: its `kid`, whatever else is wrong with it, and the key.
fn read(entry: &RawValue, provider: &ProviderConfig) -> (Option<String>, Result<Arc<VerifyKey>, Ignored>) {
    match json::object(entry.get().as_bytes()) {
        Err(error) => (None, Err(error.into())),
        Ok(jwk) => {
            let key = VerifyKey::import(&jwk, &provider.algorithms).map(Arc::new);
            let own = is_own(&jwk, &provider.profile.key_issuers);
            (key_id(&jwk).unwrap_or_default(), if own { key } else { Err(Ignored::OtherIssuer) })
        }
    }
}

/// Some vendors publish keys of several issuers in one document, and say in each whose it is.
fn is_own(jwk: &Map<String, Value>, issuers: &[String]) -> bool {
    let is_listed = |issuer: &Value| issuers.iter().any(|listed| issuer.as_str() == Some(listed));
    issuers.is_empty() || jwk.get("issuer").is_none_or(is_listed)
}
