//! The configuration files of the daemons that read one. Each setting that is not the default says why.

use anyhow::Result;

use super::images;
use super::layout::{DNS_ADDRESS, Layout, NODE_ADDRESS, POD_RANGE};

/// Writes all of them. `runc` is the path of the runtime to use.
pub(super) fn write(layout: &Layout, runc: &str) -> Result<()> {
    layout.write("containerd.toml", &containerd(layout, runc))?;
    layout.write("kubelet.yaml", &kubelet(layout))?;
    layout.write("network/10-tollward.conflist", &network(layout))?;
    // Pods that use the node's name servers get none: nothing of this cluster is outside of it.
    layout.write("resolv.conf", "")
}

fn containerd(layout: &Layout, runc: &str) -> String {
    format!(
        "version = 3
root = '{root}'
state = '/run/containerd'

[plugins.'io.containerd.internal.v1.opt']
  path = '{opt}'

[plugins.'io.containerd.cri.v1.images'.pinned_images]
  sandbox = '{sandbox}'

[plugins.'io.containerd.cri.v1.runtime']
  # Without CAP_SYS_RESOURCE, as in many virtual machines for continuous integration, a pod's lower score can't be set.
  restrict_oom_score_adj = true

[plugins.'io.containerd.cri.v1.runtime'.cni]
  bin_dirs = ['/usr/lib/cni']
  conf_dir = '{network}'

[plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc]
  runtime_type = 'io.containerd.runc.v2'

[plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc.options]
  BinaryName = '{runc}'
  # There need be no systemd.
  SystemdCgroup = false
",
        root = layout.text("containerd"),
        opt = layout.text("opt"),
        sandbox = images::SANDBOX,
        network = layout.text("network"),
    )
}

fn kubelet(layout: &Layout) -> String {
    format!(
        "apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
address: {NODE_ADDRESS}
# The API server has no client certificate for it; nobody else can reach the address.
authentication:
  anonymous:
    enabled: true
  webhook:
    enabled: false
authorization:
  mode: AlwaysAllow
cgroupDriver: cgroupfs
# A group of our own, so that `down` finds all of them.
cgroupRoot: /{group}
clusterDNS: [{DNS_ADDRESS}]
clusterDomain: cluster.local
containerRuntimeEndpoint: unix:///run/containerd/containerd.sock
# A developer's machine may have either, and cluster tests need neither.
failCgroupV1: false
failSwapOn: false
resolvConf: {resolv}
podLogsDir: {logs}
volumePluginDir: {plugins}
# Images come from files only, so none may be collected; a developer's disk is often nearly full.
imageGCHighThresholdPercent: 100
imageGCLowThresholdPercent: 99
evictionHard:
  memory.available: 50Mi
  nodefs.available: 1%
  nodefs.inodesFree: 1%
  imagefs.available: 1%
  imagefs.inodesFree: 1%
",
        group = layout.control_group(),
        resolv = layout.text("resolv.conf"),
        logs = layout.text("pod-logs"),
        plugins = layout.text("volume-plugins"),
    )
}

/// Point-to-point links, so that every packet between pods passes the node's filters, also where the kernel has no
/// bridge filtering.
fn network(layout: &Layout) -> String {
    format!(
        r#"{{
  "cniVersion": "1.0.0",
  "name": "tollward",
  "plugins": [
    {{
      "type": "ptp",
      "ipMasq": false,
      "ipam": {{
        "type": "host-local",
        "dataDir": "{addresses}",
        "ranges": [[{{"subnet": "{POD_RANGE}"}}]],
        "routes": [{{"dst": "0.0.0.0/0"}}]
      }}
    }},
    {{"type": "portmap", "capabilities": {{"portMappings": true}}}}
  ]
}}
"#,
        addresses = layout.text("addresses"),
    )
}
