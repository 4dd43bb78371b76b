//! Rate limit policies.

use crate::judge::{accepts, refuses, with};
use crate::objects::policy;
use serde_json::json;
use tollward_api::RateLimitPolicy;

const KIND: &str = "RateLimitPolicy";

#[test]
fn a_policy_has_a_rate_for_every_tier_that_can_be_chosen() {
    accepts::<RateLimitPolicy>(
        KIND,
        &policy(),
        &[
            ("/spec/targetRefs", json!([{"name": "catalog"}, {"name": "other"}])),
            ("/spec/limits/0/match", json!(null)),
            ("/spec/limits/0/costs", json!(null)),
            ("/spec/limits/0/rates/0", json!({"tier": "basic", "requests": 50, "window": "744h"})),
        ],
    );
    let default_only = with(policy(), "/spec/tiers", json!(null));
    let default_only = with(default_only, "/spec/concurrency", json!(null));
    let default_only = with(default_only, "/spec/limits/0/costs", json!(null));
    let default_only = with(default_only, "/spec/limits/0/rates", json!([{"requests": 5, "window": "10m"}]));
    accepts::<RateLimitPolicy>(KIND, &default_only, &[]);
    refuses::<RateLimitPolicy>(
        KIND,
        &policy(),
        &[
            ("/metadata/name", json!("a".repeat(64)), "at most 63 characters"),
            ("/spec/tiers/default", json!("silver"), "every limit needs a rate for the default tier `silver`"),
            (
                "/spec/tiers/clients",
                json!([{"tier": "iron", "ids": ["x"]}]),
                "every limit needs a rate for each tier of tiers.clients",
            ),
            (
                "/spec/concurrency/0/most",
                json!([{"tier": "basic", "open": 2}]),
                "every limit needs a rate for each tier of tiers.clients",
            ),
            ("/spec/limits/0/rates/0/burst", json!(10), "burst must be less than requests"),
            ("/spec/limits/0/rates/0/window", json!("0s"), "from 1s to 744h"),
            ("/spec/limits/0/rates/0/window", json!("745h"), "from 1s to 744h"),
            ("/spec/limits/0/match", json!({}), "match must name"),
        ],
    );
}

#[test]
fn a_section_says_already_what_is_limited() {
    let section = with(policy(), "/spec/targetRefs/0/sectionName", json!("read"));
    let bare = with(section.clone(), "/spec/limits/0/match", json!(null));
    let bare = with(bare, "/spec/beforeAuthentication", json!(null));
    accepts::<RateLimitPolicy>(KIND, &bare, &[]);
    let matching = json!({"tools": ["a"]});
    refuses::<RateLimitPolicy>(
        KIND,
        &bare,
        &[
            ("/spec/limits/0/match", matching.clone(), "already says which operations are limited"),
            ("/spec/concurrency/0/match", matching, "already says which operations are limited"),
            (
                "/spec/beforeAuthentication",
                json!({"failures": {"requests": 9, "window": "1m"}}),
                "beforeAuthentication can't be of a section",
            ),
        ],
    );
}

#[test]
fn a_claim_that_the_client_writes_decides_nothing() {
    let fields = [("/spec/tiers/claim", "tiers.claim"), ("/spec/tenantClaim", "tenantClaim")];
    for (path, field) in fields {
        accepts::<RateLimitPolicy>(
            KIND,
            &policy(),
            &[(path, json!("https://shop.example/tier")), (path, json!("org_id"))],
        );
        for claim in ["scope", "client_id", "azp", "acr", "email"] {
            let message = format!("{field}: claim `{claim}` is chosen by the client or its user");
            refuses::<RateLimitPolicy>(KIND, &policy(), &[(path, json!(claim), message.as_str())]);
        }
    }
}

#[test]
fn any_dimensions_may_be_combined_and_a_tenant_needs_its_claim() {
    let all = ["Client", "Subject", "Tenant", "Tool", "Resource", "Prompt", "Method", "Server", "Address"];
    accepts::<RateLimitPolicy>(
        KIND,
        &policy(),
        &[
            ("/spec/limits/0/per", json!(all)),
            ("/spec/limits/0/per", json!([])),
            ("/spec/concurrency/0/per", json!(all)),
        ],
    );
    let without = with(policy(), "/spec/tenantClaim", json!(null));
    refuses::<RateLimitPolicy>(
        KIND,
        &without,
        &[("/spec/limits/0/per", json!(["Tenant"]), "a limit per Tenant needs tenantClaim")],
    );
    let without = with(without, "/spec/concurrency", json!(null));
    accepts::<RateLimitPolicy>(KIND, &without, &[]);
}

#[test]
fn a_cost_fits_into_the_burst_of_every_rate() {
    let cost = |cost: i32| ("/spec/limits/0/costs/0/cost", json!(cost));
    accepts::<RateLimitPolicy>(KIND, &policy(), &[cost(1), cost(5)]);
    let message = "limit `all`: a cost must fit into the burst of every rate";
    refuses::<RateLimitPolicy>(
        KIND,
        &policy(),
        &[
            ("/spec/limits/0/costs/0/cost", json!(6), message),
            // A tenth of 40 is 4.
            ("/spec/limits/0/rates/1/requests", json!(40), message),
            ("/spec/limits/0/rates/0/burst", json!(null), message),
        ],
    );
}

#[test]
fn a_policy_limits_something_and_every_limit_has_a_name_of_its_own() {
    let none = ["/spec/limits", "/spec/concurrency", "/spec/beforeAuthentication"];
    for kept in none {
        let others = none.iter().filter(|path| **path != kept);
        let bare = with(with(policy(), "/spec/store", json!(null)), "/spec/onStoreFailure", json!(null));
        let one = others.fold(bare, |object, path| with(object, path, json!(null)));
        accepts::<RateLimitPolicy>(KIND, &one, &[]);
        refuses::<RateLimitPolicy>(KIND, &one, &[(kept, json!(null), "a policy must limit something")]);
    }
    refuses::<RateLimitPolicy>(
        KIND,
        &policy(),
        &[
            ("/spec/concurrency/0/name", json!("all"), "must not share a name"),
            ("/spec/beforeAuthentication", json!({}), "must set requests or failures"),
            ("/spec/beforeAuthentication/failures/burst", json!(20), "burst must be less than requests"),
            ("/spec/beforeAuthentication/requests/window", json!("745h"), "from 1s to 744h"),
        ],
    );
}

#[test]
fn a_store_is_a_host_that_counts_limits_and_nothing_in_its_url_is_secret() {
    let url = |text: &str| ("/spec/store/url", json!(text));
    accepts::<RateLimitPolicy>(
        KIND,
        &policy(),
        &[
            url("rediss://valkey"),
            url("rediss://valkey.shop.svc.cluster.local:6380"),
            url("rediss://192.0.2.1:6379"),
            url("rediss://[2001:db8::1]:6379"),
            ("/spec/store/mode", json!("Cluster")),
            ("/spec/store/deadline", json!("5ms")),
            ("/spec/store/deadline", json!("1s")),
            ("/spec/store/credentialsSecret", json!(null)),
            ("/spec/store/credentialsSecret/keys", json!(null)),
            ("/spec/store/credentialsSecret/keys", json!(["ca.crt"])),
            ("/spec/store/credentialsSecret/keys", json!(["username", "password"])),
            ("/spec/onStoreFailure", json!("Local")),
            ("/spec/onStoreFailure", json!("Allow")),
            ("/spec/onStoreFailure", json!(null)),
        ],
    );
    for text in [
        "http://valkey",
        "rediss://user:password@valkey",
        "rediss://valkey/1",
        "rediss://valkey?db=1",
        "rediss://Valkey",
        "rediss://valkey:0",
        "rediss://valkey:",
        "rediss://",
        "valkey:6379",
        "rediss://valkey evil",
        "rediss://a..b",
    ] {
        refuses::<RateLimitPolicy>(KIND, &policy(), &[("/spec/store/url", json!(text), "store.url must be")]);
    }
}

#[test]
fn what_a_store_needs_and_what_needs_a_store_is_said() {
    let plain = "store.credentialsSecret.keys must not name ca.crt with redis://";
    let both = "must name username and password both, or neither";
    refuses::<RateLimitPolicy>(
        KIND,
        &policy(),
        &[
            ("/spec/store/url", json!("redis://valkey"), plain),
            ("/spec/store/deadline", json!("4ms"), "from 5ms to 1s"),
            ("/spec/store/deadline", json!("2s"), "from 5ms to 1s"),
            ("/spec/store/credentialsSecret/keys", json!(["password", "ca.crt"]), both),
            ("/spec/store/credentialsSecret/keys", json!(["username"]), both),
            ("/spec/store/credentialsSecret/name", json!("catalog-tollward"), "belongs to Tollward"),
            ("/spec/store", json!(null), "onStoreFailure must be set only with store"),
            ("/spec/limits", json!(null), "a policy with store must have limits"),
        ],
    );
    let derived = with(policy(), "/spec/store/credentialsSecret/keys", json!(null));
    accepts::<RateLimitPolicy>(KIND, &derived, &[("/spec/store/url", json!("redis://valkey"))]);
}
