//! Carries bytes both ways until both sides have ended, one breaks, nothing moves for too long, or time is up.
//!
//! A side that has ended its sending still receives (half-close): what it waits for may take long, so that only silence and age end it.

use crate::audit::Ended;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, ReadHalf, WriteHalf, split};
use tokio::time::{Instant, sleep, sleep_until};

/// Bytes that are carried at once, for each direction.
const BUFFER: usize = 16 * 1024;

/// How long a tunnel may last.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Patience {
    /// Without anything that moves.
    pub(crate) idle: Duration,
    /// In all.
    pub(crate) most: Duration,
}

/// What was carried.
#[derive(Debug)]
pub(crate) struct Carried {
    began: Instant,
    up: AtomicU64,
    down: AtomicU64,
    /// Milliseconds from the beginning to the last byte.
    last: AtomicU64,
}

impl Carried {
    pub(crate) fn begin() -> Self {
        Self { began: Instant::now(), up: AtomicU64::new(0), down: AtomicU64::new(0), last: AtomicU64::new(0) }
    }

    /// Bytes from the server to the outside.
    pub(crate) fn up(&self) -> u64 {
        self.up.load(Ordering::Relaxed)
    }

    /// Bytes from the outside to the server.
    pub(crate) fn down(&self) -> u64 {
        self.down.load(Ordering::Relaxed)
    }

    fn moved(&self, counter: &AtomicU64, bytes: usize) {
        counter.fetch_add(bytes as u64, Ordering::Relaxed);
        let now = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.last.store(now, Ordering::Relaxed);
    }

    /// Returns once nothing has moved for so long.
    async fn silence(&self, idle: Duration) {
        loop {
            let until = self.began + Duration::from_millis(self.last.load(Ordering::Relaxed)) + idle;
            if until <= Instant::now() {
                return;
            }
            sleep_until(until).await;
        }
    }
}

/// Carries until an end. `first` was read from the client already and goes out before anything else.
pub(crate) async fn carry(
    client: impl AsyncRead + AsyncWrite,
    outside: impl AsyncRead + AsyncWrite,
    first: &[u8],
    patience: Patience,
    carried: &Carried,
) -> Ended {
    let (mut from_client, mut to_client) = split(client);
    let (mut from_outside, mut to_outside) = split(outside);
    let up = async {
        send(&mut to_outside, first).await.map_err(|_| Ended::UpstreamBroke)?;
        carried.moved(&carried.up, first.len());
        pump(&mut from_client, &mut to_outside, carried, &carried.up).await.map_err(|broke| match broke {
            Broke::Reading => Ended::ClientGone,
            Broke::Writing => Ended::UpstreamBroke,
        })
    };
    let down = async {
        pump(&mut from_outside, &mut to_client, carried, &carried.down).await.map_err(|broke| match broke {
            Broke::Reading => Ended::UpstreamBroke,
            Broke::Writing => Ended::ClientGone,
        })
    };
    tokio::select! {
        ended = async { tokio::try_join!(up, down) } => ended.map_or_else(|ended| ended, |_| Ended::Complete),
        () = carried.silence(patience.idle) => Ended::Idle,
        () = sleep(patience.most) => Ended::TimeLimit,
    }
}

enum Broke {
    Reading,
    Writing,
}

async fn pump<R: AsyncRead, W: AsyncWrite>(
    from: &mut ReadHalf<R>,
    to: &mut WriteHalf<W>,
    carried: &Carried,
    counter: &AtomicU64,
) -> Result<(), Broke> {
    let mut buffer = vec![0; BUFFER];
    loop {
        let count = from.read(&mut buffer).await.map_err(|_| Broke::Reading)?;
        let Some(bytes) = buffer.get(..count).filter(|bytes| !bytes.is_empty()) else { break };
        send(to, bytes).await.map_err(|_| Broke::Writing)?;
        carried.moved(counter, count);
    }
    to.shutdown().await.map_err(|_| Broke::Writing)
}

/// Flushed, since what comes next may be an answer to it.
async fn send<W: AsyncWrite>(to: &mut WriteHalf<W>, bytes: &[u8]) -> io::Result<()> {
    to.write_all(bytes).await?;
    to.flush().await
}

#[cfg(test)]
mod tests {
    use super::{Carried, Patience, carry};
    use crate::audit::Ended;
    use std::sync::Arc;
    use std::time::Duration;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};
    use tokio::task::JoinHandle;
    use tokio::time::{Instant, advance};

    const PATIENCE: Patience = Patience { idle: Duration::from_mins(1), most: Duration::from_mins(10) };

    fn tunnel() -> (DuplexStream, DuplexStream, JoinHandle<(Ended, u64, u64)>) {
        let ((client, near), (far, outside)) = (duplex(64), duplex(64));
        let carried = Arc::new(Carried::begin());
        let task = tokio::spawn(async move {
            let ended = carry(near, far, b"hello", PATIENCE, &carried).await;
            (ended, carried.up(), carried.down())
        });
        (client, outside, task)
    }

    #[tokio::test(start_paused = true)]
    async fn a_side_that_ended_still_gets_the_rest() {
        let (mut client, mut outside, task) = tunnel();
        client.write_all(b" there").await.unwrap();
        client.shutdown().await.unwrap();
        let mut heard = String::new();
        outside.read_to_string(&mut heard).await.unwrap();
        assert_eq!(heard, "hello there");
        advance(PATIENCE.idle / 2).await;
        outside.write_all(b"late answer").await.unwrap();
        outside.shutdown().await.unwrap();
        let mut answer = String::new();
        client.read_to_string(&mut answer).await.unwrap();
        assert_eq!(answer, "late answer");
        assert_eq!(task.await.unwrap(), (Ended::Complete, 11, 11));
    }

    #[tokio::test(start_paused = true)]
    async fn silence_ends_a_tunnel_also_when_half_of_it_is_closed_or_nobody_reads() {
        for (half_closed, floods) in [(false, false), (true, false), (false, true)] {
            let start = Instant::now();
            let (mut client, mut outside, task) = tunnel();
            if half_closed {
                client.shutdown().await.unwrap();
            }
            let flood = tokio::spawn(async move {
                if floods {
                    let _ = outside.write_all(&vec![0; 100_000]).await;
                }
                outside
            });
            assert_eq!(task.await.unwrap().0, Ended::Idle, "{half_closed} {floods}");
            assert!(start.elapsed() >= PATIENCE.idle && start.elapsed() < PATIENCE.idle * 2);
            drop((client, flood.await));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_tunnel_that_never_rests_ends_with_its_time_and_one_that_moves_lives_on() {
        let (mut client, mut outside, task) = tunnel();
        let start = Instant::now();
        let reading = tokio::spawn(async move {
            let mut all = Vec::new();
            let _ = outside.read_to_end(&mut all).await;
        });
        while client.write_all(b"x").await.is_ok() {
            advance(PATIENCE.idle / 2).await;
        }
        assert_eq!(task.await.unwrap().0, Ended::TimeLimit);
        assert!(start.elapsed() >= PATIENCE.most);
        reading.await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn a_side_that_breaks_ends_the_other() {
        let (client, outside, task) = tunnel();
        drop(outside);
        assert_eq!(task.await.unwrap().0, Ended::UpstreamBroke);
        drop(client);
    }
}
