//! What listens where the store should be is none, or a bad one.

use crate::scene::{Scene, store};
use std::net::SocketAddr;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio_util::task::AbortOnDropHandle;

/// Answers whatever is read with the same bytes.
async fn answering(bytes: &'static [u8]) -> (SocketAddr, AbortOnDropHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let task = tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut read = [0; 4096];
                while stream.read(&mut read).await.is_ok_and(|count| count > 0) {
                    if stream.write_all(bytes).await.is_err() {
                        return;
                    }
                }
            });
        }
    });
    (address, AbortOnDropHandle::new(task))
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_store_counts_nothing_and_does_no_harm() {
    for bytes in [
        b"".as_slice(),
        b"+OK\r\n",
        b"$-1\r\n",
        b":0\r\n",
        b"*2\r\n:0\r\n:0\r\n",
        b"*3\r\n:0\r\n:0\r\n:-5\r\n",
        b"*3\r\n:7\r\n:0\r\n:5\r\n",
        b"*3\r\n$1\r\n0\r\n:0\r\n:5\r\n",
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        b"-ERR no such thing \x1b[31m\r\n",
        b"-MOVED 1 127.0.0.1:1\r\n",
        b"*1000000000\r\n",
        b"$536870912\r\nxxxx",
        b"\xff\xfe\x00\x01\r\n",
    ] {
        let (address, _task) = answering(bytes).await;
        let scene = Scene::new(&store(&format!("redis://{address}"), "Deny", 100), 5).await;
        let started = Instant::now();
        let class = scene.is_unavailable("alice").await;
        assert!(started.elapsed() < Duration::from_secs(2), "{bytes:?}: {class} after {:?}", started.elapsed());
        let told = scene.fails().await;
        assert!(told.chars().all(|letter| !letter.is_control()), "{told:?}");
        scene.world.end();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_never_stops_answering_fills_no_memory() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let task = AbortOnDropHandle::new(tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            // One text that has no end.
            if stream.write_all(b"$536870912\r\n").await.is_ok() {
                let more = vec![b'x'; 65_536];
                while stream.write_all(&more).await.is_ok() {}
            }
        }
    }));
    let before = resident();
    let scene = Scene::new(&store(&format!("redis://{address}"), "Deny", 100), 5).await;
    let told = scene.fails().await;
    assert!(!told.is_empty());
    assert_eq!(scene.world.sidecar.probe("/readyz").await.status, 200);
    let grown = resident().saturating_sub(before);
    assert!(grown < 64 * 1024 * 1024, "{grown} bytes");
    drop(task);
    scene.world.end();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_is_nested_without_end_overflows_no_stack() {
    for open in ["*1\r\n", "~1\r\n", "%1\r\n+k\r\n", "|1\r\n+k\r\n", ">2\r\n+k\r\n"] {
        let bytes: &'static [u8] = open.repeat(6_000).into_bytes().leak();
        let (address, _task) = answering(bytes).await;
        let scene = Scene::new(&store(&format!("redis://{address}"), "Deny", 100), 5).await;
        scene.is_unavailable("alice").await;
        assert!(!scene.fails().await.is_empty());
        assert_eq!(scene.world.sidecar.probe("/readyz").await.status, 200, "{open:?}");
        scene.world.end();
    }
}

/// Resident memory of this process in bytes.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.split_whitespace().next().unwrap().parse::<u64>().unwrap() * 1024
}
