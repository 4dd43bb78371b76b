//! Writes one request, reads one answer, and judges the answer's shape before any of it is handed on. Knows the wire, but
//! neither addresses nor deadlines: the connection is given, and the caller drops the future when time is up.

use super::Fetched;
use super::error::{FetchError, quote};
use crate::dial::Connection;
use crate::target::Target;
use bytes::{Bytes, BytesMut};
use futures_util::future::{Either, select};
use http::header::{
    ACCEPT_ENCODING, CACHE_CONTROL, CONNECTION, CONTENT_ENCODING, CONTENT_TYPE, HOST, HeaderName, LOCATION,
    TRANSFER_ENCODING, USER_AGENT,
};
use http::{HeaderMap, HeaderValue, Method, Request, Response};
use http_body::Body as _;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use std::pin::pin;

/// Largest status line and headers of an answer, in bytes.
const MAX_HEAD: usize = 32 * 1024;
/// Most header lines of an answer.
const MAX_HEADERS: usize = 100;

/// A request with the headers that every fetch sends.
pub(super) fn request(target: &Target, method: Method, body: Bytes) -> Result<Request<Full<Bytes>>, FetchError> {
    Request::builder()
        .method(method)
        .uri(target.path_and_query())
        .header(HOST, target.authority())
        .header(USER_AGENT, "tollward")
        // A compressed body would pass the size limit and then grow.
        .header(ACCEPT_ENCODING, "identity")
        .header(CONNECTION, "close")
        .body(Full::new(body))
        .map_err(|error| FetchError::request(&error))
}

/// Sends the request and reads the whole answer.
pub(super) async fn run(
    target: &Target,
    connection: Connection,
    request: Request<Full<Bytes>>,
    max_body: usize,
) -> Result<Fetched, FetchError> {
    let target = target.host_and_port();
    let (mut sender, driver) = http1::Builder::new()
        .max_headers(MAX_HEADERS)
        .max_buf_size(MAX_HEAD)
        .handshake(TokioIo::new(connection))
        .await
        .map_err(|error| FetchError::exchange(&target, &error))?;
    let answer = pin!(async {
        let response = sender.send_request(request).await.map_err(|error| FetchError::exchange(&target, &error))?;
        read(&target, response, max_body).await
    });
    // The driver is polled here and not spawned, so that a dropped fetch leaves no connection behind. Its own outcome adds
    // nothing: what fails in it fails the answer too, and a finished driver may have left an answer to be read.
    let driver = pin!(async move { driver.await.is_ok() });
    match select(answer, driver).await {
        Either::Left((fetched, _)) => fetched,
        Either::Right((_, answer)) => answer.await,
    }
}

async fn read(target: &str, response: Response<Incoming>, max_body: usize) -> Result<Fetched, FetchError> {
    let (head, body) = response.into_parts();
    if head.status.is_redirection() {
        return Err(FetchError::Redirect {
            target: target.to_owned(),
            status: head.status,
            location: location(&head.headers),
        });
    }
    check_coding(target, &head.headers)?;
    if body.size_hint().exact().is_none() && !head.headers.contains_key(TRANSFER_ENCODING) {
        return Err(FetchError::Unframed { target: target.to_owned() });
    }
    let body = read_body(target, body, max_body).await?;
    Ok(Fetched {
        status: head.status,
        content_type: content_type(&head.headers),
        cache_control: cache_control(&head.headers),
        body,
    })
}

async fn read_body(target: &str, mut body: Incoming, max_body: usize) -> Result<Bytes, FetchError> {
    let too_large = || FetchError::TooLarge { target: target.to_owned(), limit: max_body };
    // An announced length is refused before a byte of it is read, and never decides how much memory is taken.
    if usize::try_from(body.size_hint().lower()).map_or(true, |announced| announced > max_body) {
        return Err(too_large());
    }
    let mut collected = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| FetchError::exchange(target, &error))?;
        // Trailers say nothing that is used.
        if let Ok(data) = frame.into_data() {
            if data.len() > max_body.saturating_sub(collected.len()) {
                return Err(too_large());
            }
            collected.extend_from_slice(&data);
        }
    }
    Ok(collected.freeze())
}

/// Refuses every content coding, and every transfer coding but `chunked`.
fn check_coding(target: &str, headers: &HeaderMap) -> Result<(), FetchError> {
    let refused = |name: HeaderName, plain: &str| {
        headers.get_all(name).into_iter().find(|value| !value.as_bytes().eq_ignore_ascii_case(plain.as_bytes()))
    };
    let coding = refused(CONTENT_ENCODING, "identity").or_else(|| refused(TRANSFER_ENCODING, "chunked"));
    match coding {
        None => Ok(()),
        Some(value) => Err(FetchError::Encoded { target: target.to_owned(), coding: quote(value.as_bytes()) }),
    }
}

/// Without its query and fragment, where codes and tokens travel.
fn location(headers: &HeaderMap) -> String {
    headers.get(LOCATION).map_or_else(
        || "nowhere".to_owned(),
        |value| {
            let whole = value.as_bytes();
            quote(whole.split(|byte| matches!(byte, b'?' | b'#')).next().unwrap_or(whole))
        },
    )
}

fn content_type(headers: &HeaderMap) -> Option<String> {
    let mut values = headers.get_all(CONTENT_TYPE).into_iter();
    match (values.next(), values.next()) {
        (Some(only), None) => only.to_str().ok().map(str::to_owned),
        (None | Some(_), _) => None,
    }
}

fn cache_control(headers: &HeaderMap) -> Option<String> {
    let values: Vec<&str> =
        headers.get_all(CACHE_CONTROL).into_iter().map(HeaderValue::to_str).collect::<Result<_, _>>().ok()?;
    (!values.is_empty()).then(|| values.join(", "))
}
