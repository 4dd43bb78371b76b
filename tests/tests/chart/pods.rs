//! Every pod that the chart makes meets the Pod Security Standard `restricted`, and our own rules on top.
//!
//! The API server's own judgement is in `admission`; this one says which rule is broken, and needs no server.

use serde_json::{Value, json};

use super::helm;

/// Kinds of volumes that `restricted` permits.
const VOLUMES: &[&str] =
    &["configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim", "projected", "secret"];

/// Every pod of the chart: who makes it, and its specification.
fn pods(settings: &[&str]) -> Vec<(String, Value)> {
    let objects = helm::render(settings);
    let found = objects.iter().filter_map(|object| {
        let spec = object.value.pointer("/spec/template/spec")?;
        Some((object.id(), spec.clone()))
    });
    found.collect()
}

fn list<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    value.get(key).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// What a pod breaks.
fn violations(pod: &Value) -> Vec<&'static str> {
    let mut found = Vec::new();
    for (key, what) in [("hostNetwork", "host network"), ("hostPID", "host PIDs"), ("hostIPC", "host IPC")] {
        if pod[key] == true {
            found.push(what);
        }
    }
    let permitted = |volume: &Value| VOLUMES.iter().any(|kind| volume.get(kind).is_some());
    if !list(pod, "volumes").iter().all(permitted) {
        found.push("a kind of volume");
    }
    for key in ["initContainers", "containers", "ephemeralContainers"] {
        for container in list(pod, key) {
            restricted(pod, container, &mut found);
            ours(container, &mut found);
        }
    }
    found
}

/// <https://kubernetes.io/docs/concepts/security/pod-security-standards/#restricted>
fn restricted(pod: &Value, container: &Value, found: &mut Vec<&'static str>) {
    let context = &container["securityContext"];
    // The container's word wins over the pod's.
    let either = |key: &str| context.get(key).unwrap_or(&pod["securityContext"][key]).clone();
    let rules = [
        (context["privileged"] != true, "privileged"),
        (context["allowPrivilegeEscalation"] == false, "privilege escalation"),
        (list(&context["capabilities"], "drop").contains(&json!("ALL")), "capabilities kept"),
        (list(&context["capabilities"], "add").is_empty(), "capabilities added"),
        (either("runAsNonRoot") == true, "may be root"),
        (either("runAsUser").as_u64().is_some_and(|user| user > 0), "no numeric user, or root"),
        (either("seccompProfile")["type"] == "RuntimeDefault", "seccomp profile"),
        (list(container, "ports").iter().all(|port| port.get("hostPort").is_none()), "host port"),
    ];
    found.extend(rules.iter().filter(|(holds, _)| !holds).map(|(_, what)| *what));
}

fn ours(container: &Value, found: &mut Vec<&'static str>) {
    let resources = &container["resources"];
    let rules = [
        (container["securityContext"]["readOnlyRootFilesystem"] == true, "writable root"),
        (resources["limits"]["memory"].is_string(), "no memory limit"),
        (resources["requests"]["cpu"].is_string(), "no CPU request"),
        (resources["requests"]["memory"].is_string(), "no memory request"),
    ];
    found.extend(rules.iter().filter(|(holds, _)| !holds).map(|(_, what)| *what));
}

#[test]
fn every_pod_meets_the_restricted_profile() {
    for settings in [&[][..], &["replicas=2"], &[r#"watchNamespaces=["shop"]"#], &["valkey.enabled=true"]] {
        let pods = pods(settings);
        assert!(!pods.is_empty());
        for (owner, pod) in pods {
            assert_eq!(violations(&pod), Vec::<&str>::new(), "{owner}");
        }
    }
}

#[test]
fn each_step_out_of_the_restricted_profile_is_noticed() {
    let (_, good) = pods(&[]).into_iter().next().expect("the operator's pod");
    let table = [
        ("/hostNetwork", json!(true), "host network"),
        ("/volumes/0", json!({"name": "root", "hostPath": {"path": "/"}}), "a kind of volume"),
        ("/containers/0/securityContext", json!({}), "privilege escalation"),
        ("/containers/0/securityContext/privileged", json!(true), "privileged"),
        ("/containers/0/securityContext/capabilities/add", json!(["NET_ADMIN"]), "capabilities added"),
        ("/containers/0/securityContext/runAsUser", json!(0), "no numeric user, or root"),
        ("/containers/0/securityContext/runAsNonRoot", json!(false), "may be root"),
        ("/securityContext/seccompProfile/type", json!("Unconfined"), "seccomp profile"),
        ("/containers/0/ports/0/hostPort", json!(8080), "host port"),
        ("/containers/0/securityContext/readOnlyRootFilesystem", json!(false), "writable root"),
        ("/containers/0/resources/limits", json!({}), "no memory limit"),
    ];
    for (path, value, what) in table {
        let mut bad = good.clone();
        let (parent, key) = path.rsplit_once('/').expect("a pointer");
        let parent = bad.pointer_mut(parent).expect("the parent is there");
        if let Ok(index) = key.parse::<usize>() {
            parent[index] = value;
        } else {
            parent[key] = value;
        }
        assert!(violations(&bad).contains(&what), "{path}: {:?}", violations(&bad));
    }
}

#[test]
fn only_the_operator_s_pod_gets_a_token() {
    let objects = helm::render(&[]);
    for object in objects.iter().filter(|object| object.kind == "ServiceAccount") {
        assert_eq!(object.value["automountServiceAccountToken"], false, "{}", object.id());
    }
    let pods = pods(&["valkey.enabled=true"]);
    assert_eq!(pods.len(), 2);
    let mounting: Vec<&str> = pods
        .iter()
        .filter(|(_, pod)| pod["automountServiceAccountToken"] != false)
        .map(|(owner, _)| owner.as_str())
        .collect();
    assert_eq!(mounting, ["Deployment tollward-system/tollward-operator"]);
}
