//! Entries of `deny` as the data plane has them.

use crate::issuers::as_in_tokens;
use std::collections::BTreeSet;
use tollward_api::IdentityProvider;
use tollward_api::identityprovider::{DenyEntry, Preset};
use tollward_policy::config::DenyConfig;

/// The most bytes of all entries of a provider: a configuration has to fit into a ConfigMap with everything else.
const MAX_BYTES: usize = 400_000;
/// The most entries of a provider.
const MAX_ENTRIES: usize = 1000;

/// The entries, if they can be used.
pub(crate) fn list(provider: &IdentityProvider) -> Option<Vec<DenyConfig>> {
    judge(provider, &mut drop)
}

/// Compiles the entries. A refused list must not become a shorter one, so that one wrong entry refuses all.
pub(super) fn judge(provider: &IdentityProvider, refuse: &mut impl FnMut(String)) -> Option<Vec<DenyConfig>> {
    let entries = provider.spec.deny.as_slice();
    let preset = provider.spec.external.as_ref().map_or(Preset::Generic, |external| external.preset);
    let mut fine = true;
    let mut wrong = |message: String| {
        refuse(message);
        fine = false;
    };
    if entries.len() > MAX_ENTRIES {
        wrong(format!(
            "spec.deny has {} entries, at most {MAX_ENTRIES} are read; remove those that ended",
            entries.len()
        ));
    }
    let mut names = BTreeSet::new();
    let mut bytes = 0;
    for DenyEntry { name, reason: _, subject, client, token_id, issued_before, until: _ } in entries {
        if name.is_empty() || !names.insert(name) {
            wrong(format!("spec.deny: the name `{name}` is empty or stands twice"));
        }
        let texts = [subject, client, token_id];
        if issued_before.is_none() && texts.iter().all(|text| text.is_none()) {
            wrong(format!("spec.deny[{name}] must set subject, client, tokenId or issuedBefore"));
        }
        if !texts.into_iter().flatten().all(|text| is_name(text)) {
            wrong(format!(
                "spec.deny[{name}]: subject, client and tokenId are 1 to 1024 bytes without control characters and outer spaces"
            ));
        }
        bytes += texts.into_iter().flatten().map(String::len).sum::<usize>() + name.len();
    }
    if bytes > MAX_BYTES {
        wrong(format!(
            "spec.deny has {bytes} bytes, at most {MAX_BYTES} fit; remove entries that ended, or deny by issuedBefore"
        ));
    }
    fine.then(|| entries.iter().map(|entry| compile(entry, preset)).collect())
}

fn compile(entry: &DenyEntry, preset: Preset) -> DenyConfig {
    let DenyEntry { name, reason: _, subject, client, token_id, issued_before, until } = entry.clone();
    DenyConfig {
        name,
        // An entry that no token can match would look like one that is enforced.
        subject: subject.map(|subject| as_in_tokens(preset, subject)),
        client: client.map(|client| as_in_tokens(preset, client)),
        token_id,
        // A token's times are whole seconds: rounded up, both keep out more, never less.
        issued_before: issued_before.map(|time| seconds_up(time.0)),
        until: until.map(|time| seconds_up(time.0)),
    }
}

fn seconds_up(time: k8s_openapi::jiff::Timestamp) -> i64 {
    time.as_second().saturating_add(i64::from(time.subsec_nanosecond() > 0))
}

/// What tokens have; an entry with anything else would never match.
fn is_name(text: &str) -> bool {
    (1..=1024).contains(&text.len()) && !text.chars().any(char::is_control) && text.trim() == text
}
