//! `check`, `render` and `completions`: what they print, and the exit code.

use crate::manifests::{GOOD, Manifests, example};

#[test]
fn good_manifests_are_valid() {
    let (text, code) =
        Manifests::of(&[("all.yaml", GOOD), ("notes.txt", "not read")]).run(&["check", "-f", "manifests"]);
    assert_eq!(text, "valid MCPServer shop/catalog, https://catalog-tollward.shop.svc/mcp\n");
    assert_eq!(code, Some(0));
}

#[test]
fn the_example_is_valid() {
    let (text, code) = Manifests::of(&[]).run(&["check", "-f", example().to_str().unwrap()]);
    assert!(text.starts_with("valid MCPServer shop/catalog"), "{text}");
    assert_eq!(code, Some(0));
}

#[test]
fn every_problem_is_listed_with_file_object_and_field() {
    let bad = GOOD.replace("catalog:read", "catalog:admin").replace("{name: idp}]", "{name: nobody}]");
    let (text, code) = Manifests::of(&[("server.yaml", &bad)]).run(&["check", "-f", "manifests"]);
    insta::assert_snapshot!(text);
    assert_eq!(code, Some(1));
}

#[test]
fn errors_of_the_text_are_listed_with_file_document_and_place() {
    let unknown = GOOD.replace("mode: OAuth", "mode: OAuth\n    oidc: true");
    let files = [("a.yaml", "a: ["), ("b.yaml", &unknown), ("c.yaml", "kind: MCPServer")];
    let (text, code) = Manifests::of(&files).run(&["check", "-f", "manifests"]);
    for expected in
        ["manifests/a.yaml: ", "manifests/b.yaml, document 1, at `spec.auth.oidc`", "manifests/c.yaml, document 1: "]
    {
        assert!(text.contains(&format!("invalid {expected}")), "{expected}: {text}");
    }
    assert_eq!(code, Some(1));
}

#[test]
fn an_object_that_is_declared_twice_and_a_file_that_is_missing_are_problems() {
    let (text, code) = Manifests::of(&[("a.yaml", GOOD), ("b.yaml", GOOD)]).run(&["check", "-f", "manifests"]);
    assert!(
        text.contains("manifests/b.yaml: MCPServer shop/catalog is declared in manifests/a.yaml as well"),
        "{text}"
    );
    assert_eq!(code, Some(1));
    let (text, code) = Manifests::of(&[]).run(&["check", "-f", "nowhere.yaml"]);
    assert!(text.contains("nowhere.yaml: No such file"), "{text}");
    assert_eq!(code, Some(1));
}

#[test]
fn a_policy_that_reaches_nothing_is_noted() {
    let policy = "apiVersion: tollward.dev/v1alpha1\nkind: RateLimitPolicy\nmetadata: {name: calls, namespace: shop}
spec: {targetRefs: [{name: catalogue}], limits: [{name: all, rates: [{requests: 10, window: 1m}]}]}";
    let (text, code) = Manifests::of(&[("a.yaml", GOOD), ("b.yaml", policy)]).run(&["check", "-f", "manifests"]);
    assert!(
        text.contains("RateLimitPolicy shop/calls names MCPServer `catalogue`, which is not among these files"),
        "{text}"
    );
    assert_eq!(code, Some(0));
}

#[test]
fn files_without_a_server_are_not_called_valid() {
    let policy = "apiVersion: tollward.dev/v1alpha1\nkind: RateLimitPolicy\nmetadata: {name: calls, namespace: shop}
spec: {targetRefs: [{name: catalog}], limits: [{name: each, rates: [{requests: 10, window: 1m}]}]}";
    let (text, code) = Manifests::of(&[("b.yaml", policy)]).run(&["check", "-f", "manifests"]);
    assert!(text.contains("invalid nothing was judged: there is no MCPServer in these files"), "{text}");
    assert_eq!(code, Some(1));
}

#[test]
fn a_message_of_several_lines_is_readable_and_can_not_steer_the_terminal() {
    let (text, code) = Manifests::of(&[("a.yaml", "a: [1, 2\nb: \"\u{1b}[2J\"\n")]).run(&["check", "-f", "manifests"]);
    assert!(!text.contains("\\u{a}") && !text.contains('\u{1b}'), "{text}");
    assert!(text.lines().count() > 1 && text.lines().skip(1).all(|line| line.starts_with("        ")), "{text}");
    assert_eq!(code, Some(1));
}

#[test]
fn a_condition_that_can_not_be_read_is_a_problem_with_its_place() {
    let bad = GOOD.replace("scopes: ['catalog:read']}]", "scopes: ['catalog:read'], condition: 'args.amount <'}]");
    let (text, code) = Manifests::of(&[("a.yaml", &bad)]).run(&["check", "-f", "manifests"]);
    assert!(text.contains("rule `read`: condition: line 1, column 14: a value is missing here"), "{text}");
    assert_eq!(code, Some(1));
}

#[test]
fn a_scope_that_no_rule_asks_for_is_noted() {
    let odd = GOOD.replace(
        "description: look products up}",
        "description: look products up}, {name: 'catalog:idle', description: nothing}",
    );
    let (text, code) = Manifests::of(&[("a.yaml", &odd)]).run(&["check", "-f", "manifests"]);
    assert!(
        text.contains("note  MCPServer shop/catalog: scope `catalog:idle` is declared, but no rule asks for it"),
        "{text}"
    );
    assert_eq!(code, Some(0));
}

#[test]
fn render_prints_the_configuration_and_the_objects() {
    let manifests = Manifests::of(&[("all.yaml", GOOD)]);
    let (all, code) = manifests.run(&["render", "-f", "manifests"]);
    assert_eq!(code, Some(0));
    let (config, _) = manifests.run(&["render", "-f", "manifests", "-o", "config"]);
    let (children, _) = manifests.run(&["render", "-f", "manifests", "-o", "children"]);
    assert!(all.starts_with("# MCPServer shop/catalog: Accepted=True, ResolvedRefs=True\n"), "{all}");
    for kind in ["ServiceAccount", "ConfigMap", "Deployment", "Service", "NetworkPolicy"] {
        let line = format!("\nkind: {kind}\n");
        assert!(all.contains(&line) && children.contains(&line) && !config.contains(&line), "{kind}");
    }
    let routes = "\nroutes:\n";
    assert!(all.contains(routes) && config.contains(routes) && !children.contains(routes));
    assert!(children.contains("# Secret shop/catalog-tollward, made by the operator:"), "{children}");
}

#[test]
fn render_of_invalid_manifests_says_so_and_fails() {
    let bad = GOOD.replace("catalog:read", "catalog:admin");
    let (text, code) = Manifests::of(&[("all.yaml", &bad)]).run(&["render", "-f", "manifests"]);
    assert!(text.starts_with("# invalid: manifests/all.yaml: MCPServer shop/catalog: OmnibusScope: "), "{text}");
    assert_eq!(code, Some(1));
}

#[test]
fn render_prints_what_is_wrong_as_comments_so_that_kubectl_can_read_it() {
    let policy = "apiVersion: tollward.dev/v1alpha1\nkind: RateLimitPolicy\nmetadata: {name: calls, namespace: shop}
spec: {targetRefs: [{name: catalog}], limits: [{name: each, rates: [{requests: 10, window: 1m}]}]}";
    for (name, text, expected) in [
        ("a.yaml", "a: [", "# invalid: manifests/a.yaml: "),
        ("a.yaml", policy, "# invalid: nothing was judged"),
        ("a.txt", "", "# invalid: nothing was judged"),
    ] {
        let (text, code) = Manifests::of(&[(name, text)]).run(&["render", "-f", "manifests"]);
        assert!(text.contains(expected) && text.lines().all(|line| line.starts_with('#')), "{text}");
        assert_eq!(code, Some(1), "{text}");
    }
    let (text, code) = Manifests::of(&[]).run(&["render", "-f", "nowhere"]);
    assert!(text.starts_with("# invalid: nowhere: No such file"), "{text}");
    assert_eq!(code, Some(1));
}

#[test]
fn completions_know_the_commands_and_help_has_examples() {
    let manifests = Manifests::of(&[]);
    for shell in ["bash", "zsh", "fish"] {
        let (script, code) = manifests.run(&["completions", shell]);
        assert!(script.contains("walkthrough") && script.contains("render"), "{shell}");
        assert_eq!(code, Some(0));
    }
    let (help, _) = manifests.run(&["dev", "--help"]);
    assert!(help.contains("Examples:\n  tollward dev -f manifests -- node server.js"), "{help}");
}
