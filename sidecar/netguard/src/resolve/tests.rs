//! The system resolver against a name server of our own on loopback, alone and below a dialer.

use super::{Resolve, ResolveError, SystemResolver};
use crate::dial::{DialError, Dialer};
use crate::policy::{Allowance, DialPolicy};
use crate::scheme::Scheme;
use crate::target::Target;
use crate::trust::TrustRoots;
use hickory_resolver::config::{ConnectionConfig, NameServerConfig, ResolverConfig, ResolverOpts};
use hickory_resolver::proto::rr::Name;
use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::net::{TcpListener, UdpSocket};
use tokio::task::JoinSet;

/// What the name server does with every question.
#[derive(Clone)]
enum Answer {
    Addresses(Vec<IpAddr>),
    /// The first address to the first question for IPv4, the second to every later one, with a time to live of nothing.
    Rebinding([IpAddr; 2]),
    /// An alias of another name, and that name's address.
    Alias(&'static str, IpAddr),
    NoSuchName,
    Refused,
    Silence,
}

/// A name server that answers one thing and remembers what it was asked. Ends when dropped.
struct NameServer {
    address: SocketAddr,
    asked: Arc<Mutex<BTreeSet<String>>>,
    /// How often an IPv4 address was asked for.
    lookups: Arc<AtomicUsize>,
    _task: JoinSet<()>,
}

impl NameServer {
    async fn start(answer: Answer) -> Self {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = socket.local_addr().unwrap();
        let asked = Arc::new(Mutex::new(BTreeSet::new()));
        let mut task = JoinSet::new();
        let lookups = Arc::new(AtomicUsize::new(0));
        let (names, count) = (Arc::clone(&asked), Arc::clone(&lookups));
        task.spawn(async move {
            let mut buffer = [0; 512];
            loop {
                let (length, peer) = socket.recv_from(&mut buffer).await.unwrap();
                let (name, reply) = reply(&buffer[..length], &answer, &count);
                names.lock().unwrap().insert(name);
                if let Some(reply) = reply {
                    socket.send_to(&reply, peer).await.unwrap();
                }
            }
        });
        Self { address, asked, lookups, _task: task }
    }

    fn resolver(&self) -> SystemResolver {
        let mut connection = ConnectionConfig::udp();
        connection.port = self.address.port();
        let mut server = NameServerConfig::udp(self.address.ip());
        server.connections = vec![connection];
        let search = vec![Name::from_ascii("svc.cluster.local.").unwrap()];
        let mut options = ResolverOpts::default();
        options.ndots = 5;
        options.timeout = Duration::from_millis(100);
        options.attempts = 1;
        SystemResolver::from_parts(ResolverConfig::from_parts(None, search, vec![server]), options).unwrap()
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().iter().cloned().collect()
    }
}

/// Reads the one question of a message (RFC 1035 §4) and writes the answer to it.
fn reply(query: &[u8], answer: &Answer, lookups: &AtomicUsize) -> (String, Option<Vec<u8>>) {
    let mut labels = Vec::new();
    let mut at = 12;
    while query[at] != 0 {
        let end = at + 1 + usize::from(query[at]);
        labels.push(String::from_utf8(query[at + 1..end].to_vec()).unwrap());
        at = end;
    }
    let question_end = at + 5;
    let wants_v6 = query[at + 2] == 28;
    let before = if wants_v6 { 0 } else { lookups.fetch_add(1, Ordering::SeqCst) };
    let (code, alias, all) = match answer {
        Answer::Silence => return (labels.join("."), None),
        Answer::NoSuchName => (3, None, Vec::new()),
        Answer::Refused => (5, None, Vec::new()),
        Answer::Addresses(all) => (0, None, all.clone()),
        Answer::Rebinding([first, later]) => (0, None, vec![if before == 0 { *first } else { *later }]),
        Answer::Alias(name, address) => (0, Some(wire(name)), vec![*address]),
    };
    let addresses: Vec<_> = all.into_iter().filter(|address| address.is_ipv6() == wants_v6).collect();
    let count = u8::try_from(addresses.len() + usize::from(alias.is_some())).unwrap();
    let mut message = query[..2].to_vec();
    message.extend([0x81, 0x80 | code, 0, 1, 0, count, 0, 0, 0, 0]);
    message.extend(&query[12..question_end]);
    // Names of answers: the question's own, or the one that it is an alias of.
    let mut owner = vec![0xc0, 12];
    if let Some(name) = alias {
        message.extend(record(&owner, 5, &name));
        owner = name;
    }
    for address in addresses {
        message.extend(match address {
            IpAddr::V4(address) => record(&owner, 1, &address.octets()),
            IpAddr::V6(address) => record(&owner, 28, &address.octets()),
        });
    }
    (labels.join("."), Some(message))
}

/// A name as it stands in a message.
fn wire(name: &str) -> Vec<u8> {
    let labels = name.split('.').flat_map(|label| [&[u8::try_from(label.len()).unwrap()], label.as_bytes()].concat());
    labels.chain([0]).collect()
}

/// One record that may be used again for no time at all.
fn record(owner: &[u8], kind: u8, data: &[u8]) -> Vec<u8> {
    [owner, &[0, kind, 0, 1, 0, 0, 0, 0, 0, u8::try_from(data.len()).unwrap()], data].concat()
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

#[tokio::test]
async fn a_name_gives_all_of_its_addresses_of_both_families() {
    let all = vec![ip("8.8.8.8"), ip("10.0.0.1"), ip("2606:4700::1")];
    let server = NameServer::start(Answer::Addresses(all.clone())).await;
    let found = server.resolver().resolve("idp.example").await.unwrap();
    assert_eq!(found.iter().collect::<BTreeSet<_>>(), all.iter().collect());
}

#[tokio::test]
async fn an_answer_of_ipv6_addresses_only_is_enough() {
    let server = NameServer::start(Answer::Addresses(vec![ip("fd00::1")])).await;
    assert_eq!(server.resolver().resolve("idp.example").await.unwrap(), [ip("fd00::1")]);
}

#[tokio::test]
async fn a_name_that_does_not_exist_is_asked_as_it_stands_and_never_searched() {
    let server = NameServer::start(Answer::NoSuchName).await;
    let error = server.resolver().resolve("example.com").await.unwrap_err();
    assert!(matches!(error, ResolveError::NotFound { .. }), "{error}");
    assert_eq!(server.asked(), ["example.com"]);
}

#[tokio::test]
async fn a_name_without_addresses_is_an_error() {
    let server = NameServer::start(Answer::Addresses(Vec::new())).await;
    let error = server.resolver().resolve("idp.example").await.unwrap_err();
    assert!(matches!(error, ResolveError::NoAddresses { .. }), "{error}");
}

#[tokio::test]
async fn a_refusing_or_silent_name_server_is_an_error() {
    for answer in [Answer::Refused, Answer::Silence] {
        let server = NameServer::start(answer).await;
        let error = server.resolver().resolve("idp.example").await.unwrap_err();
        assert!(matches!(error, ResolveError::Failed { .. }), "{error:?}");
    }
}

#[tokio::test]
async fn localhost_is_loopback_without_a_question() {
    let server = NameServer::start(Answer::Silence).await;
    let found = server.resolver().resolve("localhost").await.unwrap();
    assert!(!found.is_empty() && found.iter().all(IpAddr::is_loopback), "{found:?}");
    assert_eq!(server.asked(), Vec::<String>::new());
}

/// A listener on `127.0.0.1` and one on `127.0.0.2` with the same port, and a dialer for which only the latter is allowed.
async fn two_hosts(server: &NameServer) -> (TcpListener, TcpListener, Dialer) {
    let internal = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let port = internal.local_addr().unwrap().port();
    let good = TcpListener::bind(("127.0.0.2", port)).await.unwrap();
    let allow = vec![Allowance { cidr: "127.0.0.2/32".parse().unwrap(), scheme: Scheme::Https }];
    let trust = TrustRoots::system(None).unwrap();
    let dialer = Dialer::new(DialPolicy { allow, deny: Vec::new() }, Arc::new(server.resolver()), &trust);
    (internal, good, dialer)
}

#[tokio::test]
async fn a_name_server_that_rebinds_a_name_is_asked_once_a_dial_and_its_answer_then_is_dialled() {
    let server = NameServer::start(Answer::Rebinding([ip("127.0.0.2"), ip("127.0.0.1")])).await;
    let (internal, good, dialer) = two_hosts(&server).await;
    let port = good.local_addr().unwrap().port();
    let target = Target::parse(&format!("https://rebind.example:{port}/")).unwrap();
    let limit = Duration::from_secs(10);

    let stream = dialer.tcp(&target, limit).await.unwrap();
    assert_eq!(stream.peer_addr().unwrap(), good.local_addr().unwrap());
    assert_eq!(server.lookups.load(Ordering::SeqCst), 1, "what was judged is what was dialled");

    // By now the name is an internal address, and the answer was to be kept for no time.
    for dial in 2..5 {
        let error = dialer.tcp(&target, limit).await.unwrap_err();
        assert!(matches!(error, DialError::Denied { .. }), "{error}");
        assert_eq!(server.lookups.load(Ordering::SeqCst), dial);
    }
    let nobody = tokio::time::timeout(Duration::ZERO, internal.accept()).await;
    assert!(nobody.is_err(), "the internal address was dialled: {nobody:?}");
}

#[tokio::test]
async fn an_alias_of_an_internal_name_is_judged_by_its_address() {
    let server = NameServer::start(Answer::Alias("kubernetes.default.svc", ip("127.0.0.1"))).await;
    let (_internal, good, dialer) = two_hosts(&server).await;
    let port = good.local_addr().unwrap().port();
    let target = Target::parse(&format!("https://alias.example:{port}/")).unwrap();
    let error = dialer.tcp(&target, Duration::from_secs(10)).await.unwrap_err();
    assert!(matches!(&error, DialError::Denied { denied, .. } if denied.to_string().contains("127.0.0.1")), "{error}");
}
