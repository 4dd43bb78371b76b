//! The table of daemons, in their order of starting, and how one is started and looked after.

use std::fs;
use std::path::Path;
use std::process::Stdio;

use anyhow::{Context as _, Result};

use super::credentials::AUTHORITY;
use super::layout::{Layout, NODE, NODE_ADDRESS, SERVICE_RANGE};
use super::space::Space;
use crate::process;

/// A daemon of the cluster; its name is also that of its program.
#[derive(Debug)]
pub(super) struct Component {
    pub(super) name: &'static str,
    arguments: fn(&Layout) -> Vec<String>,
}

pub(super) static ETCD: Component = Component { name: "etcd", arguments: etcd };
pub(super) static API_SERVER: Component = Component { name: "kube-apiserver", arguments: api_server };
pub(super) static CONTAINERD: Component = Component { name: "containerd", arguments: containerd };
pub(super) static CONTROLLER_MANAGER: Component =
    Component { name: "kube-controller-manager", arguments: controller_manager };
pub(super) static SCHEDULER: Component = Component { name: "kube-scheduler", arguments: scheduler };
pub(super) static KUBELET: Component = Component { name: "kubelet", arguments: kubelet };
pub(super) static PROXY: Component = Component { name: "kube-proxy", arguments: proxy };

pub(super) static ALL: [&Component; 7] =
    [&ETCD, &CONTAINERD, &API_SERVER, &CONTROLLER_MANAGER, &SCHEDULER, &KUBELET, &PROXY];

/// Starts a daemon in the background. It becomes a child of the holder, so nothing of it stays behind on the machine.
const START: &str = "pid=$1 log=$2; shift 2; setsid \"$@\" >\"$log\" 2>&1 </dev/null & echo $! >\"$pid\"";

impl Component {
    /// Starts it, unless it runs.
    pub(super) fn start(&self, layout: &Layout, space: &Space, programs: &Path) -> Result<()> {
        if self.is_running(layout, space) {
            return Ok(());
        }
        let mut command = space.command("sh");
        command.args(["-c", START, "sh"]).arg(self.pid_file(layout)).arg(self.log_file(layout));
        command.arg(programs.join(self.name)).args((self.arguments)(layout));
        command.env("PATH", process::path_with(programs)?).stdin(Stdio::null());
        process::succeed(&mut command).with_context(|| format!("cannot start {}", self.name))
    }

    /// Whether its process is there. Process numbers are the namespace's own, so they can't be another cluster's.
    pub(super) fn is_running(&self, layout: &Layout, space: &Space) -> bool {
        let Ok(pid) = fs::read_to_string(self.pid_file(layout)) else {
            return false;
        };
        let program = format!("/proc/{}/cmdline", pid.trim());
        let found = process::capture(space.command("cat").arg(program)).unwrap_or_default();
        found.split('\0').next().is_some_and(|path| path.ends_with(&format!("/{}", self.name)))
    }

    /// The end of its log.
    pub(super) fn last_words(&self, layout: &Layout) -> String {
        let log = fs::read(self.log_file(layout)).unwrap_or_default();
        let text = String::from_utf8_lossy(&log);
        let mut lines: Vec<&str> = text.lines().rev().take(15).collect();
        lines.reverse();
        lines.join("\n")
    }

    pub(super) fn log_file(&self, layout: &Layout) -> std::path::PathBuf {
        layout.path(&format!("{}.log", self.name))
    }

    pub(super) fn pid_file(&self, layout: &Layout) -> std::path::PathBuf {
        layout.path(&format!("{}.pid", self.name))
    }
}

fn owned(arguments: &[&str]) -> Vec<String> {
    arguments.iter().map(|&argument| argument.to_owned()).collect()
}

fn etcd(layout: &Layout) -> Vec<String> {
    owned(&[
        &format!("--data-dir={}", layout.text("etcd")),
        // A test cluster's data is worth nothing after a power cut.
        "--unsafe-no-fsync",
        "--log-level=warn",
    ])
}

fn api_server(layout: &Layout) -> Vec<String> {
    let key = layout.text("service-accounts.key");
    owned(&[
        "--etcd-servers=http://127.0.0.1:2379",
        &format!("--cert-dir={}", layout.text("apiserver")),
        &format!("--advertise-address={NODE_ADDRESS}"),
        "--secure-port=6443",
        &format!("--service-cluster-ip-range={SERVICE_RANGE}"),
        &format!("--token-auth-file={}", layout.text("tokens.csv")),
        "--authorization-mode=Node,RBAC",
        "--enable-admission-plugins=NodeRestriction",
        "--service-account-issuer=https://kubernetes.default.svc.cluster.local",
        &format!("--service-account-key-file={key}"),
        &format!("--service-account-signing-key-file={key}"),
        // For `logs` and `exec`: the node's name can't be resolved.
        "--kubelet-preferred-address-types=InternalIP",
        "--allow-privileged=true",
    ])
}

fn controller_manager(layout: &Layout) -> Vec<String> {
    owned(&[
        &format!("--kubeconfig={}", layout.text("kube-controller-manager.kubeconfig")),
        &format!("--service-account-private-key-file={}", layout.text("service-accounts.key")),
        &format!("--root-ca-file={}", layout.text(AUTHORITY)),
        "--use-service-account-credentials",
        &format!("--flex-volume-plugin-dir={}", layout.text("volume-plugins")),
        "--bind-address=127.0.0.1",
        // It is alone.
        "--leader-elect=false",
    ])
}

fn scheduler(layout: &Layout) -> Vec<String> {
    owned(&[
        &format!("--kubeconfig={}", layout.text("kube-scheduler.kubeconfig")),
        "--bind-address=127.0.0.1",
        "--leader-elect=false",
    ])
}

fn containerd(layout: &Layout) -> Vec<String> {
    owned(&["--config", &layout.text("containerd.toml"), "--log-level", "warn"])
}

fn kubelet(layout: &Layout) -> Vec<String> {
    owned(&[
        &format!("--config={}", layout.text("kubelet.yaml")),
        &format!("--kubeconfig={}", layout.text("kubelet.kubeconfig")),
        &format!("--root-dir={}", layout.text("kubelet")),
        &format!("--cert-dir={}", layout.text("kubelet-certificates")),
        &format!("--hostname-override={NODE}"),
        &format!("--node-ip={NODE_ADDRESS}"),
    ])
}

fn proxy(layout: &Layout) -> Vec<String> {
    owned(&[
        &format!("--kubeconfig={}", layout.text("kube-proxy.kubeconfig")),
        &format!("--hostname-override={NODE}"),
        "--proxy-mode=iptables",
        // These limits belong to the whole machine.
        "--conntrack-max-per-core=0",
        "--conntrack-tcp-timeout-established=0",
        "--conntrack-tcp-timeout-close-wait=0",
    ])
}

#[cfg(test)]
mod tests {
    use super::super::layout::DNS_ADDRESS;
    use super::*;
    use crate::binaries;

    #[test]
    fn every_daemon_is_built_for_a_node() {
        for component in ALL {
            assert!(binaries::NODE.contains(&component.name), "{}", component.name);
        }
    }

    #[test]
    fn the_dns_service_is_in_the_range_of_services() {
        let network = SERVICE_RANGE.strip_suffix(".0.0/16").expect("a range of this size");
        assert!(DNS_ADDRESS.starts_with(network));
    }
}
