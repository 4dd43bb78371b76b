//! The kernel's tables of sockets, `/proc/net/{tcp,udp}{,6}`. Pure, and of no trust in the text: what can't be read is an error.
//!
//! The format is that of `Documentation/networking/proc_net_tcp.rst` of Linux: a line of titles, then a line for each socket.

use std::io::{BufRead, Read as _};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use tollward_policy::report::Protocol;

/// Most bytes of a line. Those of Linux have about 150.
const MAX_LINE: u64 = 1024;
/// Most lines of a TCP table. Linux has listeners first, so that connections without number cost nothing.
const MAX_TCP: usize = 4096;
/// Most lines of a UDP table, which has no order.
const MAX_UDP: usize = 16_384;
/// State of a TCP socket that listens, and of a UDP socket that takes datagrams from anybody.
const TCP_LISTEN: u8 = 0x0A;
const UDP_UNCONNECTED: u8 = 0x07;

/// A socket that takes what others send.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Socket {
    pub(super) protocol: Protocol,
    pub(super) address: IpAddr,
    pub(super) port: u16,
    pub(super) uid: u32,
}

/// What a table holds.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Table {
    pub(super) sockets: Vec<Socket>,
    /// Whether no socket of this kind can be missing.
    pub(super) whole: bool,
}

/// Why a table can't be read.
#[derive(Debug, thiserror::Error)]
pub(super) enum TableError {
    #[error("can't be read: {0}")]
    Unreadable(#[from] std::io::Error),
    #[error("has no line of titles that this version knows")]
    Untitled,
    #[error("line {0} is not what this version knows")]
    Line(usize),
}

/// Reads a table.
pub(super) fn read(mut input: impl BufRead, protocol: Protocol) -> Result<Table, TableError> {
    let (most, wanted) = match protocol {
        Protocol::Tcp => (MAX_TCP, TCP_LISTEN),
        Protocol::Udp => (MAX_UDP, UDP_UNCONNECTED),
    };
    let titles = line(&mut input, 0)?.ok_or(TableError::Untitled)?;
    if titles.split_whitespace().nth(1) != Some("local_address") {
        return Err(TableError::Untitled);
    }
    let mut sockets = Vec::new();
    let mut last_was_wanted = false;
    for number in 1..=most {
        let Some(text) = line(&mut input, number)? else {
            return Ok(Table { sockets, whole: true });
        };
        let (state, socket) = row(&text, protocol).ok_or(TableError::Line(number))?;
        last_was_wanted = state == wanted;
        if last_was_wanted {
            sockets.push(socket);
        }
    }
    let whole = protocol == Protocol::Tcp && !last_was_wanted;
    Ok(Table { sockets, whole })
}

/// The next line without its end, or nothing at the end of the table. One that does not end is none.
fn line(input: &mut impl BufRead, number: usize) -> Result<Option<String>, TableError> {
    let mut bytes = Vec::new();
    input.take(MAX_LINE).read_until(b'\n', &mut bytes)?;
    if bytes.is_empty() {
        return Ok(None);
    }
    if bytes.pop() != Some(b'\n') {
        return Err(TableError::Line(number));
    }
    String::from_utf8(bytes).map(Some).map_err(|_| TableError::Line(number))
}

/// State and socket of a line.
fn row(text: &str, protocol: Protocol) -> Option<(u8, Socket)> {
    let mut columns = text.split_whitespace();
    let local = columns.nth(1)?;
    let state = hexadecimal(columns.nth(1)?, 2).and_then(|state| u8::try_from(state).ok())?;
    let uid = columns.nth(3)?.parse().ok()?;
    let (address, port) = local.split_once(':')?;
    let port = hexadecimal(port, 4).and_then(|port| u16::try_from(port).ok())?;
    Some((state, Socket { protocol, address: ip(address)?, port, uid }))
}

fn ip(text: &str) -> Option<IpAddr> {
    if text.len() == 8 {
        return hexadecimal(text, 8).map(|word| Ipv4Addr::from(word.to_ne_bytes()).into());
    }
    let mut bytes = [0; 16];
    let mut words = text.as_bytes().chunks(8);
    for place in bytes.chunks_mut(4) {
        let word = hexadecimal(std::str::from_utf8(words.next()?).ok()?, 8)?;
        place.copy_from_slice(&word.to_ne_bytes());
    }
    words.next().is_none().then(|| Ipv6Addr::from(bytes).into())
}

/// A number of exactly so many hexadecimal digits.
fn hexadecimal(text: &str, digits: usize) -> Option<u32> {
    let plain = text.len() == digits && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    plain.then(|| u32::from_str_radix(text, 16).ok()).flatten()
}
