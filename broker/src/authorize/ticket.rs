//! The sealed request inside the consent form: for one browser, for ten minutes, for one answer.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};

use super::browser::{Browser, MAX_AGE_SECONDS};
use super::request::AuthorizationRequest;
use crate::clock::unix_seconds;
use crate::error::{DecisionError, Fault};
use crate::random::{Random, RandomnessUnavailable, random_text};
use crate::seal::{Purpose, Seals};

/// A request that waits for its answer.
pub(super) struct Ticket {
    pub(super) id: String,
    pub(super) expires_at: SystemTime,
    pub(super) request: AuthorizationRequest,
}

#[derive(Serialize, Deserialize)]
struct Content {
    id: String,
    expires: u64,
    request: AuthorizationRequest,
}

impl Ticket {
    pub(super) fn new(
        request: AuthorizationRequest,
        now: SystemTime,
        random: &dyn Random,
    ) -> Result<Self, RandomnessUnavailable> {
        let expires_at = now + Duration::from_secs(MAX_AGE_SECONDS);
        Ok(Self { id: random_text::<16>(random)?, expires_at, request })
    }

    pub(super) fn seal(&self, seals: &Seals, browser: &Browser) -> Result<String, Fault> {
        let Self { id, expires_at, request } = self;
        let content = Content { id: id.clone(), expires: unix_seconds(*expires_at), request: request.clone() };
        let content = URL_SAFE_NO_PAD.encode(serde_json::to_vec(&content).map_err(|_| Fault::Rendering)?);
        let tag = seals.seal(Purpose::ConsentForm, &[browser.name(), &content]);
        Ok(format!("{content}.{tag}"))
    }

    pub(super) fn open(sealed: &str, seals: &Seals, browser: &Browser, now: SystemTime) -> Result<Self, DecisionError> {
        let (content, tag) = sealed.split_once('.').ok_or(DecisionError::Ticket)?;
        if !seals.verify(Purpose::ConsentForm, &[browser.name(), content], tag) {
            return Err(DecisionError::Ticket);
        }
        let content = URL_SAFE_NO_PAD.decode(content).map_err(|_| DecisionError::Ticket)?;
        let Content { id, expires, request } = serde_json::from_slice(&content).map_err(|_| DecisionError::Ticket)?;
        let expires_at = UNIX_EPOCH + Duration::from_secs(expires);
        if now >= expires_at {
            return Err(DecisionError::Expired);
        }
        Ok(Self { id, expires_at, request })
    }
}
