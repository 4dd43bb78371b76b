//! What the chart renders, as snapshots: everything for the default values, and what is different for others.

use std::fmt::Write as _;

use serde_json::Value;

use super::helm::{self, Object};

/// Everything but the definitions, which have tests of their own, with what each release changes left out.
fn objects(settings: &[&str]) -> Vec<Object> {
    let mut objects = helm::render(settings);
    objects.retain(|object| object.kind != "CustomResourceDefinition");
    for object in &mut objects {
        if let Some(digest) =
            object.value.pointer_mut("/spec/template/metadata/annotations/tollward.dev~1install-digest")
        {
            assert_eq!(digest.as_str().map(str::len), Some(64), "a SHA-256 in hexadecimal digits");
            *digest = "[digest]".into();
        }
    }
    objects.sort_by_key(Object::id);
    objects
}

fn without_version(text: &str) -> String {
    text.replace(env!("CARGO_PKG_VERSION"), "[version]")
}

/// Removed, added and changed, a line for each value.
fn difference(settings: &[&str]) -> String {
    let (before, after) = (objects(&[]), objects(settings));
    let mut text = String::new();
    for object in &before {
        if !after.iter().any(|other| other.id() == object.id()) {
            writeln!(text, "- {}", object.id()).expect("a String takes every text");
        }
    }
    for object in &after {
        if let Some(other) = before.iter().find(|other| other.id() == object.id()) {
            let mut changes = String::new();
            compare("", &other.value, &object.value, &mut changes);
            if !changes.is_empty() {
                write!(text, "  {}\n{changes}", object.id()).expect("a String takes every text");
            }
        } else {
            writeln!(text, "+ {}", object.id()).expect("a String takes every text");
            for line in serde_saphyr::to_string(&object.value).expect("JSON is YAML").lines() {
                writeln!(text, "    {line}").expect("a String takes every text");
            }
        }
    }
    without_version(&text)
}

fn compare(path: &str, before: &Value, after: &Value, changes: &mut String) {
    match (before, after) {
        (Value::Object(one), Value::Object(other)) => {
            let mut keys: Vec<&String> = one.keys().chain(other.keys()).collect();
            keys.sort();
            keys.dedup();
            for key in keys {
                let value = |fields: &serde_json::Map<String, Value>| fields.get(key).cloned().unwrap_or(Value::Null);
                compare(&format!("{path}/{key}"), &value(one), &value(other), changes);
            }
        }
        (Value::Array(one), Value::Array(other)) => {
            for index in 0..one.len().max(other.len()) {
                let value = |items: &[Value]| items.get(index).cloned().unwrap_or(Value::Null);
                compare(&format!("{path}/{index}"), &value(one), &value(other), changes);
            }
        }
        (Value::String(one), Value::String(other)) if one.contains('\n') => {
            for line in one.lines().filter(|line| !other.lines().any(|new| new == *line)) {
                writeln!(changes, "    {path}: - {line}").expect("a String takes every text");
            }
            for line in other.lines().filter(|line| !one.lines().any(|old| old == *line)) {
                writeln!(changes, "    {path}: + {line}").expect("a String takes every text");
            }
        }
        (one, other) if one == other => {}
        (one, other) => writeln!(changes, "    {path}: {one} -> {other}").expect("a String takes every text"),
    }
}

#[test]
fn helm_finds_no_fault() {
    let output = helm::run(&["lint", "--strict"]);
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    assert!(!said.contains("[WARNING]"), "{said}");
}

#[test]
fn the_default_values_render_a_whole_installation() {
    let yaml: Vec<String> =
        objects(&[]).iter().map(|object| serde_saphyr::to_string(&object.value).expect("JSON is YAML")).collect();
    insta::assert_snapshot!(without_version(&yaml.join("---\n")));
}

#[test]
fn a_second_replica_brings_a_disruption_budget_and_is_spread() {
    insta::assert_snapshot!(difference(&["replicas=2"]));
}

#[test]
fn named_namespaces_bound_the_operator_and_the_guardrails_to_them() {
    insta::assert_snapshot!(difference(&[r#"watchNamespaces=["shop","support"]"#]));
}

#[test]
fn guardrails_can_be_switched_off_as_a_whole() {
    insta::assert_snapshot!(difference(&["guardrails.enabled=false"]));
}

#[test]
fn guardrails_can_be_lifted_in_single_namespaces() {
    insta::assert_snapshot!(difference(&[
        r#"guardrails.anonymous.allowedNamespaces=["sandbox"]"#,
        r#"guardrails.plaintext.allowedNamespaces=["mesh"]"#,
        r#"watchNamespaces=["sandbox","mesh","shop"]"#,
        // The roles are in another snapshot.
        "rbac.create=false",
    ]));
}

#[test]
fn everything_around_the_operator_can_be_had_and_tuned() {
    insta::assert_snapshot!(difference(&[
        r#"otlp.endpoint="https://collector.monitoring.svc:4317/""#,
        "metrics.serviceMonitor.enabled=true",
        r#"networkPolicy.metricsFrom=[{"namespaceSelector":{"matchLabels":{"kubernetes.io/metadata.name":"monitoring"}}}]"#,
        r#"dial={"allow":[{"cidr":"10.96.0.0/12","scheme":"https"}],"deny":["203.0.113.0/24"]}"#,
        r#"listenAddress="::""#,
        r#"global={"imageRegistry":"registry.example.com","imagePullSecrets":[{"name":"registry"}]}"#,
        r#"image.digest="sha256:0000000000000000000000000000000000000000000000000000000000000000""#,
        r#"sidecar.environment={"OTEL_EXPORTER_OTLP_PROTOCOL":"http/protobuf"}"#,
        "sidecar.http.maxBodyBytes=67108864",
    ]));
}

#[test]
fn rendering_depends_on_nothing_but_the_values() {
    assert_eq!(helm::template(&[]), helm::template(&[]));
    // What Helm offers that gives another answer each time, or on each cluster. GitOps tools would see drift.
    let unstable = [
        "rand",
        "uuidv4",
        "genCA",
        "genSelf",
        "genSigned",
        "genPrivate",
        "derivePassword",
        "htpasswd",
        "lookup",
        "now",
        "Capabilities",
    ];
    let folder = helm::chart().join("templates");
    for entry in std::fs::read_dir(folder).expect("the templates are there") {
        let path = entry.expect("an entry").path();
        // It keeps what the cluster has, is there only if asked for, and can be replaced by a Secret of one's own: `valkey`
        // tests all three.
        if path.ends_with("valkey-secrets.yaml") {
            continue;
        }
        let text = std::fs::read_to_string(&path).expect("templates are text");
        let actions = text.split("{{").skip(1).filter_map(|rest| rest.split("}}").next());
        for action in actions.filter(|action| !action.trim_start_matches('-').trim_start().starts_with("/*")) {
            let mut words = action.split(|letter: char| !letter.is_alphanumeric());
            let found =
                words.find(|word| unstable.iter().any(|bad| word == bad || (word.starts_with(bad) && *bad != "now")));
            assert_eq!(found, None, "{}: {action}", path.display());
        }
    }
}
