//! What the chart takes: unknown and impossible values are refused, every value is explained.

use serde_json::Value;

use super::helm;

/// Paths of all values that have a default, in order. Maps that users fill count as one value.
fn paths(prefix: &str, value: &Value, found: &mut Vec<String>) {
    let fields = value.as_object().filter(|fields| !fields.is_empty() && !prefix.ends_with("resources"));
    let Some(fields) = fields else { return found.push(prefix.to_owned()) };
    for (key, value) in fields {
        let path = if prefix.is_empty() { key.clone() } else { format!("{prefix}.{key}") };
        paths(&path, value, found);
    }
}

fn values() -> Value {
    serde_saphyr::from_str(&helm::text("charts/tollward/values.yaml")).expect("values are YAML")
}

#[test]
fn unknown_and_impossible_values_are_refused_by_name() {
    let table = [
        ("replica=2", "replica"),
        ("replicas=0", "replicas"),
        ("replicas=99", "replicas"),
        (r#"replicas="2""#, "replicas"),
        ("guardrails.anonymus.enabled=false", "anonymus"),
        ("guardrails.anonymous.allowedNamespace=[\"shop\"]", "allowedNamespace"),
        (r#"guardrails.anonymous.allowedNamespaces=["*"]"#, "allowedNamespaces"),
        (r#"watchNamespaces=["Shop"]"#, "watchNamespaces"),
        (r#"watchNamespaces=["shop","shop"]"#, "watchNamespaces"),
        (r#"image.digest="sha256:abc""#, "digest"),
        (r#"image.pullPolicy="Sometimes""#, "pullPolicy"),
        (r#"dial.allow=[{"cidr":"10.0.0.0/8"}]"#, "scheme"),
        (r#"dial.allow=[{"cidr":"10.0.0.0","scheme":"https"}]"#, "cidr"),
        (r#"dial.allow=[{"cidr":"10.0.0.0/8","scheme":"ftp"}]"#, "scheme"),
        ("sidecar.http.maxBodyBytes=1", "maxBodyBytes"),
        ("sidecar.stop=null", "stop"),
        (r#"sidecar.environment={"A B":"c"}"#, "A B"),
        (r#"otlp.endpoint="collector:4317""#, "endpoint"),
        (r#"listenAddress="127.0.0.1""#, "listenAddress"),
        ("networkPolicy.httpsPorts=[]", "httpsPorts"),
        (r#"valkey.namespaces={"Shop":["a"]}"#, "Shop"),
        (r#"valkey.namespaces={"shop":[]}"#, "namespaces"),
        (r#"valkey.namespaces={"shop":["a\nuser b on nopass"]}"#, "namespaces"),
        (r#"valkey.secretName="tollward-store""#, "secretName"),
        (r#"valkey.maxMemory="0""#, "maxMemory"),
        (r#"valkey.maxMemory="1mb\nport 6380""#, "maxMemory"),
        (r#"valkey.image.tag="""#, "tag"),
        (r#"valkey={"enabled":true,"maxMemory":"129mb"}"#, "valkey.resources.limits.memory (256Mi)"),
        (r#"valkey={"enabled":true,"resources":{"limits":{"memory":"0.2Gi"}}}"#, "valkey.maxMemory (128mb)"),
        (r#"valkey={"enabled":true,"persistence":{"size":"383Mi"}}"#, "valkey.persistence.size (383Mi)"),
    ];
    for (setting, named) in table {
        let error = helm::template(&[setting]).err().unwrap_or_else(|| panic!("`{setting}` is taken"));
        assert!(error.contains(named), "`{setting}`: {error}");
    }
}

#[test]
fn the_operator_never_runs_as_the_default_account() {
    let error = helm::template(&["serviceAccount.create=false"]).expect_err("no account is named");
    assert!(error.contains("serviceAccount.name"), "{error}");
    let objects = helm::render(&["serviceAccount.create=false", r#"serviceAccount.name="mine""#]);
    let deployment = helm::find(&objects, "Deployment", "tollward-operator");
    assert_eq!(deployment.value["spec"]["template"]["spec"]["serviceAccountName"], "mine");
    // The policies bound whatever account it is.
    let policy = helm::find(&objects, "ValidatingAdmissionPolicy", "tollward-operator-pods");
    assert!(policy.value["spec"]["matchConditions"][0]["expression"].as_str().expect("CEL").contains(":mine'"));
}

#[test]
fn every_value_is_explained_where_it_stands_and_in_the_readme() {
    let mut names = Vec::new();
    paths("", &values(), &mut names);
    assert!(names.len() > 50, "{names:?}");
    let readme = helm::text("charts/tollward/README.md");
    let missing: Vec<&String> = names.iter().filter(|name| !readme.contains(&format!("| `{name}` |"))).collect();
    assert_eq!(missing, Vec::<&String>::new(), "add rows to the table of charts/tollward/README.md");
    let rows = readme.lines().filter_map(|line| line.strip_prefix("| `")?.split("` |").next());
    let stale: Vec<&str> = rows.filter(|row| !names.iter().any(|name| name == row)).collect();
    assert_eq!(stale, Vec::<&str>::new(), "these rows of charts/tollward/README.md explain no value");
    let comments = helm::text("charts/tollward/values.yaml").matches("# -- ").count();
    assert_eq!(comments, names.len(), "one comment `# --` for each value in values.yaml");
}

/// Every object of the schema refuses what it does not list, or says what the values of a free map are.
fn open(path: &str, schema: &Value, found: &mut Vec<String>) {
    let Some(fields) = schema.as_object() else { return };
    if fields.get("type") == Some(&Value::from("object"))
        && fields.contains_key("properties")
        && fields.get("additionalProperties") != Some(&Value::Bool(false))
    {
        found.push(path.to_owned());
    }
    for (key, value) in fields {
        open(&format!("{path}/{key}"), value, found);
    }
}

#[test]
fn the_schema_is_closed_but_for_what_helm_shares_between_charts() {
    let schema: Value = serde_json::from_str(&helm::text("charts/tollward/values.schema.json")).expect("JSON");
    assert_eq!(schema["$schema"], "http://json-schema.org/draft-07/schema#");
    let mut found = Vec::new();
    open("", &schema, &mut found);
    assert_eq!(found, ["/properties/global"]);
}
