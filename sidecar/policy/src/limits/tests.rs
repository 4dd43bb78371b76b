//! Tiers, keys and rates, with the example of the manual: basic 1,000 an hour, production 10,000 an hour.

use super::*;
use crate::operation::{Method, Operation, Target};
use crate::pattern::Pattern;
use crate::principal::{Membership, Principal, TokenPrincipal};
use crate::rules::MatchConfig;
use proptest::prelude::*;
use serde_json::json;
use std::collections::BTreeMap;
use std::num::NonZeroU32;

mod counting;
mod rates;
mod stores;

fn rate(requests: u32, window: u32, burst: Option<u32>) -> RateConfig {
    RateConfig {
        requests: NonZeroU32::new(requests).unwrap(),
        window_seconds: NonZeroU32::new(window).unwrap(),
        burst: burst.map(|burst| NonZeroU32::new(burst).unwrap()),
    }
}

fn everything() -> MatchConfig {
    MatchConfig { methods: vec![], tools: vec![], resources: vec![], prompts: vec![] }
}

fn policy() -> RateLimitConfig {
    RateLimitConfig {
        policy: "shop".into(),
        tiers: TierSelection {
            claim: Some("tier".into()),
            clients: BTreeMap::from([("production".into(), vec!["batch".into()])]),
            default: "basic".into(),
        },
        limits: vec![
            LimitConfig {
                name: "per-client".into(),
                matches: everything(),
                per: vec![Dimension::Client],
                costs: vec![],
                tiers: BTreeMap::from([
                    ("basic".into(), rate(1000, 3600, None)),
                    ("production".into(), rate(10_000, 3600, None)),
                ]),
            },
            LimitConfig {
                name: "per-tool".into(),
                matches: MatchConfig { tools: vec![Pattern::new("*").unwrap()], ..everything() },
                per: vec![Dimension::Client, Dimension::Tool],
                costs: vec![],
                tiers: BTreeMap::from([
                    ("basic".into(), rate(100, 60, Some(50))),
                    ("production".into(), rate(100, 60, None)),
                ]),
            },
        ],
        tenant_claim: None,
        concurrency: vec![],
        before_authentication: None,
        store: None,
    }
}

fn caller(client: &str, tier: &serde_json::Value) -> Principal {
    Principal::Token(std::sync::Arc::new(TokenPrincipal {
        provider: "idp".into(),
        issuer: "https://idp".into(),
        subject: "ada".into(),
        client: Some(client.into()),
        token_id: None,
        scopes: vec![],
        groups: Membership::Unknown,
        roles: Membership::Unknown,
        expires_at: 0,
        claims: json!({ "tier": tier }).as_object().unwrap().clone(),
    }))
}

fn call(tool: &str) -> Operation {
    Operation { method: Method::ToolsCall, target: Target::Tool(tool.into()) }
}

fn tiers_of(principal: &Principal) -> Vec<String> {
    let set = LimitSet::compile(&[policy()]).unwrap();
    let counted = Counted { principal, operation: &call("get"), target_known: true, server: "a/b", address: "::1" };
    set.charges(&counted).iter().map(|charge| format!("{} {}", charge.id, charge.tier)).collect()
}

#[test]
fn the_narrowest_limit_is_charged_first() {
    assert_eq!(tiers_of(&caller("agent", &json!(null))), ["shop/per-tool basic", "shop/per-client basic"]);
}

#[test]
fn the_tier_comes_from_the_list_then_from_the_claim_and_else_is_the_default() {
    assert_eq!(tiers_of(&caller("agent", &json!("production")))[0], "shop/per-tool production");
    assert_eq!(tiers_of(&caller("batch", &json!("basic")))[0], "shop/per-tool production");
    for junk in [json!("gold"), json!(["production"]), json!(7), json!("")] {
        assert_eq!(tiers_of(&caller("agent", &junk))[0], "shop/per-tool basic", "{junk}");
    }
    assert_eq!(tiers_of(&Principal::Anonymous)[0], "shop/per-tool basic");
}

#[test]
fn unknown_tools_share_one_count_that_no_tool_can_be_named_into() {
    let set = LimitSet::compile(&[policy()]).unwrap();
    let principal = caller("agent", &json!(null));
    let key = |tool: &str, target_known| {
        let operation = call(tool);
        let counted = Counted { principal: &principal, operation: &operation, target_known, server: "", address: "" };
        set.charges(&counted)[0].key.clone()
    };
    assert_eq!(key("junk1", false), key("junk2", false));
    assert_ne!(key("unknown", true), key("junk", false));
    assert_ne!(key("a", true), key("b", true));
}

#[test]
fn what_a_limit_names_itself_is_known_before_any_list_says_so() {
    let mut config = policy();
    config.limits[1].matches.tools = vec![Pattern::new("search").unwrap(), Pattern::new("get_*").unwrap()];
    config.limits[1].costs = vec![CostConfig { tools: vec![Pattern::new("get_all").unwrap()], cost: NonZeroU32::MIN }];
    let set = LimitSet::compile(&[config]).unwrap();
    let principal = caller("agent", &json!(null));
    let key = |tool: &str, target_known| {
        let operation = call(tool);
        let counted = Counted { principal: &principal, operation: &operation, target_known, server: "", address: "" };
        set.charges(&counted).into_iter().find(|charge| charge.id == "shop/per-tool").unwrap().key
    };
    for named in ["search", "get_all"] {
        assert_eq!(key(named, false), key(named, true), "{named}");
    }
    assert_ne!(key("get_one", false), key("get_one", true));
}

#[test]
fn sets_of_resources_share_one_count_whatever_is_in_them() {
    let mut config = policy();
    config.limits[1].matches = everything();
    config.limits[1].per = vec![Dimension::Resource];
    let set = LimitSet::compile(&[config]).unwrap();
    let principal = caller("agent", &json!(null));
    let key = |uris: &[&str], target_known| {
        let uris = uris.iter().map(|uri| (*uri).to_owned()).collect();
        let operation = Operation { method: Method::SubscriptionsListen, target: Target::Resources(uris) };
        let counted = Counted { principal: &principal, operation: &operation, target_known, server: "", address: "" };
        set.charges(&counted).into_iter().find(|charge| charge.id == "shop/per-tool").unwrap().key
    };
    let several = key(&["a:1", "a:2"], true);
    for set in [["a:2", "a:1"].as_slice(), &["a:1", "a:invented"], &["a:1", "a:2", "a:1"]] {
        assert_eq!([key(set, true), key(set, false)], [several.clone(), several.clone()], "{set:?}");
    }
    assert_eq!(key(&["a:1", "a:1"], true), key(&["a:1"], true));
    assert_ne!(key(&["a:1"], true), several);
    assert_ne!(key(&["a:1"], false), several);
}

#[test]
fn the_same_name_of_two_issuers_and_of_a_client_and_a_subject_are_four_counts() {
    let set = LimitSet::compile(&[policy()]).unwrap();
    let key = |issuer: &str, subject: &str, client: Option<&str>| {
        let Principal::Token(token) = caller("agent", &json!(null)) else { panic!("a token") };
        let token = TokenPrincipal {
            issuer: issuer.into(),
            subject: subject.into(),
            client: client.map(str::to_owned),
            ..(*token).clone()
        };
        let (principal, operation) = (Principal::Token(std::sync::Arc::new(token)), call("get"));
        let counted =
            Counted { principal: &principal, operation: &operation, target_known: true, server: "", address: "" };
        set.charges(&counted)[1].key.clone()
    };
    let keys = [
        key("https://a", "x", Some("x")),
        key("https://b", "x", Some("x")),
        key("https://a", "x", None),
        key("https://b", "x", None),
    ];
    let different: std::collections::BTreeSet<_> = keys.iter().collect();
    assert_eq!(different.len(), 4, "{keys:?}");
    assert_eq!(key("https://a", "ada", Some("x")), key("https://a", "bob", Some("x")));
}

#[test]
fn contradictions_are_refused_by_name() {
    let mut missing = policy();
    missing.limits[0].tiers.remove("production");
    assert!(matches!(LimitSet::compile(&[missing]).unwrap_err(), LimitError::MissingTier { .. }));
    let mut burst = policy();
    burst.limits[0].tiers.insert("basic".into(), rate(10, 60, Some(10)));
    assert!(matches!(LimitSet::compile(&[burst]).unwrap_err(), LimitError::BurstTooLarge { .. }));
    assert!(matches!(LimitSet::compile(&[policy(), policy()]).unwrap_err(), LimitError::Duplicate { .. }));
    let mut twice = policy();
    twice.tiers.clients.insert("basic".into(), vec!["batch".into()]);
    assert!(matches!(LimitSet::compile(&[twice]).unwrap_err(), LimitError::ClientInTwoTiers { .. }));
    let mut dimension = policy();
    dimension.limits[1].per.push(Dimension::Tool);
    assert!(matches!(LimitSet::compile(&[dimension]).unwrap_err(), LimitError::DimensionTwice { .. }));
    let mut tenant = policy();
    tenant.limits[0].per.push(Dimension::Tenant);
    assert!(matches!(LimitSet::compile(&[tenant]).unwrap_err(), LimitError::NoTenantClaim { .. }));
    let nothing = RateLimitConfig { limits: vec![], ..policy() };
    assert!(matches!(LimitSet::compile(&[nothing]).unwrap_err(), LimitError::Nothing { .. }));
    let mut slow = policy();
    let centuries = rate(1_000_000_000, 744 * 3600, Some(999_999_999));
    slow.limits[0].tiers.insert("basic".into(), centuries);
    assert!(matches!(LimitSet::compile(&[slow]).unwrap_err(), LimitError::RefillTooSlow { .. }));
}

#[test]
fn a_claim_that_the_client_or_its_user_writes_decides_neither_tier_nor_tenant() {
    for claim in ["scope", "client_id", "azp", "client_name", "acr", "email", "cnf", "authorization_details"] {
        let mut tier = policy();
        tier.tiers.claim = Some(claim.into());
        let mut tenant = policy();
        tenant.tenant_claim = Some(claim.into());
        for config in [tier, tenant] {
            let error = LimitSet::compile(&[config]).unwrap_err();
            assert!(matches!(error, LimitError::ClaimOfClient { .. }), "{claim}: {error}");
        }
    }
}
