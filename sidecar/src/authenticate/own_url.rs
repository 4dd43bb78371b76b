//! `htu` of a DPoP proof against the URLs of the server as clients write them: the configured ones, whatever Host says.

use tollward_policy::endpoint::Endpoint;
use url::Url;

/// The URLs of one server in their normal form: the endpoint's, then the same on each further host.
pub(super) struct OwnUrls(Vec<String>);

impl OwnUrls {
    /// `hosts` are those under which clients may connect besides the endpoint's own.
    pub(super) fn new(endpoint: &Endpoint, hosts: &[String]) -> Self {
        let scheme = endpoint.origin().split_once("://").map_or("https", |(scheme, _)| scheme);
        let further = hosts.iter().filter_map(|host| normal(&format!("{scheme}://{host}{}", endpoint.path())));
        Self(normal(endpoint.as_str()).into_iter().chain(further).collect())
    }

    /// Compares without query and fragment, in the normal form of RFC 3986 §6.2.2 and §6.2.3, as RFC 9449 §4.3 has it.
    pub(super) fn contains(&self, url: &str) -> bool {
        let is_own = |url: &str| self.0.iter().any(|own| own == url);
        // Nearly all clients write it as it is configured.
        is_own(url) || normal(url).is_some_and(|normal| is_own(&normal))
    }
}

/// Scheme, host and port without the default, and path. `None` for what is no such URL or names a user.
fn normal(text: &str) -> Option<String> {
    // The library reads like a browser, which takes white space out and backslashes for slashes.
    let is_plain = |byte: u8| byte.is_ascii_graphic() && !b"\"<>\\^`{|}".contains(&byte);
    let (scheme, rest) = text.split_once("://")?;
    if !text.bytes().all(is_plain) || !scheme.bytes().all(|byte| byte.is_ascii_alphabetic()) || rest.starts_with('/') {
        return None;
    }
    let url = Url::parse(text).ok()?;
    if !url.username().is_empty() || url.password().is_some() || rest.split('/').next()?.contains('@') {
        return None;
    }
    let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
    Some(format!("{}://{}{port}{}", url.scheme(), url.host_str()?, unescaped(url.path())?))
}

/// A path whose escapes are only those that are needed, in capitals.
fn unescaped(path: &str) -> Option<String> {
    let mut parts = path.split('%');
    let mut plain = parts.next()?.to_owned();
    for part in parts {
        let (digits, rest) = part.split_at_checked(2)?;
        let byte = u8::from_str_radix(digits, 16).ok()?;
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            plain.push(char::from(byte));
        } else {
            plain.push('%');
            plain.push_str(&digits.to_ascii_uppercase());
        }
        plain.push_str(rest);
    }
    Some(plain)
}

#[cfg(test)]
mod tests {
    use super::OwnUrls;
    use proptest::prelude::*;
    use tollward_policy::endpoint::Endpoint;

    fn own(endpoint: &str, hosts: &[&str]) -> OwnUrls {
        let hosts: Vec<_> = hosts.iter().map(|host| (*host).to_owned()).collect();
        OwnUrls::new(&Endpoint::parse(endpoint).unwrap(), &hosts)
    }

    #[test]
    fn one_url_in_all_its_spellings_is_ours() {
        let own = own("https://mcp.example.com/shop/mcp", &[]);
        for url in [
            "https://mcp.example.com/shop/mcp",
            "https://mcp.example.com/shop/mcp?access=1",
            "https://mcp.example.com/shop/mcp#top",
            "https://mcp.example.com:443/shop/mcp",
            "HTTPS://MCP.Example.COM/shop/mcp",
            "https://mcp.example.com/./shop/x/../mcp",
            "https://mcp.example.com/shop/%6dcp",
            "https://mcp.example.com/%73hop/%6Dcp",
        ] {
            assert!(own.contains(url), "{url}");
        }
    }

    #[test]
    fn any_other_url_is_not() {
        let own = own("https://mcp.example.com/shop/mcp", &[]);
        for url in [
            "",
            "/shop/mcp",
            "mcp.example.com/shop/mcp",
            "http://mcp.example.com/shop/mcp",
            "https://mcp.example.com",
            "https://mcp.example.com/shop",
            "https://mcp.example.com/shop/mcp/",
            "https://mcp.example.com/shop/MCP",
            "https://mcp.example.com//shop/mcp",
            "https://mcp.example.com/shop%2Fmcp",
            "https://mcp.example.com:8443/shop/mcp",
            "https://mcp.example.com./shop/mcp",
            "https://evil.example/shop/mcp",
            "https://mcp.example.com.evil.example/shop/mcp",
            "https://mcp.example.com@evil.example/shop/mcp",
            "https://u@mcp.example.com/shop/mcp",
            "https://@mcp.example.com/shop/mcp",
            "https:mcp.example.com/shop/mcp",
            "https:///mcp.example.com/shop/mcp",
            "https:\\\\mcp.example.com\\shop\\mcp",
            " https://mcp.example.com/shop/mcp",
            "https://mcp.example.com/shop/m\tcp",
            "https://mcp.example.com/shop/mcp\n",
            "https://mcp.example.com/shop/mcp%",
            "https://mcp.example.com/shop/mcp%0",
        ] {
            assert!(!own.contains(url), "{url:?}");
        }
    }

    #[test]
    fn further_hosts_have_the_endpoints_scheme_and_path() {
        let own = own("https://mcp.example.com/mcp", &["catalog.shop.svc:8443", "catalog.shop.svc:443"]);
        assert!(own.contains("https://catalog.shop.svc:8443/mcp"));
        assert!(own.contains("https://catalog.shop.svc/mcp"));
        assert!(!own.contains("http://catalog.shop.svc:8443/mcp"));
        assert!(!own.contains("https://catalog.shop.svc:8443/other"));
        assert!(super::normal("http://127.0.0.1:8080/mcp").is_some());
    }

    proptest! {
        #[test]
        fn no_text_is_a_panic_and_what_is_ours_has_our_host_and_path(text in "\\PC{0,60}", tail in "[ -~]{0,12}") {
            let own = own("https://mcp.example.com/shop/mcp", &[]);
            prop_assert!(!own.contains(&text));
            let url = format!("https://mcp.example.com{tail}/mcp");
            if own.contains(&url) {
                let parsed = url::Url::parse(&url).unwrap();
                prop_assert_eq!(parsed.host_str(), Some("mcp.example.com"));
            }
        }
    }
}
