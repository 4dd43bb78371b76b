//! What pods promise: the profile, the order, who mounts what, and when they roll.

use crate::fixture::{build, catalog, change, relay, with};
use k8s_openapi::api::core::v1::{Container, PodSpec};
use serde_json::{Value, json};
use tollward_desired::{Desired, Inputs};

fn pod(desired: &Desired) -> PodSpec {
    desired.children.deployment.spec.template.spec.clone().unwrap()
}

fn containers(pod: &PodSpec) -> Vec<Container> {
    pod.init_containers.iter().flatten().chain(&pod.containers).cloned().collect()
}

fn template(inputs: &Inputs) -> Value {
    serde_json::to_value(&build(inputs).children.deployment.spec.template).unwrap()
}

#[test]
fn every_container_is_within_the_restricted_profile() {
    for inputs in [catalog(), relay()] {
        let pod = pod(&build(&inputs));
        let profile = pod.security_context.clone().unwrap();
        assert_eq!((profile.run_as_non_root, profile.fs_group), (Some(true), Some(64420)));
        assert_eq!(profile.seccomp_profile.unwrap().type_, "RuntimeDefault");
        assert_eq!(pod.automount_service_account_token, Some(false));
        assert_eq!(
            (pod.host_network, pod.host_pid, pod.host_ipc, pod.share_process_namespace),
            (None, None, None, None)
        );
        for container in containers(&pod) {
            let profile = container.security_context.unwrap();
            assert_eq!(profile.run_as_non_root, Some(true));
            assert!(profile.run_as_user.is_some_and(|user| user > 0), "{}", container.name);
            assert_eq!(profile.allow_privilege_escalation, Some(false));
            assert_eq!(profile.read_only_root_filesystem, Some(true));
            let capabilities = profile.capabilities.unwrap();
            assert_eq!((capabilities.drop, capabilities.add), (Some(vec!["ALL".to_owned()]), None));
            assert_eq!(profile.seccomp_profile.unwrap().type_, "RuntimeDefault");
        }
    }
}

#[test]
fn the_sidecar_starts_first_and_the_server_only_after_it_lives() {
    let pod = pod(&build(&catalog()));
    let first = &pod.init_containers.unwrap()[0];
    assert_eq!((first.name.as_str(), first.restart_policy.as_deref()), ("tollward", Some("Always")));
    let path = |probe: &Option<k8s_openapi::api::core::v1::Probe>| {
        probe.as_ref().unwrap().http_get.as_ref().unwrap().path.clone().unwrap()
    };
    assert_eq!((path(&first.startup_probe), path(&first.readiness_probe)), ("/livez".into(), "/readyz".into()));
    let server = &pod.containers[0];
    assert!(server.startup_probe.is_none() && server.readiness_probe.is_none() && server.ports.is_none());
    assert_eq!(server.lifecycle.as_ref().unwrap().pre_stop.as_ref().unwrap().sleep.as_ref().unwrap().seconds, 5);
    assert_eq!(pod.termination_grace_period_seconds, Some(5 + 30 + 25));
}

#[test]
fn the_server_listens_on_loopback_under_another_user_and_mounts_nothing_of_the_sidecar() {
    let pod = pod(&build(&catalog()));
    let server = &pod.containers[0];
    let variables: Vec<_> = server.env.iter().flatten().map(|one| (one.name.as_str(), one.value.as_deref())).collect();
    assert_eq!(variables[..2], [("HOST", Some("127.0.0.1")), ("PORT", Some("3000"))]);
    let own: Vec<_> = server.volume_mounts.iter().flatten().map(|mount| mount.name.as_str()).collect();
    assert_eq!(own, ["tollward-scratch"]);
    let sidecar = &pod.init_containers.as_ref().unwrap()[0];
    let theirs: Vec<_> = sidecar.volume_mounts.iter().flatten().map(|mount| mount.name.as_str()).collect();
    assert_eq!(theirs, ["tollward-config", "tollward-keys", "tollward-inquiry"]);
    let user = |container: &Container| container.security_context.as_ref().unwrap().run_as_user;
    assert_ne!(user(server), user(sidecar));
}

#[test]
fn a_rule_changes_the_configuration_and_rolls_no_pod() {
    let before = catalog();
    let after = with("/spec/auth/rules/1/scopes", json!(["mcp:checkout"]));
    assert_ne!(build(&before).configuration.digest(), build(&after).configuration.digest());
    assert_eq!(template(&before), template(&after));
    let mut unlimited = catalog();
    unlimited.policies.clear();
    assert_eq!(template(&before), template(&unlimited));
}

#[test]
fn what_only_a_new_process_takes_up_rolls_the_pods() {
    let before = template(&catalog());
    let plain = with("/spec/endpoint", json!({"url": "http://mcp.example.com/mcp", "tls": {"mode": "Off"}}));
    let mut smaller = catalog();
    smaller.install.http.max_body_bytes = 1024;
    let mut other_image = catalog();
    other_image.install.image = "other".into();
    for inputs in [plain, smaller, other_image] {
        assert_ne!(before, template(&inputs));
    }
}

#[test]
fn selectors_are_part_of_the_labels_and_survive_every_change() {
    let other = with("/spec/source/workload/podOptions", json!({"labels": {"team": "shop"}}));
    let selectors: Vec<_> = [catalog(), relay(), other]
        .iter()
        .map(|inputs| {
            let children = build(inputs).children;
            let deployment = children.deployment.spec;
            let selector = deployment.selector.match_labels.unwrap();
            let labels = deployment.template.metadata.unwrap().labels.unwrap();
            assert!(selector.iter().all(|(key, value)| labels.get(key) == Some(value)));
            assert_eq!(children.service.spec.unwrap().selector.as_ref(), Some(&selector));
            selector
        })
        .collect();
    assert!(selectors.windows(2).all(|pair| pair[0] == pair[1]), "{selectors:?}");
}

#[test]
fn the_service_leads_to_the_sidecar_only_and_the_policy_opens_no_other_port() {
    let children = build(&catalog()).children;
    let ports = serde_json::to_value(children.service.spec.unwrap().ports).unwrap();
    assert_eq!(ports, json!([{"name": "https", "port": 443, "protocol": "TCP", "targetPort": 64430}]));
    let policy = serde_json::to_value(children.network_policy.spec.unwrap()).unwrap();
    assert!(!policy.to_string().contains("3000"), "{policy}");
    assert_eq!(policy["ingress"][1]["ports"][0]["port"], 64432);
    assert!(policy["ingress"][1]["from"][0]["namespaceSelector"].to_string().contains("tollward-system"));
}

#[test]
fn a_disruption_budget_exists_from_two_replicas_on() {
    assert!(build(&catalog()).children.pod_disruption_budget.is_none());
    let two = build(&with("/spec/source/workload/replicas", json!(2))).children;
    assert_eq!(two.deployment.spec.replicas, Some(2));
    assert!(two.pod_disruption_budget.is_some());
}

#[test]
fn what_a_workload_asks_for_arrives_in_its_container_and_pod() {
    let fixture = include_str!("../../../api/tests/fixtures/v1alpha1/mcpserver-workload.yaml");
    let workload = tollward_desired::manifests::read([("fixture", fixture)]).unwrap().servers.remove(0).spec.source;
    let pod = pod(&build(&with("/spec/source", serde_json::to_value(workload).unwrap())));
    insta::assert_yaml_snapshot!("full_workload_container", pod.containers[0]);
    let kept = [
        pod.node_selector.is_some(),
        pod.tolerations.is_some(),
        pod.affinity.is_some(),
        pod.topology_spread_constraints.is_some(),
        pod.priority_class_name.is_some(),
        pod.runtime_class_name.is_some(),
        pod.image_pull_secrets.is_some(),
    ];
    assert_eq!(kept, [true; 7]);
    assert_eq!(pod.volumes.unwrap().len(), 3 + 4 + 1);
}

#[test]
fn a_certificate_and_an_authority_of_users_are_mounted_in_the_sidecar_only() {
    let mut inputs = with("/spec/endpoint/tls", json!({"mode": "Secret", "secretName": "mine"}));
    inputs.providers[0] =
        change(&inputs.providers[0], "/spec/external/caConfigMap", json!({"name": "ca", "key": "root.pem"}));
    let desired = build(&inputs);
    let pod = pod(&desired);
    let mounts = pod.init_containers.as_ref().unwrap()[0].volume_mounts.clone().unwrap();
    let names: Vec<_> = mounts.iter().map(|mount| mount.name.as_str()).collect();
    assert_eq!(
        names,
        ["tollward-config", "tollward-keys", "tollward-inquiry", "tollward-certificate", "tollward-authority-0"]
    );
    let config = serde_json::to_value(desired.configuration.config()).unwrap();
    assert_eq!(config["identityProviders"][0]["caFile"], "/etc/tollward/authorities/0/root.pem");
    assert_eq!(config["process"]["public"]["tls"]["certificate"], "/etc/tollward/certificate/tls.crt");
    assert_eq!(pod.containers[0].volume_mounts.as_ref().unwrap().len(), 1);
}

#[test]
fn every_object_is_deleted_with_its_server() {
    let desired = build(&catalog());
    let children = &desired.children;
    let metadata = [
        &children.service_account.metadata,
        &children.config_map.metadata,
        &children.deployment.metadata,
        &children.service.metadata,
        &children.network_policy.metadata,
    ];
    for object in metadata {
        let owner = &object.owner_references.as_ref().unwrap()[0];
        assert_eq!((owner.kind.as_str(), owner.controller), ("MCPServer", Some(true)));
        assert_eq!(owner.uid, "7d9f2c1e-0000-4000-8000-000000000001");
        assert_eq!(object.name.as_deref(), Some("catalog-tollward"));
    }
    assert_eq!(children.keys.owner.name, "catalog");
}
