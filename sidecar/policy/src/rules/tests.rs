//! Decisions over a small shop: read, write, a hidden tool and a forbidden one.

use super::*;
use crate::condition::Arguments;
use crate::principal::Principal;
use crate::scope::ScopeConfig;

fn scope(name: &str) -> ScopeName {
    ScopeName::new(name).unwrap()
}

fn patterns(names: &[&str]) -> Vec<Pattern> {
    names.iter().map(|name| Pattern::new(*name).unwrap()).collect()
}

fn any() -> MatchConfig {
    MatchConfig { methods: vec![], tools: vec![], resources: vec![], prompts: vec![] }
}

fn rule(name: &str, matches: MatchConfig, scopes: &[&str]) -> RuleConfig {
    RuleConfig {
        name: name.into(),
        matches,
        action: Action::Allow,
        scopes: scopes.iter().map(|name| scope(name)).collect(),
        on_missing_scope: OnMissingScope::Challenge,
        condition: None,
    }
}

fn catalogue() -> Catalogue {
    let scopes = ["read", "write", "secret"].map(|name| ScopeConfig {
        name: scope(name),
        description: String::new(),
        implies: if name == "write" { vec![scope("read")] } else { vec![] },
    });
    Catalogue::compile(&scopes).unwrap()
}

fn shop() -> RuleSet {
    let rules = [
        rule(
            "read",
            MatchConfig { tools: patterns(&["get_*"]), resources: patterns(&["catalog://*"]), ..any() },
            &["read"],
        ),
        rule("write", MatchConfig { tools: patterns(&["add_to_cart"]), ..any() }, &["write"]),
        RuleConfig {
            on_missing_scope: OnMissingScope::Hide,
            ..rule("secret", MatchConfig { tools: patterns(&["margins"]), ..any() }, &["secret"])
        },
        RuleConfig {
            action: Action::Deny,
            ..rule("never", MatchConfig { tools: patterns(&["get_passwords"]), ..any() }, &[])
        },
    ];
    RuleSet::compile(&rules, &catalogue()).unwrap()
}

/// Of a caller that nothing is known about.
fn facts() -> Facts<'static> {
    Facts::of_call(&Principal::Anonymous, "2026-07-28", Arguments::None, 1_800_000_000)
}

fn call(tool: &str) -> Operation {
    Operation { method: Method::ToolsCall, target: Target::Tool(tool.into()) }
}

fn decide(operation: &Operation, scopes: &[&str]) -> Verdict {
    shop().decide(operation, &catalogue().held(scopes.iter().copied()), &facts())
}

#[test]
fn without_a_rule_a_call_is_denied_and_a_list_is_open() {
    assert_eq!(decide(&call("checkout"), &["read", "write", "secret"]), Verdict::NoRule);
    let list = Operation { method: Method::ToolsList, target: Target::None };
    assert_eq!(decide(&list, &[]), Verdict::Allow(None));
}

#[test]
fn a_missing_scope_names_all_scopes_of_the_rule() {
    assert_eq!(decide(&call("add_to_cart"), &["read"]), Verdict::StepUp("write".into(), [scope("write")].into()));
}

#[test]
fn an_implied_scope_suffices() {
    assert_eq!(decide(&call("get_product"), &["write"]), Verdict::Allow(Some("read".into())));
}

#[test]
fn deny_beats_allow_whatever_the_order() {
    assert_eq!(decide(&call("get_passwords"), &["read"]), Verdict::Deny("never".into()));
}

#[test]
fn a_hidden_tool_is_neither_shown_nor_challenged() {
    assert_eq!(decide(&call("margins"), &["read"]), Verdict::Hide("secret".into()));
    let held = catalogue().held(["read"]);
    assert!(!shop().shows(&call("margins"), &held, &facts()));
    assert!(shop().shows(&call("add_to_cart"), &held, &facts()), "a challenge can be met, so the tool is shown");
}

#[test]
fn every_resource_of_a_subscription_needs_permission() {
    let listen = |uris: &[&str]| Operation {
        method: Method::SubscriptionsListen,
        target: Target::Resources(uris.iter().map(|uri| (*uri).to_owned()).collect()),
    };
    assert!(matches!(decide(&listen(&["catalog://a", "catalog://b"]), &["read"]), Verdict::Allow(_)));
    assert_eq!(decide(&listen(&["catalog://a", "file:///etc/passwd"]), &["read"]), Verdict::NoRule);
}

#[test]
fn a_rule_by_method_covers_every_target_of_that_method_only() {
    let all_tools = rule("all", MatchConfig { methods: vec![Method::ToolsCall], ..any() }, &[]);
    let rules = RuleSet::compile(&[all_tools], &catalogue()).unwrap();
    assert!(matches!(rules.decide(&call("anything"), &ScopeSet::EMPTY, &facts()), Verdict::Allow(_)));
    let prompt = Operation { method: Method::PromptsGet, target: Target::Prompt("anything".into()) };
    assert_eq!(rules.decide(&prompt, &ScopeSet::EMPTY, &facts()), Verdict::NoRule);
}

#[test]
fn a_rule_about_tools_says_nothing_about_prompts_of_the_same_name() {
    let prompt = Operation { method: Method::PromptsGet, target: Target::Prompt("get_product".into()) };
    assert_eq!(decide(&prompt, &["read", "write"]), Verdict::NoRule);
}

#[test]
fn a_deny_rule_closes_protocol_mechanics_too() {
    let no_streams = RuleConfig {
        action: Action::Deny,
        ..rule("no-streams", MatchConfig { methods: vec![Method::StreamOpen], ..any() }, &[])
    };
    let rules = RuleSet::compile(&[no_streams], &catalogue()).unwrap();
    let stream = Operation { method: Method::StreamOpen, target: Target::None };
    assert_eq!(rules.decide(&stream, &ScopeSet::EMPTY, &facts()), Verdict::Deny("no-streams".into()));
}

#[test]
fn rules_that_would_open_everything_or_contradict_themselves_do_not_compile() {
    let compile = |rule: RuleConfig| RuleSet::compile(&[rule], &catalogue()).unwrap_err();
    assert_eq!(compile(rule("r", any(), &[])), RuleError::EmptyMatch("r".into()));
    let deny =
        RuleConfig { action: Action::Deny, ..rule("r", MatchConfig { tools: patterns(&["x"]), ..any() }, &["read"]) };
    assert_eq!(compile(deny), RuleError::DenyWithScopes("r".into()));
    let undeclared = rule("r", MatchConfig { tools: patterns(&["x"]), ..any() }, &["other"]);
    assert!(matches!(compile(undeclared), RuleError::Scope { .. }));
}

#[test]
fn listening_to_list_changes_is_open_and_an_empty_set_of_resources_permits_nothing() {
    let listen = |target| Operation { method: Method::SubscriptionsListen, target };
    assert_eq!(decide(&listen(Target::None), &[]), Verdict::Allow(None));
    assert_eq!(decide(&listen(Target::Resources(vec![])), &["read"]), Verdict::NoRule);
}
