//! One credential for all callers, from a mounted Secret.

use super::failure::IdentityFailure;
use super::mounted::{Mounted, Texts};
use super::presented::{Kind, Presented};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::HeaderValue;
use http::header::{AUTHORIZATION, HeaderName};
use std::path::Path;
use tollward_policy::config::CredentialForm;
use zeroize::Zeroizing;

/// A credential that all callers share.
pub(super) struct SharedCredential(Mounted<Presented>);

impl SharedCredential {
    /// Reads nothing yet.
    pub(super) fn new(form: &CredentialForm) -> Self {
        Self(match form {
            CredentialForm::Bearer { token } => Mounted::new(vec![token.clone()], bearer),
            CredentialForm::Basic { username, password } => {
                Mounted::new(vec![username.clone(), password.clone()], basic)
            }
            CredentialForm::Header { name, value } => {
                let name = name.parse::<HeaderName>().ok();
                Mounted::new(vec![value.clone()], move |texts| named(name.as_ref(), texts))
            }
        })
    }

    pub(super) fn files(&self) -> impl Iterator<Item = &Path> {
        self.0.files()
    }

    pub(super) fn show(&self, now: i64) -> Result<Presented, IdentityFailure> {
        self.0.get(now).map(|presented| (*presented).clone()).map_err(|_| IdentityFailure::Unavailable)
    }

    pub(super) fn unready(&self, now: i64) -> Option<String> {
        self.0.get(now).err().map(|error| format!("the credential for the MCP server: {error}"))
    }
}

fn bearer(texts: &Texts) -> Result<Presented, &'static str> {
    let [token] = texts else { return Err("is not one file") };
    if !token.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err("must hold one token of visible ASCII characters and nothing else");
    }
    authorization("Bearer ", token)
}

fn basic(texts: &Texts) -> Result<Presented, &'static str> {
    let [username, password] = texts else { return Err("are not two files") };
    if username.contains(':') || [username, password].iter().any(|text| text.chars().any(char::is_control)) {
        return Err("must hold a user's name without colon and a password, without control characters");
    }
    let plain = Zeroizing::new(format!("{}:{}", username.as_str(), password.as_str()));
    authorization("Basic ", &Zeroizing::new(STANDARD.encode(plain.as_bytes())))
}

fn authorization(scheme: &str, secret: &str) -> Result<Presented, &'static str> {
    let text = Zeroizing::new(format!("{scheme}{secret}"));
    let value = HeaderValue::from_str(&text).map_err(|_| "can't stand in a header")?;
    Ok(Presented::new(Kind::SharedCredential, AUTHORIZATION, value, scheme.len(), None))
}

fn named(name: Option<&HeaderName>, texts: &Texts) -> Result<Presented, &'static str> {
    let (Some(name), [text]) = (name, texts) else { return Err("has no header to stand in") };
    let visible = text.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ');
    if !visible || text.trim() != text.as_str() {
        return Err("must hold one line of visible ASCII characters, without outer spaces");
    }
    let value = HeaderValue::from_str(text).map_err(|_| "can't stand in a header")?;
    Ok(Presented::new(Kind::SharedCredential, name.clone(), value, 0, None))
}
