//! What becomes of a connection whose request was answered before its body was read.

use super::{LONGEST, Leftover, MOST};
use bytes::Bytes;
use futures_util::stream::{self, Stream, StreamExt as _};
use http::header::CONNECTION;
use http::{Request, Response, StatusCode, Version};
use http_body::Frame;
use http_body_util::{Full, StreamBody};
use std::convert::Infallible;
use std::time::Duration;
use tokio::task::yield_now;
use tokio::time::Instant;

fn piece(bytes: usize) -> Frame<Bytes> {
    Frame::data(Bytes::from(vec![0; bytes]))
}

fn head(version: Version, expect: bool) -> Leftover {
    let request = Request::builder().version(version);
    let request = if expect { request.header("expect", "100-continue") } else { request };
    Leftover::of(&request.body(()).unwrap().into_parts().0)
}

/// Whether the answer says that the connection ends, and how long it took.
async fn ends<S>(leftover: Leftover, status: StatusCode, body: S) -> (bool, Duration)
where
    S: Stream<Item = Frame<Bytes>> + Unpin,
{
    let mut response = Response::builder().status(status).body(()).unwrap();
    let start = Instant::now();
    leftover.settle(&mut StreamBody::new(body.map(Ok::<_, Infallible>)), &mut response).await;
    (response.headers().get(CONNECTION).is_some_and(|value| value == "close"), start.elapsed())
}

#[tokio::test(start_paused = true)]
async fn a_small_body_is_taken_off_the_connection() {
    let coming = head(Version::HTTP_11, false);
    assert_eq!(coming, Leftover::Coming);
    let late = stream::once(Box::pin(async {
        yield_now().await;
        piece(100)
    }));
    assert!(!ends(coming, StatusCode::UNAUTHORIZED, late).await.0);
    assert!(!ends(coming, StatusCode::UNAUTHORIZED, stream::empty()).await.0, "it was read already");
}

#[tokio::test(start_paused = true)]
async fn the_answer_says_that_the_connection_ends_behind_a_body_that_is_not_taken() {
    let coming = head(Version::HTTP_11, false);
    let large = stream::repeat_with(|| piece(1000)).take(MOST / 1000 + 1);
    assert_eq!(ends(coming, StatusCode::FORBIDDEN, large).await, (true, Duration::ZERO));
    let stopped = stream::iter([piece(1)]).chain(stream::pending());
    assert_eq!(ends(coming, StatusCode::FORBIDDEN, stopped).await, (true, LONGEST));
    for status in [StatusCode::BAD_REQUEST, StatusCode::PAYLOAD_TOO_LARGE] {
        let small = stream::iter([piece(1)]);
        assert_eq!(ends(coming, status, small).await, (true, Duration::ZERO), "where it ends is in doubt");
    }
}

#[tokio::test]
async fn a_length_that_is_too_long_is_not_even_begun() {
    let mut response = Response::new(());
    let mut body = Full::new(Bytes::from(vec![0; MOST + 1]));
    head(Version::HTTP_11, false).settle(&mut body, &mut response).await;
    assert!(response.headers().contains_key(CONNECTION));
}

#[tokio::test(start_paused = true)]
async fn a_client_that_waits_to_be_asked_for_its_body_is_not_asked() {
    let unsent = head(Version::HTTP_11, true);
    assert_eq!(unsent, Leftover::Unsent);
    assert_eq!(ends(unsent, StatusCode::UNAUTHORIZED, stream::pending()).await, (true, Duration::ZERO));
}

#[tokio::test(start_paused = true)]
async fn http_2_has_no_connection_header() {
    let separate = head(Version::HTTP_2, false);
    assert_eq!(separate, Leftover::Separate);
    assert_eq!(ends(separate, StatusCode::UNAUTHORIZED, stream::pending()).await, (false, Duration::ZERO));
}

#[tokio::test(start_paused = true)]
async fn a_connection_on_which_a_tunnel_was_asked_for_ends() {
    let request = Request::connect("mcp.example.test:443").version(Version::HTTP_11);
    let tunnel = Leftover::of(&request.body(()).unwrap().into_parts().0);
    assert_eq!(tunnel, Leftover::Tunnel);
    assert!(ends(tunnel, StatusCode::METHOD_NOT_ALLOWED, stream::empty()).await.0);
}
