//! Proxies in front of the public listener whose word about their clients counts.

use ipnet::IpNet;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Most trusted proxies.
const MAX_PROXIES: usize = 32;
/// Widest network that is trusted by its addresses alone: what is wider holds more than proxies.
const WIDEST_IPV4: u8 = 24;
/// See [`WIDEST_IPV4`].
const WIDEST_IPV6: u8 = 64;

/// A proxy in front. It must itself write the header and drop what its clients wrote, or append to it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TrustedProxy {
    /// The network that it connects from: at most a /24 of IPv4 or a /64 of IPv6, unless a certificate says more.
    #[schemars(with = "String")]
    pub cidr: IpNet,
    /// The certificate that it must show, too. Only over TLS, so that it is never trusted where the listener has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certificate: Option<ProxyCertificate>,
    /// The header in which it names its client.
    #[serde(default)]
    pub header: ForwardedHeader,
    /// Whether it passes its client's certificate on in `Client-Cert` (RFC 9440). Needs `certificate`.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub client_certificates: bool,
}

/// What a proxy's certificate must be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ProxyCertificate {
    /// Certificate authorities in PEM, one of which must have issued it.
    #[schemars(length(max = 65_536))]
    pub authority: String,
    /// DNS name that it must carry.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
}

/// A header that names clients.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ForwardedHeader {
    /// `X-Forwarded-For`: addresses, separated by commas.
    #[default]
    XForwardedFor,
    /// `Forwarded` (RFC 7239): the `for` of each element.
    Forwarded,
}

/// What is wrong with a list of trusted proxies.
pub fn trusted_proxy_problems(proxies: &[TrustedProxy]) -> Vec<String> {
    let mut problems = Vec::new();
    if proxies.len() > MAX_PROXIES {
        problems.push(format!("trustedProxies may name {MAX_PROXIES} at most, not {}", proxies.len()));
    }
    for proxy in proxies {
        let cidr = proxy.cidr;
        let widest = if cidr.addr().is_ipv4() { WIDEST_IPV4 } else { WIDEST_IPV6 };
        match &proxy.certificate {
            None if cidr.prefix_len() < widest => problems.push(format!(
                "trustedProxies: {cidr} is wider than a /{widest}, and whoever has an address of it could name any client: name the \
                 proxies' own addresses, or demand a `certificate`"
            )),
            None if proxy.client_certificates => problems.push(format!(
                "trustedProxies: {cidr} says `clientCertificates` without `certificate`, so that whoever has the address \
                 could show anybody's"
            )),
            None => {}
            Some(certificate) => {
                if !certificate.authority.contains("-----BEGIN CERTIFICATE-----") {
                    problems.push(format!("trustedProxies: {cidr} has an `authority` without a certificate in PEM"));
                }
                if certificate.name.is_empty() || certificate.name.contains('*') {
                    problems.push(format!("trustedProxies: {cidr} has a `name` that is no DNS name"));
                }
            }
        }
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::{TrustedProxy, trusted_proxy_problems};
    use serde_json::{Value, json};

    fn problems(proxy: Value) -> String {
        let proxy: TrustedProxy = serde_json::from_value(proxy).unwrap();
        trusted_proxy_problems(&[proxy]).join("\n")
    }

    #[test]
    fn networks_that_hold_more_than_proxies_need_a_certificate() {
        let pem = "-----BEGIN CERTIFICATE-----\n";
        let certificate = json!({"authority": pem, "name": "ingress.example"});
        for (proxy, expected) in [
            (json!({"cidr": "192.0.2.7/32"}), ""),
            (json!({"cidr": "192.0.2.0/24", "header": "Forwarded"}), ""),
            (json!({"cidr": "10.244.0.0/16"}), "wider than a /24"),
            (json!({"cidr": "::/0"}), "wider than a /64"),
            (json!({"cidr": "10.244.0.0/16", "certificate": certificate, "clientCertificates": true}), ""),
            (json!({"cidr": "192.0.2.7/32", "clientCertificates": true}), "without `certificate`"),
            (json!({"cidr": "192.0.2.7/32", "certificate": {"authority": "x", "name": "a"}}), "in PEM"),
            (json!({"cidr": "192.0.2.7/32", "certificate": {"authority": pem, "name": "*.a"}}), "no DNS name"),
        ] {
            let found = problems(proxy.clone());
            assert!(if expected.is_empty() { found.is_empty() } else { found.contains(expected) }, "{proxy}: {found}");
        }
        let many = vec![serde_json::from_value(json!({"cidr": "192.0.2.7/32"})).unwrap(); 33];
        assert_eq!(trusted_proxy_problems(&many).len(), 1);
    }
}
