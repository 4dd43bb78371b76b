//! The double's introspection endpoint (RFC 7662): what it says about each token, who asked, and the ways in which it fails.

use crate::loopback::{Cut, answer, lock};
use axum::Form;
use axum::body::Body;
use axum::extract::FromRequest as _;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::AUTHORIZATION;
use http::{Request, Response, StatusCode};
use hyper::body::Incoming;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Mutex;

/// The client that may ask, and its first secret: with everything that is written differently in a form.
pub const CLIENT: &str = "tollward";
/// See [`CLIENT`].
pub const SECRET: &str = "s3cret +/&=%";

/// A question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// `Authorization`.
    pub authorization: Option<String>,
    /// The form.
    pub form: BTreeMap<String, String>,
}

/// How the endpoint answers whatever is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fixed {
    /// With that status, media type and body.
    Answer(StatusCode, &'static str, String),
    /// Not at all: connections are cut.
    Cut,
}

/// The endpoint.
pub struct Introspection {
    known: Mutex<BTreeMap<String, Value>>,
    questions: Mutex<Vec<Question>>,
    fixed: Mutex<Option<Fixed>>,
    secret: Mutex<String>,
}

impl Default for Introspection {
    fn default() -> Self {
        Self {
            known: Mutex::default(),
            questions: Mutex::default(),
            fixed: Mutex::default(),
            secret: Mutex::new(SECRET.to_owned()),
        }
    }
}

impl Introspection {
    /// Says this about a token from now on. What nothing is said about is not active.
    pub fn say(&self, token: &str, answer: Value) {
        lock(&self.known).insert(token.to_owned(), answer);
    }

    /// Answers everything like that from now on; `None`: as it should.
    pub fn fix(&self, fixed: Option<Fixed>) {
        *lock(&self.fixed) = fixed;
    }

    /// Accepts this secret and no other.
    pub fn change_secret(&self, secret: &str) {
        secret.clone_into(&mut lock(&self.secret));
    }

    /// The questions so far.
    pub fn questions(&self) -> Vec<Question> {
        lock(&self.questions).clone()
    }

    pub(super) async fn answer(&self, request: Request<Incoming>) -> Result<Response<Body>, Cut> {
        let authorization = request.headers().get(AUTHORIZATION).and_then(|value| value.to_str().ok());
        let authorization = authorization.map(str::to_owned);
        let Form(form) = Form::<BTreeMap<String, String>>::from_request(request.map(Body::new), &())
            .await
            .expect("a question is a form");
        let question = Question { authorization, form };
        let known = self.knows(&question);
        let verdict = lock(&self.known).get(question.form.get("token").map_or("", String::as_str)).cloned();
        lock(&self.questions).push(question);
        let fixed = lock(&self.fixed).clone();
        match fixed {
            Some(Fixed::Cut) => Err(Cut),
            Some(Fixed::Answer(status, media, body)) => Ok(answer(status, media, body)),
            None if !known => {
                Ok(answer(StatusCode::UNAUTHORIZED, "application/json", json!({"error": "invalid_client"}).to_string()))
            }
            None => {
                let verdict = verdict.unwrap_or_else(|| json!({"active": false}));
                Ok(answer(StatusCode::OK, "application/json", verdict.to_string()))
            }
        }
    }

    /// By either of the two ways, and not by both.
    fn knows(&self, question: &Question) -> bool {
        let secret = lock(&self.secret).clone();
        let credentials = |id: &str, secret: &str| (id.to_owned(), secret.to_owned());
        let by_header = question.authorization.as_ref().and_then(|header| {
            let plain = String::from_utf8(STANDARD.decode(header.strip_prefix("Basic ")?).ok()?).ok()?;
            let (id, secret) = plain.split_once(':')?;
            Some(credentials(&form_decoded(id), &form_decoded(secret)))
        });
        let field = |name: &str| question.form.get(name).map(String::as_str);
        let by_form = field("client_id").zip(field("client_secret")).map(|(id, secret)| credentials(id, secret));
        let expected = credentials(CLIENT, &secret);
        matches!((by_header, by_form), (Some(one), None) | (None, Some(one)) if one == expected)
    }
}

/// RFC 6749 section 2.3.1: what stands in the header was form-encoded first.
fn form_decoded(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((first, more)) = rest.split_first() {
        rest = more;
        bytes.push(match first {
            b'+' => b' ',
            b'%' => {
                let (digits, more) = rest.split_at(2);
                rest = more;
                u8::from_str_radix(std::str::from_utf8(digits).expect("ASCII"), 16).expect("two hexadecimal digits")
            }
            other => *other,
        });
    }
    String::from_utf8(bytes).expect("UTF-8")
}
