//! Media types: only what a browser can't send across origins unasked, and only in one reading.

use super::{post, refused};
use crate::envelope::read;
use bytes::Bytes;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue};

const PING: &str = r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#;

fn with_types(types: &[&str]) -> (&'static str, i64) {
    let mut headers = HeaderMap::new();
    for media in types {
        headers.append(CONTENT_TYPE, HeaderValue::from_bytes(media.as_bytes()).unwrap());
    }
    match read(&headers, &Bytes::from_static(PING.as_bytes())) {
        Ok(_) => ("allowed", 0),
        Err(refused) => (refused.reason.code(), refused.rpc_code),
    }
}

#[test]
fn p10_p11_o03_only_json_in_utf8_is_read() {
    for media in [
        "application/json",
        "APPLICATION/JSON",
        "application/json;charset=utf-8",
        "application/json; charset=\"UTF-8\"",
    ] {
        assert_eq!(with_types(&[media]), ("allowed", 0), "{media}");
    }
    for media in [
        "text/plain",
        "application/json-rpc",
        "application/jsonx",
        "multipart/form-data; boundary=application/json",
        "application/x-www-form-urlencoded",
        "text/plain; application/json",
        "application/json, text/plain",
        "application/json;charset=utf-7",
        "application/json;charset=utf-16",
        "application/json;charset=latin1",
        "application/json;charset=utf-8;charset=utf-16",
        "application/json;version=1",
        "application/json;",
        "",
        "application/jsön",
    ] {
        assert_eq!(with_types(&[media]), ("media_type_refused", -32600), "{media}");
    }
    assert_eq!(with_types(&[]).0, "media_type_refused");
    assert_eq!(with_types(&["application/json", "application/json"]).0, "media_type_refused");
}

#[test]
fn h17_content_codings_are_refused() {
    for coding in ["gzip", "br", "GZIP", "identity, gzip", "deflate", ""] {
        let result = post(&[(CONTENT_ENCODING.as_str(), coding)], PING);
        assert_eq!(refused(result), ("media_type_refused", -32600), "{coding}");
    }
    assert!(post(&[("content-encoding", "identity")], PING).is_ok());
}

#[test]
fn any_accept_that_covers_an_answer_passes() {
    let list = r#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#;
    for accept in [
        "application/json, text/event-stream",
        "*/*",
        "application/*",
        "text/event-stream;q=0.1",
        "x/y, Application/JSON",
    ] {
        assert!(post(&[("accept", accept)], list).is_ok(), "{accept}");
    }
    for accept in ["text/html", "application/json;q=0", "", "*/*;q=0.0, image/png"] {
        assert_eq!(refused(post(&[("accept", accept)], list)).0, "media_type_refused", "{accept}");
    }
}
