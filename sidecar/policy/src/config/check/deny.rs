//! What is wrong with the entries of an identity provider's `deny`.

use super::Problems;
use crate::config::DenyConfig;
use std::collections::BTreeSet;

/// Longest subject, client id and token id in bytes: no token has a longer one.
const MAX_NAME: usize = 1024;

/// Names that occur twice, entries about nobody, and texts that no token can have.
pub(super) fn check_deny(deny: &[DenyConfig], place: &str, problems: &mut Problems) {
    let mut names = BTreeSet::new();
    for entry in deny {
        let DenyConfig { name, subject, client, token_id, issued_before, until: _ } = entry;
        let place = format!("{place}.deny[{name}]");
        problems.unless(!name.is_empty(), &place, "must have a name");
        problems.unless(names.insert(name.as_str()), &place, "is declared twice");
        let texts = [subject, client, token_id];
        problems.unless(
            issued_before.is_some() || texts.iter().any(|text| text.is_some()),
            &place,
            "must name a subject, a client, a token id or a time",
        );
        problems.unless(
            texts.into_iter().flatten().all(|text| is_name(text)),
            &place,
            "subject, client and tokenId are 1 to 1024 bytes without control characters and outer spaces",
        );
    }
}

/// What `authenticate` takes for a name; anything else would be an entry that never matches.
fn is_name(text: &str) -> bool {
    (1..=MAX_NAME).contains(&text.len()) && !text.chars().any(char::is_control) && text.trim() == text
}
