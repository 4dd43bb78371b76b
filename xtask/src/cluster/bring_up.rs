//! The steps from nothing to a node that runs pods. Each step looks first whether it was already taken, so that `up`
//! also completes what an earlier one left half-way.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};

use super::components::{API_SERVER, CONTAINERD, CONTROLLER_MANAGER, Component, ETCD, KUBELET, PROXY, SCHEDULER};
use super::images::{self, Image};
use super::layout::{DNS_ADDRESS, Layout, NODE, NODE_ADDRESS};
use super::space::{FIXED_FOLDERS, Space};
use super::{configuration, control_groups, credentials};
use crate::{process, say, workspace};

/// How long one step may take on a busy machine.
const LIMIT: Duration = Duration::from_mins(5);

/// The node's interface, and the routes by which it reaches services: their addresses exist in its filters only.
const NETWORK: &str = "set -e
    ip link set lo up
    ip link show node0 >/dev/null 2>&1 || ip link add node0 type bridge
    ip address replace \"$1/24\" dev node0
    ip link set node0 up
    ip route replace default dev node0
    echo 1 >/proc/sys/net/ipv4/ip_forward";

/// A cluster on its way up, or up.
#[derive(Debug)]
pub(super) struct Cluster {
    pub(super) layout: Layout,
    pub(super) space: Space,
    /// The folder of the built programs.
    programs: PathBuf,
    /// The daemons that must be running by now.
    started: Vec<&'static Component>,
}

impl Cluster {
    /// A cluster whose namespaces are there.
    pub(super) fn existing(layout: Layout, space: Space, programs: PathBuf) -> Self {
        Self { layout, space, programs, started: Vec::new() }
    }

    /// The folder of the built programs.
    pub(super) fn programs(&self) -> &Path {
        &self.programs
    }

    /// Makes the files and the namespaces. What was there has to be removed before.
    pub(super) fn create(layout: Layout, programs: PathBuf) -> Result<Self> {
        layout.create()?;
        let pause = images::build_pause(&layout)?;
        credentials::create(&layout)?;
        let runc = programs.join("runc");
        configuration::write(&layout, &runc.display().to_string())?;
        let space = Space::create(&pause, &layout.path("holder.log"))?;
        Ok(Self::existing(layout, space, programs))
    }

    /// Takes every step that is not taken yet.
    pub(super) fn bring_up(&mut self) -> Result<()> {
        process::capture(self.space.command("sh").args(["-c", NETWORK, "sh", NODE_ADDRESS]))
            .context("cannot set up the cluster's network")?;
        control_groups::create(&self.layout.control_group())?;
        self.start(&ETCD)?;
        self.start(&CONTAINERD)?;
        self.start(&API_SERVER)?;
        self.until("the API server is ready", || {
            Ok(credentials::publish_authority(&self.layout)? && self.kubectl(&["get", "--raw=/readyz"]).is_ok())
        })?;
        for component in [&CONTROLLER_MANAGER, &SCHEDULER] {
            self.start(component)?;
        }
        self.until("containerd answers", || {
            Ok(process::capture(self.space.command(self.programs.join("ctr")).arg("version")).is_ok())
        })?;
        self.install_images()?;
        self.start(&KUBELET)?;
        self.start(&PROXY)?;
        self.install_dns()?;
        self.until("the node is ready", || Ok(self.node_is_ready()))?;
        self.until("the cluster's DNS is ready", || Ok(self.dns_is_ready()))
    }

    /// Whether the API server says that the node is ready.
    pub(super) fn node_is_ready(&self) -> bool {
        let path = "jsonpath={.status.conditions[?(@.type=='Ready')].status}";
        self.kubectl(&["get", "node", NODE, "-o", path]).is_ok_and(|status| status == "True")
    }

    /// Whether the API server says that the DNS server answers.
    pub(super) fn dns_is_ready(&self) -> bool {
        let path = "jsonpath={.status.availableReplicas}";
        self.kubectl(&["-n", "kube-system", "get", "deployment", "coredns", "-o", path]).is_ok_and(|count| count == "1")
    }

    /// Runs kubectl inside, as administrator.
    pub(super) fn kubectl(&self, arguments: &[&str]) -> Result<String> {
        let mut command = self.space.command(self.programs.join("kubectl"));
        command.arg("--kubeconfig").arg(self.layout.kubeconfig()).arg("--request-timeout=10s").args(arguments);
        process::capture(&mut command)
    }

    fn start(&mut self, component: &'static Component) -> Result<()> {
        component.start(&self.layout, &self.space, &self.programs)?;
        self.started.push(component);
        Ok(())
    }

    fn install_images(&self) -> Result<()> {
        let pause = self.layout.holder();
        let coredns = self.programs.join("coredns");
        for (name, program) in [(images::SANDBOX, pause.as_path()), (images::DNS, coredns.as_path())] {
            let filter = format!("name=={name}");
            let mut list = self.space.command(self.programs.join("ctr"));
            list.args(["--namespace", "k8s.io", "images", "list", "--quiet"]).arg(filter);
            if process::capture(&mut list)?.is_empty() {
                images::install(&self.layout, &self.space, &self.programs, &Image { name, program })?;
            }
        }
        Ok(())
    }

    fn install_dns(&self) -> Result<()> {
        let manifest = workspace::root()?.join("tests/cluster/coredns/deployment.yaml");
        let manifest = manifest.display().to_string();
        // The service account admission needs the default objects that the API server makes after it is ready.
        self.until("the cluster's DNS is installed", || Ok(self.kubectl(&["apply", "-f", &manifest]).is_ok()))?;
        let address =
            self.kubectl(&["-n", "kube-system", "get", "service", "kube-dns", "-o", "jsonpath={.spec.clusterIP}"])?;
        if address != DNS_ADDRESS {
            bail!("the DNS service has the address {address}, but the kubelet tells pods {DNS_ADDRESS}");
        }
        Ok(())
    }

    /// Waits for a condition, and fails early when a daemon that was started is gone.
    pub(super) fn until(&self, what: &str, mut holds: impl FnMut() -> Result<bool>) -> Result<()> {
        let started = Instant::now();
        let mut looked = started;
        loop {
            if holds()? {
                say::note(format!("  {what} ({})", say::elapsed(started.elapsed())));
                return Ok(());
            }
            if looked.elapsed() > Duration::from_secs(2) {
                looked = Instant::now();
                self.complain_about_the_dead()?;
            }
            if started.elapsed() > LIMIT {
                let logs = self.layout.root().display();
                bail!("after {} it still does not hold that {what}; the logs are in {logs}", say::elapsed(LIMIT));
            }
            thread::sleep(Duration::from_millis(200));
        }
    }

    fn complain_about_the_dead(&self) -> Result<()> {
        for component in &self.started {
            if !component.is_running(&self.layout, &self.space) {
                let (log, words) = (component.log_file(&self.layout), component.last_words(&self.layout));
                bail!("{} ended (log: {}):\n{words}", component.name, log.display());
            }
        }
        Ok(())
    }
}

/// What `down` does after the processes are gone, and `up` before it begins anew.
pub(super) fn remove_files(layout: &Layout) -> Result<()> {
    control_groups::remove(&layout.control_group())?;
    for folder in FIXED_FOLDERS {
        // Only what we made to put a mount on it is empty.
        let _ = fs::remove_dir(folder);
    }
    match fs::remove_dir_all(layout.root()) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error).with_context(|| format!("cannot remove {}", layout.root().display())),
    }
}
