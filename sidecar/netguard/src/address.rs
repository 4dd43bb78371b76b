//! What an IP address is, by the IANA special-purpose registries (RFC 6890 and successors) and the addresses where clouds
//! put their metadata services. Pure, and of our own: general "is global" helpers count NAT64, 6to4, site-local,
//! v4-compatible and segment routing addresses as public, each of which was some product's hole.

use ipnet::{Ipv4Net, Ipv6Net};
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The one class of an address. Everything but [`AddressClass::Public`] is special-purpose.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AddressClass {
    /// Globally routed unicast.
    Public,
    /// `127.0.0.0/8`, `::1`.
    Loopback,
    /// RFC 1918.
    Private,
    /// `169.254.0.0/16`, `fe80::/10`.
    LinkLocal,
    /// Where a cloud hands out instance credentials.
    CloudMetadata,
    /// `100.64.0.0/10`, RFC 6598; many clusters use it for pods.
    SharedCgnat,
    /// Documentation examples.
    Documentation,
    /// Network benchmarks, RFC 2544 and RFC 5180.
    Benchmarking,
    /// Multicast.
    Multicast,
    /// Everything else that is not public unicast, unassigned IPv6 space included.
    Reserved,
    /// `0.0.0.0/8`, `::`; most systems take `0.0.0.0` for this host.
    Unspecified,
    /// `fc00::/7`, RFC 4193.
    UniqueLocal,
    /// `fec0::/10`, deprecated by RFC 3879 and still routed by some.
    SiteLocal,
    /// `::ffff:0:0/96`.
    V4Mapped,
    /// `::/96`, deprecated by RFC 4291.
    V4Compatible,
    /// `::ffff:0:0:0/96`, stateless translation (RFC 2765).
    Siit,
    /// `64:ff9b::/96`, RFC 6052.
    Nat64,
    /// `64:ff9b:1::/48`, RFC 8215.
    LocalNat64,
    /// `2002::/16` and its relay `192.88.99.0/24`.
    SixToFour,
    /// `2001::/32`, RFC 4380.
    Teredo,
    /// An interface identifier of RFC 5214 under any prefix.
    Isatap,
    /// `2001:10::/28`, `2001:20::/28`, and the device identities of RFC 9374.
    Orchid,
    /// `100::/64`, RFC 6666, and the dummy prefix of RFC 9780.
    Discard,
    /// `5f00::/16`, segment routing identifiers (RFC 9602).
    Srv6,
}

impl AddressClass {
    /// A stable name for logs, metrics and errors.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Public => "public",
            Self::Loopback => "loopback",
            Self::Private => "private",
            Self::LinkLocal => "link-local",
            Self::CloudMetadata => "cloud-metadata",
            Self::SharedCgnat => "shared-cgnat",
            Self::Documentation => "documentation",
            Self::Benchmarking => "benchmarking",
            Self::Multicast => "multicast",
            Self::Reserved => "reserved",
            Self::Unspecified => "unspecified",
            Self::UniqueLocal => "unique-local",
            Self::SiteLocal => "site-local",
            Self::V4Mapped => "v4-mapped",
            Self::V4Compatible => "v4-compatible",
            Self::Siit => "siit",
            Self::Nat64 => "nat64",
            Self::LocalNat64 => "local-nat64",
            Self::SixToFour => "6to4",
            Self::Teredo => "teredo",
            Self::Isatap => "isatap",
            Self::Orchid => "orchid",
            Self::Discard => "discard",
            Self::Srv6 => "srv6",
        }
    }

    /// Whether an installer's allowance may open addresses of this class.
    ///
    /// Not so for forms that embed an IPv4 address, which a translator would turn into an address that nobody judged, nor
    /// for metadata services, which answer whoever asks with the credentials of the node.
    pub const fn may_be_allowed(self) -> bool {
        match self {
            Self::CloudMetadata
            | Self::V4Mapped
            | Self::V4Compatible
            | Self::Siit
            | Self::Nat64
            | Self::LocalNat64
            | Self::SixToFour
            | Self::Teredo
            | Self::Isatap => false,
            Self::Public
            | Self::Loopback
            | Self::Private
            | Self::LinkLocal
            | Self::SharedCgnat
            | Self::Documentation
            | Self::Benchmarking
            | Self::Multicast
            | Self::Reserved
            | Self::Unspecified
            | Self::UniqueLocal
            | Self::SiteLocal
            | Self::Orchid
            | Self::Discard
            | Self::Srv6 => true,
        }
    }
}

impl fmt::Display for AddressClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The class of an address.
pub fn classify(address: IpAddr) -> AddressClass {
    match address {
        IpAddr::V4(address) => classify_v4(address),
        IpAddr::V6(address) => classify_v6(address),
    }
}

fn classify_v4(address: Ipv4Addr) -> AddressClass {
    V4.iter().find(|(net, _)| net.contains(&address)).map_or(AddressClass::Public, |(_, class)| *class)
}

fn classify_v6(address: Ipv6Addr) -> AddressClass {
    // Before the table: an ISATAP identifier reaches an IPv4 address whatever the prefix above it.
    if is_isatap(address) {
        return AddressClass::Isatap;
    }
    if let Some((_, class)) = V6.iter().find(|(net, _)| net.contains(&address)) {
        return *class;
    }
    // Only 2000::/3 is assigned as global unicast; what IANA assigns later is denied until this table knows it.
    if GLOBAL_UNICAST.contains(&address) { AddressClass::Public } else { AddressClass::Reserved }
}

/// RFC 5214 §6.1: `[u and g bits]00:5efe` and then the IPv4 address.
fn is_isatap(address: Ipv6Addr) -> bool {
    let [_, _, _, _, flags, marker, _, _] = address.segments();
    flags & !0x0300 == 0 && marker == 0x5efe
}

const GLOBAL_UNICAST: Ipv6Net = v6([0x2000, 0, 0, 0, 0, 0, 0, 0], 3);

/// The first match counts, so that a narrower network stands before the one around it.
const V4: &[(Ipv4Net, AddressClass)] = &[
    // Azure's host agent and DNS: outside of every special range.
    (v4([168, 63, 129, 16], 32), AddressClass::CloudMetadata),
    // Instance metadata of AWS, Google Cloud, Azure, OpenStack and others, with AWS' DNS and time beside it.
    (v4([169, 254, 169, 0], 24), AddressClass::CloudMetadata),
    // Task and pod credentials on AWS ECS and EKS.
    (v4([169, 254, 170, 0], 24), AddressClass::CloudMetadata),
    (v4([169, 254, 0, 23], 32), AddressClass::CloudMetadata), // Tencent Cloud
    (v4([169, 254, 42, 42], 32), AddressClass::CloudMetadata), // Scaleway
    (v4([100, 100, 100, 200], 32), AddressClass::CloudMetadata), // Alibaba Cloud
    (v4([192, 0, 0, 192], 32), AddressClass::CloudMetadata),  // Oracle Cloud
    (v4([0, 0, 0, 0], 8), AddressClass::Unspecified),
    (v4([10, 0, 0, 0], 8), AddressClass::Private),
    (v4([100, 64, 0, 0], 10), AddressClass::SharedCgnat),
    (v4([127, 0, 0, 0], 8), AddressClass::Loopback),
    (v4([169, 254, 0, 0], 16), AddressClass::LinkLocal),
    (v4([172, 16, 0, 0], 12), AddressClass::Private),
    (v4([192, 0, 0, 0], 24), AddressClass::Reserved), // IETF protocol assignments, RFC 6890
    (v4([192, 0, 2, 0], 24), AddressClass::Documentation),
    (v4([192, 31, 196, 0], 24), AddressClass::Reserved), // AS112, RFC 7535
    (v4([192, 52, 193, 0], 24), AddressClass::Reserved), // AMT, RFC 7450
    (v4([192, 88, 99, 0], 24), AddressClass::SixToFour),
    (v4([192, 168, 0, 0], 16), AddressClass::Private),
    (v4([192, 175, 48, 0], 24), AddressClass::Reserved), // AS112, RFC 7534
    (v4([198, 18, 0, 0], 15), AddressClass::Benchmarking),
    (v4([198, 51, 100, 0], 24), AddressClass::Documentation),
    (v4([203, 0, 113, 0], 24), AddressClass::Documentation),
    (v4([233, 252, 0, 0], 24), AddressClass::Documentation), // MCAST-TEST-NET, RFC 6676
    (v4([224, 0, 0, 0], 4), AddressClass::Multicast),
    (v4([255, 255, 255, 255], 32), AddressClass::Reserved), // limited broadcast
    (v4([240, 0, 0, 0], 4), AddressClass::Reserved),
];

const V6: &[(Ipv6Net, AddressClass)] = &[
    (v6([0, 0, 0, 0, 0, 0, 0, 0], 128), AddressClass::Unspecified),
    (v6([0, 0, 0, 0, 0, 0, 0, 1], 128), AddressClass::Loopback),
    // Metadata, DNS and pod credentials of AWS.
    (v6([0xfd00, 0x0ec2, 0, 0, 0, 0, 0, 0], 32), AddressClass::CloudMetadata),
    // Google Cloud.
    (v6([0xfd20, 0x00ce, 0, 0, 0, 0, 0, 0x0254], 128), AddressClass::CloudMetadata),
    // Oracle Cloud.
    (v6([0xfd00, 0x00c1, 0, 0, 0, 0, 0xa9fe, 0xa9fe], 128), AddressClass::CloudMetadata),
    (v6([0, 0, 0, 0, 0, 0xffff, 0, 0], 96), AddressClass::V4Mapped),
    (v6([0, 0, 0, 0, 0xffff, 0, 0, 0], 96), AddressClass::Siit),
    (v6([0, 0, 0, 0, 0, 0, 0, 0], 96), AddressClass::V4Compatible),
    (v6([0x0064, 0xff9b, 1, 0, 0, 0, 0, 0], 48), AddressClass::LocalNat64),
    // The well-known prefix is a /96; what surrounds it is unassigned and in use for nothing but translation.
    (v6([0x0064, 0xff9b, 0, 0, 0, 0, 0, 0], 32), AddressClass::Nat64),
    (v6([0x0100, 0, 0, 0, 0, 0, 0, 0], 64), AddressClass::Discard),
    (v6([0x0100, 0, 0, 1, 0, 0, 0, 0], 64), AddressClass::Discard),
    (v6([0x2001, 0, 0, 0, 0, 0, 0, 0], 32), AddressClass::Teredo),
    (v6([0x2001, 0x0002, 0, 0, 0, 0, 0, 0], 48), AddressClass::Benchmarking),
    (v6([0x2001, 0x0010, 0, 0, 0, 0, 0, 0], 28), AddressClass::Orchid),
    (v6([0x2001, 0x0020, 0, 0, 0, 0, 0, 0], 28), AddressClass::Orchid),
    (v6([0x2001, 0x0030, 0, 0, 0, 0, 0, 0], 28), AddressClass::Orchid),
    (v6([0x2001, 0, 0, 0, 0, 0, 0, 0], 23), AddressClass::Reserved), // IETF protocol assignments, RFC 2928
    (v6([0x2001, 0x0db8, 0, 0, 0, 0, 0, 0], 32), AddressClass::Documentation),
    (v6([0x2002, 0, 0, 0, 0, 0, 0, 0], 16), AddressClass::SixToFour),
    (v6([0x2620, 0x004f, 0x8000, 0, 0, 0, 0, 0], 48), AddressClass::Reserved), // AS112, RFC 7534
    (v6([0x3ffe, 0, 0, 0, 0, 0, 0, 0], 16), AddressClass::Reserved),           // 6bone, given back by RFC 3701
    (v6([0x3fff, 0, 0, 0, 0, 0, 0, 0], 20), AddressClass::Documentation),
    (v6([0x5f00, 0, 0, 0, 0, 0, 0, 0], 16), AddressClass::Srv6),
    (v6([0xfc00, 0, 0, 0, 0, 0, 0, 0], 7), AddressClass::UniqueLocal),
    (v6([0xfe80, 0, 0, 0, 0, 0, 0, 0], 10), AddressClass::LinkLocal),
    (v6([0xfec0, 0, 0, 0, 0, 0, 0, 0], 10), AddressClass::SiteLocal),
    (v6([0xff00, 0, 0, 0, 0, 0, 0, 0], 8), AddressClass::Multicast),
];

const fn v4([a, b, c, d]: [u8; 4], prefix: u8) -> Ipv4Net {
    Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, d), prefix)
}

#[expect(clippy::many_single_char_names, reason = "the eight groups of an address have no other names")]
const fn v6([a, b, c, d, e, f, g, h]: [u16; 8], prefix: u8) -> Ipv6Net {
    Ipv6Net::new_assert(Ipv6Addr::new(a, b, c, d, e, f, g, h), prefix)
}

#[cfg(test)]
mod tests;
