//! A cluster: counts of a namespace are in one slot, and the node that has it is found and asked.

use crate::scene::{PATIENT, Scene, store};
use tollward_tests::deadline::eventually;
use tollward_tests::real::store::{Kind, Store};

/// Nodes tell each other where they are; each has an address of its own.
const NODE: [&str; 6] =
    ["--cluster-enabled", "yes", "--cluster-announce-ip", "ADDRESS", "--bind-source-addr", "ADDRESS"];

/// Two nodes that have half of the slots each.
async fn cluster(kind: Kind) -> [Store; 2] {
    let nodes = [Store::with(kind, &NODE).await, Store::with(kind, &NODE).await];
    nodes[0].tell("CLUSTER ADDSLOTSRANGE 0 8191").await;
    nodes[1].tell("CLUSTER ADDSLOTSRANGE 8192 16383").await;
    nodes[0].tell("CLUSTER SET-CONFIG-EPOCH 1").await;
    nodes[1].tell("CLUSTER SET-CONFIG-EPOCH 2").await;
    let other = nodes[1].socket();
    nodes[0].tell(&format!("CLUSTER MEET {} {}", other.ip(), other.port())).await;
    for node in &nodes {
        eventually("the nodes know each other", async || {
            let told: String = node.answer("CLUSTER INFO").await;
            told.contains("cluster_slots_ok:16384") && told.contains("cluster_state:ok")
        })
        .await;
    }
    nodes
}

#[tokio::test(flavor = "multi_thread")]
async fn whichever_node_is_named_the_one_with_the_counts_is_asked() {
    for kind in Kind::ALL {
        let nodes = cluster(kind).await;
        let slot: u16 = nodes[0].answer("CLUSTER KEYSLOT {tollward:shop}").await;
        let owner = usize::from(slot > 8191);
        for node in &nodes {
            let mut clustered = store(&node.url(), "Deny", PATIENT);
            clustered["mode"] = "Cluster".into();
            let scene = Scene::new(&clustered, 2).await;
            scene.counts().await;
            let (_, state) = scene.passes("alice").await;
            assert_eq!(state.counted_by, Some("store"));
            scene.world.end();
        }
        let keys: Vec<String> = nodes[owner].answer("KEYS {tollward:shop}:standard*").await;
        assert_eq!(keys.len(), 2, "each data plane's caller is counted there: {keys:?}");
        // The slot goes to the other node: the connection is told, and follows.
        let mut clustered = store(&nodes[owner].url(), "Deny", PATIENT);
        clustered["mode"] = "Cluster".into();
        let scene = Scene::new(&clustered, 50).await;
        scene.passes("bob").await;
        nodes[owner].tell("FLUSHALL").await;
        let id: String = nodes[1 - owner].answer("CLUSTER MYID").await;
        for node in [&nodes[1 - owner], &nodes[owner]] {
            node.tell(&format!("CLUSTER SETSLOT {slot} NODE {id}")).await;
        }
        eventually("the other node counts", async || {
            let reply = scene.world.send(tollward_tests::client::Wire::Http1, &scene.call("bob")).await;
            let counted: Vec<String> = nodes[1 - owner].answer("KEYS {tollward:shop}:standard*").await;
            reply.status.is_success() && counted.len() == 1
        })
        .await;
        scene.world.end();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_that_is_not_configured_as_one_is_told_so() {
    let nodes = cluster(Kind::Redis).await;
    let slot: u16 = nodes[0].answer("CLUSTER KEYSLOT {tollward:shop}").await;
    let wrong = usize::from(slot <= 8191);
    let scene = Scene::new(&store(&nodes[wrong].url(), "Deny", PATIENT), 2).await;
    let told = scene.fails().await;
    assert!(told.contains("mode to Cluster"), "{told}");
    assert_eq!(scene.is_unavailable("alice").await, "cluster");
    scene.world.end();
}
