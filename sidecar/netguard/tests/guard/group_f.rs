//! Group F of the attack catalogue: no spelling, range, embedding, answer or rebinding reaches what is not meant to be
//! reached. Each case goes the whole way to the dial.

use crate::support::{Answer, Authority, LIMITS, Scripted, Server, allowing, fetcher};
use tollward_netguard::{Allowance, DialError, DialPolicy, Dialer, FetchError, Scheme, Target, TargetError};

/// F01 and F02: hosts that C libraries read as 127.0.0.1, 0.0.0.0 and 169.254.169.254.
const SPELLINGS: &[&str] = &[
    "127.0.0.1",
    "127.1",
    "127.0.1",
    "2130706433",
    "0x7f000001",
    "017700000001",
    "0177.0.0.1",
    "0x7f.0.0.1",
    "0x7f.1",
    "127.000.000.001",
    "00000177.1",
    "①②⑦.⓪.⓪.①",
    "127。0。0。1",
    "%31%32%37.0.0.1",
    "127.0.0.1.",
    "0",
    "0.0.0.0",
    "2852039166",
    "0xa9fea9fe",
    "025177524776",
    "0251.0376.0251.0376",
    "0xA9.0xFE.0xA9.0xFE",
    "169.254.43518",
    "169.16689662",
    "0251.254.0xa9fe",
];

/// F03: IPv6 forms that embed an IPv4 address. No allowance opens them, so that the second half embeds public ones.
const EMBEDDED: &[&str] = &[
    "::ffff:169.254.169.254",
    "0:0:0:0:0:ffff:a9fe:a9fe",
    "::127.0.0.1",
    "::ffff:0:a9fe:a9fe",
    "64:ff9b::a9fe:a9fe",
    "64:ff9b:1::a9fe:a9fe",
    "64:ff9b:1:ffff::a9fe:a9fe",
    "2002:a9fe:a9fe::",
    "2002:7f00:1::",
    "2001:0:a9fe:a9fe::1",
    "::5efe:a9fe:a9fe",
    "2606:4700::200:5efe:a9fe:a9fe",
    "::ffff:8.8.8.8",
    "::8.8.8.8",
    "::ffff:0:808:808",
    "64:ff9b::808:808",
    "64:ff9b:1::808:808",
    "2002:808:808::",
    "2001:0:808:808::1",
    "2606:4700::5efe:808:808",
];

/// F04, F05, F07: one address of each range.
const RANGES: &[&str] = &[
    "0.0.0.0",
    "0.1.2.3",
    "10.0.0.1",
    "10.96.0.1",
    "100.64.0.1",
    "127.8.8.8",
    "168.63.129.16",
    "169.254.1.1",
    "172.16.0.1",
    "172.31.255.255",
    "192.0.0.1",
    "192.0.2.1",
    "192.88.99.1",
    "192.168.0.1",
    "198.18.0.1",
    "198.19.255.255",
    "198.51.100.1",
    "203.0.113.1",
    "224.0.0.1",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "fe80::1",
    "fec0::1",
    "fc00::1",
    "fd00:ec2::254",
    "ff02::1",
    "100::1",
    "2001:db8::1",
    "2001:10::1",
    "2001:20::1",
    "3fff::1",
    "5f00::1",
    "4000::1",
];

fn everything() -> DialPolicy {
    let allow =
        [("0.0.0.0/0", Scheme::Http), ("0.0.0.0/0", Scheme::Https), ("::/0", Scheme::Http), ("::/0", Scheme::Https)];
    DialPolicy {
        allow: allow.into_iter().map(|(cidr, scheme)| Allowance { cidr: cidr.parse().unwrap(), scheme }).collect(),
        deny: Vec::new(),
    }
}

fn host_of(address: &str) -> String {
    if address.contains(':') { format!("[{address}]") } else { address.to_owned() }
}

async fn is_denied(policy: &DialPolicy, host: &str, answer: &[&str]) -> bool {
    let target = Target::parse(&format!("https://{host}/")).unwrap_or_else(|error| panic!("{host}: {error}"));
    let fetched = fetcher(policy.clone(), Scripted::new(&[answer]), LIMITS).get(&target, "*/*").await;
    fetched.is_err_and(|error| error.is_denied())
}

#[tokio::test]
async fn no_spelling_of_an_internal_address_is_dialled() {
    for host in SPELLINGS {
        assert!(is_denied(&DialPolicy::strict(), host, &["8.8.8.8"]).await, "{host}");
    }
}

#[tokio::test]
async fn no_special_purpose_address_is_dialled_as_a_literal_or_as_an_answer() {
    for address in RANGES.iter().chain(EMBEDDED) {
        assert!(is_denied(&DialPolicy::strict(), &host_of(address), &[]).await, "{address}");
        assert!(is_denied(&DialPolicy::strict(), "idp.example", &[address]).await, "answer {address}");
    }
}

#[tokio::test]
async fn no_embedded_form_is_dialled_under_any_allowance() {
    for address in EMBEDDED.iter().chain(&["169.254.169.254", "fd00:ec2::254"]) {
        assert!(is_denied(&everything(), &host_of(address), &[]).await, "{address}");
        assert!(is_denied(&everything(), "idp.example", &[address]).await, "answer {address}");
    }
}

#[tokio::test]
async fn one_internal_address_among_public_ones_denies_the_name() {
    for answer in [["8.8.8.8", "10.0.0.1"], ["10.0.0.1", "8.8.8.8"], ["8.8.8.8", "::1"], ["2606:4700::1", "0.0.0.0"]] {
        assert!(is_denied(&DialPolicy::strict(), "idp.example", &answer).await, "{answer:?}");
    }
}

#[tokio::test]
async fn the_cluster_networks_that_the_installer_denies_are_denied_though_public() {
    let policy = DialPolicy {
        allow: Vec::new(),
        deny: vec!["203.1.0.0/16".parse().unwrap(), "2606:4700::/32".parse().unwrap()],
    };
    for answer in [&["203.1.2.3"][..], &["2606:4700::1"], &["8.8.8.8", "203.1.2.3"]] {
        assert!(is_denied(&policy, "kubernetes.default.svc", answer).await, "{answer:?}");
    }
}

#[test]
fn a_zone_is_refused_before_anything_is_dialled() {
    for host in ["[fe80::1%lo]", "[fe80::1%25eth0]"] {
        assert_eq!(Target::parse(&format!("https://{host}/")), Err(TargetError::Zone));
    }
}

#[tokio::test]
async fn a_name_without_addresses_is_no_connection() {
    let target = Target::parse("https://idp.example/").unwrap();
    let error = fetcher(DialPolicy::strict(), Scripted::new(&[&[]]), LIMITS).get(&target, "*/*").await.unwrap_err();
    assert!(matches!(error, FetchError::Dial(DialError::Resolve(_))), "{error}");
}

#[tokio::test]
async fn a_rebinding_name_is_resolved_once_and_the_judged_address_is_dialled() {
    let internal = Server::plain(Answer::Silence).await;
    let port = internal.address.port();
    let good = Server::plain_at(
        &format!("127.0.0.2:{port}"),
        Answer::text("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ngood"),
    )
    .await;
    let resolver = Scripted::new(&[&["127.0.0.2"], &["127.0.0.1"]]);
    let fetcher = fetcher(allowing("127.0.0.2/32", Scheme::Http), resolver.clone(), LIMITS);
    let target = Target::parse(&format!("http://rebind.example:{port}/")).unwrap();

    assert_eq!(&fetcher.get(&target, "*/*").await.unwrap().body[..], b"good");
    assert_eq!(resolver.asked(), ["rebind.example"]);
    assert_eq!(good.requests().len(), 1);

    // The next fetch is a dial of its own, and sees the answer that has changed by now.
    assert!(fetcher.get(&target, "*/*").await.unwrap_err().is_denied());
    assert_eq!(resolver.asked().len(), 2);
    assert_eq!(internal.requests().len(), 0);
}

#[tokio::test]
async fn plain_http_without_any_allowance_is_denied_before_the_name_is_looked_up() {
    let resolver = Scripted::new(&[&["8.8.8.8"]]);
    let strict = fetcher(DialPolicy::strict(), resolver.clone(), LIMITS);
    let target = Target::parse("http://idp.example/").unwrap();
    assert!(strict.get(&target, "*/*").await.unwrap_err().is_denied());
    assert_eq!(resolver.asked(), Vec::<String>::new());
}

#[tokio::test]
async fn an_allowance_of_one_scheme_does_not_open_the_other() {
    let server = Server::plain(Answer::text("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")).await;
    let fetcher = fetcher(allowing("127.0.0.1/32", Scheme::Https), Scripted::new(&[]), LIMITS);
    assert!(fetcher.get(&server.url(Scheme::Http), "*/*").await.unwrap_err().is_denied());
    assert_eq!(server.requests().len(), 0);
}

#[tokio::test]
async fn a_tunnel_is_judged_like_a_fetch() {
    let server = Server::plain(Answer::Silence).await;
    let dialer = Dialer::new(
        allowing("127.0.0.1/32", Scheme::Https),
        Scripted::new(&[&["127.0.0.1"], &["127.0.0.1", "127.0.0.2"]]),
        &Authority::new().roots(),
    );
    let target = Target::parse(&format!("https://tunnel.example:{}", server.address.port())).unwrap();
    let stream = dialer.tcp(&target, LIMITS.connect).await.unwrap();
    assert_eq!(stream.peer_addr().unwrap(), server.address);
    let error = dialer.tcp(&target, LIMITS.connect).await.unwrap_err();
    assert!(matches!(error, DialError::Denied { .. }), "{error}");
}
