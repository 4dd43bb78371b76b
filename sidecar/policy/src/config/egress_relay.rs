//! What a sidecar does with its server's own connections to the outside: nothing, refuse them, or carry them to an egress proxy.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::net::SocketAddr;
use std::path::PathBuf;

/// What a sidecar does with its server's own connections to the outside.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct EgressRelay {
    /// The server's proxy (`HTTPS_PROXY`). On loopback: whoever reaches it speaks with the server's rights.
    pub listen: SocketAddr,
    /// Most connections at once.
    #[schemars(range(min = 1, max = 100_000))]
    pub max_connections: u32,
    /// Where they go.
    pub upstream: EgressUpstream,
}

/// Where a server's connections go.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "mode", rename_all_fields = "camelCase", deny_unknown_fields)]
pub enum EgressUpstream {
    /// Nowhere: each is refused, with a sentence that says so, and recorded.
    Deny {},
    /// To the namespace's egress proxy, by mutual TLS.
    Proxy {
        /// Name or IP address, and port. Whoever answers there must prove `serverName`.
        address: String,
        /// DNS name that its certificate must carry.
        server_name: String,
        /// Certificate authority in PEM that vouches for it.
        authority: PathBuf,
        /// Certificate chain in PEM that says which server this is.
        certificate: PathBuf,
        /// Private key in PEM.
        private_key: PathBuf,
    },
}

/// Everything that is wrong with a relay.
pub(super) fn relay_problems(relay: &EgressRelay) -> Vec<&'static str> {
    let mut problems = Vec::new();
    if !relay.listen.ip().is_loopback() {
        problems.push("egress.listen must be a loopback address: there is no authentication on it");
    }
    if !(1..=100_000).contains(&relay.max_connections) {
        problems.push("egress.maxConnections must be 1 to 100000");
    }
    match &relay.upstream {
        EgressUpstream::Deny {} => {}
        EgressUpstream::Proxy { address, .. } => {
            let (host, port) = address.rsplit_once(':').unwrap_or_default();
            if host.is_empty() || !matches!(port.parse::<u16>(), Ok(1..)) {
                problems.push("egress.upstream.address must be a host and a port");
            }
        }
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::{EgressRelay, relay_problems};
    use serde_json::json;

    #[test]
    fn a_relay_that_others_could_reach_is_refused() {
        let relay = |listen: &str| -> EgressRelay {
            serde_json::from_value(json!({"listen": listen, "maxConnections": 10, "upstream": {"mode": "Deny"}}))
                .unwrap()
        };
        assert!(relay_problems(&relay("127.0.0.1:64433")).is_empty());
        assert!(relay_problems(&relay("[::1]:64433")).is_empty());
        assert_eq!(relay_problems(&relay("0.0.0.0:64433")).len(), 1);
        for (address, good) in [
            ("egress.shop.svc:64434", true),
            ("[::1]:1", true),
            ("egress.shop.svc", false),
            (":1", false),
            ("a:0", false),
        ] {
            let mut relay = relay("127.0.0.1:1");
            let upstream = json!({"mode": "Proxy", "address": address, "serverName": "a", "authority": "a", "certificate": "a", "privateKey": "a"});
            relay.upstream = serde_json::from_value(upstream).unwrap();
            assert_eq!(relay_problems(&relay).is_empty(), good, "{address}");
        }
    }
}
