//! Names of counts in the store. Pure.
//!
//! `{tollward:NAMESPACE}:POLICY/LIMIT:TIER:HASH`. The part in braces makes all counts of a namespace live in one slot of a
//! cluster, where one script reaches them. Who is counted is only in the hash, with the server's uid: nobody's name is stored.
//! The rate is not part of it, so that an edit keeps the count.

use aws_lc_rs::digest::{Context, SHA256};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use tollward_policy::limits::Charge;

/// The name of one count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct CountName {
    /// As it stands in the store.
    pub(super) text: String,
}

/// Names the count that a charge is about. Parts are hashed with their lengths, so that no two combinations are one.
pub(super) fn name_of(namespace: &str, server: &str, charge: &Charge<'_>) -> CountName {
    let mut hash = Context::new(&SHA256);
    for part in [server, charge.id, charge.tier, &charge.key] {
        hash.update(&part.len().to_be_bytes());
        hash.update(part.as_bytes());
    }
    let hash = URL_SAFE_NO_PAD.encode(hash.finish());
    CountName { text: format!("{{tollward:{namespace}}}:{}:{}:{hash}", charge.id, charge.tier) }
}

/// A count of nobody, by which it is tried whether the store counts.
pub(super) fn trial(namespace: &str) -> CountName {
    CountName { text: format!("{{tollward:{namespace}}}:trial") }
}

#[cfg(test)]
mod tests {
    use super::{name_of, trial};
    use serde_json::json;
    use std::collections::HashSet;
    use tollward_policy::limits::{Charge, LimitSet};

    #[test]
    fn a_count_has_a_name_of_its_own_that_shows_policy_limit_and_tier_and_nobody() {
        let limit = json!({"name": "l", "match": {}, "tiers": {"basic": {"requests": 10, "windowSeconds": 60}}});
        let policy = json!({"policy": "p", "tiers": {"default": "basic"}, "limits": [limit]});
        let set = LimitSet::compile(&[serde_json::from_value(policy).unwrap()]).unwrap();
        let rate = set.rates()[0].rate;
        let charge = |id: &'static str, tier: &'static str, key: &str| Charge {
            id,
            tier,
            slot: 0,
            rate,
            shared: None,
            cost: 1,
            key: key.to_owned(),
        };
        let name = name_of("shop", "uid-1", &charge("p/l", "basic", "alice@example.com")).text;
        assert!(name.starts_with("{tollward:shop}:p/l:basic:"), "{name}");
        assert!(!name.contains("alice") && !name.contains("uid-1"), "{name}");
        assert_eq!(name.len(), "{tollward:shop}:p/l:basic:".len() + 43);
        let mut names = HashSet::from([trial("shop").text]);
        for (server, id, tier, key) in [
            ("uid-1", "p/l", "basic", "alice@example.com"),
            ("uid-2", "p/l", "basic", "alice@example.com"),
            ("uid-1", "p/l", "basic", "bob@example.com"),
            ("uid-1", "p/l", "gold", "alice@example.com"),
            ("uid-1", "p/m", "basic", "alice@example.com"),
            ("uid-", "1p/l", "basic", "alice@example.com"),
            ("uid-1", "p/l", "basicalice", "@example.com"),
        ] {
            assert!(names.insert(name_of("shop", server, &charge(id, tier, key)).text), "{server} {id} {tier} {key}");
        }
    }
}
