//! Edges of every range, and properties over all addresses.

use super::{AddressClass, classify};
use AddressClass as Class;
use proptest::prelude::*;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

fn class(text: &str) -> Class {
    classify(text.parse().unwrap_or_else(|error| panic!("{text}: {error}")))
}

/// First and last address of each range.
const V4_EDGES: &[(&str, &str, Class)] = &[
    ("0.0.0.0", "0.255.255.255", Class::Unspecified),
    ("10.0.0.0", "10.255.255.255", Class::Private),
    ("100.64.0.0", "100.127.255.255", Class::SharedCgnat),
    ("127.0.0.0", "127.255.255.255", Class::Loopback),
    ("169.254.0.0", "169.254.255.255", Class::LinkLocal),
    ("169.254.169.254", "169.254.170.2", Class::CloudMetadata),
    ("168.63.129.16", "100.100.100.200", Class::CloudMetadata),
    ("172.16.0.0", "172.31.255.255", Class::Private),
    ("192.0.0.0", "192.0.0.255", Class::Reserved),
    ("192.0.2.0", "192.0.2.255", Class::Documentation),
    ("192.88.99.0", "192.88.99.255", Class::SixToFour),
    ("192.168.0.0", "192.168.255.255", Class::Private),
    ("198.18.0.0", "198.19.255.255", Class::Benchmarking),
    ("198.51.100.0", "198.51.100.255", Class::Documentation),
    ("203.0.113.0", "203.0.113.255", Class::Documentation),
    ("224.0.0.0", "239.255.255.255", Class::Multicast),
    ("240.0.0.0", "255.255.255.255", Class::Reserved),
];

const V6_EDGES: &[(&str, &str, Class)] = &[
    ("::", "::", Class::Unspecified),
    ("::1", "::1", Class::Loopback),
    ("::2", "::ffff:ffff", Class::V4Compatible),
    ("::ffff:0:0", "::ffff:255.255.255.255", Class::V4Mapped),
    ("::ffff:0:0:0", "::ffff:0:ffff:ffff", Class::Siit),
    ("64:ff9b::", "64:ff9b::ffff:ffff", Class::Nat64),
    ("64:ff9b:1::", "64:ff9b:1:ffff:ffff:ffff:ffff:ffff", Class::LocalNat64),
    ("100::", "100::ffff:ffff:ffff:ffff", Class::Discard),
    ("100:0:0:1::", "100:0:0:1:ffff:ffff:ffff:ffff", Class::Discard),
    ("2001::", "2001:0:ffff:ffff:ffff:ffff:ffff:ffff", Class::Teredo),
    ("2001:2::", "2001:2:0:ffff:ffff:ffff:ffff:ffff", Class::Benchmarking),
    ("2001:10::", "2001:3f:ffff:ffff:ffff:ffff:ffff:ffff", Class::Orchid),
    ("2001:1::", "2001:1ff:ffff:ffff:ffff:ffff:ffff:ffff", Class::Reserved),
    ("2001:db8::", "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff", Class::Documentation),
    ("2002::", "2002:ffff:ffff:ffff:ffff:ffff:ffff:ffff", Class::SixToFour),
    ("3fff::", "3fff:fff:ffff:ffff:ffff:ffff:ffff:ffff", Class::Documentation),
    ("5f00::", "5f00:ffff:ffff:ffff:ffff:ffff:ffff:ffff", Class::Srv6),
    ("fc00::", "fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", Class::UniqueLocal),
    ("fd00:ec2::254", "fd20:ce::254", Class::CloudMetadata),
    ("fe80::", "febf:ffff:ffff:ffff:ffff:ffff:ffff:ffff", Class::LinkLocal),
    ("fec0::", "feff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", Class::SiteLocal),
    ("ff00::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", Class::Multicast),
    ("2600::5efe:a9fe:a9fe", "fe80::200:5efe:7f00:1", Class::Isatap),
    ("::5efe:a9fe:a9fe", "2600::300:5efe:1.2.3.4", Class::Isatap),
    ("1fff::", "4000::", Class::Reserved),
];

/// The neighbours of the ranges that are public themselves.
const PUBLIC: &[&str] = &[
    "1.0.0.0",
    "9.255.255.255",
    "11.0.0.0",
    "100.63.255.255",
    "100.128.0.0",
    "126.255.255.255",
    "128.0.0.0",
    "168.63.129.15",
    "168.63.129.17",
    "169.253.255.255",
    "169.255.0.0",
    "172.15.255.255",
    "172.32.0.0",
    "191.255.255.255",
    "192.0.1.0",
    "192.0.3.0",
    "192.88.98.255",
    "192.88.100.0",
    "192.167.255.255",
    "192.169.0.0",
    "198.17.255.255",
    "198.20.0.0",
    "198.51.99.255",
    "203.0.114.0",
    "223.255.255.255",
    "8.8.8.8",
    "2001:200::",
    "2001:db7:ffff:ffff:ffff:ffff:ffff:ffff",
    "2001:db9::",
    "2003::",
    "2606:4700:4700::1111",
    "2a00:1450:4001::200e",
    "3ffd:ffff::",
];

#[test]
fn every_special_range_is_recognised_at_its_edges() {
    for (first, last, expected) in V4_EDGES.iter().chain(V6_EDGES) {
        assert_eq!(class(first), *expected, "{first}");
        assert_eq!(class(last), *expected, "{last}");
    }
}

#[test]
fn what_lies_next_to_a_special_range_stays_public() {
    for address in PUBLIC {
        assert_eq!(class(address), Class::Public, "{address}");
    }
}

/// All the ways to put an IPv4 address into an IPv6 one; `prefix` fills what a form leaves free.
fn embeddings(v4: Ipv4Addr, prefix: u64) -> Vec<Ipv6Addr> {
    let low = u128::from(v4.to_bits());
    let prefix = u128::from(prefix);
    let in_prefix = |interface: u128| Ipv6Addr::from_bits((prefix << 64) | interface);
    let under = |head: u128, shift: u32| Ipv6Addr::from_bits((head << 112) | (low << shift) | (prefix & 0xffff));
    vec![
        v4.to_ipv6_mapped(),
        v4.to_ipv6_compatible(),
        Ipv6Addr::from_bits((0xffff << 48) | low),
        Ipv6Addr::from_bits((0x0064_ff9b << 96) | low),
        Ipv6Addr::from_bits((0x0064_ff9b_0001 << 80) | ((prefix & 0xffff_ffff) << 32) | low),
        under(0x2002, 80),
        Ipv6Addr::from_bits((0x2001_0000 << 96) | (low << 64) | prefix),
        Ipv6Addr::from_bits((0x2001_0000 << 96) | ((prefix & 0xffff_ffff) << 64) | (!low & 0xffff_ffff)),
        in_prefix((0x0000_5efe << 32) | low),
        in_prefix((0x0200_5efe << 32) | low),
        in_prefix((0x0100_5efe << 32) | low),
        in_prefix((0x0300_5efe << 32) | low),
    ]
}

proptest! {
    #[test]
    fn no_ipv4_address_embedded_in_ipv6_is_public_or_can_be_allowed(bits: u32, prefix: u64) {
        for (form, address) in embeddings(Ipv4Addr::from_bits(bits), prefix).into_iter().enumerate() {
            let class = classify(IpAddr::V6(address));
            prop_assert_ne!(class, Class::Public, "{} {}", form, address);
            // `::` and `::1` are the v4-compatible forms of 0.0.0.0 and 0.0.0.1 and have their own classes.
            prop_assert!(!class.may_be_allowed() || bits <= 1, "{} {} {}", form, address, class);
        }
    }

    #[test]
    fn an_address_that_the_standard_library_knows_as_special_is_not_public(bits: u32) {
        let address = Ipv4Addr::from_bits(bits);
        let special = address.is_private() || address.is_loopback() || address.is_link_local()
            || address.is_broadcast() || address.is_documentation() || address.is_multicast() || address.is_unspecified();
        prop_assert!(!special || classify(IpAddr::V4(address)) != Class::Public, "{}", address);
    }

    #[test]
    fn no_ipv6_address_outside_of_global_unicast_is_public(bits: u128) {
        prop_assume!(bits >> 125 != 1);
        prop_assert_ne!(classify(IpAddr::V6(Ipv6Addr::from_bits(bits))), Class::Public);
    }
}
