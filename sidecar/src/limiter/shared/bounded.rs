//! A connection on which nothing may say more than it was asked: what an answer is made of is kept in memory until it is whole,
//! and whoever listens where the store should be must not be able to fill it.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Bytes that may be read before anything was asked, and beyond what was.
const FREE: usize = 64 * 1024;
/// Most bytes that may be read without another question. An answer is shorter than its question.
const MOST: usize = 1024 * 1024;

/// A stream with as much credit for reading as was written.
pub(super) struct Bounded<S> {
    stream: S,
    credit: usize,
}

impl<S> Bounded<S> {
    pub(super) fn new(stream: S) -> Self {
        Self { stream, credit: FREE }
    }

    fn earn(&mut self, written: usize) {
        self.credit = self.credit.saturating_add(written).min(MOST);
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Bounded<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(context, buffer))?;
        let read = buffer.filled().len() - before;
        self.credit = self.credit.checked_sub(read).ok_or_else(|| {
            buffer.set_filled(before);
            io::Error::new(io::ErrorKind::ConnectionAborted, "the store says more than it was asked")
        })?;
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Bounded<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = ready!(Pin::new(&mut self.stream).poll_write(context, bytes))?;
        self.earn(written);
        Poll::Ready(Ok(written))
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use super::{Bounded, FREE, MOST};
    use std::io::ErrorKind;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, duplex};

    #[tokio::test]
    async fn as_much_may_be_read_as_was_written_and_a_little_more() {
        let (near, mut far) = duplex(4 * MOST);
        let mut near = Bounded::new(near);
        far.write_all(&vec![0; FREE]).await.unwrap();
        let mut read = vec![0; FREE];
        near.read_exact(&mut read).await.unwrap();
        near.write_all(&[0; 100]).await.unwrap();
        far.write_all(&[0; 101]).await.unwrap();
        let mut read = vec![0; 100];
        near.read_exact(&mut read).await.unwrap();
        assert_eq!(near.read(&mut [0; 10]).await.unwrap_err().kind(), ErrorKind::ConnectionAborted);
    }

    #[tokio::test]
    async fn credit_is_not_saved_up_without_bound() {
        let (near, mut far) = duplex(4 * MOST);
        let mut near = Bounded::new(near);
        near.write_all(&vec![0; 2 * MOST]).await.unwrap();
        far.write_all(&vec![0; MOST + 1]).await.unwrap();
        let mut read = vec![0; MOST];
        near.read_exact(&mut read).await.unwrap();
        assert!(near.read(&mut [0; 1]).await.is_err());
    }
}
