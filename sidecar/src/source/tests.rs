//! Whose word counts, about what.

use super::Source;
use crate::listen::{Peer, Proxies, Proxy};
use crate::thumbprint::Thumbprint;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, HeaderName, HeaderValue};
use proptest::prelude::*;
use serde_json::json;
use std::net::IpAddr;
use tollward_policy::config::ForwardedHeader;

/// Two proxies, one of which is named by the other.
fn proxies() -> Proxies {
    let trusted = json!([{"cidr": "192.0.2.0/28"}, {"cidr": "2001:db8:1::/64"}]);
    Proxies::new(&serde_json::from_value::<Vec<_>>(trusted).unwrap()).unwrap()
}

fn peer(proxy: Option<Proxy>) -> Peer {
    Peer { address: "192.0.2.1:4000".parse().unwrap(), certificate: Some(Thumbprint::of(b"the peer's own")), proxy }
}

fn headers(list: &[(&str, &str)]) -> HeaderMap {
    let pair = |(name, value): &(&str, &str)| {
        (name.parse::<HeaderName>().unwrap(), HeaderValue::from_bytes(value.as_bytes()).unwrap())
    };
    list.iter().map(pair).collect()
}

fn client(header: ForwardedHeader, lines: &[&str]) -> String {
    let name = match header {
        ForwardedHeader::XForwardedFor => "x-forwarded-for",
        ForwardedHeader::Forwarded => "forwarded",
    };
    let lines: Vec<_> = lines.iter().map(|line| (name, *line)).collect();
    let proxy = Proxy { header, client_certificates: false };
    let source = Source::of(&peer(Some(proxy)), &headers(&lines), &proxies());
    assert_eq!(source.peer, IpAddr::from([192, 0, 2, 1]));
    source.client.to_string()
}

#[test]
fn without_a_trusted_proxy_no_header_counts() {
    let spoofed = headers(&[
        ("x-forwarded-for", "198.51.100.9"),
        ("forwarded", "for=198.51.100.9"),
        ("x-real-ip", "198.51.100.9"),
        ("client-cert", ":AA==:"),
    ]);
    let peer = peer(None);
    let source = Source::of(&peer, &spoofed, &proxies());
    assert_eq!((source.client, source.certificate), (source.peer, peer.certificate));
}

#[test]
fn the_last_address_that_is_no_proxys_is_the_clients() {
    let of = |lines: &[&str]| client(ForwardedHeader::XForwardedFor, lines);
    for (lines, expected) in [
        (&["198.51.100.9"][..], "198.51.100.9"),
        (&["203.0.113.5, 198.51.100.9"], "198.51.100.9"),
        (&["203.0.113.5", "198.51.100.9"], "198.51.100.9"),
        (&["198.51.100.9, 192.0.2.2,192.0.2.3"], "198.51.100.9"),
        (&["203.0.113.5, 198.51.100.9, 192.0.2.2", "192.0.2.3"], "198.51.100.9"),
        (&["2001:db8:2::1, 2001:db8:1::7"], "2001:db8:2::1"),
        (&["[2001:db8:2::1]:443"], "2001:db8:2::1"),
        (&["198.51.100.9:4711"], "198.51.100.9"),
        (&["::ffff:198.51.100.9"], "198.51.100.9"),
        // All of them are proxies: the one furthest away.
        (&["192.0.2.4, 192.0.2.2"], "192.0.2.4"),
        // What can't be read ends the search.
        (&[], "192.0.2.1"),
        (&[""], "192.0.2.1"),
        (&["unknown"], "192.0.2.1"),
        (&["198.51.100.9, unknown"], "192.0.2.1"),
        (&["198.51.100.9, evil, 192.0.2.2"], "192.0.2.2"),
        (&["198.51.100.9,"], "192.0.2.1"),
        (&["0198.51.100.9"], "192.0.2.1"),
        (&["198.51.100.9\u{e4}"], "192.0.2.1"),
    ] {
        assert_eq!(of(lines), expected, "{lines:?}");
    }
}

#[test]
fn forwarded_is_read_by_its_rfc() {
    let of = |lines: &[&str]| client(ForwardedHeader::Forwarded, lines);
    for (lines, expected) in [
        (&["for=198.51.100.9"][..], "198.51.100.9"),
        (&["For=\"198.51.100.9:4711\";Proto=https; by=192.0.2.2"], "198.51.100.9"),
        (&["for=\"[2001:db8:2::1]\";host=\"a\", for=192.0.2.2"], "2001:db8:2::1"),
        (&["for=203.0.113.5, for=198.51.100.9;proto=http"], "198.51.100.9"),
        // A quote that the client left open takes nothing of what the proxy wrote.
        (&["for=\"203.0.113.5, for=198.51.100.9"], "198.51.100.9"),
        (&["for=203.0.113.5;host=\", for=198.51.100.9"], "198.51.100.9"),
        (&["for=unknown"], "192.0.2.1"),
        (&["for=_hidden"], "192.0.2.1"),
        (&["proto=https"], "192.0.2.1"),
        (&["for=198.51.100.9;for=203.0.113.5"], "192.0.2.1"),
        (&["for=198.51.100.9;host=\"a, b\""], "192.0.2.1"),
        (&["198.51.100.9"], "192.0.2.1"),
    ] {
        assert_eq!(of(lines), expected, "{lines:?}");
    }
}

#[test]
fn a_certificate_is_the_clients_only_if_the_proxy_passes_it_on() {
    let made = rcgen::generate_simple_self_signed(["client.example".to_owned()]).unwrap();
    let der = made.cert.der().to_vec();
    let value = format!(":{}:", STANDARD.encode(&der));
    let of = |client_certificates, lines: &[(&str, &str)]| {
        let proxy = Proxy { header: ForwardedHeader::XForwardedFor, client_certificates };
        Source::of(&peer(Some(proxy)), &headers(lines), &proxies()).certificate
    };
    let passed = [("client-cert", value.as_str())];
    assert_eq!(of(true, &passed), Some(Thumbprint::of(&der)));
    assert_eq!(of(false, &passed), None);
    assert_eq!(of(true, &[]), None, "the proxy's own is not its client's");
    for wrong in [value.trim_matches(':'), ":AA==:", "::", &format!("{value}, {value}"), &value.replace(':', "\"")] {
        assert_eq!(of(true, &[("client-cert", wrong)]), None, "{wrong}");
    }
    assert_eq!(of(true, &[passed[0], passed[0]]), None);
}

proptest! {
    /// Whatever a client writes before it, what the proxy appends decides.
    #[test]
    fn nothing_before_the_proxys_word_counts(text in "[ -~\u{80}-\u{ff}]{0,200}") {
        prop_assert_eq!(client(ForwardedHeader::XForwardedFor, &[&text, "198.51.100.9"]), "198.51.100.9");
        prop_assert_eq!(client(ForwardedHeader::XForwardedFor, &[&format!("{text}, 198.51.100.9")]), "198.51.100.9");
    }
}
