//! How MCP servers are dialled: over TCP, or at a Unix socket that a server's bridge made.
//!
//! The pool tells servers apart by their URI, so that a socket has one too: its path in hexadecimal as host, under a scheme that no
//! configuration may use.

use http::Uri;
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_util::client::legacy::connect::{Connected, Connection, HttpConnector};
use hyper_util::rt::TokioIo;
use rustix::fs::{FileType, Mode, OFlags, fstat, open};
use std::ffi::OsString;
use std::fmt::Write as _;
use std::future::Future;
use std::io;
use std::os::fd::AsRawFd as _;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::net::{TcpStream, UnixStream};
use tower::Service;

/// Scheme of sockets; never on the wire.
const SCHEME: &str = "unix";

/// Dials MCP servers.
#[derive(Debug, Clone)]
pub struct Dial {
    tcp: HttpConnector,
    timeout: Duration,
}

impl Dial {
    /// With a bounded time to connect.
    pub fn new(timeout: Duration) -> Self {
        let mut tcp = HttpConnector::new();
        tcp.set_connect_timeout(Some(timeout));
        tcp.set_nodelay(true);
        Self { tcp, timeout }
    }
}

/// The URI under which the pool knows the server at a socket. `None` if the path can't be one.
pub fn socket_uri(socket: &Path, path: &str) -> Option<Uri> {
    let mut host = String::new();
    for byte in socket.as_os_str().as_bytes() {
        write!(host, "{byte:02x}").ok()?;
    }
    Uri::builder().scheme(SCHEME).authority(host).path_and_query(path).build().ok()
}

fn socket_of(uri: &Uri) -> Option<PathBuf> {
    let host = uri.authority().filter(|_| uri.scheme_str() == Some(SCHEME))?.as_str();
    let digits = host.as_bytes().chunks(2).map(|pair| std::str::from_utf8(pair).ok());
    let bytes: Option<Vec<u8>> = digits.map(|pair| u8::from_str_radix(pair?, 16).ok()).collect();
    bytes.map(|bytes| PathBuf::from(OsString::from_vec(bytes)))
}

/// Connects to the socket that is there, and to nothing that a link there leads to: the server may write to the folder, and
/// could else have Tollward speak to a socket of Tollward's own.
async fn connect(path: &Path) -> io::Result<UnixStream> {
    let found = open(path, OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty())?;
    if FileType::from_raw_mode(fstat(&found)?.st_mode) != FileType::Socket {
        return Err(io::Error::other(format!("{} is no socket", path.display())));
    }
    UnixStream::connect(format!("/proc/self/fd/{}", found.as_raw_fd())).await
}

impl Service<Uri> for Dial {
    type Response = Wire;
    type Error = Box<dyn std::error::Error + Send + Sync>;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.tcp.poll_ready(context).map_err(Into::into)
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        if let Some(path) = socket_of(&uri) {
            let timeout = self.timeout;
            return Box::pin(async move {
                let stream = tokio::time::timeout(timeout, connect(&path)).await??;
                Ok(Wire::Unix(TokioIo::new(stream)))
            });
        }
        let connecting = self.tcp.call(uri);
        Box::pin(async move { Ok(Wire::Tcp(connecting.await?)) })
    }
}

/// A connection to an MCP server.
#[derive(Debug)]
pub enum Wire {
    /// By address.
    Tcp(TokioIo<TcpStream>),
    /// By socket.
    Unix(TokioIo<UnixStream>),
}

impl Connection for Wire {
    fn connected(&self) -> Connected {
        match self {
            Self::Tcp(stream) => stream.connected(),
            Self::Unix(_) => Connected::new(),
        }
    }
}

impl Read for Wire {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, buffer: ReadBufCursor<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_read(context, buffer),
            Self::Unix(stream) => Pin::new(stream).poll_read(context, buffer),
        }
    }
}

impl Write for Wire {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_write(context, bytes),
            Self::Unix(stream) => Pin::new(stream).poll_write(context, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_flush(context),
            Self::Unix(stream) => Pin::new(stream).poll_flush(context),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_shutdown(context),
            Self::Unix(stream) => Pin::new(stream).poll_shutdown(context),
        }
    }

    fn is_write_vectored(&self) -> bool {
        match self {
            Self::Tcp(stream) => stream.is_write_vectored(),
            Self::Unix(stream) => stream.is_write_vectored(),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_write_vectored(context, parts),
            Self::Unix(stream) => Pin::new(stream).poll_write_vectored(context, parts),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{connect, socket_of, socket_uri};
    use std::path::Path;
    use tokio::net::UnixListener;

    #[test]
    fn a_socket_has_a_uri_of_its_own_and_no_url_is_taken_for_one() {
        for path in ["/run/tollward-server/mcp.sock", "/a b/é?#", "/x"] {
            let uri = socket_uri(Path::new(path), "/mcp").unwrap();
            assert_eq!(socket_of(&uri).as_deref(), Some(Path::new(path)));
            assert_eq!(uri.path(), "/mcp");
        }
        for url in ["http://2f78/mcp", "http://localhost/mcp", "unix://xyz/mcp"] {
            assert_eq!(socket_of(&url.parse().unwrap()), None, "{url}");
        }
    }

    #[tokio::test]
    async fn a_link_in_the_servers_folder_leads_nowhere() {
        let folder = tempfile::tempdir().unwrap();
        let (own, link, plain) = (folder.path().join("own"), folder.path().join("link"), folder.path().join("plain"));
        let _listener = UnixListener::bind(&own).unwrap();
        std::os::unix::fs::symlink(&own, &link).unwrap();
        std::fs::write(&plain, "").unwrap();
        connect(&own).await.unwrap();
        assert!(connect(&link).await.unwrap_err().to_string().contains("is no socket"));
        assert!(connect(&plain).await.unwrap_err().to_string().contains("is no socket"));
        connect(&folder.path().join("none")).await.unwrap_err();
    }
}
