//! One keep-alive connection of HTTP/1.1: writes requests that were made beforehand and reads whole answers. It knows no
//! more of HTTP than telling where an answer ends, so that the load costs little beside what is measured.

use std::io::{self, Error, ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// Longest silence of a server.
const PATIENCE: Duration = Duration::from_secs(10);

/// What ends a body in chunks, without trailers.
const LAST_CHUNK: &[u8] = b"0\r\n\r\n";

/// A connection and the last answer on it.
#[derive(Debug)]
pub(super) struct Connection {
    stream: TcpStream,
    read: Box<[u8; 8192]>,
    answer: Vec<u8>,
}

/// An answer: its status, and its bytes as they came.
#[derive(Debug)]
pub(super) struct Answer<'a> {
    pub(super) status: u16,
    pub(super) bytes: &'a [u8],
}

#[derive(Debug, Clone, Copy)]
enum Body {
    Bytes(usize),
    Chunks,
}

/// The head of an answer.
#[derive(Debug, Clone, Copy)]
struct Head {
    status: u16,
    end: usize,
    body: Body,
}

impl Connection {
    pub(super) fn open(address: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect_timeout(&address, PATIENCE)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        Ok(Self { stream, read: Box::new([0; 8192]), answer: Vec::with_capacity(4096) })
    }

    /// Sends a request and reads its answer to the end.
    pub(super) fn exchange(&mut self, request: &[u8]) -> io::Result<Answer<'_>> {
        self.stream.write_all(request)?;
        self.answer.clear();
        let mut head: Option<Head> = None;
        loop {
            let count = self.stream.read(self.read.as_mut_slice())?;
            if count == 0 {
                return Err(Error::new(ErrorKind::UnexpectedEof, "the server closed the connection within an answer"));
            }
            self.answer.extend_from_slice(self.read.get(..count).unwrap_or_default());
            if head.is_none() {
                head = Head::read(&self.answer)?;
            }
            if let Some(head) = head.filter(|head| head.is_complete(&self.answer)) {
                return Ok(Answer { status: head.status, bytes: &self.answer });
            }
        }
    }
}

impl Answer<'_> {
    /// The value of a header.
    pub(super) fn header(&self, name: &str) -> Option<String> {
        let end = end_of_head(self.bytes)?;
        fields(self.bytes.get(..end)?)
            .find(|(field, _)| field.eq_ignore_ascii_case(name.as_bytes()))
            .map(|(_, value)| String::from_utf8_lossy(value).into_owned())
    }

    /// True if the text is in the answer.
    pub(super) fn has(&self, text: &str) -> bool {
        String::from_utf8_lossy(self.bytes).contains(text)
    }
}

impl Head {
    /// `None` until all of it is there.
    fn read(bytes: &[u8]) -> io::Result<Option<Self>> {
        let Some(end) = end_of_head(bytes) else {
            return Ok(None);
        };
        let head = bytes.get(..end).unwrap_or_default();
        let invalid = |what| Error::new(ErrorKind::InvalidData, what);
        let status = head.get(9..12).and_then(number).ok_or_else(|| invalid("an answer without status"))?;
        let mut body = Body::Bytes(0);
        for (name, value) in fields(head) {
            if name.eq_ignore_ascii_case(b"content-length") {
                body = Body::Bytes(number(value).ok_or_else(|| invalid("an answer whose length is no number"))?);
            } else if name.eq_ignore_ascii_case(b"transfer-encoding") {
                body = Body::Chunks;
            }
        }
        let status = u16::try_from(status).map_err(|_| invalid("an answer without status"))?;
        Ok(Some(Self { status, end, body }))
    }

    fn is_complete(&self, bytes: &[u8]) -> bool {
        let body = bytes.get(self.end..).unwrap_or_default();
        match self.body {
            Body::Bytes(length) => body.len() >= length,
            // Nobody sends ahead here, so what ends with the last chunk is at its end.
            Body::Chunks => body == LAST_CHUNK || (body.ends_with(LAST_CHUNK) && body.ends_with(b"\r\n0\r\n\r\n")),
        }
    }
}

/// Where the body begins.
pub(super) fn end_of_head(bytes: &[u8]) -> Option<usize> {
    bytes.windows(4).position(|four| four == b"\r\n\r\n").map(|start| start + 4)
}

/// Names and values of a head's fields.
pub(super) fn fields(head: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    head.split(|byte| *byte == b'\n').skip(1).filter_map(|line| {
        let colon = line.iter().position(|byte| *byte == b':')?;
        let (name, value) = line.split_at_checked(colon)?;
        Some((name, value.strip_prefix(b":")?.trim_ascii()))
    })
}

/// A decimal number.
pub(super) fn number(digits: &[u8]) -> Option<usize> {
    std::str::from_utf8(digits).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;
    use std::thread;

    /// Answers one request with these pieces, written one by one.
    fn answering(pieces: &'static [&'static str]) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        thread::spawn(move || {
            let (mut stream, _) = listener.accept().expect("a client");
            let mut request = [0; 64];
            let _ = stream.read(&mut request).expect("a request");
            for piece in pieces {
                stream.write_all(piece.as_bytes()).expect("the client reads");
            }
        });
        address
    }

    #[test]
    fn an_answer_in_pieces_is_read_to_its_length() {
        let address = answering(&["HTTP/1.1 200 OK\r\nContent-", "Length: 5\r\nX-One: two\r\n\r\nhe", "llo"]);
        let mut connection = Connection::open(address).expect("it listens");
        let answer = connection.exchange(b"GET / HTTP/1.1\r\n\r\n").expect("an answer");
        assert_eq!(answer.status, 200);
        assert_eq!(answer.header("x-one").as_deref(), Some("two"));
        assert!(answer.bytes.ends_with(b"\r\n\r\nhello"));
    }

    #[test]
    fn a_body_in_chunks_is_read_to_its_last_chunk() {
        let address =
            answering(&["HTTP/1.1 403 Forbidden\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nab0\r\n", "0\r\n\r\n"]);
        let mut connection = Connection::open(address).expect("it listens");
        let answer = connection.exchange(b"GET / HTTP/1.1\r\n\r\n").expect("an answer");
        assert_eq!(answer.status, 403);
        assert!(answer.has("ab0"));
    }

    #[test]
    fn an_answer_that_breaks_off_is_an_error() {
        let address = answering(&["HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhe"]);
        let mut connection = Connection::open(address).expect("it listens");
        assert!(connection.exchange(b"GET / HTTP/1.1\r\n\r\n").is_err());
    }
}
