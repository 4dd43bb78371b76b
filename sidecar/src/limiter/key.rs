//! Keys of counts in 128 bits, so that a count takes the same memory whatever a token or a client calls itself.
//!
//! Two hashes with random keys of their own (SipHash): who does not know them can't find two names that meet, and by chance
//! two of a million keys meet once in 10^26 processes.

use std::hash::{BuildHasher, BuildHasherDefault, Hash, Hasher, RandomState};

/// A key in 128 bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct KeyId {
    place: u64,
    rest: u64,
}

/// Makes ids; those of another one mean nothing.
#[derive(Debug, Clone, Default)]
pub(crate) struct KeyHasher(RandomState, RandomState);

impl KeyHasher {
    /// The id of a key.
    pub(crate) fn id(&self, key: &str) -> KeyId {
        KeyId { place: self.0.hash_one(key), rest: self.1.hash_one(key) }
    }
}

impl KeyId {
    /// One of `number` shards, of bits that no place in a shard's table depends on.
    pub(crate) fn shard(self, number: usize) -> usize {
        let number = u64::try_from(number).unwrap_or(1).max(1);
        usize::try_from(self.rest % number).unwrap_or_default()
    }
}

impl Hash for KeyId {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.place);
    }
}

/// What is a hash already is not hashed again.
#[derive(Debug, Default)]
pub(crate) struct AsItIs(u64);

/// Builds [`AsItIs`].
pub(crate) type Hashed = BuildHasherDefault<AsItIs>;

impl Hasher for AsItIs {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    fn write_u64(&mut self, number: u64) {
        self.0 = number;
    }
}
