//! What a call is counted as: its cost, its tenant, what it holds, and what its address may send.

use super::*;

fn count<T>(
    config: RateLimitConfig,
    principal: &Principal,
    operation: &Operation,
    look: impl Fn(&LimitSet, &Counted<'_>) -> T,
) -> T {
    let set = LimitSet::compile(&[config]).unwrap();
    look(&set, &Counted { principal, operation, target_known: true, server: "a/b", address: "::1" })
}

fn cost(tools: &[&str], cost: u32) -> CostConfig {
    let tools = tools.iter().map(|pattern| Pattern::new(*pattern).unwrap()).collect();
    CostConfig { tools, cost: NonZeroU32::new(cost).unwrap() }
}

#[test]
fn the_dearest_cost_that_is_about_a_tool_holds_whatever_the_order() {
    let costs = [cost(&["search_*"], 5), cost(&["search_all", "export"], 20), cost(&["*"], 2)];
    for order in [[0, 1, 2], [2, 1, 0], [1, 2, 0]] {
        let mut config = policy();
        config.limits[0].costs = order.map(|at: usize| costs[at].clone()).to_vec();
        let principal = caller("agent", &json!(null));
        let of = |operation: Operation| {
            count(config.clone(), &principal, &operation, |set, counted| {
                let charges = set.charges(counted);
                charges.iter().find(|charge| charge.id == "shop/per-client").unwrap().cost
            })
        };
        assert_eq!([of(call("search_one")), of(call("search_all")), of(call("get"))], [5, 20, 2]);
        assert_eq!(of(Operation { method: Method::Ping, target: Target::None }), 1, "only tools have a cost");
        assert_eq!(of(Operation { method: Method::PromptsGet, target: Target::Prompt("export".into()) }), 1);
    }
}

#[test]
fn a_cost_that_never_fits_into_the_burst_is_refused() {
    let mut config = policy();
    config.limits[1].costs = vec![cost(&["export"], 11)];
    let error = LimitSet::compile(&[config.clone()]).unwrap_err();
    // Tier `basic` has a burst of 50, `production` a tenth of 100.
    assert!(matches!(error, LimitError::CostTooLarge { cost: 11, burst: 10, .. }), "{error}");
    config.limits[1].costs = vec![cost(&["export"], 10)];
    LimitSet::compile(&[config.clone()]).unwrap();
    config.limits[1].costs = vec![cost(&[], 1)];
    assert!(matches!(LimitSet::compile(&[config]).unwrap_err(), LimitError::CostOfNothing { .. }));
}

#[test]
fn tenants_are_counted_within_their_issuer_and_what_can_not_be_read_together() {
    let mut config = policy();
    config.tenant_claim = Some("tid".into());
    config.limits[0].per = vec![Dimension::Tenant];
    let key = |issuer: &str, tid: serde_json::Value| {
        let Principal::Token(token) = caller("agent", &json!(null)) else { panic!("a token") };
        let mut token = (*token).clone();
        token.issuer = issuer.into();
        token.claims.insert("tid".into(), tid);
        let principal = Principal::Token(std::sync::Arc::new(token));
        count(config.clone(), &principal, &call("get"), |set, counted| {
            set.charges(counted).into_iter().find(|charge| charge.id == "shop/per-client").unwrap().key
        })
    };
    let named = [key("https://a", json!("7")), key("https://a", json!(7)), key("https://b", json!("7"))];
    let unnamed = key("https://a", json!(null));
    let different: std::collections::BTreeSet<_> = named.iter().chain([&unnamed]).collect();
    assert_eq!(different.len(), 4, "{different:?}");
    for junk in [json!([]), json!(["7"]), json!({"a": 7}), json!(true)] {
        assert_eq!(key("https://a", junk), unnamed);
    }
    assert_ne!(key("https://a", json!("")), unnamed, "an empty name is a name");
}

fn at_once(counts: Concurrent, per: &[Dimension]) -> ConcurrencyConfig {
    ConcurrencyConfig {
        name: format!("{counts:?}").to_lowercase(),
        counts,
        matches: everything(),
        per: per.to_vec(),
        tiers: BTreeMap::from([
            ("basic".into(), NonZeroU32::new(2).unwrap()),
            ("production".into(), NonZeroU32::new(20).unwrap()),
        ]),
    }
}

#[test]
fn calls_and_streams_are_held_apart_and_by_tier() {
    let mut config = policy();
    config.concurrency = vec![at_once(Concurrent::Calls, &[Dimension::Client]), at_once(Concurrent::Streams, &[])];
    let held = |method: Method, tier: &str| {
        let operation = Operation { method, target: Target::None };
        count(config.clone(), &caller("agent", &json!(tier)), &operation, |set, counted| {
            let holds = set.holds(counted);
            assert_eq!(holds.len(), 1, "{method:?}");
            let known = &set.holds_of_route()[holds[0].slot];
            assert_eq!((known.0.as_str(), known.1.as_str()), (holds[0].id, holds[0].tier));
            (holds[0].id.to_owned(), holds[0].most.get())
        })
    };
    for method in [Method::Ping, Method::ToolsList, Method::Initialize] {
        assert_eq!(held(method, "basic"), ("shop/calls".into(), 2));
    }
    for method in [Method::StreamOpen, Method::SubscriptionsListen] {
        assert_eq!(held(method, "production"), ("shop/streams".into(), 20));
    }
    config.concurrency[0].tiers.remove("production");
    assert!(matches!(LimitSet::compile(&[config.clone()]).unwrap_err(), LimitError::MissingTier { .. }));
    let mut twice = policy();
    twice.concurrency = vec![ConcurrencyConfig { name: "per-tool".into(), ..at_once(Concurrent::Calls, &[]) }];
    assert!(matches!(LimitSet::compile(&[twice]).unwrap_err(), LimitError::Duplicate { .. }));
}

#[test]
fn what_an_address_may_send_before_authentication_has_names_of_its_own() {
    let mut config = policy();
    config.before_authentication =
        Some(AddressConfig { requests: Some(rate(600, 60, None)), failures: Some(rate(20, 60, None)) });
    let set = LimitSet::compile(&[config.clone()]).unwrap();
    let before: Vec<_> = set.before().collect();
    let named = |slot: Option<usize>| &set.rates()[slot.unwrap()];
    assert_eq!(named(before[0].requests).id, "shop/before-authentication");
    assert_eq!(named(before[0].failures).id, "shop/failed-authentication");
    assert_eq!(named(before[0].failures).rate.requests, 20);
    config.limits[0].name = FAILED_AUTHENTICATION.into();
    assert!(matches!(LimitSet::compile(&[config.clone()]).unwrap_err(), LimitError::Duplicate { .. }));
    config.limits[0].name = "calls".into();
    config.before_authentication = Some(AddressConfig { requests: None, failures: None });
    assert!(matches!(LimitSet::compile(&[config]).unwrap_err(), LimitError::Nothing { .. }));
}

#[test]
fn replicas_share_rates_places_and_what_addresses_may_send() {
    let mut config = policy();
    config.limits[1].costs = vec![cost(&["export"], 7)];
    config.concurrency = vec![at_once(Concurrent::Calls, &[])];
    config.before_authentication = Some(AddressConfig { requests: Some(rate(600, 60, None)), failures: None });
    let set = LimitSet::compile(&[config]).unwrap().shared_by(NonZeroU32::new(3).unwrap());
    let principal = caller("agent", &json!("production"));
    let (operation, other) = (call("get"), Operation { method: Method::Ping, target: Target::None });
    let counted = Counted { principal: &principal, operation: &operation, target_known: true, server: "", address: "" };
    let parts: Vec<_> =
        set.charges(&counted).iter().map(|charge| (charge.rate.requests, charge.rate.burst.get())).collect();
    assert_eq!(parts, [(33, 7), (3333, 333)], "the dearest call passes on each");
    for charge in set.charges(&counted) {
        assert_eq!(set.rates()[charge.slot].rate, charge.rate);
    }
    assert_eq!(set.holds(&Counted { operation: &other, ..counted })[0].most.get(), 6);
    let requests = set.before().next().unwrap().requests.unwrap();
    assert_eq!(set.rates()[requests].rate.requests, 200);
}

#[test]
fn every_charge_knows_where_its_state_is() {
    let set = LimitSet::compile(&[policy(), RateLimitConfig { policy: "other".into(), ..policy() }]).unwrap();
    let (principal, operation) = (caller("agent", &json!("production")), call("get"));
    let counted = Counted { principal: &principal, operation: &operation, target_known: true, server: "", address: "" };
    let charges = set.charges(&counted);
    assert_eq!(charges.len(), 4);
    for charge in charges {
        let named = &set.rates()[charge.slot];
        assert_eq!((named.id.as_str(), named.tier.as_str(), named.rate), (charge.id, charge.tier, charge.rate));
    }
}
