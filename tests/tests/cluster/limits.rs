//! `tollward limits` against real pods: kubectl runs the sidecar's program in its container, by the rights of whoever types.

use serde_json::{Value, json};
use tollward_tests::cluster::{Door, SERVER, Tenant, Typed, kubectl, tell, tollward};

/// Runs it for a subject, as JSON.
async fn typed(tenant: &Tenant, subject: &str, more: &[&str]) -> Typed {
    let whom = ["limits", SERVER, "--namespace", &tenant.namespace, "--subject", subject, "--tool", "get_product"];
    let arguments: Vec<String> = whom.iter().chain(more).map(|&text| text.to_owned()).collect();
    let run = move || tollward(&arguments.iter().map(String::as_str).collect::<Vec<_>>(), None);
    tokio::task::spawn_blocking(run).await.expect("the command ends")
}

/// The state of the example's limit of calls, and what was told besides.
async fn calls(tenant: &Tenant, subject: &str) -> (Value, Value) {
    let typed = typed(tenant, subject, &["--claim", "tier=basic", "--output", "json"]).await;
    assert!(typed.success, "{}", typed.text);
    let told: Value = serde_json::from_str(&typed.text).unwrap_or_else(|error| panic!("{error}: {}", typed.text));
    let limits = told["limits"].as_array().cloned().unwrap_or_default();
    let found = limits.into_iter().find(|limit| limit["limit"] == "catalog/calls");
    (found.unwrap_or_else(|| panic!("the limit is not told: {told:#}")), told)
}

/// A caller's calls at each replica are seen there, and together; the example lets 100 come at once.
pub(crate) async fn are_shown_for_each_replica(tenant: &Tenant, doors: &[Door]) {
    let subject = "counted";
    let (before, _) = calls(tenant, subject).await;
    assert_eq!((&before["left"], &before["most"], &before["replicas"]), (&json!(100), &json!(100), &json!(2)));
    for (door, count) in doors.iter().zip([2, 3]) {
        for _ in 0..count {
            let token = door.token().subject(subject).with_claim("tier", "basic").mint();
            let reply = door.tool(&token, "get_product", json!({"sku": "TEA-001"})).await;
            assert_eq!(reply.status, 200, "{}", reply.text());
        }
    }
    let (after, told) = calls(tenant, subject).await;
    let parts: Vec<_> = told["replicas"].as_array().into_iter().flatten().collect();
    let mut left: Vec<_> = parts.iter().filter_map(|part| part["answer"]["limits"][0]["left"].as_u64()).collect();
    left.sort_unstable();
    // A call is refilled in 8 seconds at each of two.
    let within = |left: u64, used: u64, of: u64| (of - used..=of).contains(&left);
    assert!(left.len() == 2 && within(left[0], 3, 50) && within(left[1], 2, 50), "{told:#}");
    assert!(after["left"].as_u64().is_some_and(|left| (95..100).contains(&left)), "{told:#}");
    let shown = typed(tenant, subject, &["--output", "wide"]).await;
    tell(&format!("`tollward limits` of two replicas: {:.1} s\n{}", shown.took.as_secs_f64(), shown.text));
    assert!(shown.success && shown.text.contains("(2 replicas)"), "{}", shown.text);

    // No other container has the socket's folder.
    let pods = tenant.pods(SERVER).await;
    for container in pods.iter().filter_map(|pod| pod.spec.as_ref()).flat_map(|spec| &spec.containers) {
        let mounts = container.volume_mounts.iter().flatten();
        assert!(mounts.into_iter().all(|mount| mount.name != "tollward-inquiry"), "{container:#?}");
    }
    may_not_be_seen_by_who_may_only_look(tenant);
}

/// Who may see pods and not run programs in them sees nobody's limits.
fn may_not_be_seen_by_who_may_only_look(tenant: &Tenant) {
    let role = ["create", "rolebinding", "looks", "--clusterrole=view", "--user=looker", "-n", &tenant.namespace];
    kubectl(&role).expect("the binding is made");
    let pods = ["get", "pods", "--as=looker", "--namespace", &tenant.namespace, "--output=name"];
    let pods = kubectl(&pods).expect("they may be listed");
    let pod = pods.lines().next().expect("there is a pod");
    let program = ["--", "tollward-sidecar", "limits"];
    let exec = ["exec", pod, "--container=tollward", "--as=looker", "--namespace", &tenant.namespace];
    let refused = kubectl(&[&exec[..], &program].concat()).expect_err("it may not be run");
    assert!(refused.contains("pods/exec"), "{refused}");
}

/// A process that was killed left its socket; the next one answers.
pub(crate) async fn are_shown_after_a_crash(tenant: &Tenant) {
    let (limit, _) = calls(tenant, "nobody").await;
    assert_eq!((&limit["left"], &limit["replicas"]), (&json!(100), &json!(1)));
}
