//! The tables of a kernel and of whoever would deceive it, and real sockets of this machine.

use super::judge::{Own, Steady};
use super::table::{Socket, Table, TableError, read};
use super::watch::{Sealing, look};
use crate::clock::Clock;
use proptest::prelude::*;
use std::fmt::Write as _;
use std::io::Cursor;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use tollward_policy::report::{Protocol, Seal, SealingReport};

const TITLES: &str =
    "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n";
const SIDECAR: u32 = 64420;
const SERVER: u32 = 65532;

fn hexadecimal(address: IpAddr) -> String {
    let bytes = match address {
        IpAddr::V4(address) => address.octets().to_vec(),
        IpAddr::V6(address) => address.octets().to_vec(),
    };
    bytes.chunks(4).fold(String::new(), |mut text, word| {
        write!(text, "{:08X}", u32::from_ne_bytes(word.try_into().unwrap())).unwrap();
        text
    })
}

/// A line as Linux writes it.
fn line(address: &str, state: u8, uid: u32) -> String {
    let address: SocketAddr = address.parse().unwrap();
    let (ip, port) = (hexadecimal(address.ip()), address.port());
    let other =
        hexadecimal(if address.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() });
    format!(
        "   0: {ip}:{port:04X} {other}:0000 {state:02X} 00000000:00000000 00:00000000 00000000 {uid:5}        0 21741 1 0000 100 0 0 10 0\n"
    )
}

fn table(lines: &[String]) -> String {
    TITLES.to_owned() + &lines.concat()
}

fn tcp(text: &str) -> Result<Table, TableError> {
    read(Cursor::new(text), Protocol::Tcp)
}

fn own() -> Own {
    Own { uid: SIDECAR, ports: vec![64430, 64431, 64432] }
}

/// A folder as `/proc/net` is.
fn folder(tcp: &[String], tcp6: &[String], udp: &[String]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, lines) in [("tcp", tcp), ("tcp6", tcp6), ("udp", udp), ("udp6", &[])] {
        std::fs::write(folder.path().join(name), table(lines)).unwrap();
    }
    folder
}

fn look_once(folder: &Path) -> SealingReport {
    look(folder, &own(), &mut Steady::default())
}

#[test]
fn lines_of_a_real_kernel_are_read() {
    let text = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode                                                     \n   \
        0: 0100007F:0BB8 00000000:0000 0A 00000000:00000000 00:00000000 00000000 65532        0 1193064 1 0000000000000000 100 0 0 10 0                   \n   \
        1: 00000000:FBAE 00000000:0000 0A 00000000:00000000 00:00000000 00000000 64420        0 1193065 1 0000000000000000 100 0 0 10 0                   \n   \
        2: 0200000A:FBAE 0100000A:8F2C 01 00000000:00000000 02:00000A1B 00000000 64420        0 1193066 2 0000000000000000 20 4 30 10 -1                  \n";
    let socket = |address: [u8; 4], port, uid| Socket { protocol: Protocol::Tcp, address: address.into(), port, uid };
    let expected = vec![socket([127, 0, 0, 1], 3000, SERVER), socket([0, 0, 0, 0], 64430, SIDECAR)];
    assert_eq!(tcp(text).unwrap(), Table { sockets: expected, whole: true });
}

#[test]
fn only_tollwards_ports_of_tollwards_user_and_loopback_are_no_strangers() {
    let closed = ["0.0.0.0:64430", "0.0.0.0:64431", "[::]:64432"].map(|address| (address, SIDECAR));
    let loopback = ["127.0.0.1:3000", "127.9.9.9:64430", "[::1]:3000", "[::ffff:127.0.0.1]:3000"];
    let open = [
        ("0.0.0.0:3000", SERVER),
        ("[::]:3000", SERVER),
        ("10.1.2.3:3000", SERVER),
        ("[::ffff:10.1.2.3]:3000", SERVER),
        ("[fd00::7]:3000", SERVER),
        ("[fe80::1]:3000", SERVER),
        // Somebody else has Tollward's port, of the other family or while Tollward was down.
        ("[::]:64430", SERVER),
        ("0.0.0.0:64431", 0),
        // Who runs a program in Tollward's container opens a port there.
        ("0.0.0.0:8080", SIDECAR),
    ];
    let judge = |address: &str, uid| {
        let (is_v4, line) = (!address.starts_with('['), [line(address, 10, uid)]);
        let found = if is_v4 { folder(&line, &[], &[]) } else { folder(&[], &line, &[]) };
        look_once(found.path())
    };
    for (address, uid) in closed.into_iter().chain(loopback.map(|address| (address, SERVER))) {
        assert_eq!(judge(address, uid).seal(), Seal::Closed, "{address}");
    }
    for (address, uid) in open {
        let report = judge(address, uid);
        assert_eq!((report.seal(), report.error.as_deref()), (Seal::Open, None), "{address}");
        assert_eq!(report.listeners[0].to_string(), format!("TCP {address} of user {uid}"));
    }
}

#[test]
fn a_connection_is_no_listener() {
    let lines: Vec<_> =
        (1..=11).filter(|state| *state != 10).map(|state| line("10.0.0.1:3000", state, SERVER)).collect();
    assert_eq!(look_once(folder(&lines, &[], &[]).path()).seal(), Seal::Closed);
    let connected = [line("10.0.0.1:40000", 1, SERVER)];
    assert_eq!(look_once(folder(&[], &[], &connected).path()).seal(), Seal::Closed);
}

#[test]
fn a_udp_socket_counts_once_it_stays_and_one_of_a_question_does_not() {
    let (asking, serving) = (line("0.0.0.0:50000", 7, SERVER), line("0.0.0.0:5353", 7, SERVER));
    let mut steady = Steady::default();
    let mut seal = |lines: &[String]| look(folder(&[], &[], lines).path(), &own(), &mut steady).seal();
    for _ in 0..3 {
        assert_eq!(seal(std::slice::from_ref(&asking)), Seal::Closed);
        assert_eq!(seal(&[]), Seal::Closed);
    }
    let seals: Vec<_> = (0..6).map(|_| seal(std::slice::from_ref(&serving))).collect();
    assert_eq!(seals, [[Seal::Closed; 4].as_slice(), &[Seal::Open; 2]].concat());
    assert_eq!(seal(&[]), Seal::Closed, "it is gone at once");
    let mut steady = Steady::default();
    let resolver = [line("0.0.0.0:50000", 7, SIDECAR)];
    let mut of_own = || look(folder(&[], &[], &resolver).path(), &own(), &mut steady).seal();
    assert!((0..9).all(|_| of_own() == Seal::Closed), "Tollward asks name servers itself");
}

#[test]
fn what_can_not_be_read_is_not_sealed() {
    let broken = ["", "nonsense\n", TITLES.trim_end(), &(TITLES.to_owned() + "   0: 0100007F:0BB8")];
    for text in broken {
        let found = folder(&[], &[], &[]);
        std::fs::write(found.path().join("tcp6"), text).unwrap();
        let report = look_once(found.path());
        assert_eq!(report.seal(), Seal::Unknown, "{text:?}");
        assert!(report.error.unwrap().contains("tcp6"), "{text:?}");
    }
    let found = folder(&[], &[], &[]);
    std::fs::remove_file(found.path().join("tcp6")).unwrap();
    assert_eq!(look_once(found.path()).seal(), Seal::Closed, "a kernel without IPv6");
    std::fs::remove_file(found.path().join("udp")).unwrap();
    assert_eq!(look_once(found.path()).seal(), Seal::Unknown);
    std::fs::write(found.path().join("tcp"), table(&[line("0.0.0.0:80", 10, SERVER)])).unwrap();
    assert_eq!(look_once(found.path()).seal(), Seal::Open, "what is seen counts");
}

#[test]
fn a_hundred_thousand_connections_hide_nothing_and_are_not_read() {
    let connections = vec![line("10.0.0.1:64430", 1, SIDECAR); 100_000];
    let listener = line("0.0.0.0:64430", 10, SIDECAR);
    let whole = tcp(&table(&[vec![listener], connections].concat())).unwrap();
    assert_eq!((whole.sockets.len(), whole.whole), (1, true));
    let listeners: Vec<_> = (1..=60_000).map(|port| line(&format!("127.0.0.1:{port}"), 10, SERVER)).collect();
    let found = folder(&listeners, &[], &[]);
    let report = look_once(found.path());
    assert_eq!(report.seal(), Seal::Unknown, "those behind so many could be open");
    let open: Vec<_> = (1..=60_000).map(|port| line(&format!("0.0.0.0:{port}"), 10, SERVER)).collect();
    let report = look_once(folder(&open, &[], &[]).path());
    assert_eq!((report.listeners.len(), report.more, report.seal()), (16, 4080, Seal::Open));
}

struct Hand(AtomicI64);

impl Clock for Hand {
    fn unix_nanos(&self) -> i128 {
        i128::from(self.0.load(Ordering::Relaxed)) * 1_000_000_000
    }
}

#[test]
fn a_look_that_is_long_ago_says_nothing_about_now() {
    let clock = Arc::new(Hand(AtomicI64::new(1000)));
    let sealing = Sealing::new(clock.clone());
    assert_eq!(sealing.report().seal(), Seal::Unknown);
    sealing.put(&SealingReport { listeners: Vec::new(), more: 0, error: None });
    assert_eq!(sealing.report().seal(), Seal::Closed);
    clock.0.store(1031, Ordering::Relaxed);
    assert_eq!(sealing.report().seal(), Seal::Unknown);
}

#[test]
fn real_sockets_of_this_kernel_are_told_apart() {
    let open = std::net::TcpListener::bind("0.0.0.0:0").unwrap();
    let own_port = std::net::TcpListener::bind("0.0.0.0:0").unwrap();
    let inner = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = |listener: &std::net::TcpListener| listener.local_addr().unwrap().port();
    let file = std::fs::File::open("/proc/net/tcp").unwrap();
    let found = read(std::io::BufReader::new(file), Protocol::Tcp).unwrap().sockets;
    let of = |listener| *found.iter().find(|socket| socket.port == port(listener)).unwrap();
    let uid = of(&open).uid;
    let own = Own { uid, ports: vec![port(&own_port)] };
    let told = [&open, &own_port, &inner].map(|listener| own.is_foreign(&of(listener)));
    assert_eq!(told, [true, false, false]);
    assert!(Own { uid: uid + 1, ..own }.is_foreign(&of(&own_port)), "of another user it would be one");
}

proptest! {
    #[test]
    fn no_text_is_read_as_more_than_it_says(text in ".{0,400}", lines in proptest::collection::vec("[ 0-9A-F:]{0,60}", 0..6)) {
        let _ = tcp(&text);
        let _ = read(Cursor::new(TITLES.to_owned() + &lines.join("\n")), Protocol::Udp);
    }

    #[test]
    fn a_table_that_is_cut_anywhere_is_an_error_or_ends_with_a_line(lines in 0usize..4, cut in 0usize..800) {
        let lines: Vec<_> = (0..lines).map(|port| line(&format!("10.0.0.1:{}", 80 + port), 10, SERVER)).collect();
        let text = table(&lines);
        let cut = text.get(..cut.min(text.len())).unwrap();
        match tcp(cut) {
            Ok(found) => {
                prop_assert!(cut.ends_with('\n'));
                prop_assert_eq!(found.sockets.len(), cut.lines().count() - 1);
            }
            Err(_) => prop_assert!(cut.is_empty() || !cut.ends_with('\n')),
        }
    }

    #[test]
    fn any_address_is_read_as_it_was_written(address: IpAddr, port: u16, uid: u32) {
        let socket = SocketAddr::new(address, port);
        let found = tcp(&table(&[line(&socket.to_string(), 10, uid)])).unwrap();
        prop_assert_eq!(found.sockets, vec![Socket { protocol: Protocol::Tcp, address, port, uid }]);
    }
}
