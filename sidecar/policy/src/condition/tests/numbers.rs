//! Numbers: what a caller writes decides by its value and not by its spelling.

use super::{fault, holds, outcome};
use crate::condition::Outcome;
use proptest::prelude::*;
use serde_json::json;

#[test]
fn one_is_one_however_it_is_spelled() {
    for spelled in ["1", "1.0", "1e0", "10e-1", "0.1e1"] {
        let arguments = format!("{{\"n\": {spelled}}}");
        for text in
            ["args.n == 1", "args.n == 1.0", "args.n <= 1", "!(args.n != 1)", "args.n in [1]", "args.n / 2 == 0"]
        {
            assert_eq!(outcome(text, &arguments), Outcome::Holds, "{text} with {spelled}");
        }
    }
    assert!(holds("args.n == 0 && args.n == -0.0", &json!({"n": -0.0})));
}

#[test]
fn whole_and_decimal_numbers_are_compared_and_reckoned_exactly() {
    let arguments = json!({"half": 0.5, "two": 2, "limit": 100.5});
    for text in [
        "args.half < 1 && 1 > args.half && args.half + args.two == 2.5",
        "args.limit > 100 && args.limit <= 101 && args.two * args.half == 1.0",
        "args.two / 4.0 == args.half && double(args.two) / 4.0 == 0.5 && int(args.limit) == 100",
        "9007199254740993 > 9007199254740992.0 && 9007199254740992.0 < 9007199254740993",
        "9223372036854775807 < 9223372036854775808.0 && -9223372036854775808 >= -9223372036854775808.0",
    ] {
        assert!(holds(text, &arguments), "{text}");
    }
    // What a decimal could not hold is not rounded.
    fault("9007199254740993 + 0.5 > 0.0", "{}");
    fault("1.0 / (args.n - 1) > 0.0", r#"{"n": 1}"#);
    fault("1.5 % 1 == 0.5", "{}");
}

#[test]
fn a_number_that_servers_read_differently_is_not_judged() {
    for number in [
        "9007199254740993",
        "-9007199254740993",
        "18446744073709551615",
        "18446744073709551616",
        "1e300",
        "9007199254740992.0",
    ] {
        let arguments = format!("{{\"n\": {number}, \"ok\": 1}}");
        for text in
            ["args.n > 100", "args.n <= 100", "args.n == args.n", "args.n in [1]", "!(args.n == 7)", "args.n != null"]
        {
            assert!(matches!(outcome(text, &arguments), Outcome::Fault(_)), "{text} with {number}");
        }
        assert_eq!(outcome("args.ok == 1", &arguments), Outcome::Holds, "nobody looked at {number}");
    }
    assert_eq!(outcome("args.n == 9007199254740991", r#"{"n": 9007199254740991}"#), Outcome::Holds);
}

proptest! {
    #[test]
    fn a_bound_holds_exactly_for_the_numbers_below_it(amount in -1_000_000_i64..1_000_000, thousandths in 0_i64..1000) {
        let text = format!("{{\"amount\": {amount}.{thousandths:03}}}");
        let above = amount > 100 || (amount == 100 && thousandths > 0);
        let expected = if above { Outcome::Fails } else { Outcome::Holds };
        prop_assert_eq!(outcome("args.amount <= 100", &text), expected);
    }
}
