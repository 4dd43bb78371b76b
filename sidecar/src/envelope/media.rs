//! Media types of a request.
//!
//! Only `application/json` is read: a browser can send `text/plain` across origins without a preflight, and a body in a
//! coding or charset of its own could be read differently by the server behind.

use super::refused::Refused;
use http::HeaderMap;
use http::header::{ACCEPT, CONTENT_ENCODING, CONTENT_TYPE};

const JSON: &str = "application/json";
const EVENT_STREAM: &str = "text/event-stream";

/// Judges the head of a POST.
pub(super) fn check_post(headers: &HeaderMap) -> Result<(), Refused> {
    check_content_type(headers)?;
    check_content_encoding(headers)?;
    check_accept(headers, &[JSON, EVENT_STREAM])
}

/// Judges the head of a GET, which is answered by an event stream.
pub(super) fn check_stream(headers: &HeaderMap) -> Result<(), Refused> {
    check_accept(headers, &[EVENT_STREAM])
}

fn check_content_type(headers: &HeaderMap) -> Result<(), Refused> {
    let mut values = headers.get_all(CONTENT_TYPE).iter();
    let only = match (values.next(), values.next()) {
        (Some(value), None) => value.to_str().unwrap_or_default(),
        (None | Some(_), _) => "",
    };
    let mut parts = only.split(';').map(|part| part.trim_matches([' ', '\t']));
    let is_json = parts.next().is_some_and(|media| media.eq_ignore_ascii_case(JSON));
    let charset = parts.next();
    if is_json && charset.is_none_or(is_utf8) && parts.next().is_none() {
        Ok(())
    } else {
        Err(Refused::media("send exactly one `Content-Type: application/json`, with no charset but utf-8"))
    }
}

fn is_utf8(parameter: &str) -> bool {
    let Some((name, value)) = parameter.split_once('=') else {
        return false;
    };
    let quoted = value.strip_prefix('"').and_then(|value| value.strip_suffix('"'));
    name.eq_ignore_ascii_case("charset") && quoted.unwrap_or(value).eq_ignore_ascii_case("utf-8")
}

fn check_content_encoding(headers: &HeaderMap) -> Result<(), Refused> {
    let mut values = headers.get_all(CONTENT_ENCODING).iter();
    match (values.next(), values.next()) {
        (None, _) => Ok(()),
        (Some(value), None) if value.as_bytes().eq_ignore_ascii_case(b"identity") => Ok(()),
        (Some(_), _) => Err(Refused::media("send the body without content coding")),
    }
}

/// True to the specification a client lists both types; many send `*/*` or nothing, which cover both. Only a client that
/// could read no answer at all is refused.
fn check_accept(headers: &HeaderMap, served: &[&str]) -> Result<(), Refused> {
    if !headers.contains_key(ACCEPT) {
        return Ok(());
    }
    let mut ranges =
        headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok()).flat_map(|line| line.split(','));
    if ranges.any(|range| served.iter().any(|media| covers(range, media))) {
        Ok(())
    } else {
        Err(Refused::media("accept `application/json` and `text/event-stream`"))
    }
}

fn covers(range: &str, media: &str) -> bool {
    let mut parts = range.split(';').map(|part| part.trim_matches([' ', '\t']));
    let accepted = parts.next().unwrap_or_default();
    let refused = parts.any(|parameter| {
        let weight = parameter.split_once('=').filter(|(name, _)| name.eq_ignore_ascii_case("q"));
        weight.is_some_and(|(_, weight)| weight.parse::<f32>().is_ok_and(|weight| weight == 0.0))
    });
    let family = media.split_once('/').map_or("", |(family, _)| family);
    let is_family = accepted.strip_suffix("/*").is_some_and(|accepted| accepted.eq_ignore_ascii_case(family));
    !refused && (accepted == "*/*" || is_family || accepted.eq_ignore_ascii_case(media))
}
