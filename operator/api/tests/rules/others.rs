//! Policies and providers.

use crate::judge::{accepts, refuses, with};
use crate::objects::{policy, provider};
use serde_json::json;
use tollward_api::{IdentityProvider, RateLimitPolicy};

#[test]
fn a_policy_has_a_rate_for_every_tier_that_can_be_chosen() {
    accepts::<RateLimitPolicy>(
        "RateLimitPolicy",
        &policy(),
        &[
            ("/spec/targetRefs", json!([{"name": "catalog"}, {"name": "other"}])),
            ("/spec/limits/0/match", json!(null)),
            ("/spec/limits/0/rates/0", json!({"tier": "basic", "requests": 1, "window": "744h", "burst": 1})),
        ],
    );
    let default_only = with(policy(), "/spec/tiers", json!(null));
    let default_only = with(default_only, "/spec/limits/0/rates", json!([{"requests": 5, "window": "10m"}]));
    accepts::<RateLimitPolicy>("RateLimitPolicy", &default_only, &[]);
    refuses::<RateLimitPolicy>(
        "RateLimitPolicy",
        &policy(),
        &[
            ("/metadata/name", json!("a".repeat(64)), "at most 63 characters"),
            ("/spec/tiers/default", json!("silver"), "every limit needs a rate for the default tier `silver`"),
            (
                "/spec/tiers/clients",
                json!([{"tier": "iron", "ids": ["x"]}]),
                "every limit needs a rate for each tier of tiers.clients",
            ),
            ("/spec/limits/0/rates/0/burst", json!(10), "burst must be less than requests"),
            ("/spec/limits/0/rates/0/window", json!("0s"), "from 1s to 744h"),
            ("/spec/limits/0/rates/0/window", json!("745h"), "from 1s to 744h"),
            ("/spec/limits/0/match", json!({}), "match must name"),
            ("/spec/targetRefs/0/sectionName", json!("read"), "already says which operations are limited"),
        ],
    );
}

#[test]
fn a_provider_has_what_its_type_says() {
    accepts::<IdentityProvider>(
        "IdentityProvider",
        &provider(),
        &[
            ("/spec/allowedNamespaces", json!(null)),
            ("/spec/allowedNamespaces", json!({"from": "All"})),
            ("/spec/external/issuer", json!("http://127.0.0.1:8080/realms/x")),
            ("/spec/external/leeway", json!("0s")),
            ("/spec/external/maxTokenLifetime", json!("1h")),
        ],
    );
    refuses::<IdentityProvider>(
        "IdentityProvider",
        &provider(),
        &[
            ("/spec/external", json!(null), "spec.external must be set if spec.type is External"),
            ("/spec/external/issuer", json!("idp.example.com"), "external.issuer must be an absolute"),
            ("/spec/external/issuer", json!("https://idp.example.com?x"), "external.issuer must be an absolute"),
            ("/spec/external/issuer", json!("https://u:p@idp.example.com"), "external.issuer must be an absolute"),
            ("/spec/external/jwksURL", json!("file:///etc/passwd"), "external.jwksURL must be an absolute"),
            ("/spec/external/leeway", json!("61s"), "at most 60s"),
            ("/spec/external/maxTokenLifetime", json!("0s"), "from 1s to 8760h"),
            ("/spec/external/caConfigMap/name", json!("x-tollward"), "belongs to Tollward"),
            ("/spec/allowedNamespaces", json!({"from": "Selector"}), "allowedNamespaces.selector must be set"),
            ("/spec/allowedNamespaces", json!({"from": "All", "selector": {}}), "and only then"),
        ],
    );
}
