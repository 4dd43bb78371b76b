//! Which programs exist, from which Go module below `tests`, built how. The versions are not here: the modules'
//! `go.mod` files pin them.

use anyhow::{Result, bail};

/// One Go module below `tests`, and the programs that it holds.
#[derive(Debug)]
pub(crate) struct Module {
    /// The folder that holds the module's own, from the root of the checkout.
    pub(crate) within: &'static str,
    /// The module's own folder, whose name begins that of its folder in the cache.
    pub(crate) folder: &'static str,
    /// The module path whose pinned version is the programs' version.
    pub(crate) source: &'static str,
    /// Build tags, separated by commas.
    pub(crate) tags: &'static str,
    /// Whether C code is linked, which needs a C compiler and libraries.
    pub(crate) cgo: bool,
    /// Linker settings; `{version}`, `{major}` and `{minor}` are those of `source`, `{version}` with its `v`.
    pub(crate) link: &'static str,
    pub(crate) programs: &'static [Program],
}

/// One executable.
#[derive(Debug)]
pub(crate) struct Program {
    pub(crate) name: &'static str,
    /// Its main package; `.` if the module itself is that.
    pub(crate) package: &'static str,
}

const fn program(name: &'static str, package: &'static str) -> Program {
    Program { name, package }
}

const CLUSTER: &str = "tests/cluster";

/// In the order of building: what most tests wait for comes first.
pub(crate) const MODULES: &[Module] = &[
    Module {
        within: CLUSTER,
        folder: "etcd",
        source: "go.etcd.io/etcd/server/v3",
        tags: "",
        cgo: false,
        link: "",
        programs: &[program("etcd", "go.etcd.io/etcd/server/v3")],
    },
    Module {
        within: CLUSTER,
        folder: "kubernetes",
        source: "k8s.io/kubernetes",
        tags: "",
        cgo: false,
        // Without them the server says v0.0.0, and clients refuse to talk to it.
        link: "-X k8s.io/component-base/version.gitVersion={version} \
               -X k8s.io/component-base/version.gitMajor={major} \
               -X k8s.io/component-base/version.gitMinor={minor}",
        programs: &[
            program("kube-apiserver", "k8s.io/kubernetes/cmd/kube-apiserver"),
            program("kubectl", "k8s.io/kubernetes/cmd/kubectl"),
            program("kube-controller-manager", "k8s.io/kubernetes/cmd/kube-controller-manager"),
            program("kube-scheduler", "k8s.io/kubernetes/cmd/kube-scheduler"),
            program("kubelet", "k8s.io/kubernetes/cmd/kubelet"),
            program("kube-proxy", "k8s.io/kubernetes/cmd/kube-proxy"),
        ],
    },
    Module {
        within: CLUSTER,
        folder: "runc",
        source: "github.com/opencontainers/runc",
        tags: "seccomp",
        cgo: true,
        link: "",
        programs: &[program("runc", "github.com/opencontainers/runc")],
    },
    Module {
        within: CLUSTER,
        folder: "containerd",
        source: "github.com/containerd/containerd/v2",
        // Snapshotters that nothing here uses and that want C libraries.
        tags: "no_btrfs,no_devmapper,no_zfs",
        cgo: false,
        link: "-X github.com/containerd/containerd/v2/version.Version={version}",
        programs: &[
            program("containerd", "github.com/containerd/containerd/v2/cmd/containerd"),
            program("containerd-shim-runc-v2", "github.com/containerd/containerd/v2/cmd/containerd-shim-runc-v2"),
            program("ctr", "github.com/containerd/containerd/v2/cmd/ctr"),
        ],
    },
    Module {
        within: CLUSTER,
        folder: "coredns",
        source: "github.com/coredns/coredns",
        tags: "",
        cgo: false,
        link: "",
        programs: &[program("coredns", "github.com/coredns/coredns")],
    },
    Module {
        within: CLUSTER,
        folder: "helm",
        source: "helm.sh/helm/v4",
        tags: "",
        cgo: false,
        link: "-X helm.sh/helm/v4/internal/version.version={version}",
        programs: &[program("helm", "helm.sh/helm/v4/cmd/helm")],
    },
    Module {
        within: "tests",
        folder: "collector",
        source: "go.opentelemetry.io/collector/otelcol",
        tags: "",
        cgo: false,
        link: "-X main.version={version}",
        programs: &[program("otelcol", ".")],
    },
    Module {
        within: CLUSTER,
        folder: "crane",
        source: "github.com/google/go-containerregistry",
        tags: "",
        cgo: false,
        link: "-X github.com/google/go-containerregistry/cmd/crane/cmd.Version={version}",
        programs: &[program("crane", "github.com/google/go-containerregistry/cmd/crane")],
    },
];

/// What a test needs that talks to a Kubernetes API server.
pub(crate) const CONTROL_PLANE: &[&str] = &["etcd", "kube-apiserver", "kubectl"];

/// What a whole node needs.
pub(crate) const NODE: &[&str] = &[
    "etcd",
    "kube-apiserver",
    "kubectl",
    "kube-controller-manager",
    "kube-scheduler",
    "kubelet",
    "kube-proxy",
    "runc",
    "containerd",
    "containerd-shim-runc-v2",
    "ctr",
    "coredns",
];

/// Every program's name.
pub(crate) fn all() -> Vec<&'static str> {
    MODULES.iter().flat_map(|module| module.programs).map(|program| program.name).collect()
}

/// The programs that a command line names, by their own names or by those of sets.
pub(crate) fn named(names: &[String]) -> Result<Vec<&'static str>> {
    let mut wanted = Vec::new();
    for name in names {
        match name.as_str() {
            "control-plane" => wanted.extend(CONTROL_PLANE),
            "node" => wanted.extend(NODE),
            "all" => wanted.extend(all()),
            other => match all().into_iter().find(|known| *known == other) {
                Some(known) => wanted.push(known),
                None => bail!(
                    "there is no program or set named `{other}`. Sets: control-plane, node, all. Programs: {}",
                    all().join(", ")
                ),
            },
        }
    }
    wanted.sort_unstable();
    wanted.dedup();
    Ok(wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_program_of_a_set_is_in_a_module() {
        for name in CONTROL_PLANE.iter().chain(NODE) {
            assert!(all().contains(name), "{name}");
        }
    }

    #[test]
    fn the_control_plane_is_part_of_a_node() {
        for name in CONTROL_PLANE {
            assert!(NODE.contains(name), "{name}");
        }
    }

    #[test]
    fn sets_and_programs_can_be_named_together() {
        let wanted = named(&["control-plane".to_owned(), "helm".to_owned(), "etcd".to_owned()]).expect("known names");
        assert_eq!(wanted, ["etcd", "helm", "kube-apiserver", "kubectl"]);
    }

    #[test]
    fn an_unknown_name_is_answered_with_the_known_ones() {
        let error = named(&["kubeadm".to_owned()]).expect_err("it is unknown").to_string();
        assert!(error.contains("`kubeadm`") && error.contains("kube-apiserver"), "{error}");
    }
}
