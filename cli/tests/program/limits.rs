//! `limits`: what it asks of kubectl, what it prints, and its exit codes. The cluster is a script; the data plane behind the
//! socket is tested with the pipeline.

use crate::manifests::{Manifests, program};
use std::os::unix::fs::PermissionsExt as _;
use std::process::Output;

/// Answers as kubectl would for two pods, of which the second one's answer is the first argument's.
const KUBECTL: &str = r#"#!/bin/sh
echo "$@" >> asked
cat >> questions
case "$*" in
*get*) echo '{"items":[{"metadata":{"name":"catalog-0"},"status":{"phase":"Running"}},{"metadata":{"name":"catalog-1"},"status":{"phase":"Running"}}]}' ;;
*catalog-1*) cat second || { echo 'pods "catalog-1" is forbidden' >&2; exit 1; } ;;
*) cat first ;;
esac
"#;

/// Between what it was asked and what it was told then.
const QUESTIONS: &str = "--- standard input\n";

fn answer(left: u32) -> String {
    format!(
        r#"{{"limits":[{{"server":"shop/catalog","limit":"p/calls","tier":"basic","counts":"Requests","requests":50,"windowSeconds":3600,"most":5,"left":{left},"fullAfterMillis":60000}}]}}"#
    )
}

/// Runs it with what the second pod answers; the last is what kubectl was asked.
fn run(second: Option<&str>, arguments: &[&str]) -> (String, Option<i32>, String) {
    run_with(&answer(1), second, arguments)
}

/// Runs it with what both pods answer.
fn run_with(first: &str, second: Option<&str>, arguments: &[&str]) -> (String, Option<i32>, String) {
    let manifests = Manifests::of(&[]);
    let folder = manifests.path("bin");
    std::fs::create_dir(&folder).unwrap();
    std::fs::write(folder.join("kubectl"), KUBECTL).unwrap();
    std::fs::set_permissions(folder.join("kubectl"), std::fs::Permissions::from_mode(0o755)).unwrap();
    std::fs::write(manifests.path("first"), first).unwrap();
    if let Some(second) = second {
        std::fs::write(manifests.path("second"), second).unwrap();
    }
    let path = format!("{}:/usr/bin:/bin", folder.display());
    let root = manifests.path("");
    let Output { status, stdout, stderr } = program(&root, arguments).env("PATH", path).output().unwrap();
    let read = |name: &str| std::fs::read_to_string(manifests.path(name)).unwrap_or_default();
    // What it was told on standard input stands after a mark.
    let (asked, questions) = (read("asked"), read("questions"));
    let asked = if questions.trim().is_empty() { asked } else { format!("{asked}{QUESTIONS}{questions}") };
    (String::from_utf8([stdout, stderr].concat()).unwrap(), status.code(), asked)
}

const ADA: [&str; 6] = ["limits", "catalog", "-n", "shop", "--subject", "ada"];

#[test]
fn parts_of_replicas_add_up_in_one_line() {
    let (text, code, log) = run(Some(&answer(4)), &[&ADA[..], &["--context", "test", "--tool", "search"]].concat());
    assert_eq!(code, Some(0), "{text}");
    assert!(text.contains("shop/catalog (2 replicas)"), "{text}");
    assert!(text.contains("██████████░░░░░░░░░░     5/10    100 in 1h; full in 1m"), "{text}");
    let (asked, questions) = log.split_once(QUESTIONS).unwrap();
    let lines: Vec<_> = asked.lines().collect();
    assert_eq!(
        lines[0],
        "--context=test --namespace=shop get pods --selector=app.kubernetes.io/name=mcpserver,app.kubernetes.io/instance=catalog --output=json"
    );
    let exec = "--context=test --namespace=shop exec --stdin catalog-0 --container=tollward -- tollward-sidecar limits";
    assert!(lines.contains(&exec), "{asked}");
    assert!(!asked.contains("ada"), "who is asked about is in no command line, and so in no audit log: {asked}");
    let question = r#"{"subject":"ada","tools":["search"]}"#;
    assert_eq!(questions.lines().filter(|line| *line == question).count(), 2, "{questions}");
}

#[test]
fn a_replica_that_does_not_answer_is_named_and_the_exit_code_says_so() {
    let (text, code, _) = run(None, &ADA);
    assert_eq!(code, Some(1), "{text}");
    assert!(
        text.contains("no answer of catalog-1: pods \"catalog-1\" is forbidden") || text.contains("forbidden"),
        "{text}"
    );
    assert!(text.contains("1/5"), "{text}");
    let (text, code, _) = run(Some("<html>"), &[&ADA[..], &["-o", "json"]].concat());
    assert_eq!(code, Some(1), "{text}");
    let told: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!((&told["limits"][0]["left"], &told["replicas"][1]["name"]), (&1.into(), &"catalog-1".into()));
    assert!(told["replicas"][1]["error"].as_str().unwrap().contains("no answer"), "{told}");
}

#[test]
fn wide_shows_each_replica_and_a_name_that_is_none_runs_nothing() {
    let (text, code, _) = run(Some(&answer(4)), &[&ADA[..], &["-o", "wide"]].concat());
    assert_eq!(code, Some(0), "{text}");
    assert!(text.contains("catalog-0\n") && text.contains("1/5") && text.contains("4/5"), "{text}");
    let (_, code, asked) = run(None, &["limits", "--all", "--subject", "ada"]);
    assert_eq!((code, asked.as_str()), (Some(2), ""));
}

#[test]
fn a_socket_at_which_nobody_answers_is_said() {
    let (text, code, asked) = run(None, &["limits", "--socket", "nowhere", "--subject", "ada"]);
    assert_eq!((code, asked.as_str()), (Some(1), ""));
    assert!(text.contains("no process answers at nowhere"), "{text}");
}

#[test]
fn a_store_that_does_not_tell_is_said_and_so_does_the_exit_code() {
    let silent = answer(1).replace(
        "\"left\":1",
        "\"inStore\":true,\"storeError\":\"the store is read-only\",\"onStoreFailure\":\"Local\"",
    );
    let (text, code, _) = run_with(&silent, Some(&silent), &ADA);
    assert_eq!(code, Some(1), "{text}");
    assert!(text.contains("?/5") && text.contains("while it fails: the store is read-only"), "{text}");
    let told = answer(3).replace("\"left\"", "\"inStore\":true,\"left\"");
    let (text, code, _) = run_with(&told, Some(&silent), &ADA);
    assert_eq!(code, Some(0), "{text}");
    assert!(text.contains("3/5") && text.contains("in the store"), "{text}");
}

#[test]
fn a_token_is_not_asked_about() {
    let token = "eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJhZGEifQ.c2lnbmF0dXJlc2lnbmF0dXJl";
    let (text, code, asked) = run(None, &["limits", "catalog", "--subject", token]);
    assert_eq!((code, asked.as_str()), (Some(1), ""));
    assert!(text.contains("is a token") && !text.contains(token), "{text}");
}
