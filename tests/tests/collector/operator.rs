//! The operator's binary, on a real API server, exports as the sidecar does.

use super::scene::once;
use kube::Api;
use kube::api::PostParams;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use tollward_api::MCPServer;
use tollward_desired::InstallSettings;
use tollward_tests::real::collector::{Collector, Protocol};
use tollward_tests::real::control_plane::{CREDENTIAL, ControlPlane};
use tollward_tests::real::place;
use tollward_tests::real::process::{Process, command};
use tollward_tests::real::received::{Attributes, text};

const NAMESPACE: &str = "tollward-system";
const TENANT: &str = "shop";

/// The installer's file with the chart's defaults.
fn install() -> Value {
    let settings = InstallSettings::plain("registry.example.com/tollward-sidecar:1".to_owned(), NAMESPACE);
    let mut file = serde_json::to_value(settings).expect("settings are JSON");
    file.as_object_mut().expect("an object").insert("watchNamespaces".to_owned(), json!([]));
    file
}

fn server() -> MCPServer {
    serde_json::from_value(json!({
        "apiVersion": "tollward.dev/v1alpha1", "kind": "MCPServer",
        "metadata": {"name": "catalog", "namespace": TENANT},
        "spec": {
            "source": {
                "type": "Workload",
                "workload": {"image": "registry.example.com/catalog:1", "transport": {"type": "StreamableHTTP", "port": 3000}},
            },
            "auth": {"mode": "OAuth", "identityProviders": [{"name": "company"}]},
        },
    }))
    .expect("a server of the right shape")
}

fn names(attributes: &Attributes) -> BTreeSet<&str> {
    attributes.keys().map(String::as_str).collect()
}

#[tokio::test]
async fn reconciles_of_the_operator_arrive_as_spans_metrics_and_log_lines() {
    let (plane, collector) = tokio::join!(ControlPlane::start(&[NAMESPACE, TENANT]), Collector::start());
    let folder = tempfile::tempdir().expect("a temporary directory");
    let file = folder.path().join("install.json");
    std::fs::write(&file, install().to_string()).expect("the directory is writable");
    let mut program = command(place::operator());
    program.args(["run", "--namespace", NAMESPACE, "--observe", "127.0.0.1:0", "--install"]).arg(&file);
    program.env("KUBECONFIG", plane.kubeconfig()).envs(collector.environment(Protocol::Grpc));
    let _operator = Process::start("the operator", program);
    let servers: Api<MCPServer> = Api::namespaced(plane.client().await, TENANT);
    servers.create(&PostParams::default(), &server()).await.expect("the server is taken");

    let received = once(&collector, "a reconcile arrives in all signals", |received| {
        let of_the_server = |attributes: &Attributes| text(attributes, "tollward.resource.kind") == "MCPServer";
        received.spans.iter().any(|span| of_the_server(&span.attributes))
            && received.points.iter().any(|point| of_the_server(&point.attributes))
            && received.logs.iter().any(|entry| entry.body == "leading")
    })
    .await;
    let mut spans = received.spans.iter();
    let span = spans.find(|span| text(&span.attributes, "tollward.resource.name") == "shop/catalog").expect("its span");
    assert_eq!(span.name, "tollward reconcile");
    assert_eq!(names(&span.attributes), ["tollward.resource.kind", "tollward.resource.name", "tollward.result"].into());
    let point =
        received.points.iter().find(|point| point.metric == "tollward.reconcile.duration").expect("the histogram");
    assert_eq!((point.kind, point.unit.as_str()), ("histogram", "s"));
    assert_eq!(names(&point.attributes), ["tollward.resource.kind", "tollward.result"].into());
    let origins =
        received.spans.iter().map(|span| &span.origin).chain(received.points.iter().map(|point| &point.origin));
    for origin in origins.chain(received.logs.iter().map(|entry| &entry.origin)) {
        assert_eq!(text(&origin.resource, "service.name"), "tollward-operator");
    }
    assert!(!received.text.contains(CREDENTIAL), "no credential of the API server");
    assert!(!received.text.contains("PRIVATE KEY"), "no key");
}
