//! Which limit the walk-through shows.

use super::cast;
use serde_json::{Value, json};
use tollward_policy::limits::RateLimitConfig;

fn policy(claim: Option<&str>, matches: &Value, rates: &Value) -> RateLimitConfig {
    let mut tiers = json!({ "default": "basic" });
    if let Some(claim) = claim {
        tiers["claim"] = claim.into();
    }
    serde_json::from_value(json!({
        "policy": "catalog",
        "tiers": tiers,
        "limits": [{ "name": "search", "match": matches, "tiers": rates }],
    }))
    .unwrap()
}

fn rates() -> Value {
    json!({
        "basic": { "requests": 6, "windowSeconds": 600, "burst": 5 },
        "silver": { "requests": 100, "windowSeconds": 600 },
        "production": { "requests": 600, "windowSeconds": 600 },
    })
}

#[test]
fn the_most_generous_tier_is_set_against_the_default_one() {
    let policy = policy(Some("tier"), &json!({ "tools": ["search_*"] }), &rates());
    let found = cast(&policy, &policy.limits[0]).unwrap();
    assert_eq!((found.default.as_str(), found.tier.as_str(), found.burst), ("basic", "production", 5));
    assert_eq!(found.limit, "catalog/search");
    assert_eq!(found.claim().claim, "tier");
    assert_eq!(found.claim().value, "production");
    assert_eq!(found.rates.1, "600 calls in 600 s, 60 at once");
}

#[test]
fn a_limit_counts_only_if_it_is_about_searching_and_a_claim_gives_a_better_tier() {
    let worse =
        json!({ "basic": { "requests": 6, "windowSeconds": 600 }, "slow": { "requests": 1, "windowSeconds": 600 } });
    for (claim, matches, rates) in [
        (None, json!({ "tools": ["search_*"] }), rates()),
        (Some("tier"), json!({ "tools": ["add_*"] }), rates()),
        (Some("tier"), json!({ "methods": ["resources/read"] }), rates()),
        (Some("tier"), json!({}), worse),
    ] {
        let policy = policy(claim, &matches, &rates);
        assert_eq!(cast(&policy, &policy.limits[0]), None, "{claim:?} {matches}");
    }
}
