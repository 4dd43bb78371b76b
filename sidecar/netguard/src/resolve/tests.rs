//! The system resolver against a name server of our own on loopback.

use super::{Resolve, ResolveError, SystemResolver};
use hickory_resolver::config::{ConnectionConfig, NameServerConfig, ResolverConfig, ResolverOpts};
use hickory_resolver::proto::rr::Name;
use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::net::UdpSocket;
use tokio::task::JoinSet;

/// What the name server does with every question.
#[derive(Clone)]
enum Answer {
    Addresses(Vec<IpAddr>),
    NoSuchName,
    Refused,
    Silence,
}

/// A name server that answers one thing and remembers what it was asked. Ends when dropped.
struct NameServer {
    address: SocketAddr,
    asked: Arc<Mutex<BTreeSet<String>>>,
    _task: JoinSet<()>,
}

impl NameServer {
    async fn start(answer: Answer) -> Self {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = socket.local_addr().unwrap();
        let asked = Arc::new(Mutex::new(BTreeSet::new()));
        let mut task = JoinSet::new();
        let names = Arc::clone(&asked);
        task.spawn(async move {
            let mut buffer = [0; 512];
            loop {
                let (length, peer) = socket.recv_from(&mut buffer).await.unwrap();
                let (name, reply) = reply(&buffer[..length], &answer);
                names.lock().unwrap().insert(name);
                if let Some(reply) = reply {
                    socket.send_to(&reply, peer).await.unwrap();
                }
            }
        });
        Self { address, asked, _task: task }
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
fn reply(query: &[u8], answer: &Answer) -> (String, Option<Vec<u8>>) {
    let mut labels = Vec::new();
    let mut at = 12;
    while query[at] != 0 {
        let end = at + 1 + usize::from(query[at]);
        labels.push(String::from_utf8(query[at + 1..end].to_vec()).unwrap());
        at = end;
    }
    let question_end = at + 5;
    let wants_v6 = query[at + 2] == 28;
    let (code, addresses) = match answer {
        Answer::Silence => return (labels.join("."), None),
        Answer::NoSuchName => (3, Vec::new()),
        Answer::Refused => (5, Vec::new()),
        Answer::Addresses(all) => (0, all.iter().filter(|address| address.is_ipv6() == wants_v6).collect()),
    };
    let count = u8::try_from(addresses.len()).unwrap();
    let mut message = query[..2].to_vec();
    message.extend([0x81, 0x80 | code, 0, 1, 0, count, 0, 0, 0, 0]);
    message.extend(&query[12..question_end]);
    for address in addresses {
        let (kind, data) = match address {
            IpAddr::V4(address) => (1, address.octets().to_vec()),
            IpAddr::V6(address) => (28, address.octets().to_vec()),
        };
        message.extend([0xc0, 12, 0, kind, 0, 1, 0, 0, 0, 0, 0, u8::try_from(data.len()).unwrap()]);
        message.extend(data);
    }
    (labels.join("."), Some(message))
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
