//! The user's answer: where it may come from and what it says.

use http::{HeaderMap, header};

use crate::error::DecisionError;
use crate::grant::Subject;
use crate::parameters::{Parameters, is_form};

/// What the user chose.
pub(super) enum Decision {
    /// Yes, as this user.
    Approve(Subject),
    /// Yes, but the name can't be a user's.
    ApproveWithoutName,
    /// No.
    Refuse,
}

/// The posted form.
pub(super) struct Answer {
    pub(super) sealed: String,
    pub(super) decision: Decision,
}

impl Answer {
    pub(super) fn read(headers: &HeaderMap, body: &[u8]) -> Result<Self, DecisionError> {
        if !is_form(headers) {
            return Err(DecisionError::Malformed);
        }
        let form = Parameters::parse(body)?;
        let sealed = form.get("request")?.ok_or(DecisionError::Ticket)?.to_owned();
        let name = form.get("name")?.map(str::trim).and_then(Subject::parse);
        let decision = match (form.get("decision")?, name) {
            (Some("approve"), Some(subject)) => Decision::Approve(subject),
            (Some("approve"), None) => Decision::ApproveWithoutName,
            (Some("refuse"), _) => Decision::Refuse,
            (Some(_) | None, _) => return Err(DecisionError::Malformed),
        };
        Ok(Self { sealed, decision })
    }
}

/// Browsers say where a form was sent from; a contradiction ends it before anything else is read. Both headers may be
/// missing (older browsers), since the cookie and the sealed form carry the proof.
pub(super) fn check_same_site(headers: &HeaderMap, own_origin: &str) -> Result<(), DecisionError> {
    let says =
        |name: &str, wanted: &str| headers.get_all(name).iter().all(|value| value.as_bytes() == wanted.as_bytes());
    if says(header::ORIGIN.as_str(), own_origin) && says("sec-fetch-site", "same-origin") {
        Ok(())
    } else {
        Err(DecisionError::CrossSite)
    }
}
