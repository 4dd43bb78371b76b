//! Pods as others see them: their addresses, and what another pod's network reaches.

use super::programs::run;
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt as _;
use std::net::{IpAddr, SocketAddr};
use std::process::Command;

/// The pods that are ready and not ending, ordered by name.
pub fn ready_pods(mut pods: Vec<Pod>) -> Vec<Pod> {
    pods.retain(|pod| {
        let conditions = pod.status.as_ref().and_then(|status| status.conditions.as_ref());
        let ready = conditions.into_iter().flatten().any(|it| it.type_ == "Ready" && it.status == "True");
        ready && pod.metadata.deletion_timestamp.is_none()
    });
    pods.sort_by_key(kube::ResourceExt::name_any);
    pods
}

/// A pod's address.
pub fn pod_address(pod: &Pod) -> IpAddr {
    let address = pod.status.as_ref().and_then(|status| status.pod_ip.as_ref());
    address.and_then(|address| address.parse().ok()).unwrap_or_else(|| panic!("{} has no address", pod.name_any()))
}

/// Name, unique id and restarts of each pod.
pub fn lives(pods: &[Pod]) -> Vec<(String, String, i32)> {
    let restarts = |pod: &Pod| {
        let status = pod.status.clone().unwrap_or_default();
        let all = status.container_statuses.into_iter().chain(status.init_container_statuses).flatten();
        all.map(|container| container.restart_count).sum()
    };
    pods.iter().map(|pod| (pod.name_any(), pod.uid().unwrap_or_default(), restarts(pod))).collect()
}

/// What became of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Knock {
    /// Somebody listens.
    Open,
    /// Nobody does.
    Refused,
}

/// Connects from a pod's network to an address, by a program of the node that joins the pod's namespace.
pub fn knock_from(pod: &Pod, address: SocketAddr) -> Knock {
    let process = process_of(pod).to_string();
    let script = format!("exec 3<>/dev/tcp/{}/{}", address.ip(), address.port());
    let output = Command::new("nsenter")
        .args(["--target", &process, "--net", "--", "timeout", "10", "bash", "-c", &script])
        .output()
        .expect("nsenter runs");
    let complaint = String::from_utf8_lossy(&output.stderr).into_owned();
    match output.status.code() {
        Some(0) => Knock::Open,
        _ if complaint.contains("Connection refused") => Knock::Refused,
        code => panic!("{address} neither takes nor refuses a connection: {code:?} {complaint}"),
    }
}

/// Kills the processes of one container, as a crash would.
pub fn crash(pod: &Pod, container: &str) {
    let status = pod.status.clone().unwrap_or_default();
    let mut all = status.container_statuses.into_iter().chain(status.init_container_statuses).flatten();
    let found = all.find(|status| status.name == container).and_then(|status| status.container_id);
    let id = task(&found.unwrap_or_else(|| panic!("{} runs no container {container}", pod.name_any())));
    run("ctr", &["--namespace", "k8s.io", "tasks", "kill", "--signal", "SIGKILL", &id], None)
        .unwrap_or_else(|error| panic!("{container} can't be killed: {error}"));
}

/// The number of a process in the pod.
fn process_of(pod: &Pod) -> u32 {
    let statuses = pod.status.as_ref().and_then(|status| status.container_statuses.as_ref());
    let id = statuses.and_then(|statuses| statuses.first()?.container_id.clone()).expect("the pod has a container");
    let id = task(&id);
    let tasks = run("ctr", &["--namespace", "k8s.io", "tasks", "list"], None).expect("containerd lists its tasks");
    let line = tasks.lines().find(|line| line.starts_with(&id)).unwrap_or_else(|| panic!("no task {id}: {tasks}"));
    line.split_whitespace().nth(1).and_then(|number| number.parse().ok()).expect("a process number")
}

/// What containerd calls a container of a status.
fn task(container_id: &str) -> String {
    container_id.trim_start_matches("containerd://").to_owned()
}
