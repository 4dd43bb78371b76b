//! Rate limit policies as the data plane gets them.

use crate::fixture::{build, catalog, change, refused};
use serde_json::{Value, json};
use tollward_api::condition::{ConditionReason as Reason, ConditionType};
use tollward_desired::{Inputs, Subject, validate};

fn policy(path: &str, value: Value) -> Inputs {
    let mut inputs = catalog();
    inputs.policies[0] = change(&inputs.policies[0], path, value);
    inputs
}

fn open(name: &str, number: i32) -> Value {
    json!({"name": name, "counts": "Calls", "most": [{"tier": "basic", "open": number}]})
}

fn limits(inputs: &Inputs) -> Value {
    serde_json::to_value(&build(inputs).configuration.config().routes[0].rate_limits).unwrap()
}

#[test]
fn a_policy_of_another_server_or_namespace_does_not_apply() {
    let other = policy("/spec/targetRefs/0/name", json!("other"));
    let mut foreign = catalog();
    foreign.policies[0].metadata.namespace = Some("bank".into());
    let grouped = policy("/spec/targetRefs/0/group", json!("example.com"));
    for inputs in [other, foreign, grouped] {
        assert_eq!(limits(&inputs), json!([]));
    }
}

#[test]
fn a_section_limits_what_the_rule_of_that_name_matches() {
    let mut inputs = policy(
        "/spec/targetRefs",
        json!([{"name": "catalog", "sectionName": "cart"}, {"name": "catalog", "sectionName": "read"}]),
    );
    inputs.policies[0] = change(
        &inputs.policies[0],
        "/spec/limits",
        json!([
            {"name": "calls", "rates": [{"tier": "basic", "requests": 60, "window": "1m"}]}
        ]),
    );
    let limits = limits(&inputs);
    assert_eq!((&limits[0]["policy"], &limits[1]["policy"]), (&json!("catalog#cart"), &json!("catalog#read")));
    assert_eq!(limits[0]["limits"][0]["match"], json!({"tools": ["add_to_cart"]}));
    assert_eq!(limits[1]["limits"][0]["match"]["prompts"], json!(["recommend"]));
    assert_eq!(limits[0]["limits"][0]["tiers"]["basic"], json!({"requests": 60, "windowSeconds": 60}));
}

#[test]
fn a_policy_that_can_not_be_enforced_holds_its_server_back_and_is_named() {
    for (path, value, expected) in [
        ("/spec/tiers/default", json!("silver"), "no rate for tier `silver`"),
        (
            "/spec/tiers/clients",
            json!([{"tier": "basic", "ids": ["a"]}, {"tier": "production", "ids": ["a"]}]),
            "two tiers",
        ),
        ("/spec/tiers/clients", json!([{"tier": "basic", "ids": ["a"]}, {"tier": "basic", "ids": ["b"]}]), "twice"),
        ("/spec/limits/0/rates/0/requests", json!(0), "requests must be at least 1"),
        ("/spec/limits/0/rates/0/requests", json!(-1), "requests must be at least 1"),
        ("/spec/limits/0/rates/0/window", json!("0s"), "window must be from 1s"),
        ("/spec/limits/0/rates/0/window", json!("10"), "is no duration"),
        ("/spec/limits/1/rates/0/burst", json!(6), "burst 6 must be less than 6"),
        ("/spec/limits/1/rates/1/tier", json!("basic"), "names tier `basic` twice"),
        ("/spec/limits/1/match", json!({}), "must name methods"),
        ("/spec/limits/1/name", json!("calls"), "declared twice"),
        ("/spec/limits/1/costs", json!([{"tools": ["*"], "cost": 6}]), "a cost of 6 never fits into a burst of 5"),
        ("/spec/limits/1/costs", json!([{"tools": [], "cost": 2}]), "costs must name tools"),
        ("/spec/limits/1/costs", json!([{"tools": ["a"], "cost": 0}]), "cost must be at least 1"),
        ("/spec/limits/1/per", json!(["Tenant"]), "needs a tenant claim"),
        ("/spec/limits/1/per", json!(["Tool", "Tool"]), "per Tool twice"),
        ("/spec/tenantClaim", json!("azp"), "chosen by the client"),
        ("/spec/tiers/claim", json!("scope"), "chosen by the client"),
        ("/spec/concurrency", json!([open("calls", 1)]), "declared twice"),
        ("/spec/concurrency", json!([open("a", 0)]), "open must be at least 1"),
        ("/spec/beforeAuthentication", json!({}), "limits nothing"),
        (
            "/spec/beforeAuthentication",
            json!({"failures": {"requests": 9, "window": "0s"}}),
            "beforeAuthentication.failures: window",
        ),
    ] {
        let inputs = policy(path, value);
        refused(&inputs, Reason::InvalidLimit, expected);
        refused(&inputs, Reason::InvalidLimit, "RateLimitPolicy `catalog` can't be enforced");
        let findings = validate(&inputs).unwrap_err();
        assert!(findings.iter().any(|finding| finding.subject == Subject::Policy("catalog".into())), "{path}");
    }
}

#[test]
fn costs_concurrency_and_what_comes_before_authentication_reach_the_data_plane() {
    let mut inputs = policy("/spec/concurrency", json!([open("at-once", 3)]));
    let rest = [
        ("/spec/limits/1/costs", json!([{"tools": ["search_*"], "cost": 5}])),
        ("/spec/tenantClaim", json!("tid")),
        ("/spec/beforeAuthentication", json!({"failures": {"requests": 60, "window": "1m", "burst": 20}})),
    ];
    for (path, value) in rest {
        inputs.policies[0] = change(&inputs.policies[0], path, value);
    }
    let limits = limits(&inputs);
    assert_eq!(limits[0]["limits"][1]["costs"], json!([{"tools": ["search_*"], "cost": 5}]));
    assert_eq!(limits[0]["tenantClaim"], json!("tid"));
    let expected = json!([{"name": "at-once", "counts": "Calls", "match": {}, "tiers": {"basic": 3}}]);
    assert_eq!(limits[0]["concurrency"], expected);
    let expected = json!({"failures": {"requests": 60, "windowSeconds": 60, "burst": 20}});
    assert_eq!(limits[0]["beforeAuthentication"], expected);
}

#[test]
fn each_replica_gets_its_part_and_one_has_the_whole() {
    let replicas = |number: i32| {
        let inputs = crate::fixture::with("/spec/source/workload/replicas", json!(number));
        serde_json::to_value(&build(&inputs).configuration.config().routes[0]).unwrap()["replicas"].clone()
    };
    assert_eq!([replicas(3), replicas(1), replicas(0)], [json!(3), json!(null), json!(null)]);
}

#[test]
fn a_section_that_does_not_exist_is_not_resolved() {
    let inputs = policy("/spec/targetRefs/0/sectionName", json!("chart"));
    refused(&inputs, Reason::TargetNotFound, "no rule `chart`");
    let findings = validate(&inputs).unwrap_err();
    assert!(findings.iter().any(|finding| finding.condition == ConditionType::ResolvedRefs));
    let both = policy("/spec/targetRefs/0/sectionName", json!("cart"));
    refused(&both, Reason::InvalidLimit, "sectionName says what is limited");
    let mut before = policy("/spec/targetRefs/0/sectionName", json!("cart"));
    before.policies[0] =
        change(&before.policies[0], "/spec/beforeAuthentication", json!({"failures": {"requests": 9, "window": "1m"}}));
    refused(&before, Reason::InvalidLimit, "sectionName names operations");
}

#[test]
fn the_order_of_policies_does_not_change_the_configuration() {
    let mut inputs = catalog();
    inputs.policies.push(change(&inputs.policies[0], "/metadata/name", json!("another")));
    let forward = build(&inputs);
    inputs.policies.reverse();
    assert_eq!(forward.configuration.text(), build(&inputs).configuration.text());
}
