//! What is closed to others in the cluster: the server's own port, and the report listener.

use http::Method;
use k8s_openapi::api::core::v1::{Pod, Secret};
use kube::api::ListParams;
use std::net::SocketAddr;
use tollward_api::ports;
use tollward_policy::report::PATH;
use tollward_tests::certificates::{Authority, Pair};
use tollward_tests::client::{Connection, Trust, Wire};
use tollward_tests::cluster::{Knock, SERVER, Tenant, installation, knock_from, pod_address};
use tollward_tests::deadline::within;
use tollward_tests::mcp::Call;

/// The port of the example server.
const OWN: u16 = 3000;

fn address(pod: &Pod, port: u16) -> SocketAddr {
    SocketAddr::new(pod_address(pod), port)
}

#[tokio::test(flavor = "multi_thread")]
async fn another_pod_reaches_the_sidecar_but_not_the_server_behind_it() {
    let tenant = Tenant::new("e2e-sealed").await;
    tenant.serve(&tenant.catalog().replicas(2)).await;
    let pods = tenant.pods(SERVER).await;
    let [one, other] = pods.as_slice() else { panic!("two pods: {pods:#?}") };
    for (from, to) in [(one, other), (other, one)] {
        assert_eq!(knock_from(from, address(to, ports::PUBLIC)), Knock::Open, "the prober reaches the pod");
        assert_eq!(knock_from(from, address(to, OWN)), Knock::Refused);
        assert_eq!(knock_from(from, SocketAddr::new([127, 0, 0, 1].into(), OWN)), Knock::Open, "it does listen");
    }
    tenant.end().await;
}

/// Asks for a pod's report; the status, or nothing if the listener hung up on the client.
async fn report(pod: &Pod, name: &str, client: Option<Pair>) -> Option<u16> {
    let trust = Trust { authority: installation().authority.clone(), client };
    let connection = Connection::tls(Wire::Http1, address(pod, ports::REPORT), name, &trust).await;
    // With TLS 1.3 a client learns only with its first request that its certificate was refused, so this holds for all.
    let connection = connection.unwrap_or_else(|error| panic!("the listener's own certificate is good: {}", error.0));
    let call = Call::bare(Method::GET, PATH).authority(name);
    let answered = within("the report begins", connection.send_only(call.request(Wire::Http1))).await;
    answered.ok().map(|answer| answer.status.as_u16())
}

/// A certificate from the server's keys Secret, which whoever may read Secrets of the namespace has.
async fn stolen(tenant: &Tenant, name: &str) -> Pair {
    let of = ListParams::default().fields("type=tollward.dev/keys");
    let secrets = tenant.api::<Secret>().list(&of).await.expect("an administrator may list Secrets");
    let data = secrets.items.into_iter().next().and_then(|secret| secret.data).expect("the server has keys");
    let text = |key: String| String::from_utf8(data.get(&key).expect("a key").0.clone()).expect("PEM is text");
    Pair { certificate: text(format!("{name}.crt")), key: text(format!("{name}.key")) }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_report_is_for_the_operator_alone() {
    let tenant = Tenant::new("e2e-report").await;
    // Ready says that the operator itself was answered.
    tenant.serve(&tenant.catalog()).await;
    let pods = tenant.pods(SERVER).await;
    let name = tenant.door(SERVER).await.host;
    let forged = Authority::new("Tollward installation authority").issue("operator.tollward-system.tollward.dev");
    let clients = [
        ("no certificate", None),
        ("one of a foreign authority", Some(forged)),
        ("the server's own", Some(stolen(&tenant, "tls").await)),
        ("that of its report listener", Some(stolen(&tenant, "report").await)),
    ];
    for (what, client) in clients {
        assert_eq!(report(&pods[0], &name, client).await, None, "{what}");
    }
    tenant.end().await;
}
