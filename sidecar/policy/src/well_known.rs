//! Where an issuer tells about itself: operator and sidecar must ask at the same addresses, in the same order.

const OAUTH: &str = "/.well-known/oauth-authorization-server";
const OPENID: &str = "/.well-known/openid-configuration";

/// The well-known addresses of an issuer's metadata in the order of the MCP authorization specification: `https://host/path` has
/// three, `https://host` has two, and what has a query or a fragment is no issuer (RFC 8414 §3.1, OpenID Connect Discovery §4).
pub fn metadata_addresses(issuer: &str) -> Vec<String> {
    let Some((scheme, rest)) = issuer.split_once("://") else {
        return Vec::new();
    };
    if issuer.contains(['?', '#']) {
        return Vec::new();
    }
    let (host, path) = rest.find('/').map_or((rest, ""), |slash| rest.split_at(slash));
    let path = path.trim_end_matches('/');
    let mut addresses = vec![format!("{scheme}://{host}{OAUTH}{path}"), format!("{scheme}://{host}{OPENID}{path}")];
    if !path.is_empty() {
        addresses.push(format!("{scheme}://{host}{path}{OPENID}"));
    }
    addresses
}

#[cfg(test)]
mod tests {
    use super::metadata_addresses;

    #[test]
    fn an_issuer_has_the_well_known_addresses_of_the_specification_in_its_order() {
        let a = "https://idp.example/.well-known";
        for (issuer, expected) in [
            (
                "https://idp.example/realms/a",
                vec![
                    format!("{a}/oauth-authorization-server/realms/a"),
                    format!("{a}/openid-configuration/realms/a"),
                    "https://idp.example/realms/a/.well-known/openid-configuration".to_owned(),
                ],
            ),
            (
                "https://idp.example",
                vec![format!("{a}/oauth-authorization-server"), format!("{a}/openid-configuration")],
            ),
            (
                "https://idp.example/",
                vec![format!("{a}/oauth-authorization-server"), format!("{a}/openid-configuration")],
            ),
            ("https://idp.example/a?b", vec![]),
            ("https://idp.example/a#b", vec![]),
            ("idp.example", vec![]),
        ] {
            assert_eq!(metadata_addresses(issuer), expected, "{issuer}");
        }
    }
}
