//! Lists: the arguments are not known yet, and what can't be allowed is not shown.

use super::{NOW, ada, compiled, pay};
use crate::condition::{Arguments, Facts, LIST_STEPS, Outcome, Scope};
use crate::operation::{Method, Operation, Target};
use crate::pattern::Pattern;
use crate::rules::{Action, MatchConfig, OnMissingScope, RuleConfig, RuleSet, Verdict};
use crate::scope::{Catalogue, ScopeSet};
use proptest::prelude::*;

fn listed(text: &str, is_template: bool) -> Outcome {
    let (principal, condition) = (ada(), compiled(text));
    let operation = Operation { method: Method::ResourcesRead, target: Target::Resources(vec!["a://b/~".into()]) };
    let facts = Facts::of_listed(&principal, "2026-07-28", is_template, NOW, LIST_STEPS);
    let scope = Scope::new(&facts, &operation);
    condition.evaluate(&scope)
}

#[test]
fn what_the_arguments_decide_is_unknown_and_what_the_caller_decides_is_not() {
    let table = [
        ("args.amount <= 100", Outcome::Unknown),
        ("args.amount <= 100 && 'ops' in principal.groups", Outcome::Unknown),
        ("args.amount <= 100 && 'hr' in principal.groups", Outcome::Fails),
        ("'hr' in principal.groups && args.amount <= 100", Outcome::Fails),
        ("args.amount <= 100 || 'ops' in principal.groups", Outcome::Holds),
        ("'ops' in principal.groups ? true : args.x", Outcome::Holds),
        ("args.x ? true : true", Outcome::Unknown),
        ("has(args.x) || size(args.list) == 1 || args.list.all(x, x > 1)", Outcome::Unknown),
        ("!('admin' in principal.roles && args.x == 1)", Outcome::Unknown),
        ("('admin' in principal.roles && args.x == 1) || args.y", Outcome::Unknown),
        ("[1, 2].exists_one(x, (x == 2 || args.a) && (x == 2 || 'admin' in principal.roles))", Outcome::Unknown),
        ("size([1, 2].filter(x, (x == 2 || args.a) && (x == 2 || 'admin' in principal.roles))) == 1", Outcome::Unknown),
        ("call.method == 'resources/read'", Outcome::Holds),
        ("call.resource.startsWith('a://b')", Outcome::Holds),
    ];
    for (text, expected) in table {
        assert_eq!(listed(text, false), expected, "{text}");
    }
    for text in [
        "'admin' in principal.roles && args.x == 1",
        "args.x == 1 && 'admin' in principal.roles && args.y == 1",
        "('admin' in principal.roles && args.x == 1) || 'hr' in principal.groups",
    ] {
        assert!(matches!(listed(text, false), Outcome::Never(_)), "{text}");
    }
    assert_eq!(listed("call.resource.startsWith('a://b')", true), Outcome::Unknown, "a template stands for others");
}

fn rule(name: &str, action: Action, condition: Option<&str>) -> RuleConfig {
    let matches = MatchConfig {
        methods: Vec::new(),
        tools: vec![Pattern::new("pay").unwrap()],
        resources: Vec::new(),
        prompts: Vec::new(),
    };
    RuleConfig {
        name: name.into(),
        matches,
        action,
        scopes: Vec::new(),
        on_missing_scope: OnMissingScope::Challenge,
        condition: condition.map(str::to_owned),
    }
}

/// Conditions of all kinds of terms, put together in all ways: those that arguments, the caller or nothing can decide.
fn conditions() -> impl Strategy<Value = String> {
    let term = prop::sample::select(vec![
        "args.amount > 10",
        "args.flag",
        "has(args.amount)",
        "'ops' in principal.groups",
        "'hr' in principal.groups",
        "'admin' in principal.roles",
        "principal.claims.level == 3",
        "true",
        "false",
        "args.amount / 0 == 1",
    ]);
    term.prop_map(str::to_owned).prop_recursive(3, 24, 3, |inner| {
        let three = (inner.clone(), inner.clone(), inner.clone());
        prop_oneof![
            (inner.clone(), inner.clone()).prop_map(|(one, two)| format!("({one} && {two})")),
            (inner.clone(), inner.clone()).prop_map(|(one, two)| format!("({one} || {two})")),
            inner.clone().prop_map(|one| format!("!({one})")),
            three.prop_map(|(one, two, three)| format!("({one} ? {two} : {three})")),
            (inner.clone(), inner.clone()).prop_map(|(one, two)| format!("(({one}) == ({two}))")),
            (macros(), inner.clone(), inner).prop_map(|(name, one, two)| each(name, &one, &two)),
        ]
    })
}

fn macros() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec!["all", "exists", "exists_one", "filter"])
}

/// A macro whose elements are judged differently. One inside another is refused, and stands as it is then.
fn each(name: &str, one: &str, two: &str) -> String {
    if [one, two].iter().any(|inner| inner.contains("(x, ")) {
        return format!("({one} && {two})");
    }
    let body = format!("(x == 2 || {one}) && (x == 2 || {two})");
    match name {
        "filter" => format!("size([1, 2].filter(x, {body})) == 1"),
        _ => format!("[1, 2].{name}(x, {body})"),
    }
}

const CONDITIONS: [Option<&str>; 10] = [
    None,
    Some("args.amount <= 100"),
    Some("args.amount > 50 && 'ops' in principal.groups"),
    Some("!has(args.amount)"),
    Some("'hr' in principal.groups"),
    Some("'admin' in principal.roles"),
    Some("args.amount > 10 && 'admin' in principal.roles"),
    Some("args.amount > 10 || 'admin' in principal.roles"),
    Some("args.flag"),
    Some("principal.claims.level == 3 ? args.amount < 5 : true"),
];

/// Whether the rules allow paying with these arguments, and whether a list shows it.
fn allowed_and_shown(rules: &[RuleConfig], amount: Option<i64>, flag: Option<bool>) -> (bool, bool, String) {
    let rules = RuleSet::compile(rules, &Catalogue::compile(&[]).unwrap()).unwrap();
    let principal = ada();
    let mut members = serde_json::Map::new();
    members.extend(amount.map(|amount| ("amount".to_owned(), amount.into())));
    members.extend(flag.map(|flag| ("flag".to_owned(), flag.into())));
    let text = serde_json::Value::Object(members).to_string();
    let call = Facts::of_call(&principal, "2026-07-28", Arguments::Given(text.as_bytes()), NOW);
    let allowed = matches!(rules.decide(&pay(), &ScopeSet::EMPTY, &call), Verdict::Allow(_));
    let list = Facts::of_listed(&principal, "2026-07-28", false, NOW, LIST_STEPS);
    (allowed, rules.shows(&pay(), &ScopeSet::EMPTY, &list), text)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn whatever_the_conditions_are_what_a_list_hides_is_refused_with_any_arguments(
        allow in conditions(),
        deny in prop::option::of(conditions()),
        amount in prop::option::of(0_i64..20),
        flag in prop::option::of(any::<bool>()),
    ) {
        prop_assume!(allow.len() <= 1024 && deny.as_ref().is_none_or(|deny| deny.len() <= 1024));
        let mut rules = vec![rule("allow", Action::Allow, Some(&allow))];
        rules.extend(deny.as_deref().map(|deny| rule("deny", Action::Deny, Some(deny))));
        let (allowed, shown, text) = allowed_and_shown(&rules, amount, flag);
        prop_assert!(shown || !allowed, "hidden, and yet allowed with {text}: {allow} but {deny:?}");
    }
}

proptest! {
    #[test]
    fn what_a_list_hides_is_refused_with_any_arguments(
        chosen in prop::collection::vec((any::<bool>(), 0..CONDITIONS.len()), 1..4),
        amount in prop::option::of(-10_i64..200),
        flag in prop::option::of(any::<bool>()),
    ) {
        let rules: Vec<_> = chosen
            .iter()
            .enumerate()
            .map(|(number, (denies, condition))| {
                let action = if *denies { Action::Deny } else { Action::Allow };
                rule(&format!("r{number}"), action, CONDITIONS[*condition])
            })
            .collect();
        let (allowed, shown, text) = allowed_and_shown(&rules, amount, flag);
        prop_assert!(shown || !allowed, "hidden, and yet allowed with {text}");
    }
}
