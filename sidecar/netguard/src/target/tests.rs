//! What is read, what is refused, and that no spelling hides an address.

use super::{Target, TargetError};
use crate::scheme::Scheme;
use proptest::prelude::*;
use std::net::{IpAddr, Ipv4Addr};

fn target(text: &str) -> Target {
    Target::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"))
}

#[test]
fn a_url_keeps_its_parts_in_the_standard_form() {
    for (text, url, host, port) in [
        ("https://idp.example", "https://idp.example/", "idp.example", 443),
        ("HTTPS://IdP.Example:443/a?b=c", "https://idp.example/a?b=c", "idp.example", 443),
        ("https://idp.example.:8443/", "https://idp.example:8443/", "idp.example", 8443),
        ("http://idp.example/", "http://idp.example/", "idp.example", 80),
        ("https://bücher.example/", "https://xn--bcher-kva.example/", "xn--bcher-kva.example", 443),
        ("https://key_cloak.auth.svc/", "https://key_cloak.auth.svc/", "key_cloak.auth.svc", 443),
        ("https://[2606:4700:0::1]/", "https://[2606:4700::1]/", "[2606:4700::1]", 443),
        ("https://a/x@y", "https://a/x@y", "a", 443),
    ] {
        let target = target(text);
        assert_eq!((target.as_str(), target.host(), target.port()), (url, host, port), "{text}");
    }
    assert_eq!(target("http://idp.example/").scheme(), Scheme::Http);
    assert_eq!(target("https://idp.example:8443/").authority(), "idp.example:8443");
    assert_eq!(target("https://idp.example:443/a?b=c").authority(), "idp.example");
    assert_eq!(target("https://idp.example:443/a?b=c").path_and_query(), "/a?b=c");
}

#[test]
fn a_url_that_parsers_may_read_in_two_ways_is_refused() {
    for (text, expected) in [
        ("", TargetError::Scheme),
        ("idp.example", TargetError::Scheme),
        ("/relative", TargetError::Scheme),
        ("//idp.example/", TargetError::Scheme),
        ("https:idp.example", TargetError::Scheme),
        ("https:/idp.example", TargetError::Scheme),
        ("file:///etc/passwd", TargetError::Scheme),
        ("gopher://idp.example/", TargetError::Scheme),
        ("https:///idp.example", TargetError::Host),
        ("https://", TargetError::Host),
        ("https://?q", TargetError::Host),
        ("https://user@idp.example/", TargetError::UserInformation),
        ("https://user:password@idp.example/", TargetError::UserInformation),
        ("https://@idp.example/", TargetError::UserInformation),
        ("https://idp.example@169.254.169.254/", TargetError::UserInformation),
        ("https://idp.example/#fragment", TargetError::Fragment),
        ("https://idp.example/#", TargetError::Fragment),
        ("https://good.example#@evil.example/", TargetError::Fragment),
        ("https://good.example\\@evil.example/", TargetError::Ambiguous),
        ("https:\\\\idp.example", TargetError::Ambiguous),
        (" https://idp.example/", TargetError::Ambiguous),
        ("https://idp.example/\n", TargetError::Ambiguous),
        ("https://idp\t.example/", TargetError::Ambiguous),
        ("https://idp.example/\u{a0}", TargetError::Ambiguous),
        ("https://[fe80::1%25eth0]/", TargetError::Zone),
        ("https://[fe80::1%lo]/", TargetError::Zone),
        ("https://idp.example:0/", TargetError::Port),
        ("https://a..example/", TargetError::Host),
        ("https://idp.example../", TargetError::Host),
        ("https://./", TargetError::Host),
        ("https://*.example/", TargetError::Host),
        ("https://a,b.example/", TargetError::Host),
    ] {
        assert_eq!(Target::parse(text), Err(expected), "{text}");
    }
    for text in [
        "https://idp.example:65536/",
        "https://idp.example:x/",
        "https://256.256.256.256/",
        "https://1.2.3.4.5/",
        "https://a b/",
        "https://%00/",
        "https://[::1/",
        "https://[v1.x]/",
    ] {
        assert!(Target::parse(text).is_err(), "{text}");
    }
}

#[test]
fn lengths_are_bounded() {
    let fits = format!("https://a/{}", "x".repeat(2048 - 10));
    assert!(Target::parse(&fits).is_ok());
    assert_eq!(Target::parse(&(fits + "x")), Err(TargetError::TooLong { length: 2049 }));
    let label = "a".repeat(63);
    assert!(Target::parse(&format!("https://{label}.example/")).is_ok());
    assert!(Target::parse(&format!("https://{label}a.example/")).is_err());
    assert!(Target::parse(&format!("https://{label}.{label}.{label}.{label}/")).is_err());
}

/// One number of an address, in one of the radices that C libraries read.
fn number(value: u32, radix: u8) -> String {
    match radix % 4 {
        0 => format!("{value}"),
        1 => format!("0x{value:x}"),
        2 => format!("0X{value:08X}"),
        _ => format!("0{value:o}"),
    }
}

/// An address in one to four parts, the last of which holds what the others leave.
fn spelled(bits: u32, parts: u8, radices: [u8; 4]) -> String {
    let [a, b, c, d] = bits.to_be_bytes().map(u32::from);
    let values = match parts % 4 {
        0 => vec![bits],
        1 => vec![a, bits & 0x00ff_ffff],
        2 => vec![a, b, bits & 0xffff],
        _ => vec![a, b, c, d],
    };
    let numbers: Vec<String> = values.into_iter().zip(radices).map(|(v, r)| number(v, r)).collect();
    numbers.join(".")
}

fn fullwidth(text: &str) -> String {
    text.chars()
        .map(|c| match c {
            '.' => '\u{3002}',
            '!'..='~' => char::from_u32(u32::from(c) + 0xfee0).unwrap(),
            other => other,
        })
        .collect()
}

proptest! {
    #[test]
    fn every_spelling_of_an_ipv4_address_is_seen_as_that_address(bits: u32, parts: u8, radices: [u8; 4]) {
        let plain = spelled(bits, parts, radices);
        let expected = Some(IpAddr::V4(Ipv4Addr::from_bits(bits)));
        for host in [plain.clone(), format!("{plain}."), fullwidth(&plain)] {
            prop_assert_eq!(target(&format!("https://{host}/")).address(), expected, "{}", host);
        }
    }

    #[test]
    fn any_text_is_read_or_refused_and_what_is_read_is_normal(text in "(https?://)?[ -~\\PC]{0,40}") {
        if let Ok(target) = Target::parse(&text) {
            prop_assert!(target.port() != 0 && !target.host().is_empty() && !target.host().ends_with('.'));
            prop_assert!(target.host().is_ascii() && !target.as_str().contains('#'));
            prop_assert_eq!(Target::parse(target.as_str()), Ok(target));
        }
    }
}
