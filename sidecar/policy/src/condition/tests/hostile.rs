//! Odd expressions and odd arguments: no panic, no deep stack, no endless work, and never an open door.

use super::{NOW, ada, compiled, fault, holds, outcome, pay};
use crate::condition::{Arguments, Condition, Facts, MAX_ELEMENTS, Outcome, Scope};
use proptest::prelude::*;
use serde_json::json;

#[test]
fn nesting_of_every_kind_is_refused_before_it_is_deep() {
    let nested = |open: &str, close: &str, depth: usize| format!("{}true{}", open.repeat(depth), close.repeat(depth));
    for (open, close) in [
        ("(", ")"),
        ("[", "]"),
        ("!", ""),
        ("-", ""),
        ("size(", ")"),
        ("true?true:", ""),
        ("args[", "]"),
        ("has(", ")"),
    ] {
        for depth in [40, 100, 300] {
            assert!(Condition::compile(&nested(open, close, depth)).is_err(), "{open} {depth} times");
            assert!(Condition::compile(&nested(open, "", depth)).is_err(), "{open} {depth} times, left open");
        }
    }
    for link in [".a", "[0]", "+1", "-1", "*1", " in []", "==1"] {
        assert!(Condition::compile(&format!("args{}", link.repeat(40))).is_err(), "{link}");
    }
    compiled(&nested("(", ")", 20));
    compiled(&["true"; 120].join(" && "));
}

#[test]
fn a_small_stack_suffices_for_the_deepest_condition_and_the_deepest_arguments() {
    let worker = std::thread::Builder::new().stack_size(512 * 1024).spawn(|| {
        let arguments = format!("{}1{}", "{\"a\":".repeat(120), "}".repeat(120));
        let selects = "args".to_owned() + &".a".repeat(30) + " == 1";
        fault(&selects, &arguments);
        let chain = "(".repeat(28) + "args.a" + &")".repeat(28) + " == null";
        assert_eq!(outcome(&chain, &arguments), Outcome::Fails);
        // Deeper than any JSON that the envelope lets through: refused by the reader, not by the stack.
        let deeper = format!("{}1{}", "{\"a\":".repeat(10_000), "}".repeat(10_000));
        fault("args.a == 1", &deeper);
    });
    worker.unwrap().join().unwrap();
}

#[test]
fn members_that_differ_in_case_only_are_a_fault_since_servers_may_read_either() {
    for arguments in [
        r#"{"amount": 1, "Amount": 1000}"#,
        r#"{"AMOUNT": 1000}"#,
        r#"{"amoun\u0074": 1, "\u0041mount": 1000}"#,
        r#"{"to": {"ban\u212A": 1, "bank": 2}}"#,
    ] {
        for text in [
            "args.amount <= 100 || args.to.bank == 2",
            "!has(args.amount) && !has(args.to.bank)",
            "!('amount' in args) && !('bank' in args.to)",
        ] {
            let found = outcome(text, arguments);
            assert!(!matches!(found, Outcome::Holds), "{text} with {arguments} {found}");
        }
    }
}

#[test]
fn arguments_beyond_the_bounds_are_a_fault_whatever_is_asked_of_them() {
    let long = json!({"list": vec![1; MAX_ELEMENTS + 1], "a": 1}).to_string();
    let many = json!({"list": vec![vec![1; 900]; 12], "a": 1}).to_string();
    let large = json!({"text": "x".repeat(65_536), "a": 1}).to_string();
    let wide: serde_json::Map<_, _> = (0..=MAX_ELEMENTS).map(|number| (format!("k{number}"), json!(1))).collect();
    for arguments in [long, many, large, serde_json::Value::Object(wide).to_string()] {
        fault("args.a == 1", &arguments);
        assert_eq!(outcome("principal.subject == 'ada'", &arguments), Outcome::Holds, "nobody looked at them");
    }
    for broken in ["[]", "1", "null", "{\"a\":1}x", "{\"a\":1,\"a\":2}", "{", ""] {
        fault("args.a == 1", broken);
    }
}

#[test]
fn steps_run_out_for_all_conditions_of_a_call_together() {
    let body: String = vec!["args.t == 'y'"; 40].join(" || ");
    let expensive = compiled(&format!("args.l.exists(x, {body})"));
    let arguments = json!({"l": vec![1; MAX_ELEMENTS], "t": "x"}).to_string();
    let (principal, operation) = (ada(), pay());
    let facts = Facts::of_call(&principal, "2026-07-28", Arguments::Given(arguments.as_bytes()), NOW);
    let scope = Scope::new(&facts, &operation);
    assert!(matches!(expensive.evaluate(&scope), Outcome::Fault(_)));
    let cheap = compiled("principal.subject == 'ada'");
    assert!(matches!(cheap.evaluate(&scope), Outcome::Fault(_)), "nothing is left for the next condition");
    assert_eq!(facts.steps_left(), 0);
}

#[test]
fn looking_at_large_values_again_and_again_is_paid_for() {
    let arguments = json!({"l": vec![1; MAX_ELEMENTS], "m": vec![vec![7; 900]; 9]}).to_string();
    for body in
        ["args.m == [[0]]", "args.m == args.m", "args.m in [args.m]", "size(args.m) == 0", "[args.m][0] == null"]
    {
        let (principal, operation) = (ada(), pay());
        let condition = compiled(&format!("args.l.exists(x, {} || x == 2)", vec![body; 20].join(" || ")));
        let facts = Facts::of_call(&principal, "2026-07-28", Arguments::Given(arguments.as_bytes()), NOW);
        let scope = Scope::new(&facts, &operation);
        let _ = condition.evaluate(&scope);
        assert!(facts.steps_left() < 85_000, "{body} left {}", facts.steps_left());
    }
}

#[test]
fn a_pattern_is_not_tried_on_long_texts() {
    assert!(holds("args.a.matches('^x+$')", &json!({"a": "x".repeat(4096)})));
    fault("args.a.matches('^x+$')", &json!({"a": "x".repeat(4097)}).to_string());
    let (principal, operation) = (ada(), pay());
    let arguments = json!({"l": vec!["a".repeat(60); MAX_ELEMENTS]}).to_string();
    let slow = compiled("args.l.all(t, t.matches('(a*)*b|(a|a)*c|a?a?a?a?a?a?a?a?aaaaaaaa'))");
    let facts = Facts::of_call(&principal, "2026-07-28", Arguments::Given(arguments.as_bytes()), NOW);
    let scope = Scope::new(&facts, &operation);
    // Whatever it comes to, it comes to it: the pattern is linear, and the steps are counted.
    let _ = slow.evaluate(&scope);
}

/// Texts that look like conditions more often than not.
fn expressions() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "args",
        ".a",
        ".list",
        "principal",
        ".claims",
        ".groups",
        "call.tool",
        "now",
        "(",
        ")",
        "[",
        "]",
        "'x'",
        "\"",
        "1",
        "0.5",
        "-",
        "+",
        "*",
        "/",
        "%",
        " in ",
        "==",
        "!=",
        "<",
        ">=",
        "&&",
        "||",
        "!",
        "?",
        ":",
        ",",
        "size(",
        ".size()",
        ".all(x,",
        ".exists(y,",
        "x",
        "has(args.a)",
        "timestamp(",
        "duration('1s')",
        ".matches('a*')",
        ".contains(",
        "null",
        "true",
        "false",
        "\\",
        "\u{e9}",
        "{",
        "}",
        "//",
        "\n",
        "9223372036854775807",
        ".getHours('+01:00')",
        "int(",
        "double(",
    ]);
    prop::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
}

fn arguments() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(serde_json::Value::from),
        any::<i64>().prop_map(serde_json::Value::from),
        any::<f64>().prop_map(serde_json::Value::from),
        "[a-zA-Z]{0,6}".prop_map(serde_json::Value::from),
    ];
    leaf.prop_recursive(4, 24, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(serde_json::Value::from),
            prop::collection::hash_map("[aAbl]|list", inner, 0..6)
                .prop_map(|members| serde_json::Value::Object(members.into_iter().collect())),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]

    #[test]
    fn no_text_makes_the_compiler_panic(text in "\\PC{0,80}|.{0,80}") {
        let _ = Condition::compile(&text);
    }

    #[test]
    fn no_expression_and_no_arguments_make_it_panic_or_exceed_its_steps(text in expressions(), arguments in arguments()) {
        if let Ok(condition) = Condition::compile(&text) {
            let arguments = arguments.to_string();
            let (principal, operation) = (ada(), pay());
            let facts = Facts::of_call(&principal, "2026-07-28", Arguments::Given(arguments.as_bytes()), NOW);
            let scope = Scope::new(&facts, &operation);
            let first = condition.evaluate(&scope);
            let again = Facts::of_call(&principal, "2026-07-28", Arguments::Given(arguments.as_bytes()), NOW);
            let scope = Scope::new(&again, &operation);
            prop_assert_eq!(first, condition.evaluate(&scope), "{} decides the same twice", text);
        }
    }

    #[test]
    fn no_value_of_the_arguments_is_in_a_fault(text in expressions(), secret in "[A-Z]{12}") {
        if let Ok(condition) = Condition::compile(&text) {
            let arguments = json!({"a": secret, "list": [secret, {"a": secret}]}).to_string();
            let (principal, operation) = (ada(), pay());
            let facts = Facts::of_call(&principal, "2026-07-28", Arguments::Given(arguments.as_bytes()), NOW);
            let scope = Scope::new(&facts, &operation);
            let shown = format!("{:?}", condition.evaluate(&scope));
            prop_assert!(!shown.contains(&secret), "{}", shown);
        }
    }
}
