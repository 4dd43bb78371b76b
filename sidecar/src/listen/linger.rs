//! The end of a connection whose client is still sending: an answer that comes before the request was read (413, 401) would be
//! lost if the connection were closed at once, since the system answers what still arrives by a reset, and a reset takes back
//! what the client has not read. So the sending side is closed first, and what arrives is thrown away for a short while
//! (RFC 9112 section 9.6).
//!
//! And the patience with a client that reads nothing of its answer, which would hold the call's place for as long as it likes.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep};

/// Longest time that a client has to come to its answer.
const LONGEST: Duration = Duration::from_secs(2);
/// Longest time in which a client takes nothing of what is written to it.
const STALLED: Duration = Duration::from_mins(1);
/// Bytes thrown away at once.
const BUFFER: usize = 8 * 1024;
/// Reads before others get their turn.
const TURNS: usize = 16;

/// A connection that is closed in two steps.
#[derive(Debug)]
pub(super) struct Lingering<S> {
    inner: S,
    end: End,
    /// Since a write could not go on.
    stalled: Option<Pin<Box<Sleep>>>,
}

#[derive(Debug)]
enum End {
    /// Both sides are open.
    Open,
    /// The client has everything; what it still sends is thrown away.
    Closing(Pin<Box<Sleep>>),
    /// Nothing is owed to the client any more.
    Closed,
}

impl<S> Lingering<S> {
    pub(super) fn new(inner: S) -> Self {
        Self { inner, end: End::Open, stalled: None }
    }

    /// The outcome of a write, or the end of patience.
    fn bounded<T>(&mut self, cx: &mut Context<'_>, written: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.stalled = None;
            return written;
        }
        let patience = self.stalled.get_or_insert_with(|| Box::pin(sleep(STALLED)));
        patience.as_mut().poll(cx).map(|()| Err(io::ErrorKind::TimedOut.into()))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Lingering<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_read(cx, buffer)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Lingering<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.inner).poll_write(cx, bytes);
        self.bounded(cx, written)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.inner).poll_flush(cx);
        self.bounded(cx, flushed)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Self { inner, end, stalled: _ } = &mut *self;
        loop {
            match end {
                End::Open => {
                    ready!(Pin::new(&mut *inner).poll_shutdown(cx))?;
                    *end = End::Closing(Box::pin(sleep(LONGEST)));
                }
                End::Closing(patience) => {
                    if patience.as_mut().poll(cx).is_pending() {
                        ready!(poll_drain(inner, cx));
                    }
                    *end = End::Closed;
                }
                End::Closed => return Poll::Ready(Ok(())),
            }
        }
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.inner).poll_write_vectored(cx, slices);
        self.bounded(cx, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }
}

/// Throws away what arrives, until the client has closed its side or is gone.
fn poll_drain<S: AsyncRead + Unpin>(inner: &mut S, cx: &mut Context<'_>) -> Poll<()> {
    let mut waste = [0; BUFFER];
    for _ in 0..TURNS {
        let mut buffer = ReadBuf::new(&mut waste);
        match ready!(Pin::new(&mut *inner).poll_read(cx, &mut buffer)) {
            Ok(()) if !buffer.filled().is_empty() => {}
            Ok(()) | Err(_) => return Poll::Ready(()),
        }
    }
    cx.waker().wake_by_ref();
    Poll::Pending
}

#[cfg(test)]
mod tests {
    use super::{LONGEST, Lingering, STALLED};
    use std::io::ErrorKind;
    use std::time::Duration;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, duplex};
    use tokio::time::{Instant, advance};

    #[tokio::test(start_paused = true)]
    async fn a_client_that_still_sends_gets_its_answer() {
        let (mut client, server) = duplex(64);
        let serving = tokio::spawn(async move {
            let mut server = Lingering::new(server);
            server.write_all(b"too large").await.unwrap();
            server.shutdown().await.unwrap();
        });
        // Far more than the pipe holds, so that it blocks unless somebody reads.
        client.write_all(&vec![0; 100_000]).await.unwrap();
        client.shutdown().await.unwrap();
        let mut answer = String::new();
        client.read_to_string(&mut answer).await.unwrap();
        assert_eq!(answer, "too large");
        serving.await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_never_ends_is_left_after_a_while_and_one_that_ended_at_once() {
        for (ended, expected) in [(true, Duration::ZERO), (false, LONGEST)] {
            let (mut client, server) = duplex(64);
            if ended {
                client.shutdown().await.unwrap();
            }
            let start = Instant::now();
            Lingering::new(server).shutdown().await.unwrap();
            assert!((start.elapsed().saturating_sub(expected)) < Duration::from_millis(10), "{:?}", start.elapsed());
            assert!(start.elapsed() >= expected);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_reads_nothing_is_left_and_one_that_reads_slowly_is_not() {
        let (client, server) = duplex(64);
        let start = Instant::now();
        let error = Lingering::new(server).write_all(&[0; 100]).await.unwrap_err();
        assert_eq!((error.kind(), start.elapsed() >= STALLED), (ErrorKind::TimedOut, true));
        drop(client);

        let (mut client, server) = duplex(64);
        let writing = tokio::spawn(async move { Lingering::new(server).write_all(&[0; 100]).await });
        for _ in 0..100 {
            advance(STALLED / 2).await;
            client.read_u8().await.unwrap();
        }
        writing.await.unwrap().unwrap();
    }
}
