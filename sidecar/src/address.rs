//! Callers by address, as far as an address tells callers apart.

use std::net::{IpAddr, Ipv6Addr};

/// The network that counts as one caller: an IPv4 address, or a /64 of IPv6, since one caller owns all of it.
pub(crate) fn network_of(client: IpAddr) -> String {
    match client.to_canonical() {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => {
            let network = u128::from(address) >> 64 << 64;
            Ipv6Addr::from(network).to_string()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::network_of;

    #[test]
    fn an_ipv6_network_and_a_mapped_address_are_one_caller() {
        let caller = |text: &str| network_of(text.parse().unwrap());
        assert_eq!(caller("2001:db8::1"), caller("2001:db8::ffff:2"));
        assert_ne!(caller("2001:db8::1"), caller("2001:db8:0:1::1"));
        assert_eq!(caller("::ffff:192.0.2.1"), caller("192.0.2.1"));
    }
}
