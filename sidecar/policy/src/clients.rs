//! Which OAuth clients may call a server: by id, or by the host of the client's own metadata document (a client id that is an
//! https URL, draft-ietf-oauth-client-id-metadata-document).

use crate::principal::join_lengths;
use std::collections::BTreeSet;

/// The clients that may call. Without any entry every client may; that is what a server without a list says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AllowedClients {
    ids: BTreeSet<String>,
    hosts: BTreeSet<String>,
}

impl AllowedClients {
    /// Of these ids, compared exactly, and of documents at these hosts: `host`, or `host:port` if the port is not 443.
    pub fn new(ids: impl IntoIterator<Item = String>, hosts: impl IntoIterator<Item = String>) -> Self {
        Self { ids: ids.into_iter().collect(), hosts: hosts.into_iter().collect() }
    }

    /// The same text for the same list and for no other, to remember by what was asked under it.
    pub fn fingerprint(&self) -> String {
        let [ids, hosts] = [&self.ids, &self.hosts].map(|set| join_lengths(set.iter().map(String::as_str)));
        join_lengths([ids.as_str(), &hosts])
    }

    /// Whether a caller of that client may call. A caller without a client may only where there is no list.
    pub fn allow(&self, client: Option<&str>) -> bool {
        if self.ids.is_empty() && self.hosts.is_empty() {
            return true;
        }
        let Some(client) = client else {
            return false;
        };
        self.ids.contains(client) || document_host(client).is_some_and(|host| self.hosts.contains(host))
    }
}

/// The authority of a client id that is the URL of a metadata document, exactly as it is written: what is not in its plain
/// form (capitals, user, query instead of a path) matches no entry, instead of being read in one of several ways.
fn document_host(client: &str) -> Option<&str> {
    let rest = client.strip_prefix("https://")?;
    let (authority, path) = rest.split_once('/')?;
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'.' | b'-' | b':');
    // The draft asks for a path, and forbids fragments.
    let fine = !authority.is_empty() && authority.bytes().all(plain) && !path.is_empty() && !path.contains('#');
    fine.then_some(authority)
}

/// Whether a text can be an entry of the hosts: lower case, with a port if need be.
pub fn is_host(text: &str) -> bool {
    let (name, port) = text.split_once(':').map_or((text, None), |(name, port)| (name, Some(port)));
    let label = |label: &str| {
        let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        (1..=63).contains(&label.len()) && label.bytes().all(plain) && !label.starts_with('-') && !label.ends_with('-')
    };
    let number =
        |port: &str| port.parse::<u16>().is_ok_and(|number| number > 0 && number != 443) && !port.starts_with('0');
    name.len() <= 253 && name.split('.').all(label) && port.is_none_or(number)
}

#[cfg(test)]
mod tests {
    use super::{AllowedClients, is_host};
    use proptest::prelude::*;

    fn allowed(ids: &[&str], hosts: &[&str]) -> AllowedClients {
        let own = |list: &[&str]| list.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
        AllowedClients::new(own(ids), own(hosts))
    }

    #[test]
    fn without_a_list_every_client_may_call_and_with_one_nobody_else() {
        assert!(allowed(&[], &[]).allow(None) && allowed(&[], &[]).allow(Some("a")));
        for list in [allowed(&["a"], &[]), allowed(&[], &["claude.ai"]), allowed(&["a"], &["claude.ai"])] {
            assert!(!list.allow(None), "{list:?}");
            assert!(!list.allow(Some("b")), "{list:?}");
        }
        assert!(allowed(&["a"], &[]).allow(Some("a")));
        assert!(!allowed(&["a"], &[]).allow(Some("A")));
    }

    #[test]
    fn a_document_is_known_by_its_host_and_by_nothing_that_looks_like_it() {
        let list = allowed(&[], &["claude.ai", "dev.example:8443"]);
        for good in ["https://claude.ai/oauth/client.json", "https://claude.ai/a?b=c", "https://dev.example:8443/c"] {
            assert!(list.allow(Some(good)), "{good}");
        }
        for bad in [
            "http://claude.ai/oauth/client.json",
            "https://claude.ai",
            "https://claude.ai/",
            "https://CLAUDE.ai/client",
            "HTTPS://claude.ai/client",
            "https://claude.ai./client",
            "https://claude.ai:443/client",
            "https://claude.ai:8443/client",
            "https://www.claude.ai/client",
            "https://claude.ai.evil.example/client",
            "https://evil.example/claude.ai/client",
            "https://claude.ai@evil.example/client",
            "https://evil.example\\@claude.ai/client",
            "https://claude.ai\\.evil.example/client",
            "https://claude.ai?@evil.example/client",
            "https://claude.ai#@evil.example/client",
            "https://claude.ai/client#fragment",
            "https:///claude.ai/client",
            "https://%63laude.ai/client",
            " https://claude.ai/client",
            "claude.ai",
        ] {
            assert!(!list.allow(Some(bad)), "{bad}");
        }
    }

    #[test]
    fn hosts_are_written_in_lower_case_without_scheme_and_path() {
        for good in ["claude.ai", "a", "a-b.c1", "127.0.0.1:8080", "example.com:1"] {
            assert!(is_host(good), "{good}");
        }
        for bad in [
            "",
            "Claude.ai",
            "https://claude.ai",
            "claude.ai/",
            "*.ai",
            "a..b",
            ".a",
            "a.",
            "-a",
            "a:443",
            "a:0",
            "a:",
            "a:x",
            "a:080",
        ] {
            assert!(!is_host(bad), "{bad}");
        }
    }

    proptest! {
        /// Whatever is let in by its host is a URL of that host for any reader.
        #[test]
        fn a_url_parser_agrees_on_the_host(client in "(https://)?[a-z.@:/?#\\\\%A0-]{0,24}") {
            let list = allowed(&[], &["a", "a.a", "a:0", "a.", "aa"]);
            if list.allow(Some(&client)) {
                let url = url::Url::parse(&client).unwrap();
                prop_assert_eq!(url.scheme(), "https");
                prop_assert!(url.username().is_empty() && url.password().is_none());
                prop_assert!(["a", "a.a", "a.", "aa"].contains(&url.host_str().unwrap()), "{}", client);
            }
        }
    }
}
