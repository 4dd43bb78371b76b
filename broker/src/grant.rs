//! What a user granted to a client, and the records that follow from it: a code, then a family of refresh tokens.

use std::fmt;
use std::time::SystemTime;

use aws_lc_rs::digest;
use serde::{Deserialize, Serialize};

use crate::client::ClientId;
use crate::resource::ResourceId;
use crate::scope::ScopeSet;

/// Longest subject, in bytes.
const MAX_SUBJECT_BYTES: usize = 64;

/// A user, as the token's `sub`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Subject(String);

impl Subject {
    /// 1 to 64 of `A-Z a-z 0-9 . _ @ + -`: one spelling per user in tokens, limits and audit records.
    pub fn parse(text: &str) -> Option<Self> {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'@' | b'+' | b'-');
        let fits = !text.is_empty() && text.len() <= MAX_SUBJECT_BYTES && text.bytes().all(allowed);
        fits.then(|| Self(text.to_owned()))
    }

    /// The name as it stands in tokens.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Who granted what to whom, where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// The user.
    pub subject: Subject,
    /// The client that acts for the user.
    pub client_id: ClientId,
    /// The one MCP server this is about.
    pub resource: ResourceId,
    /// What it may do there.
    pub scopes: ScopeSet,
    /// When the user signed in.
    pub auth_time: SystemTime,
}

/// SHA-256 of an authorization code: what a store keeps instead of the code.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CodeHash([u8; 32]);

impl CodeHash {
    pub(crate) fn of(code: &str) -> Self {
        let mut bytes = [0_u8; 32];
        for (to, from) in bytes.iter_mut().zip(digest::digest(&digest::SHA256, code.as_bytes()).as_ref()) {
            *to = *from;
        }
        Self(bytes)
    }
}

/// A code that was issued and what it is bound to.
#[derive(Debug, Clone)]
pub struct CodeRecord {
    /// What it stands for.
    pub grant: Grant,
    /// The redirect URI of the request, as the client wrote it.
    pub redirect_uri: String,
    /// PKCE: base64url of the verifier's SHA-256.
    pub code_challenge: String,
    /// When it stops working.
    pub expires_at: SystemTime,
    /// The family its first use began, if it was used.
    pub redeemed: Option<FamilyId>,
}

/// Names all tokens that come from one code.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FamilyId(pub(crate) String);

impl fmt::Display for FamilyId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// The refresh tokens that descend from one code; only the newest generation works.
#[derive(Debug, Clone)]
pub struct Family {
    /// What it stands for.
    pub grant: Grant,
    /// The generation that works now.
    pub generation: u64,
    /// Whether it was ended because of reuse or a withdrawn consent.
    pub revoked: bool,
    /// When it ends, however often it is refreshed.
    pub expires_at: SystemTime,
    /// Last rotation, for eviction.
    pub last_used: SystemTime,
}
