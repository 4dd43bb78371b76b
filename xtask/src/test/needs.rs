//! What suites need on the machine. Everything slow starts at once in the background, beside the Rust build, and a
//! suite waits only for its own needs.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::path::PathBuf;
use std::thread::{self, JoinHandle};

use anyhow::{Result, anyhow};

use crate::packages::{self, Requirement};
use crate::{binaries, clients, image, say, stores, upstreams};

/// Something to install before a suite runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Need {
    /// Network namespaces and nftables.
    Network,
    /// etcd, an API server and kubectl.
    ControlPlane,
    /// Everything for a whole node.
    Node,
    /// Helm, for the chart.
    Helm,
    /// The OpenTelemetry Collector.
    Collector,
    /// The programs as container images.
    Images,
    /// The MCP clients and servers that run on Node.js.
    NodeClients,
    /// The MCP clients that run on Python.
    PythonClients,
    /// The official conformance suite, which runs on a Node.js of its own.
    Conformance,
    /// Java and Maven, with which the tests fetch and run Keycloak.
    Keycloak,
    /// Redis and Valkey.
    Stores,
    /// nginx, `HAProxy` and what runs on Go's own library.
    Upstreams,
    /// Valkey as a container image, beside those of [`Self::Images`].
    StoreImage,
}

impl Need {
    const fn system(self) -> &'static [Requirement] {
        match self {
            Self::Network => packages::NETWORK,
            Self::PythonClients => packages::PYTHON,
            Self::Keycloak => packages::JAVA,
            Self::Stores | Self::StoreImage | Self::Upstreams => packages::ARCHIVE,
            Self::Node => packages::NODE,
            Self::ControlPlane
            | Self::Helm
            | Self::Collector
            | Self::Images
            | Self::NodeClients
            | Self::Conformance => &[],
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Network => "the network tools",
            Self::ControlPlane => "the Kubernetes control plane",
            Self::Node => "the programs of a Kubernetes node",
            Self::Helm => "Helm",
            Self::Collector => "the OpenTelemetry Collector",
            Self::Images => "the images",
            Self::NodeClients => "the npm packages",
            Self::PythonClients => "the Python packages",
            Self::Conformance => "the conformance suite",
            Self::Keycloak => "Java and Maven",
            Self::Stores => "Redis and Valkey",
            Self::StoreImage => "Valkey's image",
            Self::Upstreams => "nginx and HAProxy",
        }
    }

    /// Installs it, and returns the variable that tells tests where it is.
    fn install(self) -> Result<Variable> {
        match self {
            Self::Network | Self::Keycloak => Ok(None),
            Self::ControlPlane => Ok(Some(("TOLLWARD_CLUSTER_BIN", binaries::install(binaries::CONTROL_PLANE)?))),
            Self::Node => Ok(Some(("TOLLWARD_CLUSTER_BIN", binaries::install(binaries::NODE)?))),
            Self::Helm => Ok(Some(("TOLLWARD_CLUSTER_BIN", binaries::install(&["helm"])?))),
            Self::Collector => Ok(Some(("TOLLWARD_CLUSTER_BIN", binaries::install(&["otelcol"])?))),
            Self::Images => Ok(Some(("TOLLWARD_IMAGES", image::install()?))),
            Self::NodeClients => Ok(Some(("TOLLWARD_CLIENTS", clients::node()?))),
            Self::PythonClients => Ok(Some(("TOLLWARD_PYTHON", clients::python()?))),
            Self::Conformance => Ok(Some(("TOLLWARD_CONFORMANCE", clients::conformance()?))),
            Self::Stores => Ok(Some(("TOLLWARD_STORES", stores::install()?))),
            Self::Upstreams => Ok(Some(("TOLLWARD_UPSTREAMS", upstreams::install()?))),
            Self::StoreImage => stores::pack().map(|_| None),
        }
    }
}

/// The variable that tells tests where something is, if there is one.
type Variable = Option<(&'static str, PathBuf)>;

/// The needs of a run, each on its way or done.
#[derive(Debug)]
pub(super) struct Needs {
    running: BTreeMap<Need, JoinHandle<Result<Variable>>>,
    done: BTreeMap<Need, Result<Variable, String>>,
}

impl Needs {
    /// Installs system packages, then starts the rest in the background.
    pub(super) fn start(wanted: impl Iterator<Item = Need>) -> Self {
        let wanted: BTreeSet<Need> = wanted.collect();
        let mut needs = Self { running: BTreeMap::new(), done: BTreeMap::new() };
        for need in wanted {
            // One after the other, since apt-get has one lock; this takes no time once they are there.
            match packages::install(need.system()) {
                Ok(()) => {
                    needs.running.insert(need, thread::spawn(move || need.install()));
                }
                Err(error) => {
                    needs.done.insert(need, Err(format!("{error:#}")));
                }
            }
        }
        needs
    }

    /// Waits for what a suite needs; returns the environment of its tests.
    pub(super) fn wait(&mut self, suite: &str, wanted: &[Need]) -> Result<Vec<(&'static str, OsString)>> {
        let mut environment = Vec::new();
        for need in wanted {
            if let Some(handle) = self.running.remove(need) {
                if !handle.is_finished() {
                    say::note(format!("{suite}: waiting for {}", need.name()));
                }
                let installed = handle.join().unwrap_or_else(|_| Err(anyhow!("its installation stopped with a panic")));
                self.done.insert(*need, installed.map_err(|error| format!("{error:#}")));
            }
            match self.done.get(need) {
                Some(Ok(variable)) => {
                    environment.extend(variable.iter().map(|(name, path)| (*name, path.clone().into_os_string())));
                }
                Some(Err(error)) => return Err(anyhow!("cannot install {}: {error}", need.name())),
                None => return Err(anyhow!("{} were not prepared", need.name())),
            }
        }
        Ok(environment)
    }
}
