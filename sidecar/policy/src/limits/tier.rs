//! Which tier a caller is in: by client list, else by claim if it names a tier of the limit, else the default.

use super::config::{RateLimitConfig, TierSelection};
use super::error::LimitError;
use crate::principal::Principal;
use std::collections::{BTreeMap, HashMap};

/// Compiled [`TierSelection`].
#[derive(Debug, Clone)]
pub(super) struct Selection {
    claim: Option<String>,
    by_client: HashMap<String, String>,
    default: String,
}

impl Selection {
    pub(super) fn compile(config: &RateLimitConfig) -> Result<Self, LimitError> {
        let TierSelection { claim, clients, default } = &config.tiers;
        let mut by_client = HashMap::new();
        for (tier, ids) in clients {
            for client in ids {
                if by_client.insert(client.clone(), tier.clone()).is_some() {
                    return Err(LimitError::ClientInTwoTiers { policy: config.policy.clone(), client: client.clone() });
                }
            }
        }
        Ok(Self { claim: claim.clone(), by_client, default: default.clone() })
    }

    /// The claim that names the tier.
    pub(super) fn claim(&self) -> Option<&str> {
        self.claim.as_deref()
    }

    /// Whether some clients have a tier of their own.
    pub(super) fn lists_clients(&self) -> bool {
        !self.by_client.is_empty()
    }

    /// The caller's tier among those of a limit.
    pub(super) fn tier_of<'a, T>(&'a self, principal: &'a Principal, tiers: &BTreeMap<String, T>) -> &'a str {
        let Some(token) = principal.token() else {
            return &self.default;
        };
        let listed = token.client.as_ref().and_then(|client| self.by_client.get(client)).map(String::as_str);
        let claimed = || {
            let value = token.claims.get(self.claim.as_deref()?)?.as_str()?;
            tiers.contains_key(value).then_some(value)
        };
        listed.or_else(claimed).unwrap_or(&self.default)
    }
}
