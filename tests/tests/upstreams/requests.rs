//! Requests that are odd and allowed, by both versions of HTTP and in both eras.

use super::scene::Scene;
use tollward_policy::operation::Era;
use tollward_tests::config::PATH;
use tollward_tests::mcp::Call;
use tollward_tests::real::reader::Kind;
use tollward_tests::world::CELLS;

/// Bodies that every strict parser takes, some of which look like something else on the wire.
fn bodies(good: &str) -> Vec<String> {
    let argument = |text: &str| good.replacen("\"A-1\"", text, 1);
    vec![
        good.to_owned(),
        format!("\r\n\r\n {good}\r\n\r\n"),
        good.replacen('{', "{\r\n\r\n\t", 1),
        argument(r#""\u0000\u001f\u007f\\\"\/""#),
        argument("\"\u{e4}\u{20ac}\u{1f600}\u{2028}\u{85}\u{feff}\u{202e}\""),
        argument(r#""\u00e4\u20ac\ud83d\ude00""#),
        argument(r#""0\r\n\r\nPOST /evil HTTP/1.1\r\nHost: evil\r\n\r\n""#),
        argument(r#""HTTP/1.1 200 OK""#),
        argument("9007199254740993"),
        argument("-0.0"),
        argument("1E-7"),
        argument("123456789012345678901234567890.5e-3"),
        argument("[[[[[[[[[[[[[[[[{}]]]]]]]]]]]]]]]]"),
        argument(&format!("\"{}\"", "a".repeat(60_000))),
        argument(r#"{"": 1, " ": 2, "constructor": 3, "__proto__": 4, "method": "tools/list", "Content-Length": 0}"#),
    ]
}

#[tokio::test]
async fn servers_read_the_request_that_was_judged() {
    for kind in Kind::ALL {
        let scene = Scene::start(kind).await;
        let token = scene.world.token();
        let call = |era| Call::tool(era, "get_product").token(&token);
        for (wire, era) in CELLS {
            let good = String::from_utf8(call(era).body.to_vec()).expect("JSON is UTF-8");
            for body in bodies(&good) {
                scene.read_alike(wire, &call(era).body(body)).await;
            }
            let odd = [
                call(era).target(&format!("{PATH}?a=b&c=%2e%2e/%00")),
                call(era).only("content-type", "Application/JSON; Charset=UTF-8"),
                call(era).header("x-forwarded-for", "192.0.2.1"),
                call(era).header("user-agent", "GET /evil HTTP/1.1"),
            ];
            for call in odd {
                scene.read_alike(wire, &call).await;
            }
        }
        for (wire, era) in CELLS {
            // Older revisions know no such header, and it is not passed on.
            if era == Era::Modern {
                scene.read_alike(wire, &call(era).header("mcp-param-sku", "a, b; c=\"d\" %0d%0a {}")).await;
            }
        }
        scene.end().await;
    }
}

#[tokio::test]
async fn streams_and_ends_of_sessions_are_read_as_they_were_judged() {
    for kind in Kind::LANGUAGES {
        let scene = Scene::start(kind).await;
        let token = scene.world.token();
        for (wire, era) in CELLS {
            if era == Era::Legacy {
                scene.read_alike(wire, &Call::listen().token(&token)).await;
            }
        }
        scene.end().await;
    }
}
