//! Which redirect URIs are accepted and which requests match them (attack case C05).

use proptest::prelude::{Strategy, any, prop, prop_assert, prop_assert_eq, prop_oneof, proptest};

use super::{RedirectUri, RedirectUriError};

fn parse(text: &str) -> Result<RedirectUri, RedirectUriError> {
    RedirectUri::parse(text, &["cursor".to_owned()])
}

#[test]
fn what_clients_really_register_is_accepted() {
    for text in [
        "https://claude.ai/api/mcp/auth_callback",
        "https://app.example:8443/cb?tenant=a",
        "https://app.example",
        "http://127.0.0.1:6276/oauth/callback",
        "http://localhost:6274/oauth/callback/debug",
        "http://[::1]:33418/",
        "http://127.0.0.1/cb",
        "http://127.0.0.1:80/cb",
        "http://localhost",
        "cursor://anysphere.cursor-mcp/oauth/callback",
    ] {
        assert!(parse(text).is_ok(), "{text}: {:?}", parse(text));
    }
}

#[test]
fn what_could_lead_elsewhere_is_refused() {
    use RedirectUriError::{Fragment, Host, NotNormal, PlainHttp, Scheme, TooLong, UserInfo};
    let long = format!("https://app.example/{}", "x".repeat(1024));
    for (text, error) in [
        ("", NotNormal),
        ("/cb", NotNormal),
        ("//evil.example/cb", NotNormal),
        ("https:", NotNormal),
        ("javascript:alert(1)", Scheme),
        ("data:text/html,x", Scheme),
        ("vbscript:x", Scheme),
        ("file:///etc/passwd", Scheme),
        ("vscode://x/cb", Scheme),
        ("HTTPS://app.example/cb", Scheme),
        ("urn:ietf:wg:oauth:2.0:oob", Scheme),
        ("http://app.example/cb", PlainHttp),
        ("http://127.0.0.1.evil.example/cb", PlainHttp),
        ("http://localhost.evil.example/cb", PlainHttp),
        ("http://127.0.0.2/cb", PlainHttp),
        ("http://127.1/cb", PlainHttp),
        ("http://2130706433/cb", PlainHttp),
        ("http://LOCALHOST/cb", PlainHttp),
        ("http://localhost@evil.example/cb", UserInfo),
        ("http://127.0.0.1:80@evil.example/cb", UserInfo),
        ("https://user@app.example/cb", UserInfo),
        ("https://app.example/cb#x", Fragment),
        ("http://localhost/cb#", Fragment),
        ("https://app.example/a/../cb", NotNormal),
        ("https://app.example/a/..;/cb", NotNormal),
        ("https://app.example/%2e%2e/cb", NotNormal),
        ("https://app.example/a%2fcb", NotNormal),
        ("https://app.example//cb", NotNormal),
        ("https://app.example\\@evil.example/cb", NotNormal),
        ("https://APP.example/cb", NotNormal),
        ("https://app.example:443/cb", NotNormal),
        ("https://app.example/cb\r\nSet-Cookie: a=b", NotNormal),
        ("https://app.example/c b", NotNormal),
        ("https://app.exämple/cb", NotNormal),
        ("http://localhost:0/cb", NotNormal),
        ("http://localhost:080/cb", NotNormal),
        ("http://localhost:65536/cb", NotNormal),
        ("http://localhost:+80/cb", NotNormal),
        ("https://app.example;script-src/cb", Host),
        ("https://*.example/cb", Host),
        (long.as_str(), TooLong),
    ] {
        assert_eq!(parse(text).err(), Some(error), "{text}");
    }
}

#[test]
fn matching_is_by_bytes_except_for_the_port_of_a_loopback_address() {
    let admits = |registered: &str, requested: &str| parse(registered).unwrap().admits(&parse(requested).unwrap());
    let web = "https://app.example/cb?a=1";
    assert!(admits(web, web));
    for other in [
        "https://app.example/cb",
        "https://app.example/cb?a=1&b=2",
        "https://app.example/cb/?a=1",
        "https://app.example/CB?a=1",
        "https://app.example/cb/x?a=1",
        "https://app.example:8443/cb?a=1",
        "https://evil.example/cb?a=1",
        "http://localhost/cb?a=1",
    ] {
        assert!(!admits(web, other), "{other}");
    }
    let native = "http://127.0.0.1:6276/cb";
    for same in ["http://127.0.0.1:6276/cb", "http://127.0.0.1:1/cb", "http://127.0.0.1/cb", "http://127.0.0.1:80/cb"] {
        assert!(admits(native, same), "{same}");
    }
    for other in [
        "http://localhost:6276/cb",
        "http://[::1]:6276/cb",
        "http://127.0.0.1:6276/cb/",
        "http://127.0.0.1:6276/cb?x=1",
        "https://127.0.0.1:6276/cb",
    ] {
        assert!(!admits(native, other), "{other}");
    }
    assert!(!admits("cursor://one/cb", "cursor://two/cb"));
}

fn host() -> impl Strategy<Value = String> {
    prop_oneof!["(127\\.0\\.0\\.1|localhost|\\[::1\\]|app\\.example|evil\\.example)", "[a-z0-9.\\-@:\\[\\]%;]{1,24}",]
}

fn address() -> impl Strategy<Value = String> {
    let scheme = prop_oneof!["https", "http", "cursor"];
    let port = prop::option::of(any::<u16>());
    (scheme, host(), port, "[/?#@\\\\;.%a-z0-9]{0,12}").prop_map(|(scheme, host, port, rest)| {
        let port = port.map_or_else(String::new, |port| format!(":{port}"));
        format!("{scheme}://{host}{port}{rest}")
    })
}

proptest! {
    #[test]
    fn a_match_never_changes_scheme_host_path_or_query(registered in address(), requested in address()) {
        let (Ok(a), Ok(b)) = (parse(&registered), parse(&requested)) else { return Ok(()) };
        if a.admits(&b) {
            let (a, b) = (url::Url::parse(&registered).unwrap(), url::Url::parse(&requested).unwrap());
            prop_assert_eq!((a.scheme(), a.host(), a.path(), a.query()), (b.scheme(), b.host(), b.path(), b.query()));
            prop_assert!(a.port() == b.port() || a.scheme() == "http");
        }
    }

    #[test]
    fn what_is_accepted_is_read_by_the_url_standard_as_it_is_written(text in address()) {
        let Ok(accepted) = parse(&text) else { return Ok(()) };
        let url = url::Url::parse(accepted.as_str()).unwrap();
        prop_assert!(url.username().is_empty() && url.password().is_none() && url.fragment().is_none());
        if url.scheme() == "http" {
            prop_assert!(matches!(url.host_str(), Some("127.0.0.1" | "localhost" | "[::1]")), "{text}");
        }
        let source = accepted.form_action_source();
        prop_assert!(!source.contains([';', ',', ' ', '\'', '"']), "{source}");
    }

    #[test]
    fn any_text_is_judged_without_a_panic(text in ".{0,64}") {
        let _ = parse(&text);
    }
}
