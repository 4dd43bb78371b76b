//! The language: variables, operators, functions, macros, and what is no condition.

use super::{compiled, fault, holds, outcome, refused};
use crate::condition::{MAX_LENGTH, Outcome};
use serde_json::json;

#[test]
fn the_caller_the_call_the_arguments_and_the_time_are_known() {
    let arguments = json!({"amount": 50, "note": "for Ada", "tags": ["a", "b"], "to": {"iban": "DE02", "own": true}});
    let table = [
        ("principal.subject == 'ada' && principal.issuer == \"https://idp\"", true),
        ("principal.client == 'agent' && 'write' in principal.scopes", true),
        ("'ops' in principal.groups && !('hr' in principal.groups)", true),
        ("principal.claims.tier == 'gold' && principal.claims.address.country == 'DE'", true),
        ("principal.claims['level'] >= 3", true),
        ("call.method == 'tools/call' && call.tool == 'pay' && call.revision == '2026-07-28'", true),
        ("args.amount <= 100", true),
        ("args.amount <= 49", false),
        ("args.note.startsWith('for ') && args.note.endsWith(\"Ada\") && args.note.contains('r A')", true),
        ("args.note.lowerAscii() == 'for ada' && args.note.upperAscii() == 'FOR ADA'", true),
        ("args.to.iban.matches('^DE[0-9]{2}$')", true),
        ("args.to.iban.matches(r'^\\d+$')", false),
        ("has(args.amount) && !has(args.fee)", true),
        ("size(args.tags) == 2 && args.tags[1] == 'b' && args.note.size() == 7", true),
        ("args.tags.all(tag, tag in ['a', 'b', 'c'])", true),
        ("args.tags.exists(tag, tag == 'b') && args.tags.exists_one(tag, tag != 'b')", true),
        ("args.tags.filter(tag, tag > 'a').size() == 1", true),
        ("args.to.all(name, name in ['iban', 'own'])", true),
        ("args.amount > 100 ? 'approver' in principal.groups : true", true),
        ("args.amount * 2 + 1 == 101 && args.amount % 7 == 1 && -args.amount < 0", true),
        ("now > timestamp('2027-01-01T00:00:00Z') && now.getFullYear() == 2027", true),
        ("now.getDayOfWeek() == 5 && now.getHours() == 8 && now.getHours('+01:00') == 9", true),
        ("now - timestamp(principal.claims.auth_time) < duration('5m')", true),
        ("now + duration('1h') == timestamp('2027-01-15T09:00:00Z')", true),
        ("principal.claims.level == null || args.amount != null", true),
        ("true // the rest of the line says why\n && args.amount == 0x32", true),
    ];
    for (text, expected) in table {
        assert_eq!(holds(text, &arguments), expected, "{text}");
    }
}

#[test]
fn what_is_missing_unknown_or_of_another_type_is_a_fault_and_never_a_bool() {
    let arguments = r#"{"amount": 50, "note": "x", "list": [1, "a"], "deep": {"a": 1}}"#;
    let table = [
        ("args.fee <= 100", "args has no `fee`, or it is not known"),
        ("args.deep.b == 1", "deep has no `b`, or it is not known"),
        ("'admin' in principal.roles", "principal has no `roles`, or it is not known"),
        ("call.resource == 'a://b'", "call has no `resource`, or it is not known"),
        ("!args.note.blocked", "`.blocked` can't be used with a value of type string"),
        ("has(args.note.blocked)", "`.blocked` can't be used with a value of type string"),
        ("args.amount == '50'", "a comparison can't be used with values of types int and string"),
        ("args.amount != '50'", "a comparison can't be used with values of types int and string"),
        ("args.note <= 100", "a comparison can't be used with values of types string and int"),
        ("args.list[2] == 1", "a list has no element of the number in [ ]"),
        ("args.list[-1] == 1", "a list has no element of the number in [ ]"),
        ("args['fee'] == 1", "an object has no member of the name in [ ]"),
        ("!('b' in args.list)", "a comparison can't be used with values of types string and int"),
        ("args.amount", "it is a value of type int, not a bool"),
        ("args.amount && true", "a logical operator can't be used with a value of type int"),
        ("args.amount / 0 == 1", "a division by zero, or a number becomes too large"),
        ("9223372036854775807 + args.amount > 0", "a number becomes too large"),
        ("-(-9223372036854775808) > 0", "a number becomes too large"),
        ("args.deep == args.deep", "objects can't be compared; compare their members"),
        ("int(args.note) == 1", "int() got a text that is no whole number"),
        ("double('nan') == 1.0", "double() got a text that is no number"),
        ("timestamp(args.note) < now", "timestamp() got no time"),
        ("timestamp(9223372036854775807) > now", "timestamp() got no time"),
        ("args.list.all(x, x > 0)", "a comparison can't be used with values of types string and int"),
        ("args.note.exists(x, true)", "a macro can't be used with a value of type string"),
    ];
    for (text, expected) in table {
        assert_eq!(fault(text, arguments), expected, "{text}");
    }
}

#[test]
fn a_fault_beside_what_decides_does_not_matter_as_in_every_cel() {
    for (text, expected) in [
        ("args.none == 1 && false", Outcome::Fails),
        ("false && args.none == 1", Outcome::Fails),
        ("args.none == 1 || true", Outcome::Holds),
        ("true || args.none == 1", Outcome::Holds),
        ("[1, 2].exists(x, x == 2 || args.none)", Outcome::Holds),
    ] {
        assert_eq!(outcome(text, "{}"), expected, "{text}");
    }
    fault("args.none == 1 && true", "{}");
    fault("args.none == 1 || false", "{}");
    fault("!(args.none == 1)", "{}");
    fault("args.none == 1 ? true : true", "{}");
}

const NO_CONDITIONS: &[(&str, &str)] = &[
    ("", "line 1, column 1: a value is missing here"),
    ("args.amount <=", "line 1, column 15: a value is missing here"),
    ("args.amount <= 100 100", "line 1, column 20: the expression should end here, or an operator is missing"),
    ("args.amount = 100", "line 1, column 13: write `==` to compare"),
    ("true &\n& true", "line 1, column 6: write `&&`"),
    (
        "true &&\n  arg.amount < 1",
        "line 2, column 3: `arg` is not known; a condition reads principal, call, args and now",
    ),
    (
        "principal.role == 'x'",
        "line 1, column 11: there is no `role` here; choose one of issuer, subject, client, scopes, claims, groups, roles",
    ),
    (
        "call.name == 'x'",
        "line 1, column 6: there is no `name` here; choose one of method, tool, resource, prompt, revision",
    ),
    ("size(1, 2) == 1", "line 1, column 1: this function takes another number of arguments"),
    ("trim('a') == 'a'", "line 1, column 1: the function `trim` is not known"),
    ("args.a.trim() == 'a'", "line 1, column 8: the function `trim` is not known"),
    (
        "args.a.map(x, x) == []",
        "line 1, column 8: map() is not supported; use all(), exists(), exists_one() or filter()",
    ),
    (
        "args.a.matches(args.b)",
        "line 1, column 8: the pattern of matches() must be a text that is written out, since no caller may bring one",
    ),
    ("args.a.matches('(')", "line 1, column 8: the pattern of matches() can't be read; RE2 syntax is expected"),
    ("args.a.matches('(a{500}){500}')", "line 1, column 8: the pattern of matches() is too large"),
    (
        "args.a.all(x, x.all(y, y))",
        "line 1, column 17: a macro inside a macro is not supported, since its cost would grow with the square of the list",
    ),
    ("args.a.all(args, true)", "line 1, column 8: `args` is taken; choose another variable"),
    ("args.a.all(1, true)", "line 1, column 12: the variable of the macro is missing here"),
    ("x == 1", "line 1, column 1: `x` is not known; a condition reads principal, call, args and now"),
    ("has(args)", "line 1, column 1: has() takes a member, as in has(args.amount)"),
    ("timestamp('yesterday') < now", "line 1, column 1: a timestamp is written as 2026-01-31T08:00:00Z (RFC 3339)"),
    ("duration('5 minutes') > duration('1s')", "line 1, column 1: a duration is written as 90s, 1h30m or 500ms"),
    (
        "now.getHours('Europe/Berlin') < 8",
        "line 1, column 5: a time zone is an offset that is written out, such as '+02:00', or 'UTC'",
    ),
    ("1u == 1", "line 1, column 2: unsigned numbers are not supported; leave the `u` out"),
    ("99999999999999999999 > 1", "line 1, column 1: this number can't be read"),
    ("9223372036854775808 > 1", "line 1, column 1: the number is too large"),
    ("1e999 > 1.0", "line 1, column 1: this number can't be read"),
    ("'abc", "line 1, column 1: this text has no end"),
    ("'a\\d' == 'a'", "line 1, column 4: this escape is not known; for a pattern, write r'…'"),
    ("{'a': 1} == args", "line 1, column 1: maps and messages can't be written in a condition"),
    ("b'abc' == args.a", "line 1, column 1: bytes are not supported; arguments and claims have texts"),
    ("args.a @ 1", "line 1, column 8: `@` has no meaning here"),
    ("(args.a", "line 1, column 8: `)` is missing here"),
];

#[test]
fn what_is_no_condition_is_refused_with_its_place_and_what_to_write() {
    for (text, expected) in NO_CONDITIONS {
        assert_eq!(refused(text).to_string(), *expected, "{text}");
    }
    let long = format!("args.a == '{}'", "x".repeat(MAX_LENGTH));
    assert!(refused(&long).message.contains("at most 1024 bytes"));
}

#[test]
fn escapes_in_texts_are_read() {
    let text = r#"args.a == "tab\there \u00e9 \x41 \U0001F600 \"quoted\" \\ end""#;
    assert!(holds(text, &json!({"a": "tab\there é A 😀 \"quoted\" \\ end"})));
    assert!(holds(r"args.a == r'\d'", &json!({"a": "\\d"})));
}

#[test]
fn an_anonymous_caller_has_nothing_that_a_condition_could_rest_on() {
    use crate::condition::{Arguments, Facts, Scope};
    use crate::principal::Principal;
    let operation = super::pay();
    for text in ["principal.subject == 'ada'", "principal.subject != 'mallory'", "!('hr' in principal.groups)"] {
        let condition = compiled(text);
        let facts = Facts::of_call(&Principal::Anonymous, "2026-07-28", Arguments::None, super::NOW);
        let scope = Scope::new(&facts, &operation);
        assert!(matches!(condition.evaluate(&scope), Outcome::Fault(_)), "{text}");
    }
}
