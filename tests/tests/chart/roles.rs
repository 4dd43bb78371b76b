//! What the operator may do, right for right. A right more is a decision, and a change here.

use std::collections::BTreeSet;

use serde_json::Value;

use super::helm::{self, NAMESPACE, Object};

/// API group, resource, name of the object or nothing, verb.
type Right = (String, String, String, String);

/// API group, resources, name of the object or nothing, verbs; words separated by spaces.
type Row = (&'static str, &'static str, &'static str, &'static str);

const OWN_KINDS: &str = "get list watch create patch delete";

/// In every namespace that it serves.
const SERVING: &[Row] = &[
    ("tollward.dev", "mcpservers ratelimitpolicies identityproviders", "", "list watch"),
    ("tollward.dev", "mcpservers/status ratelimitpolicies/status identityproviders/status", "", "patch"),
    ("tollward.dev", "mcpservers/finalizers", "", "update"),
    ("", "serviceaccounts configmaps services", "", OWN_KINDS),
    ("", "secrets", "", "create delete"),
    ("", "pods", "", "list watch patch"),
    ("apps", "deployments", "", OWN_KINDS),
    ("networking.k8s.io", "networkpolicies", "", OWN_KINDS),
    ("policy", "poddisruptionbudgets", "", OWN_KINDS),
    ("discovery.k8s.io", "endpointslices", "", "list watch"),
    ("events.k8s.io", "events", "", "create patch"),
];

/// Of what belongs to no namespace.
const CLUSTER: &[Row] = &[("", "namespaces", "", "list watch")];

/// In its own namespace.
const OWN: &[Row] = &[
    ("", "secrets", "tollward-root", "get"),
    ("", "secrets", "", "create"),
    ("", "configmaps", "tollward-ca", "patch"),
    ("", "configmaps", "", "create"),
    ("coordination.k8s.io", "leases", "tollward-operator", "get list watch update patch"),
    ("coordination.k8s.io", "leases", "", "create"),
];

fn expected(tables: &[&[Row]]) -> BTreeSet<Right> {
    let mut rights = BTreeSet::new();
    for (group, resources, name, verbs) in tables.iter().copied().flatten() {
        for resource in resources.split(' ') {
            for verb in verbs.split(' ') {
                rights.insert(((*group).to_owned(), resource.to_owned(), (*name).to_owned(), verb.to_owned()));
            }
        }
    }
    rights
}

fn texts(rule: &Value, key: &str) -> Vec<String> {
    let Some(list) = rule.get(key).and_then(Value::as_array) else { return Vec::new() };
    list.iter().map(|text| text.as_str().expect("a text").to_owned()).collect()
}

/// Every right that a role gives.
fn rights(role: &Object) -> BTreeSet<Right> {
    let mut rights = BTreeSet::new();
    for rule in role.value["rules"].as_array().expect("rules") {
        assert!(rule.get("nonResourceURLs").is_none(), "{}: {rule}", role.id());
        let names = match texts(rule, "resourceNames") {
            names if names.is_empty() => vec![String::new()],
            names => names,
        };
        for group in texts(rule, "apiGroups") {
            for resource in texts(rule, "resources") {
                for name in &names {
                    for verb in texts(rule, "verbs") {
                        rights.insert((group.clone(), resource.clone(), name.clone(), verb));
                    }
                }
            }
        }
    }
    rights
}

/// The roles bound to the operator's account, with the namespace in which they hold; empty means everywhere.
fn bound(objects: &[Object]) -> Vec<(String, BTreeSet<Right>)> {
    let bindings = objects.iter().filter(|object| object.kind.ends_with("RoleBinding"));
    bindings
        .map(|binding| {
            let subjects = binding.value["subjects"].as_array().expect("subjects");
            assert_eq!(subjects.len(), 1, "{}", binding.id());
            assert_eq!(subjects[0]["kind"], "ServiceAccount");
            assert_eq!(subjects[0]["name"], "tollward-operator");
            assert_eq!(subjects[0]["namespace"], NAMESPACE);
            let kind = binding.value["roleRef"]["kind"].as_str().expect("a kind");
            let name = binding.value["roleRef"]["name"].as_str().expect("a name");
            let role = objects
                .iter()
                .find(|object| object.kind == kind && object.name == name && object.namespace == binding.namespace)
                .unwrap_or_else(|| panic!("{} binds a role that is not there", binding.id()));
            (binding.namespace.clone(), rights(role))
        })
        .collect()
}

#[test]
fn the_operator_may_do_exactly_what_it_needs() {
    let mut bound = bound(&helm::render(&[]));
    bound.sort();
    assert_eq!(bound, [(String::new(), expected(&[SERVING, CLUSTER])), (NAMESPACE.to_owned(), expected(&[OWN]))]);
}

#[test]
fn with_named_namespaces_it_may_do_nothing_elsewhere_but_list_namespaces() {
    let mut bound = bound(&helm::render(&[r#"watchNamespaces=["shop","support"]"#]));
    bound.sort();
    assert_eq!(
        bound,
        [
            (String::new(), expected(&[CLUSTER])),
            ("shop".to_owned(), expected(&[SERVING])),
            ("support".to_owned(), expected(&[SERVING])),
            (NAMESPACE.to_owned(), expected(&[OWN])),
        ]
    );
}

#[test]
fn no_role_lets_anybody_out_of_its_bounds() {
    let resources = [
        "pods/exec",
        "pods/attach",
        "pods/portforward",
        "pods/ephemeralcontainers",
        "pods/proxy",
        "nodes/proxy",
        "serviceaccounts/token",
    ];
    for settings in [&[][..], &[r#"watchNamespaces=["shop"]"#]] {
        let objects = helm::render(settings);
        for role in objects.iter().filter(|object| matches!(object.kind.as_str(), "Role" | "ClusterRole")) {
            for right in rights(role) {
                let (group, resource, name, verb) = &right;
                let id = role.id();
                assert!([group, resource, name, verb].iter().all(|text| !text.contains('*')), "{id}: {right:?}");
                assert!(!["escalate", "bind", "impersonate"].contains(&verb.as_str()), "{id}: {right:?}");
                assert!(!resources.contains(&resource.as_str()), "{id}: {right:?}");
                assert!(
                    !["rbac.authorization.k8s.io", "admissionregistration.k8s.io"].contains(&group.as_str()),
                    "{id}: {right:?}"
                );
                let reads = ["get", "list", "watch"].contains(&verb.as_str());
                assert!(resource != "secrets" || !reads || name == "tollward-root", "{id}: {right:?}");
            }
        }
    }
}

#[test]
fn who_may_view_or_edit_a_namespace_may_view_or_edit_its_servers() {
    let objects = helm::render(&[]);
    let label = |role: &Object, to: &str| {
        role.value["metadata"]["labels"][format!("rbac.authorization.k8s.io/aggregate-to-{to}")] == "true"
    };
    let view = helm::find(&objects, "ClusterRole", "tollward-view");
    let edit = helm::find(&objects, "ClusterRole", "tollward-edit");
    assert!(label(view, "view") && label(view, "edit") && label(view, "admin"));
    assert!(!label(edit, "view") && label(edit, "edit") && label(edit, "admin"));
    assert!(rights(view).iter().all(|(_, _, _, verb)| ["get", "list", "watch"].contains(&verb.as_str())));
    // Status is the operator's word.
    assert!(rights(edit).iter().all(|(_, resource, _, _)| !resource.contains('/')));
    let none = helm::render(&["rbac.aggregate=false"]);
    assert!(!none.iter().any(|object| object.name == "tollward-view" || object.name == "tollward-edit"));
}

#[test]
fn roles_can_be_left_to_somebody_else() {
    let objects = helm::render(&["rbac.create=false"]);
    assert!(bound(&objects).is_empty());
}
