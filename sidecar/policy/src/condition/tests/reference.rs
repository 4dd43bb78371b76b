//! A second evaluator judges the same conditions: where both decide, they agree, and this one is never laxer.

use super::{NOW, ada, pay};
use crate::condition::{Arguments, Condition, Facts, Outcome, Scope};
use cel::{Context, Program, Value};
use proptest::prelude::*;

/// What the other evaluator says; `None` for an error.
fn reference(text: &str, amount: i64, note: &str, list: &[i64]) -> Option<bool> {
    let mut context = Context::default();
    let arguments = std::collections::HashMap::from([
        ("amount".to_owned(), Value::from(amount)),
        ("note".to_owned(), Value::from(note.to_owned())),
        ("list".to_owned(), Value::from(list.to_vec())),
    ]);
    context.add_variable_from_value("args", arguments);
    match Program::compile(text).ok()?.execute(&context) {
        Ok(Value::Bool(value)) => Some(value),
        Ok(_) | Err(_) => None,
    }
}

/// Expressions without what the two are known to differ in: numbers of two types, members of what is no object.
fn expressions() -> impl Strategy<Value = String> {
    let numbers = prop::sample::select(vec![
        "args.amount",
        "1",
        "100",
        "-7",
        "args.list[0]",
        "size(args.list)",
        "size(args.note)",
    ]);
    let sums = prop::collection::vec(numbers, 1..3).prop_flat_map(|terms| {
        prop::sample::select(vec!["+", "-", "*", "/", "%"]).prop_map(move |sign| terms.join(sign))
    });
    let texts = prop::sample::select(vec!["args.note", "'a'", "'ab'", "args.note + 'b'", "args.missing"]);
    let compare = prop::sample::select(vec!["==", "!=", "<", "<=", ">", ">="]);
    let leaf = prop_oneof![
        (sums.clone(), compare.clone(), sums.clone()).prop_map(|(left, sign, right)| format!("{left} {sign} {right}")),
        (texts.clone(), compare, texts.clone()).prop_map(|(left, sign, right)| format!("{left} {sign} {right}")),
        (texts.clone(), texts, prop::sample::select(vec!["contains", "startsWith", "endsWith"]))
            .prop_map(|(text, part, name)| format!("{text}.{name}({part})")),
        (sums.clone(), prop::sample::select(vec!["all", "exists", "exists_one"]))
            .prop_map(|(bound, name)| format!("args.list.{name}(x, x > {bound})")),
        sums.prop_map(|number| format!("{number} in args.list")),
        Just("has(args.amount)".to_owned()),
        Just("has(args.missing)".to_owned()),
        Just("true".to_owned()),
    ];
    leaf.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            (inner.clone(), prop::sample::select(vec!["&&", "||"]), inner.clone())
                .prop_map(|(left, sign, right)| format!("({left}) {sign} ({right})")),
            inner.clone().prop_map(|term| format!("!({term})")),
            (inner.clone(), inner.clone(), inner)
                .prop_map(|(one, two, three)| format!("({one}) ? ({two}) : ({three})")),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn the_library_for_rust_decides_the_same(
        text in expressions(),
        amount in -3_i64..103,
        note in "[ab]{0,3}",
        list in prop::collection::vec(-3_i64..103, 0..4),
    ) {
        let Ok(condition) = Condition::compile(&text) else { return Err(TestCaseError::reject("too deep")) };
        let arguments = serde_json::json!({"amount": amount, "note": note, "list": list}).to_string();
        let (principal, operation) = (ada(), pay());
        let facts = Facts::of_call(&principal, "2026-07-28", Arguments::Given(arguments.as_bytes()), NOW);
        let scope = Scope::new(&facts, &operation);
        let ours = match condition.evaluate(&scope) {
            Outcome::Holds => Some(true),
            Outcome::Fails => Some(false),
            Outcome::Unknown | Outcome::Never(_) | Outcome::Fault(_) => None,
        };
        // Deep texts overflow its stack, so it gets a large one.
        let theirs = std::thread::scope(|threads| {
            let worker = std::thread::Builder::new().stack_size(64 << 20);
            worker.spawn_scoped(threads, || reference(&text, amount, &note, &list)).unwrap().join().unwrap()
        });
        prop_assert_eq!(ours, theirs, "{} with {}", text, arguments);
    }
}
