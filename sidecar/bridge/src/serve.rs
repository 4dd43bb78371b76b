//! The socket: where it is, who may speak there, and how the bridge ends.

use crate::bridge::Bridge;
use crate::exchange::exchange;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use std::convert::Infallible;
use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

/// Connections at a time. The sidecar keeps a pool of them.
const MAX_CONNECTIONS: usize = 512;
/// Time for a request's head: the sidecar is quick.
const HEAD: Duration = Duration::from_secs(10);

/// The socket, bound.
pub struct Door {
    listener: UnixListener,
    path: PathBuf,
    /// The only user who may speak there, besides the bridge's own.
    peer: Option<u32>,
}

impl Door {
    /// Makes the socket, for its owner and group. A socket that an ended process left behind gives way, nothing else does.
    pub fn bind(path: &Path, peer: Option<u32>) -> std::io::Result<Self> {
        if std::fs::symlink_metadata(path).is_ok_and(|found| found.file_type().is_socket()) {
            std::fs::remove_file(path)?;
        }
        let listener = UnixListener::bind(path)?;
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o660))?;
        Ok(Self { listener, path: path.to_owned(), peer })
    }

    fn admits(&self, stream: &UnixStream) -> bool {
        let Some(peer) = self.peer else { return true };
        stream.peer_cred().is_ok_and(|found| found.uid() == peer || found.uid() == rustix::process::getuid().as_raw())
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
    }
}

/// Answers until `ending` does; then ends all processes.
pub async fn serve(door: Door, bridge: Arc<Bridge>, ending: impl Future<Output = ()>) {
    let mut connections = JoinSet::new();
    let places = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let tidying = tokio::spawn(bridge.clone().tidy());
    tokio::pin!(ending);
    loop {
        let accepted = async {
            let place = places.clone().acquire_owned().await;
            (door.listener.accept().await, place)
        };
        tokio::select! {
            biased;
            () = &mut ending => break,
            Some(_) = connections.join_next() => {}
            (stream, place) = accepted => match stream {
                Ok((stream, _)) if door.admits(&stream) => {
                    let bridge = bridge.clone();
                    connections.spawn(async move {
                        converse(stream, bridge).await;
                        drop(place);
                    });
                }
                Ok(_) => (bridge.settings.log)("somebody else than the sidecar connected and was sent away"),
                // Out of descriptors: those that end give some back.
                Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
            },
        }
    }
    tidying.abort();
    bridge.end().await;
    // Calls were answered by the end of their processes; what is left has nobody who reads.
    let _ =
        tokio::time::timeout(Duration::from_secs(1), async { while connections.join_next().await.is_some() {} }).await;
}

async fn converse(stream: UnixStream, bridge: Arc<Bridge>) {
    let service = service_fn(move |request| {
        let bridge = bridge.clone();
        async move { Ok::<_, Infallible>(exchange(bridge, request).await) }
    });
    // An error is the sidecar's: it went away.
    let _ = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD)
        .serve_connection(TokioIo::new(stream), service)
        .await;
}
