//! The first message of a tunnel: it must be TLS, for the host that the tunnel was asked for.
//!
//! rustls reads it, as a server would; nothing is answered. What was read is kept and goes out unchanged, so that the bytes that were
//! judged are the bytes that are sent.

use rustls::server::Acceptor;
use std::io;
use tokio::io::{AsyncRead, AsyncReadExt as _};
use tollward_policy::egress::HostName;

/// Most bytes of the message: several times what clients send, with keys of the larger kinds and a ticket.
const MOST: usize = 16 * 1024;
/// Bytes that are read at once.
const CHUNK: usize = 4 * 1024;

/// A fatal alert `unrecognized_name` (RFC 8446 section 6.2), so that the client's user reads of a name and not of a broken connection.
pub(super) const UNRECOGNIZED_NAME: [u8; 7] = [21, 3, 3, 0, 2, 2, 112];

/// Why nothing is let through. For the record alone.
#[derive(Debug, thiserror::Error)]
pub(super) enum HelloError {
    /// Not TLS, or not TLS that anybody would speak.
    #[error("the first message in the tunnel is no ClientHello of TLS 1.2 or later: {0}")]
    NotTls(String),
    /// The message names nobody.
    #[error("the TLS ClientHello names no host (SNI)")]
    NoName,
    /// The message names somebody else.
    #[error("the TLS ClientHello names `{0}`")]
    OtherName(String),
    /// The message is too long.
    #[error("the TLS ClientHello has more than {MOST} bytes")]
    TooLong,
    /// The client says nothing.
    #[error("no whole TLS ClientHello came in time")]
    Late,
    /// The client left.
    #[error("the tunnel ended before a whole TLS ClientHello was sent")]
    Ended,
    /// The client's side broke.
    #[error("the tunnel broke before a whole TLS ClientHello was sent: {0}")]
    Broke(#[from] io::Error),
}

/// Reads until the whole message is there, and returns all that was read.
pub(super) async fn read(client: &mut (impl AsyncRead + Unpin), host: &HostName) -> Result<Vec<u8>, HelloError> {
    let mut hello = Hello::new();
    let mut chunk = vec![0; CHUNK];
    loop {
        let count = client.read(&mut chunk).await?;
        let read = chunk.get(..count).filter(|read| !read.is_empty()).ok_or(HelloError::Ended)?;
        if let Some(name) = hello.push(read)? {
            return if HostName::parse(&name).is_ok_and(|name| name == *host) {
                Ok(hello.bytes)
            } else {
                Err(HelloError::OtherName(name))
            };
        }
    }
}

/// The message as far as it has come.
struct Hello {
    acceptor: Acceptor,
    bytes: Vec<u8>,
}

impl Hello {
    fn new() -> Self {
        Self { acceptor: Acceptor::default(), bytes: Vec::new() }
    }

    /// Takes more of it; the name, once it is whole.
    fn push(&mut self, mut read: &[u8]) -> Result<Option<String>, HelloError> {
        if self.bytes.len() + read.len() > MOST {
            return Err(HelloError::TooLong);
        }
        self.bytes.extend_from_slice(read);
        while !read.is_empty() {
            let taken = self.acceptor.read_tls(&mut read).map_err(|error| HelloError::NotTls(error.to_string()))?;
            match self.acceptor.accept() {
                Ok(Some(accepted)) => {
                    let name = accepted.client_hello().server_name().map(str::to_owned);
                    return name.map(Some).ok_or(HelloError::NoName);
                }
                Ok(None) if taken == 0 => return Err(HelloError::NotTls("it is not read on".to_owned())),
                Ok(None) => {}
                Err((error, _)) => return Err(HelloError::NotTls(error.to_string())),
            }
        }
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::{HelloError, MOST, UNRECOGNIZED_NAME, read};
    use proptest::prelude::*;
    use rustls::pki_types::ServerName;
    use rustls::{ClientConfig, ClientConnection, RootCertStore};
    use std::sync::Arc;
    use tokio::io::AsyncWriteExt as _;
    use tollward_policy::egress::HostName;

    /// What a client sends first to a server of this name.
    fn hello(name: &str, sni: bool) -> Vec<u8> {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        let mut config = builder.with_root_certificates(RootCertStore::empty()).with_no_client_auth();
        config.enable_sni = sni;
        let name = ServerName::try_from(name.to_owned()).unwrap();
        let mut bytes = Vec::new();
        ClientConnection::new(Arc::new(config), name).unwrap().write_tls(&mut bytes).unwrap();
        bytes
    }

    /// The same message cut into records of this many bytes, as some clients do to get past middleboxes.
    fn fragmented(hello: &[u8], size: usize) -> Vec<u8> {
        let record = |part: &[u8]| {
            let length = u16::try_from(part.len()).unwrap().to_be_bytes();
            [&[22, 3, 1], &length[..], part].concat()
        };
        hello[5..].chunks(size).flat_map(record).collect()
    }

    async fn judge(sent: Vec<u8>, host: &str) -> Result<Vec<u8>, HelloError> {
        let (mut client, mut proxy) = tokio::io::duplex(7);
        let sending = tokio::spawn(async move {
            let _ = client.write_all(&sent).await;
        });
        let read = read(&mut proxy, &HostName::parse(host).unwrap()).await;
        drop(proxy);
        sending.await.unwrap();
        read
    }

    #[tokio::test]
    async fn a_hello_for_the_host_passes_unchanged_however_it_is_cut() {
        for name in ["api.example.com", "API.EXAMPLE.com"] {
            let hello = hello(name, true);
            assert_eq!(judge(hello.clone(), "api.example.com").await.unwrap(), hello);
            for size in [1, 3, 100] {
                let cut = fragmented(&hello, size);
                let read = judge(cut.clone(), "api.example.com").await.unwrap();
                assert!(cut.starts_with(&read) && read.len() + 4096 > cut.len(), "{size}");
            }
        }
    }

    #[tokio::test]
    async fn a_hello_for_another_host_or_for_nobody_does_not() {
        let judge = |sent| judge(sent, "api.example.com");
        assert!(
            matches!(judge(hello("evil.example.com", true)).await, Err(HelloError::OtherName(name)) if name == "evil.example.com")
        );
        assert!(matches!(judge(hello("api.example.com.evil.test", true)).await, Err(HelloError::OtherName(_))));
        assert!(matches!(judge(hello("api.example.com", false)).await, Err(HelloError::NoName)));
        assert!(matches!(judge(hello("192.0.2.1", true)).await, Err(HelloError::NoName)));
    }

    #[tokio::test]
    async fn what_is_no_tls_or_too_long_or_never_whole_does_not() {
        let whole = hello("api.example.com", true);
        for sent in [
            &b"GET / HTTP/1.1\r\nHost: api.example.com\r\n\r\n"[..],
            b"SSH-2.0-OpenSSH_9.6\r\n",
            &[0; 64],
            &UNRECOGNIZED_NAME,
        ] {
            assert!(matches!(judge(sent.to_vec(), "api.example.com").await, Err(HelloError::NotTls(_))), "{sent:?}");
        }
        for end in [0, 1, 5, 100, whole.len() - 1] {
            assert!(matches!(judge(whole[..end].to_vec(), "api.example.com").await, Err(HelloError::Ended)), "{end}");
        }
        // A message that announces 64 KiB, in records of 256 bytes.
        let mut long = vec![1, 0, 255, 255];
        long.resize(2 * MOST, 0);
        let refused = judge(fragmented(&[&[0; 5], &long[..]].concat(), 256), "api.example.com").await;
        assert!(matches!(refused, Err(HelloError::TooLong | HelloError::NotTls(_))), "{refused:?}");
    }

    proptest! {
        #[test]
        fn a_hello_with_any_changed_byte_is_never_taken_for_another_host(at in 0_usize..2000, with in any::<u8>()) {
            let mut sent = hello("api.example.com", true);
            let at = at % sent.len();
            sent[at] = with;
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            if let Ok(read) = runtime.block_on(judge(sent.clone(), "evil.example.com")) {
                prop_assert!(false, "{read:?}");
            }
        }

        #[test]
        fn no_bytes_panic(sent in proptest::collection::vec(any::<u8>(), 0..300)) {
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            prop_assert!(runtime.block_on(judge(sent, "api.example.com")).is_err());
        }
    }
}
