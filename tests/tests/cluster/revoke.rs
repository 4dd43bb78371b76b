//! The kill switch on a real node: from the command line to the refusal by every replica, to the end of open streams, and to
//! the records that prove it.

use k8s_openapi::api::core::v1::{Namespace, Pod, Service};
use kube::api::{DeleteParams, ListParams, LogParams, Patch, PatchParams};
use kube::{Api, ResourceExt as _};
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::time::{Duration, Instant};
use tollward_api::ports;
use tollward_policy::reason::Reason;
use tollward_tests::client::{Opened, Wire};
use tollward_tests::cluster::{
    Door, LIMIT, SERVER, Tenant, bearing, kubectl, pod_address, ready_pods, tell, tollward, tool,
};
use tollward_tests::deadline::{eventually_within, within_time};
use tollward_tests::mcp::Call;

const NEAR: &str = "e2e-revoke";
/// Another team's namespace, whose server trusts the same provider.
const FAR: &str = "e2e-revoke-far";
const ENTRY: &str = "e2e-revoke/catalog-idp/stolen-laptop";
/// Promised are five seconds; machines that run tests are slower than nodes.
const PROMISED: Duration = Duration::from_secs(10);

/// The example in the other namespace, with the provider of this one.
async fn far_server(tenant: &Tenant) -> Door {
    // An aborted run left it, with records of its own.
    kubectl(&["delete", "namespace", FAR, "--ignore-not-found", "--timeout=120s"]).expect("an old namespace ends");
    let namespaces: Api<Namespace> = Api::all(tenant.client.clone());
    let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": FAR,
        "labels": {"pod-security.kubernetes.io/enforce": "restricted"}}});
    namespaces
        .patch(FAR, &PatchParams::apply("tests"), &Patch::Apply(&namespace))
        .await
        .expect("the namespace is made");
    let mut server = tenant.catalog().server;
    server["metadata"]["namespace"] = FAR.into();
    server["spec"]["auth"]["identityProviders"] = json!([{"name": "catalog-idp", "namespace": NEAR}]);
    let api: Api<tollward_api::MCPServer> = Api::namespaced(tenant.client.clone(), FAR);
    let written = api.patch(SERVER, &PatchParams::apply("tests").force(), &Patch::Apply(&server)).await;
    written.expect("the server is written");
    kubectl(&["wait", "--for=condition=Ready", "--timeout=120s", "--namespace", FAR, "mcps", SERVER])
        .expect("the server is ready");
    let pods: Api<Pod> = Api::namespaced(tenant.client.clone(), FAR);
    let pods = ready_pods(pods.list(&ListParams::default()).await.expect("pods are listed").items);
    let services: Api<Service> = Api::namespaced(tenant.client.clone(), FAR);
    services.get("catalog-tollward").await.expect("the server has a Service");
    let mut door = tenant.door(SERVER).await.at(SocketAddr::new(pod_address(&pods[0]), ports::PUBLIC));
    door.host = format!("catalog-tollward.{FAR}.svc");
    door.url = format!("https://{}/mcp", door.host);
    door
}

/// A stream by GET, which the server keeps open.
async fn listen(door: &Door, token: &str) -> Opened {
    let begun = door.send(Wire::Http1, bearing(Call::initialize(), token)).await;
    let session = begun.header("mcp-session-id").to_owned();
    let call = bearing(Call::listen(), token).session(&session).authority(&door.host);
    let connection = door.connect(Wire::Http1).await.expect("a connection");
    let opened = connection.send_only(call.request(Wire::Http1)).await.expect("the stream begins");
    assert_eq!(opened.status, 200, "{:?}", opened.headers);
    opened
}

/// How long until the stream ended, cleanly.
async fn ends(mut stream: Opened, started: Instant) -> Duration {
    let end = async {
        while let Some(piece) = stream.piece().await {
            piece.expect("a stream does not break off");
        }
    };
    within_time(LIMIT, "the stream ends", end).await;
    started.elapsed()
}

/// How long until the replica refuses the token.
async fn refuses(door: &Door, token: &str, started: Instant) -> Duration {
    let refused = async || {
        // A call that is under way when the revocation comes is refused as well, or breaks off.
        let call = tool(token, "get_product", &json!({"sku": "TEA-001"}));
        let reply = door.try_send(Wire::Http2, call).await;
        reply.is_ok_and(|reply| reply.status == 401 && reply.reason() == Reason::TokenRevoked.code())
    };
    eventually_within(LIMIT, "the replica refuses the token", refused).await;
    let elapsed = started.elapsed();
    assert!(refused().await, "a new call is refused before it reaches the server");
    elapsed
}

async fn works(door: &Door, token: &str) {
    eventually_within(LIMIT, "the replica takes the token", async || {
        door.tool(token, "get_product", json!({"sku": "TEA-001"})).await.status == 200
    })
    .await;
}

/// The audit records of a replica about the entry.
async fn records(tenant: &Tenant, namespace: &str) -> Vec<Vec<Value>> {
    let pods: Api<Pod> = Api::namespaced(tenant.client.clone(), namespace);
    let mut all = Vec::new();
    for pod in ready_pods(pods.list(&ListParams::default()).await.expect("pods are listed").items) {
        let parameters = LogParams { container: Some("tollward".into()), ..LogParams::default() };
        let text = pods.logs(&pod.name_any(), &parameters).await.expect("a log");
        let parsed = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        all.push(parsed.filter(|record| record["decision"]["deniedBy"] == ENTRY).collect());
    }
    all
}

/// Whether the records show the end of the stream and a refusal; fails if one says something else.
fn proves(records: &[Value]) -> bool {
    for record in records {
        assert_eq!(record["decision"]["reason"], Reason::TokenRevoked.code(), "{record:#}");
        assert_eq!(record["caller"]["subject"], "mallory", "{record:#}");
        // Whoever was let through before is told from whoever was not.
        let ended = &record["outcome"]["ended"];
        assert_eq!(*ended == "revoked", record["decision"]["allowed"] == true, "{record:#}");
    }
    let stream = |record: &Value| record["outcome"]["ended"] == "revoked" && record["http"]["method"] == "GET";
    records.iter().filter(|record| stream(record)).count() == 1
        && records.iter().any(|record| record["decision"]["allowed"] == false)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revocation_reaches_every_replica_of_every_namespace_and_ends_open_streams() {
    let tenant = Tenant::new(NEAR).await;
    let mut manifests = tenant.catalog().replicas(2);
    manifests.provider["spec"]["allowedNamespaces"] = json!({"from": "All"});
    tenant.serve(&manifests).await;
    let mut doors = tenant.doors(SERVER).await;
    assert_eq!(doors.len(), 2);
    doors.push(far_server(&tenant).await);
    let mut tokens = Vec::new();
    let mut streams = Vec::new();
    for door in &doors {
        let (mallory, alice) = (door.token().subject("mallory").mint(), door.token().subject("alice").mint());
        works(door, &mallory).await;
        streams.push(listen(door, &mallory).await);
        tokens.push((mallory, alice));
    }

    let started = Instant::now();
    let typed = tokio::task::spawn_blocking(|| {
        let name = ["--name", "stolen-laptop", "--reason", "end-to-end test", "--until", "1h", "--wait=60s"];
        let whom = ["revoke", "--namespace", NEAR, "--provider", "catalog-idp", "--subject", "mallory"];
        tollward(&[&whom[..], &name[..]].concat(), None)
    });
    let refusals = futures_util::future::join_all(
        doors.iter().zip(&tokens).map(|(door, (mallory, _))| refuses(door, mallory, started)),
    );
    let ends = futures_util::future::join_all(streams.into_iter().map(|stream| ends(stream, started)));
    let (refusals, ends) = tokio::join!(refusals, ends);
    let typed = typed.await.expect("the command ends");
    let seconds =
        |times: &[Duration]| times.iter().map(|time| format!("{:.1}", time.as_secs_f64())).collect::<Vec<_>>();
    tell(&format!(
        "from `tollward revoke` to the refusal by each of 3 replicas in 2 namespaces: {} s; to the end of a stream at each: \
         {} s; to the command's end: {:.1} s",
        seconds(&refusals).join(", "),
        seconds(&ends).join(", "),
        typed.took.as_secs_f64()
    ));
    tell(&typed.text);
    assert!(typed.success && typed.text.contains("enforced by all 3 replicas of 2 servers"), "{}", typed.text);
    assert!(refusals.iter().chain(&ends).all(|time| *time < PROMISED), "{refusals:?} {ends:?}");
    for (door, (_, alice)) in doors.iter().zip(&tokens) {
        works(door, alice).await;
    }
    // Records are written by a thread of their own.
    eventually_within(LIMIT, "each replica has its records", async || {
        let (near, far) = (records(&tenant, NEAR).await, records(&tenant, FAR).await);
        (near.len(), far.len()) == (2, 1) && near.iter().chain(&far).all(|records| proves(records))
    })
    .await;

    // The manifest of the provider says nothing of the entry, and takes nothing from it.
    tenant.apply([&manifests.provider]).await;
    let undo = ["revoke", "--namespace", NEAR, "--provider", "catalog-idp", "--undo", "stolen-laptop", "--wait=60s"];
    let typed = tokio::task::spawn_blocking(move || tollward(&undo, None)).await.expect("the command ends");
    assert!(typed.success, "{}", typed.text);
    tell(&format!("from `--undo` to its enforcement everywhere: {:.1} s", typed.took.as_secs_f64()));
    for (door, (mallory, _)) in doors.iter().zip(&tokens) {
        works(door, mallory).await;
    }
    let namespaces: Api<Namespace> = Api::all(tenant.client.clone());
    namespaces.delete(FAR, &DeleteParams::default()).await.expect("the namespace may be deleted");
    tenant.end().await;
}
