//! The installation that all tests of a process share: images, chart, operator, and on the node an issuer and an
//! OpenTelemetry Collector.

use super::LIMIT;
use super::programs::{images, root, run, tell};
use crate::clock::TestClock;
use crate::deadline::within_time;
use crate::issuer::Issuer;
use crate::real::collector::Collector;
use k8s_openapi::api::core::v1::{ConfigMap, Node, Pod};
use kube::api::{ListParams, LogParams};
use kube::runtime::wait::await_condition;
use kube::{Api, Client, ResourceExt as _};
use serde_json::json;
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::LazyLock;
use std::time::{Instant, UNIX_EPOCH};
use tokio::runtime::Runtime;
use tokio::sync::RwLock;

/// The operator's namespace.
pub const NAMESPACE: &str = "tollward-system";
/// Milliseconds between two exports of metrics.
const EXPORTS: &str = "OTEL_METRIC_EXPORT_INTERVAL";
/// Name of the operator's Deployment and `ServiceAccount`.
pub const OPERATOR: &str = "tollward-operator";

/// Tests have runtimes of their own, which end with them; what all of them share lives here.
static SHARED: LazyLock<Runtime> = LazyLock::new(|| Runtime::new().expect("a runtime"));

static INSTALLATION: LazyLock<Installation> = LazyLock::new(|| {
    // In a thread of its own, since a runtime can't wait for another one.
    let installed = std::thread::spawn(|| SHARED.block_on(Installation::install()));
    installed.join().unwrap_or_else(|_| panic!("the installation failed, as the message above says"))
});

/// The installation that all tests of this process share.
pub fn installation() -> &'static Installation {
    &INSTALLATION
}

/// An installed chart.
pub struct Installation {
    /// The authorization server, at an address that pods reach.
    pub issuer: Issuer,
    /// The collector that the chart names, at such an address too.
    pub collector: Collector,
    /// The installation's certificate authority, as clients get it.
    pub authority: String,
    /// What the chart was told.
    settings: Vec<String>,
    /// Taken for writing by who disturbs the operator.
    pub(super) calm: RwLock<()>,
}

impl Installation {
    async fn install() -> Self {
        let client = Client::try_default().await.expect("KUBECONFIG is that of a cluster");
        let started = Instant::now();
        let place = Place::find(&client).await;
        tell(&format!("images are there after {:.1} s", started.elapsed().as_secs_f64()));
        let issuer = Issuer::start_at(place.address, TestClock::default()).await;
        let collector = Collector::start_at(place.address).await;
        let settings = settings(&place, &collector);
        chart(&settings);
        let authority = authority(&client).await;
        tell(&format!("installed after {:.1} s", started.elapsed().as_secs_f64()));
        Self { issuer, collector, authority, settings, calm: RwLock::new(()) }
    }

    /// Upgrades the chart with these settings besides, and without those of an upgrade before. For who is alone.
    pub fn upgrade(&self, more: &[String]) {
        chart(&[self.settings.as_slice(), more].concat());
    }

    /// What the operator's pods logged, one line each.
    pub async fn operator_log(&self, client: &Client) -> Vec<String> {
        let mut lines = Vec::new();
        let pods: Api<Pod> = Api::namespaced(client.clone(), NAMESPACE);
        for pod in pods.list(&ListParams::default()).await.expect("the operator's pods are listed") {
            // A pod that is ending may be gone by now.
            if let Ok(text) = pods.logs(&pod.name_any(), &LogParams::default()).await {
                lines.extend(text.lines().map(str::to_owned));
            }
        }
        lines
    }

    /// Fails if the API server ever refused the operator something: the chart's roles and policies must be enough for
    /// all that the tests made it do.
    pub async fn nothing_was_forbidden(&self, client: &Client) {
        let log = self.operator_log(client).await;
        assert!(!log.is_empty(), "the operator logs nothing");
        // In a namespace that ends, everything new is refused to everybody.
        let ends = |line: &str| line.contains("because it is being terminated");
        let refused: Vec<_> =
            log.iter().filter(|line| line.to_lowercase().contains("forbidden") && !ends(line)).collect();
        assert!(refused.is_empty(), "the API server refuses the operator: {refused:#?}");
    }
}

/// Where the tests run, as pods see it, and what the chart is told because of it.
struct Place {
    /// Where pods reach this process.
    address: IpAddr,
    settings: Vec<String>,
}

impl Place {
    async fn find(client: &Client) -> Self {
        match std::env::var("TOLLWARD_POD_ADDRESS") {
            Ok(address) => Self::in_a_pod(address.parse().expect("a pod has an address")),
            Err(_) => Self::on_the_node(node_address(client).await),
        }
    }

    /// On the node of the cluster that is made for the tests: images come from files.
    fn on_the_node(address: IpAddr) -> Self {
        let archives = archives();
        import(&archives);
        let made = archives.iter().filter_map(|archive| archive.metadata().ok()?.modified().ok());
        let newest = made.max().and_then(|time| time.duration_since(UNIX_EPOCH).ok()).unwrap_or_default();
        // The tag of an image stays the same when it is made anew.
        let annotations = json!({"test/images": newest.as_millis().to_string()});
        Self { address, settings: vec![format!("podAnnotations={annotations}")] }
    }

    /// In a pod of somebody's cluster: `cargo xtask test` brought the images there, and says what they are called.
    fn in_a_pod(address: IpAddr) -> Self {
        let mut settings = image_settings("image", &named("TOLLWARD_OPERATOR_IMAGE"));
        settings.extend(image_settings("sidecar.image", &named("TOLLWARD_SIDECAR_IMAGE")));
        let namespace = json!({"matchLabels": {"kubernetes.io/metadata.name": named("TOLLWARD_POD_NAMESPACE")}});
        // Where policies are enforced, the operator could not ask for the issuer's keys.
        settings.push(format!("networkPolicy.extraEgress={}", json!([{"to": [{"namespaceSelector": namespace}]}])));
        Self { address, settings }
    }
}

fn named(variable: &str) -> String {
    std::env::var(variable).unwrap_or_else(|_| panic!("{variable} is not set; run this by `cargo xtask test`"))
}

/// The chart's settings for an image, by tag or digest.
pub(super) fn image_settings(name: &str, reference: &str) -> Vec<String> {
    let (registry, rest) = reference.split_once('/').expect("an image's name has a registry");
    let by_digest = rest.split_once('@').map(|(repository, digest)| (repository, "digest", digest));
    let (repository, kind, version) = by_digest
        .or_else(|| rest.rsplit_once(':').map(|(repository, tag)| (repository, "tag", tag)))
        .expect("an image's name has a tag or a digest");
    [("registry", registry), ("repository", repository), (kind, version)]
        .map(|(member, value)| format!("{name}.{member}={}", json!(value)))
        .to_vec()
}

fn archives() -> Vec<PathBuf> {
    ["tollward-sidecar", "tollward-operator", "catalog"].map(|name| archive(name, "cargo xtask image")).into()
}

/// An image, or a failure that says how it is made.
pub(super) fn archive(name: &str, command: &str) -> PathBuf {
    let archive = images().join(format!("{name}.tar"));
    assert!(archive.is_file(), "{} is missing; make it first: {command}", archive.display());
    archive
}

pub(super) fn import(archives: &[PathBuf]) {
    for archive in archives {
        let file = archive.display().to_string();
        run("ctr", &["--namespace", "k8s.io", "images", "import", &file], None)
            .unwrap_or_else(|error| panic!("{file} can't be imported: {error}"));
    }
}

/// Where the node, and with it this process, is reached by pods.
async fn node_address(client: &Client) -> IpAddr {
    let nodes: Api<Node> = Api::all(client.clone());
    let nodes = nodes.list(&ListParams::default()).await.expect("nodes are listed");
    let addresses = nodes.into_iter().filter_map(|node| node.status?.addresses).flatten();
    let internal = addresses.filter(|address| address.type_ == "InternalIP").map(|address| address.address).next();
    internal.and_then(|address| address.parse().ok()).expect("the node has an address")
}

/// What the chart is told.
fn settings(place: &Place, collector: &Collector) -> Vec<String> {
    let bits = if place.address.is_ipv4() { 32 } else { 128 };
    let mut settings = vec![
        format!("dial.allow={}", json!([{"cidr": format!("{}/{bits}", place.address), "scheme": "http"}])),
        format!("otlp.endpoint={}", json!(collector.endpoint())),
        // Metrics come once a minute by default.
        format!("sidecar.environment={}", json!({EXPORTS: "1000"})),
        format!("extraEnv={}", json!([{"name": EXPORTS, "value": "1000"}])),
        // What is refused to the operator must show in its log, whatever the operator makes of it.
        format!("log.filter={}", json!("info,tollward_operator=debug")),
    ];
    settings.extend_from_slice(&place.settings);
    settings
}

/// Installs the chart, or upgrades what an earlier run left on this cluster.
fn chart(settings: &[String]) {
    let chart = root().join("charts/tollward").display().to_string();
    let mut arguments =
        vec!["upgrade", "--install", "tollward", &chart, "--namespace", NAMESPACE, "--create-namespace"];
    arguments.extend(["--wait", "--timeout", "120s"]);
    for setting in settings {
        arguments.extend(["--set-json", setting]);
    }
    run("helm", &arguments, None).unwrap_or_else(|error| panic!("the chart can't be installed: {error}"));
}

async fn authority(client: &Client) -> String {
    let maps: Api<ConfigMap> = Api::namespaced(client.clone(), NAMESPACE);
    let published = await_condition(maps, "tollward-ca", |map: Option<&ConfigMap>| map.is_some());
    let map = within_time(LIMIT, "the operator publishes its authority", published).await;
    let data = map.expect("the ConfigMap is watched").and_then(|map| map.data).unwrap_or_default();
    data.get("ca.crt").cloned().expect("the ConfigMap has the certificate")
}
