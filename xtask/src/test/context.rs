//! The end-to-end suite in a cluster of the user's. The test executable runs there as a pod: it reaches pods and Services as
//! any other pod does, and pods reach the issuer in it, whatever network the cluster has.
//!
//! Guarantees: it uses namespaces of its own, refuses to start where one of them or an installation is there already, and
//! removes all of it, however the tests end.

use std::fs;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use serde_json::{Value, json};

use super::artefacts::Executable;
use super::execute::Bench;
use super::libtest::Counts;
use crate::image::{self, Pack};
use crate::kubernetes::objects::restricted;
use crate::kubernetes::supply::{self, Images};
use crate::kubernetes::{Choice, Kubernetes, claim, require_a_way_for_images};
use crate::{binaries, packages, say, workspace};

/// Where the tests' pod runs, and its name.
const NAMESPACE: &str = "tollward-tests";
const POD: &str = "tests";
/// The tests' image.
const IMAGE: &str = "tollward-tests";
/// What the tests call.
const PROGRAMS: &[&str] = &["kubectl", "helm", "otelcol"];
/// A folder of the tests' package, from which they look for the others.
const FOLDER: &str = "tests/keycloak";
/// The one folder to which the tests may write.
const SCRATCH: &str = "/scratch";
/// Where they find a kubeconfig.
const SETTINGS: &str = "/etc/tests";
/// A namespace that the example names; the other ones are the tests' own.
const SHOP: &str = "shop";

/// What can't be done from a pod, and why.
const LEFT_OUT: &[(&str, &str)] = &[
    ("another_pod_reaches_the_sidecar_but_not_the_server_behind_it", "it enters the pods' networks on the node"),
    ("a_sidecar_that_crashed_comes_back_with_its_policy", "it kills a process on the node"),
    (
        "a_valkey_of_the_chart_counts_for_all_replicas",
        "the address of its Service is fixed, and its image made for our own node",
    ),
    ("the_report_is_for_the_operator_alone", "an enforced NetworkPolicy keeps its calls from the port that it tests"),
];

/// Runs the executables there.
pub(super) fn run(bench: &mut Bench, executables: &[&Executable], choice: &Choice) -> Result<Counts> {
    let name = choice.context.as_deref().context("no context was chosen")?;
    let kubernetes = Kubernetes::context(name)?;
    let mut counts = Counts::NONE;
    for executable in executables {
        let built = image::make(&["tollward"])?;
        let (mut made, tollward) =
            (built.images, built.programs.first().context("the command line was built")?.clone());
        made.push(pack(&executable.path, &tollward)?);
        require_a_way_for_images(choice, &made.iter().map(|image| image.file.clone()).collect::<Vec<_>>())?;
        claim::take(&kubernetes, &[NAMESPACE, SHOP])?;
        let ran = in_a_pod(bench, &kubernetes, choice, &supply::supply(&kubernetes, choice, &made)?);
        let removed = claim::remove(&kubernetes).context("the cluster is not as it was");
        counts += ran?;
        removed?;
    }
    Ok(counts)
}

/// The test executable, with the programs that it calls and the files that it reads, at the paths where it looks for them.
fn pack(executable: &Path, tollward: &Path) -> Result<image::Made> {
    let root = workspace::root()?;
    let programs = binaries::install(PROGRAMS)?;
    // The tests start programs by a script, which looks after them.
    packages::install(packages::SHELL)?;
    let applets = ["sh", "cat", "sleep"];
    let mut files = applets.map(|name| (format!("/usr/bin/{name}"), PathBuf::from(packages::BUSYBOX))).to_vec();
    for program in PROGRAMS {
        files.push((format!("/usr/bin/{program}"), programs.join(program)));
    }
    for folder in ["charts/tollward", "examples/catalog", "examples/telemetry", FOLDER] {
        collect(&root.join(folder), &mut files)?;
    }
    image::pack(&Pack {
        name: IMAGE,
        about: "End-to-end tests of Tollward",
        // The tests look for the command line where cargo would put it: above their own folder.
        programs: &[("/usr/bin/tests", executable), ("/usr/tollward", tollward)],
        files: &files,
        root: None,
    })
}

fn collect(folder: &Path, files: &mut Vec<(String, PathBuf)>) -> Result<()> {
    for entry in fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))? {
        let path = entry?.path();
        if path.is_dir() {
            collect(&path, files)?;
        } else {
            let name = path.to_str().with_context(|| format!("{} is no UTF-8", path.display()))?.to_owned();
            files.push((name, path));
        }
    }
    Ok(())
}

fn in_a_pod(bench: &mut Bench, kubernetes: &Kubernetes, choice: &Choice, images: &Images) -> Result<Counts> {
    supply::try_out(kubernetes, NAMESPACE, choice, &images.without(IMAGE))?;
    for (test, why) in LEFT_OUT {
        say::line(format!("left out: {test}: {why}"));
    }
    kubernetes.apply("tests", &objects(images)?)?;
    supply::started(kubernetes, NAMESPACE, POD)?;
    let mut log = kubernetes.kubectl(&["logs", "--namespace", NAMESPACE, "--follow", POD])?;
    bench.listen("tests in the cluster", &mut log, |_| verdict(kubernetes))
}

/// Who runs the tests, and the pod. The tests act as administrators and impersonate others, so they need every right.
fn objects(images: &Images) -> Result<Vec<Value>> {
    let mut arguments = vec!["/usr/bin/tests".to_owned()];
    for (test, _) in LEFT_OUT {
        arguments.extend(["--skip".to_owned(), (*test).to_owned()]);
    }
    let mut environment = vec![
        json!({"name": "TOLLWARD_CLUSTER_BIN", "value": "/usr/bin"}),
        json!({"name": "TOLLWARD_POD_NAMESPACE", "value": NAMESPACE}),
        json!({"name": "TOLLWARD_POD_ADDRESS", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}}),
        json!({"name": "KUBECONFIG", "value": format!("{SETTINGS}/kubeconfig")}),
        json!({"name": "TMPDIR", "value": SCRATCH}),
        json!({"name": "HOME", "value": SCRATCH}),
    ];
    for (variable, image) in [
        ("TOLLWARD_OPERATOR_IMAGE", "tollward-operator"),
        ("TOLLWARD_SIDECAR_IMAGE", "tollward-sidecar"),
        ("TOLLWARD_CATALOG_IMAGE", "catalog"),
    ] {
        environment.push(json!({"name": variable, "value": images.reference(image)?}));
    }
    let group = "rbac.authorization.k8s.io";
    Ok(vec![
        json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": POD, "namespace": NAMESPACE}}),
        json!({
            "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": POD, "namespace": NAMESPACE},
            "data": {"kubeconfig": kubeconfig().to_string()},
        }),
        json!({
            "apiVersion": format!("{group}/v1"), "kind": "ClusterRoleBinding",
            "metadata": {"name": NAMESPACE, "labels": claim::label()},
            "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": "cluster-admin"},
            "subjects": [{"kind": "ServiceAccount", "name": POD, "namespace": NAMESPACE}],
        }),
        json!({
            "apiVersion": "v1", "kind": "Pod", "metadata": {"name": POD, "namespace": NAMESPACE},
            "spec": {
                "serviceAccountName": POD, "restartPolicy": "Never", "enableServiceLinks": false,
                "terminationGracePeriodSeconds": 2,
                "containers": [{
                    "name": POD, "image": images.reference(IMAGE)?, "command": arguments, "env": environment,
                    "securityContext": restricted(),
                    "volumeMounts": [
                        {"name": "scratch", "mountPath": SCRATCH},
                        {"name": "settings", "mountPath": SETTINGS, "readOnly": true},
                    ],
                }],
                "volumes": [
                    {"name": "scratch", "emptyDir": {}},
                    {"name": "settings", "configMap": {"name": POD}},
                ],
            },
        }),
    ])
}

/// The pod's own account. Without a file kubectl finds it too, but not when it is told to act as somebody else.
fn kubeconfig() -> Value {
    let account = "/var/run/secrets/kubernetes.io/serviceaccount";
    let cluster =
        json!({"server": "https://kubernetes.default.svc", "certificate-authority": format!("{account}/ca.crt")});
    json!({
        "apiVersion": "v1", "kind": "Config", "current-context": POD,
        "clusters": [{"name": POD, "cluster": cluster}],
        "users": [{"name": POD, "user": {"tokenFile": format!("{account}/token")}}],
        "contexts": [{"name": POD, "context": {"cluster": POD, "user": POD}}],
    })
}

/// What is wrong with how the pod ended. Its log ends a moment before its status says so.
fn verdict(kubernetes: &Kubernetes) -> Result<Option<String>> {
    let deadline = Instant::now() + Duration::from_mins(1);
    while Instant::now() < deadline {
        let pod = kubernetes.find(&["get", "pod", POD, "--namespace", NAMESPACE])?.unwrap_or_default();
        if let Some(ended) = pod.pointer("/status/containerStatuses/0/state/terminated") {
            let code = ended.get("exitCode").and_then(Value::as_i64);
            return Ok((code != Some(0)).then(|| format!("ended with {ended}")));
        }
        thread::sleep(Duration::from_millis(200));
    }
    bail!("the log of the tests' pod ended before the tests did")
}
