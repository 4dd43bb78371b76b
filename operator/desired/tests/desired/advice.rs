//! What is valid and worth a second thought.

use crate::fixture::{catalog, change, with};
use serde_json::json;
use tollward_desired::{Inputs, advice, validate};

fn advised(inputs: &Inputs) -> Vec<String> {
    advice(&validate(inputs).unwrap_or_else(|findings| panic!("{findings:#?}")))
}

#[test]
fn the_example_needs_no_advice() {
    assert_eq!(advised(&catalog()), Vec::<String>::new());
}

#[test]
fn a_scope_that_no_rule_asks_for_is_named_unless_it_implies_one() {
    let scopes = json!([
        {"name": "mcp:catalog-read", "description": "a"},
        {"name": "mcp:cart-write", "description": "b"},
        {"name": "mcp:checkout", "description": "c"},
        {"name": "mcp:unused", "description": "d"},
        {"name": "mcp:buyer", "description": "e", "implies": ["mcp:cart-write"]},
    ]);
    let advice = advised(&with("/spec/auth/scopes", scopes));
    assert_eq!(advice.len(), 1, "{advice:?}");
    assert!(advice[0].starts_with("scope `mcp:unused` is declared, but no rule asks for it"), "{advice:?}");
}

#[test]
fn a_scope_that_satisfies_every_rule_by_itself_is_named_from_four_rules_on() {
    let rule = |name: &str| json!({"name": name, "match": {"tools": [name]}, "scopes": ["mcp:catalog-read"]});
    let mut inputs = with("/spec/auth/scopes", json!([{"name": "mcp:catalog-read", "description": "a"}]));
    for (count, expected) in [(3, 0), (4, 1)] {
        let rules: Vec<_> = ["a", "b", "c", "d"].into_iter().take(count).map(rule).collect();
        inputs.server = change(&inputs.server, "/spec/auth/rules", json!(rules));
        let advice = advised(&inputs);
        assert_eq!(advice.len(), expected, "{advice:?}");
        assert!(
            advice.iter().all(|text| text.contains("`mcp:catalog-read` alone satisfies all 4 rules")),
            "{advice:?}"
        );
    }
}

#[test]
fn a_server_that_refuses_every_call_is_told() {
    let deny = json!([{"name": "no", "match": {"tools": ["*"]}, "action": "Deny"}]);
    for rules in [json!([]), deny] {
        let advice = advised(&with("/spec/auth/rules", rules));
        assert!(advice[0].starts_with("no rule allows anything"), "{advice:?}");
    }
}

#[test]
fn clients_of_entra_that_are_told_no_scope_get_a_token_for_graph() {
    let mut inputs = with("/spec/auth/audience", json!({"value": "6e74172b-be56-4843-9ff4-e66a39bb12e3"}));
    let issuer = "https://login.microsoftonline.com/72f988bf-86f1-41af-91ab-2d7cd011db47/v2.0";
    let external = json!({"preset": "Entra", "issuer": issuer});
    inputs.providers[0] = change(&inputs.providers[0], "/spec/external", external);
    assert_eq!(advised(&inputs), Vec::<String>::new());
    inputs.server = change(&inputs.server, "/spec/auth/initialScopes", json!([]));
    let advice = advised(&inputs);
    assert!(advice.len() == 1 && advice[0].contains("Microsoft Graph"), "{advice:?}");
}
