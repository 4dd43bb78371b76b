//! The Valkey that the chart can bring: what it is made of, whom it lets in, and that an upgrade changes no secret.

use std::process::Command;

use serde_json::{Value, json};

use super::api_server::{ADMINISTRATOR, SANDBOX, SERVER, SHOP};
use super::helm::{self, Object};

const ENABLED: &str = "valkey.enabled=true";
const NAMESPACES: &str = r#"valkey.namespaces={"shop":["catalog","cart"],"sandbox":["trial"]}"#;
const ADDRESS: &str = r#"valkey.service.clusterIP="10.96.0.50""#;

fn secret<'a>(objects: &'a [Object], namespace: &str, name: &str) -> &'a Value {
    let found = objects.iter().find(|it| it.kind == "Secret" && it.namespace == namespace && it.name == name);
    &found.unwrap_or_else(|| panic!("there is no Secret {namespace}/{name}")).value["stringData"]
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or_else(|| panic!("no text at {key}"))
}

#[test]
fn nothing_of_it_is_there_unless_it_is_asked_for() {
    let named = |object: &Object| object.name.contains("valkey") || object.kind == "Secret";
    assert!(!helm::render(&[]).iter().any(named));
    // Where it is of no use without cluster, nothing is made up.
    let given = helm::render(&[ENABLED, NAMESPACES, r#"valkey.existingSecret="mine""#]);
    assert!(!given.iter().any(|object| object.kind == "Secret"));
    let pod = &helm::find(&given, "StatefulSet", "tollward-valkey").value["spec"]["template"]["spec"];
    assert_eq!(pod["volumes"][1]["secret"]["secretName"], "mine");
    assert_eq!(
        helm::template(&[ENABLED, r#"valkey.existingSecret="mine""#]),
        helm::template(&[ENABLED, r#"valkey.existingSecret="mine""#])
    );
}

#[test]
fn each_namespace_logs_in_as_itself_and_reaches_its_own_counts_by_the_scripts_alone() {
    let objects = helm::render(&[ENABLED, NAMESPACES]);
    let own = secret(&objects, helm::NAMESPACE, "tollward-valkey");
    let users: Vec<&str> = text(own, "users.acl").lines().collect();
    assert_eq!(users[..2], ["user default off", "user probe on nopass resetkeys resetchannels -@all +ping"]);
    assert_eq!(users.len(), 4, "{users:?}");
    for (line, namespace) in users[2..].iter().zip(["sandbox", "shop"]) {
        assert!(line.starts_with(&format!("user tollward-{namespace} on #")), "{line}");
        assert!(line.contains(&format!(" resetkeys ~{{tollward:{namespace}}}:* resetchannels ")), "{line}");
        assert!(line.ends_with(" -@all +eval +evalsha +time +get +set +del +ping"), "{line}");
        let password = text(own, &format!("password.{namespace}"));
        assert!(password.len() == 40 && !line.contains(password), "{line}");
    }
    assert_ne!(own["password.shop"], own["password.sandbox"]);

    let shop = secret(&objects, SHOP, "limits-store");
    let keys: Vec<&String> = shop.as_object().expect("keys").keys().collect();
    let parts = ["ca.crt", "password", "username"];
    let expected: Vec<String> =
        ["cart", "catalog"].iter().flat_map(|policy| parts.map(|part| format!("store.{policy}.{part}"))).collect();
    let mut sorted: Vec<&str> = keys.iter().map(|key| key.as_str()).collect();
    sorted.sort_unstable();
    assert_eq!(sorted, expected, "what a policy mounts, and nothing else");
    assert_eq!(text(shop, "store.catalog.username"), "tollward-shop");
    assert_eq!(shop["store.catalog.password"], own["password.shop"]);
    assert_eq!(shop["store.catalog.ca.crt"], own["ca.crt"]);
    assert_eq!(objects.iter().filter(|object| object.kind == "Secret").count(), 3);
}

#[test]
fn it_speaks_tls_only_forgets_nothing_early_and_its_pod_has_no_password() {
    let objects = helm::render(&[ENABLED, NAMESPACES]);
    let map = &helm::find(&objects, "ConfigMap", "tollward-valkey").value;
    let lines: Vec<&str> = text(&map["data"], "valkey.conf").lines().collect();
    // The image of the default value has protected mode off.
    for line in [
        "protected-mode yes",
        "port 0",
        "tls-port 6379",
        "maxmemory-policy noeviction",
        "maxmemory 128mb",
        "appendonly yes",
    ] {
        assert!(lines.contains(&line), "{line}: {lines:?}");
    }
    let spec = &helm::find(&objects, "StatefulSet", "tollward-valkey").value["spec"];
    let pod = &spec["template"]["spec"];
    let items = json!(["users.acl", "tls.crt", "tls.key"].map(|key| json!({"key": key, "path": key})));
    assert_eq!(pod["volumes"][1]["secret"]["items"], items);
    assert_eq!(pod["volumes"][2]["emptyDir"]["sizeLimit"], "1Gi");
    assert_eq!(spec["volumeClaimTemplates"], Value::Null);
    assert_eq!(spec["persistentVolumeClaimRetentionPolicy"], Value::Null);
    // Otherwise one that never got ready would stand in the way of the one that mends it.
    assert_eq!(spec["podManagementPolicy"], "Parallel");
    let labels = &spec["template"]["metadata"]["labels"];
    assert_eq!(labels["helm.sh/chart"], Value::Null, "a new version of the chart replaces no pod");

    let kept =
        helm::render(&[ENABLED, r#"valkey.persistence={"enabled":true,"size":"2Gi","storageClassName":"fast"}"#]);
    let spec = &helm::find(&kept, "StatefulSet", "tollward-valkey").value["spec"];
    let claim = &spec["volumeClaimTemplates"][0]["spec"];
    assert_eq!(
        (&claim["storageClassName"], &claim["resources"]["requests"]["storage"]),
        (&json!("fast"), &json!("2Gi"))
    );
    assert_eq!(spec["persistentVolumeClaimRetentionPolicy"]["whenDeleted"], "Delete", "counts are no leftovers");
    assert!(!spec["template"]["spec"]["volumes"].as_array().expect("volumes").iter().any(|it| it["name"] == "data"));
}

#[test]
fn its_network_policy_lets_in_the_servers_of_the_named_namespaces_and_nobody_out() {
    let objects = helm::render(&[ENABLED, NAMESPACES]);
    let spec = &helm::find(&objects, "NetworkPolicy", "tollward-valkey").value["spec"];
    let from = &spec["ingress"][0]["from"][0];
    assert_eq!(from["namespaceSelector"]["matchExpressions"][0]["values"], json!(["sandbox", "shop"]));
    assert_eq!(from["podSelector"]["matchExpressions"][0]["key"], "tollward.dev/server-uid");
    assert_eq!((&spec["egress"], &spec["policyTypes"]), (&json!([]), &json!(["Ingress", "Egress"])));
    let nobody = helm::render(&[ENABLED]);
    assert_eq!(helm::find(&nobody, "NetworkPolicy", "tollward-valkey").value["spec"]["ingress"], json!([]));
    // The operator's policy and Service select the operator alone.
    let labels =
        &helm::find(&objects, "StatefulSet", "tollward-valkey").value["spec"]["template"]["metadata"]["labels"];
    let operators = &helm::find(&objects, "NetworkPolicy", "tollward-operator").value["spec"]["podSelector"];
    assert_ne!(labels["app.kubernetes.io/component"], operators["matchLabels"]["app.kubernetes.io/component"]);
}

#[test]
fn sidecars_may_dial_an_address_that_the_installer_fixed_and_nothing_more() {
    let allowed = |settings: &[&str]| {
        let file =
            helm::find(&helm::render(settings), "ConfigMap", "tollward-install").value["data"]["install.yaml"].clone();
        let install: Value = serde_saphyr::from_str(file.as_str().expect("a text")).expect("YAML");
        install["dial"]["allow"].clone()
    };
    assert_eq!(allowed(&[ENABLED, ADDRESS]), json!([{"cidr": "10.96.0.50/32", "scheme": "https"}]));
    let six = r#"valkey.service.clusterIP="fd00::50""#;
    assert_eq!(allowed(&[ENABLED, six]), json!([{"cidr": "fd00::50/128", "scheme": "https"}]));
    assert_eq!(allowed(&[ENABLED]), json!([]));
    assert_eq!(allowed(&[ADDRESS]), json!([]), "nothing is installed that could be dialled");
}

#[test]
fn sizes_that_can_not_be_read_are_the_installer_s_own_affair() {
    for resources in
        [r#"{"limits":{"memory":null}}"#, r#"{"limits":{"memory":"1e9"}}"#, r#"{"limits":{"memory":"1G"}}"#]
    {
        helm::render(&[ENABLED, &format!("valkey.resources={resources}"), r#"valkey.maxMemory="300mb""#]);
    }
}

/// Installs or upgrades on the real API server, where nothing runs.
fn upgrade(settings: &[&str]) {
    let home = tempfile::tempdir().expect("a temporary folder");
    let mut command = Command::new(helm::program("helm"));
    command.args(["upgrade", "--install", "store"]).arg(helm::chart());
    // What belongs to the whole cluster is there already, of another release.
    let elsewhere = ["crds.enabled=false", "guardrails.enabled=false", "rbac.create=false", "rbac.aggregate=false"];
    for setting in elsewhere.iter().chain(&[ENABLED, r#"fullnameOverride="store""#]).chain(settings) {
        command.args(["--set-json", setting]);
    }
    command.args(["--namespace", helm::NAMESPACE]).env_clear().env("HOME", home.path());
    command.env("KUBECONFIG", SERVER.kubeconfig());
    let output = command.output().expect("Helm runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

fn stored(namespace: &str, name: &str) -> Value {
    let printed =
        SERVER.kubectl(ADMINISTRATOR, &["get", "secret", name, "--namespace", namespace, "--output=json"], &[]);
    let object: Value = serde_json::from_str(&printed.expect("the Secret is there")).expect("kubectl prints JSON");
    object["data"].clone()
}

#[test]
fn an_upgrade_keeps_every_password_and_certificate_and_a_new_namespace_gets_its_own() {
    upgrade(&[r#"valkey.namespaces={"shop":["catalog"]}"#]);
    let (own, shop) = (stored(helm::NAMESPACE, "store-valkey"), stored(SHOP, "limits-store"));
    upgrade(&[r#"valkey.namespaces={"shop":["catalog","cart"],"sandbox":["trial"]}"#, r#"valkey.maxMemory="100mb""#]);
    let later = stored(helm::NAMESPACE, "store-valkey");
    for key in ["ca.crt", "tls.crt", "tls.key", "password.shop"] {
        assert_eq!(later[key], own[key], "{key}");
    }
    let more = stored(SHOP, "limits-store");
    for part in ["username", "password", "ca.crt"] {
        assert_eq!(more[format!("store.catalog.{part}")], shop[format!("store.catalog.{part}")], "{part}");
        assert_eq!(more[format!("store.cart.{part}")], shop[format!("store.catalog.{part}")], "{part}");
    }
    let sandbox = stored(SANDBOX, "limits-store");
    assert_eq!(sandbox["store.trial.password"], later["password.sandbox"]);
    assert_ne!(sandbox["store.trial.password"], shop["store.catalog.password"]);
    // A certificate is for a name: it is issued anew when that changes.
    upgrade(&[r#"valkey.namespaces={"shop":["catalog"]}"#, r#"clusterDomain="example.internal""#]);
    let renamed = stored(helm::NAMESPACE, "store-valkey");
    assert_ne!(renamed["tls.crt"], own["tls.crt"]);
    assert_eq!(renamed["password.shop"], own["password.shop"]);
}
