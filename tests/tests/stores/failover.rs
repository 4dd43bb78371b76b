//! The primary dies under load and its replica takes over behind the same name.

use crate::scene::{Scene, status, store};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::net::{TcpListener, TcpStream};
use tollward_tests::client::Wire;
use tollward_tests::deadline::{eventually, within};
use tollward_tests::real::store::{Kind, Store};

/// What a Service of Kubernetes does: new connections go to whoever is behind it now.
struct Service {
    address: SocketAddr,
    behind: Arc<Mutex<SocketAddr>>,
    _task: tokio_util::task::AbortOnDropHandle<()>,
}

impl Service {
    async fn before(first: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let behind = Arc::new(Mutex::new(first));
        let now = Arc::clone(&behind);
        let task = tokio::spawn(async move {
            while let Ok((mut client, _)) = listener.accept().await {
                let target = *now.lock().unwrap_or_else(PoisonError::into_inner);
                tokio::spawn(async move {
                    let Ok(mut server) = TcpStream::connect(target).await else { return };
                    let _ = tokio::io::copy_bidirectional(&mut client, &mut server).await;
                });
            }
        });
        Self { address, behind, _task: tokio_util::task::AbortOnDropHandle::new(task) }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failover_under_load_lets_no_more_than_a_burst_more_through_and_needs_no_restart() {
    for kind in Kind::ALL {
        let (mut primary, replica) = (Store::start(kind).await, Store::start(kind).await);
        let socket = primary.socket();
        replica.tell(&format!("REPLICAOF {} {}", socket.ip(), socket.port())).await;
        eventually("the replica follows", async || {
            let told: String = replica.answer("INFO replication").await;
            told.contains("master_link_status:up")
        })
        .await;
        let service = Service::before(socket).await;
        let burst = 400;
        let scene = Scene::new(&store(&format!("redis://{}", service.address), "Deny", 250), burst).await;
        scene.counts().await;
        let (call, public) = (Arc::new(scene.call("alice")), scene.world.sidecar.public);
        let stop = Arc::new(AtomicBool::new(false));
        let load = (0..8).map(|_| {
            let (call, stop) = (Arc::clone(&call), Arc::clone(&stop));
            tokio::spawn(async move {
                let mut statuses = Vec::new();
                while !stop.load(Ordering::Relaxed) {
                    statuses.push(status(&call, public).await);
                }
                statuses
            })
        });
        let load: Vec<_> = load.collect();
        eventually("load is on", async || scene.world.upstream.count() > 50).await;
        primary.kill();
        *service.behind.lock().unwrap() = replica.socket();
        replica.tell("REPLICAOF NO ONE").await;
        eventually("the new primary counts", async || replica.charges().await > 5).await;
        eventually("the limit is reached", async || {
            scene.world.send(Wire::Http1, &scene.call("alice")).await.status == 429
        })
        .await;
        stop.store(true, Ordering::Relaxed);
        let mut statuses = Vec::new();
        for task in load {
            statuses.extend(within("the load ends", task).await.expect("no call panics"));
        }
        let passed = statuses.iter().filter(|status| **status == 200).count();
        assert!(statuses.iter().all(|status| [200, 429, 503].contains(status)), "{kind:?}: {statuses:?}");
        assert!(passed <= usize::try_from(burst).unwrap() * 2, "{kind:?}: {passed}");
        // What was replicated was not lost: far less than a burst more.
        assert!(passed <= usize::try_from(burst).unwrap() + 100, "{kind:?}: {passed}");
        scene.world.end();
    }
}
