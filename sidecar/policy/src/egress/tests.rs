//! Which texts are names, and which names a list permits.

use super::{AllowList, Destination, EgressIdentity, HostName, NameError};
use proptest::prelude::*;

fn list(entries: &[(&str, u16)]) -> AllowList {
    let mut list = AllowList::default();
    for (host, port) in entries {
        list.add(host, *port).unwrap();
    }
    list
}

fn permits(list: &AllowList, authority: &str) -> bool {
    Destination::parse(authority).is_ok_and(|destination| list.permits(&destination).is_some())
}

#[test]
fn a_name_is_compared_in_one_spelling() {
    let list = list(&[("API.Example.com.", 443)]);
    for written in ["api.example.com:443", "API.EXAMPLE.COM:443", "api.example.com.:443"] {
        let entry = list.permits(&Destination::parse(written).unwrap());
        assert_eq!(entry.as_deref(), Some("api.example.com:443"), "{written}");
    }
}

#[test]
fn what_is_not_exactly_listed_is_not_permitted() {
    let list = list(&[("api.example.com", 443), ("*.cdn.example.org", 8443)]);
    for written in [
        "api.example.com:80",
        "api.example.com:8443",
        "example.com:443",
        "evil-api.example.com:443",
        "api.example.com.evil.test:443",
        "sub.api.example.com:443",
        "api.example.com..:443",
        ".api.example.com:443",
        "cdn.example.org:8443",
        "evil-cdn.example.org:8443",
        "a.cdn.example.org:443",
        "a.cdn.example.org.evil.test:8443",
    ] {
        assert!(!permits(&list, written), "{written}");
    }
    assert!(permits(&list, "a.cdn.example.org:8443"));
    assert!(permits(&list, "b.a.cdn.example.org:8443"), "however deep");
    assert!(!permits(&AllowList::default(), "api.example.com:443"), "an empty list permits nothing");
}

#[test]
fn an_address_is_never_a_name_in_whatever_form_it_is_written() {
    for host in [
        "127.0.0.1",
        "127.1",
        "2130706433",
        "0x7f000001",
        "0x7f.1",
        "0X7F.0.0.1",
        "0177.0.0.1",
        "0",
        "0x",
        "1.2.3.4.",
        "[::1]",
        "::1",
        "[::ffff:10.0.0.1]",
        "fe80::1%eth0",
        "a.example.0x",
        "a.example.1",
    ] {
        assert_eq!(HostName::parse(host), Err(NameError::Address), "{host}");
        assert!(Destination::parse(&format!("{host}:443")).is_err(), "{host}");
        assert!(AllowList::default().add(host, 443).is_err(), "{host}");
    }
    for host in ["①②⑦.⓪.⓪.①", "127。0。0。1", "münchen.example", "exämple.com"] {
        assert_eq!(HostName::parse(host), Err(NameError::NotAscii), "{host}");
    }
}

#[test]
fn what_is_no_full_name_with_a_port_is_refused() {
    for (authority, expected) in [
        ("api.example.com", NameError::NoPort),
        ("", NameError::NoPort),
        ("api.example.com:", NameError::Port),
        ("api.example.com:0", NameError::Port),
        ("api.example.com:0443", NameError::Port),
        ("api.example.com:+443", NameError::Port),
        ("api.example.com:65536", NameError::Port),
        ("api.example.com:443 ", NameError::Port),
        ("localhost:443", NameError::SingleLabel),
        ("user@api.example.com:443", NameError::Label),
        ("api%2eexample.com:443", NameError::Label),
        ("-a.example.com:443", NameError::Label),
        ("a-.example.com:443", NameError::Label),
        ("a..example.com:443", NameError::Label),
        ("a.example.com\0:443", NameError::Label),
        ("https://a.example.com:443", NameError::Address),
        ("a.example.com:443:443", NameError::Address),
        ("*.example.com:443", NameError::Label),
    ] {
        assert_eq!(Destination::parse(authority), Err(expected), "{authority}");
    }
    let long = format!("{}.example.com:443", "a".repeat(64));
    assert_eq!(Destination::parse(&long), Err(NameError::Label));
    let long = format!("{}example.com:443", "a.".repeat(130));
    assert_eq!(Destination::parse(&long), Err(NameError::Label));
}

#[test]
fn a_wildcard_stands_alone_above_two_labels() {
    for host in ["*", "*.com", "a.*.example.com", "a*.example.com", "**.example.com", "*.*.example.com", "*.10.0.0.1"] {
        assert!(AllowList::default().add(host, 443).is_err(), "{host}");
    }
    assert_eq!(AllowList::default().add("a.example.com", 0), Err(NameError::Port));
}

#[test]
fn only_a_uri_of_ours_is_an_identity() {
    let identity = EgressIdentity::server("0b6c2e1f-1111-2222-3333-444455556666").unwrap();
    assert_eq!(EgressIdentity::parse(&identity.uri()), Some(identity.clone()));
    let uri = identity.uri();
    for wrong in [
        uri.to_uppercase(),
        format!("{uri}/"),
        format!("{uri}/server"),
        uri.replace("/server", ""),
        uri.replace("/server", "/sidecar"),
        uri.replace("tollward:", "https:"),
        "tollward://mcpserver//server".to_owned(),
        "tollward://mcpserver/a b/server".to_owned(),
        format!("tollward://mcpserver/{}/server", "a".repeat(65)),
        String::new(),
    ] {
        assert_eq!(EgressIdentity::parse(&wrong), None, "{wrong}");
    }
    assert_eq!(EgressIdentity::server("../other"), None);
}

proptest! {
    #[test]
    fn no_text_panics_and_what_is_read_is_written_back(text in "\\PC{0,40}") {
        if let Ok(destination) = Destination::parse(&text) {
            prop_assert_eq!(Destination::parse(&destination.to_string()), Ok(destination));
        }
        if let Some(identity) = EgressIdentity::parse(&text) {
            prop_assert_eq!(identity.uri(), text);
        }
    }

    #[test]
    fn what_any_parser_reads_as_an_address_is_no_name(a in any::<u8>(), b in any::<u8>(), c in any::<u16>(), hex in any::<bool>()) {
        let text = if hex { format!("0x{a:x}.{b}.{c}") } else { format!("{a}.0{b:o}.{c}") };
        prop_assert!(HostName::parse(&text).is_err());
        if let Ok(url) = url::Url::parse(&format!("https://{text}/")) {
            prop_assert!(matches!(url.host(), Some(url::Host::Ipv4(_))));
        }
    }

    #[test]
    fn a_wildcard_permits_exactly_what_ends_in_a_dot_and_its_name(
        prefix in "[a-z0-9]{1,5}(\\.[a-z0-9]{1,5}){0,2}", glue in "(\\.|-|x|)", tail in "(|\\.test)"
    ) {
        let host = format!("{prefix}{glue}example.com{tail}");
        let list = list(&[("*.example.com", 443)]);
        let expected = host.strip_suffix(".example.com").is_some_and(|front| !front.is_empty());
        if let Ok(destination) = Destination::parse(&format!("{host}:443")) {
            prop_assert_eq!(list.permits(&destination).is_some(), expected, "{}", host);
        }
    }

    #[test]
    fn every_name_of_the_url_standard_that_is_taken_is_read_alike_there(host in "[a-zA-Z0-9._-]{1,30}") {
        if let Ok(name) = HostName::parse(&host) {
            let url = url::Url::parse(&format!("https://{host}/"));
            if let Ok(url) = url {
                prop_assert_eq!(url.host_str().map(|host| host.trim_end_matches('.').to_owned()), Some(name.to_string()));
            }
        }
    }
}
