//! HTTP/2 frame by frame (RFC 9113), for what no library would send: requests that no encoder writes, and floods.

use crate::deadline::within;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// DATA.
pub const DATA: u8 = 0;
/// HEADERS.
pub const HEADERS: u8 = 1;
/// `RST_STREAM`.
pub const RST_STREAM: u8 = 3;
/// SETTINGS.
pub const SETTINGS: u8 = 4;
/// PING.
pub const PING: u8 = 6;
/// GOAWAY.
pub const GOAWAY: u8 = 7;
/// `WINDOW_UPDATE`.
pub const WINDOW_UPDATE: u8 = 8;
/// CONTINUATION.
pub const CONTINUATION: u8 = 9;

/// The stream ends with this frame.
pub const END_STREAM: u8 = 1;
/// The field block ends with this frame.
pub const END_HEADERS: u8 = 4;

/// Time after which a write that can't go on is said to wait for the other end to read.
const PATIENCE: Duration = Duration::from_millis(500);

/// A frame.
pub fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).expect("a frame is small").to_be_bytes();
    let mut frame = length[1..].to_vec();
    frame.extend([kind, flags]);
    frame.extend(stream.to_be_bytes());
    frame.extend(payload);
    frame
}

/// A field block: every field as a literal that is never indexed, without Huffman coding (RFC 7541).
pub fn block(fields: &[(&str, &str)]) -> Vec<u8> {
    let mut block = Vec::new();
    for (name, value) in fields {
        block.push(0x10);
        text(name, &mut block);
        text(value, &mut block);
    }
    block
}

fn text(text: &str, block: &mut Vec<u8>) {
    let length = text.len();
    if let Ok(short) = u8::try_from(length)
        && short < 0x7f
    {
        block.push(short);
    } else {
        block.push(0x7f);
        let mut rest = length - 0x7f;
        while rest > 0x7f {
            block.push(u8::try_from(rest & 0x7f).unwrap_or_default() | 0x80);
            rest >>= 7;
        }
        block.push(u8::try_from(rest).unwrap_or_default());
    }
    block.extend(text.as_bytes());
}

/// What became of a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It was answered.
    Answered,
    /// It was reset.
    Reset,
    /// The connection ended, with an error code if the other end gave one.
    Ended(Option<u32>),
}

/// What became of bytes that were written without reading anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Written {
    /// The other end took them all.
    Taken,
    /// The other end reads no more before it is read from.
    Held,
    /// The connection ended.
    Ended,
}

/// An open connection.
pub struct Frames(TcpStream);

impl Frames {
    /// Connects and begins with these settings.
    pub async fn open(address: SocketAddr, settings: &[u8]) -> Self {
        let mut stream = TcpStream::connect(address).await.expect("the listener is there");
        let begin = [b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec(), frame(SETTINGS, 0, 0, settings)].concat();
        stream.write_all(&begin).await.expect("the listener reads");
        Self(stream)
    }

    /// Writes; the other end may have left already.
    pub async fn send(&mut self, bytes: &[u8]) {
        let _ = timeout(PATIENCE, self.0.write_all(bytes)).await;
    }

    /// Writes the same bytes that many times and reads nothing.
    pub async fn flood(&mut self, bytes: &[u8], times: usize) -> Written {
        for _ in 0..times {
            match timeout(PATIENCE, self.0.write_all(bytes)).await {
                Ok(Ok(())) => {}
                Ok(Err(_)) => return Written::Ended,
                Err(_) => return Written::Held,
            }
        }
        Written::Taken
    }

    /// Reads until it is clear what becomes of the stream.
    pub async fn fate(&mut self, stream: u32) -> Fate {
        within("something becomes of the stream", async {
            loop {
                let Some((kind, of, payload)) = self.next().await else { return Fate::Ended(None) };
                match kind {
                    HEADERS if of == stream => return Fate::Answered,
                    RST_STREAM if of == stream => return Fate::Reset,
                    GOAWAY => {
                        let code = payload.get(4..8).and_then(|code| code.try_into().ok());
                        return Fate::Ended(code.map(u32::from_be_bytes));
                    }
                    _ => {}
                }
            }
        })
        .await
    }

    /// The next frame: its kind, stream and payload; `None` at the end.
    async fn next(&mut self) -> Option<(u8, u32, Vec<u8>)> {
        let mut head = [0; 9];
        self.0.read_exact(&mut head).await.ok()?;
        let [a, b, c, kind, _, s0, s1, s2, s3] = head;
        let mut payload = vec![0; usize::try_from(u32::from_be_bytes([0, a, b, c])).ok()?];
        self.0.read_exact(&mut payload).await.ok()?;
        Some((kind, u32::from_be_bytes([s0, s1, s2, s3]), payload))
    }
}
