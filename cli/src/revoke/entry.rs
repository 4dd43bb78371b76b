//! From what was typed to an entry. Pure: the provider was read, and time and randomness are given.

use super::token::Claims;
use crate::arguments::{Moment, RevokeArguments, Until};
use anyhow::{Context as _, ensure};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value, json};
use tollward_api::duration::GoDuration;
use tollward_api::identityprovider::ExternalProvider;
use tollward_desired::{claim_names, issuers_of};
use tollward_policy::config::ClaimNames;

/// How much longer than its token an entry lasts: clocks may differ, and Tollward grants a leeway.
const AFTERLIFE: SignedDuration = SignedDuration::from_hours(1);
/// The leeway of a provider that names none, as the schema has it.
const LEEWAY: SignedDuration = SignedDuration::from_secs(30);

/// What the command line needs to know besides what was typed.
pub(super) struct Setting<'a> {
    /// The `IdentityProvider`.
    pub(super) provider: &'a Value,
    /// The token of `--token`.
    pub(super) token: Option<Claims>,
    /// When the command runs.
    pub(super) now: Timestamp,
    /// Letters and digits that nobody else draws.
    pub(super) random: String,
}

/// The entry, as it stands in `spec.deny`.
pub(super) fn entry(arguments: &RevokeArguments, setting: &Setting<'_>) -> anyhow::Result<Value> {
    let Setting { provider, token, now, random } = setting;
    let mut fields = Map::new();
    let name = arguments.name.clone().unwrap_or_else(|| format!("revoked-{}-{random}", now.strftime("%Y%m%dt%H%M%Sz")));
    fields.insert("name".into(), name.into());
    let mut put = |field: &str, value: Option<&String>| {
        fields.extend(value.map(|value| (field.to_owned(), Value::from(value.as_str()))));
    };
    put("reason", arguments.reason.as_ref());
    put("subject", arguments.subject.as_ref());
    put("client", arguments.client.as_ref());
    put("tokenId", arguments.token_id.as_ref());
    if let Some(moment) = arguments.issued_before {
        let time = match moment {
            Moment::At(time) => time,
            // A token of this very second, by a clock that is ahead.
            Moment::Now => now.checked_add(leeway(provider) + SignedDuration::from_secs(1))?,
        };
        fields.insert("issuedBefore".into(), seconds_up(time)?.to_string().into());
    }
    if let Some(token) = token {
        fields.extend(about(token, provider)?);
    }
    let until = match arguments.until {
        Some(Until::At(time)) => Some(time),
        Some(Until::After(duration)) => Some(now.checked_add(duration)?),
        None => None,
    };
    if let Some(until) = until {
        ensure!(until > *now, "--until is in the past, so the entry would refuse nobody");
        fields.insert("until".into(), seconds_up(until)?.to_string().into());
    }
    Ok(Value::Object(fields))
}

/// What names one token: its subject and its id, or its age if it has no id. By the claims that the data plane compares with
/// entries: a subject out of another claim would be an entry that refuses nobody.
fn about(token: &Claims, provider: &Value) -> anyhow::Result<Map<String, Value>> {
    let external = provider.pointer("/spec/external").cloned().unwrap_or_default();
    let external: ExternalProvider = serde_json::from_value(external).context(
        "this program can't read the IdentityProvider, so that it is not known which claims count; revoke by --subject, --client \
         or --issued-before",
    )?;
    let own = token.text(&["iss".to_owned()]).unwrap_or_default();
    let issuers = issuers_of(&external);
    ensure!(issuers.iter().any(|issuer| issuer == own), "the token is of another issuer than this IdentityProvider");
    let ClaimNames { scopes: _, client: _, subject, token_id, groups: _, roles: _ } = claim_names(&external);
    let subject = token.text(&[subject]);
    let subject = subject.context("the token names no subject; revoke by --client or --issued-before")?;
    let mut fields = Map::from_iter([("subject".to_owned(), json!(subject))]);
    if let Some(id) = token.text(&token_id) {
        fields.insert("tokenId".into(), id.into());
    } else {
        let issued_at = token.seconds("iat").and_then(|seconds| Timestamp::from_second(seconds.checked_add(1)?).ok());
        let issued_at =
            issued_at.context("the token has no id and does not say when it was issued; revoke its --subject")?;
        fields.insert("issuedBefore".into(), issued_at.to_string().into());
    }
    if let Some(expiry) = token.seconds("exp").and_then(|seconds| Timestamp::from_second(seconds).ok()) {
        fields.insert("until".into(), expiry.checked_add(AFTERLIFE)?.to_string().into());
    }
    Ok(fields)
}

fn leeway(provider: &Value) -> SignedDuration {
    let text = provider.pointer("/spec/external/leeway").and_then(Value::as_str);
    let seconds = text.and_then(|text| GoDuration::new(text).seconds().ok());
    seconds.map_or(LEEWAY, |seconds| SignedDuration::from_secs(seconds.into()))
}

/// Whole seconds: Kubernetes keeps no others in times that it writes, and tokens have no others.
fn seconds_up(time: Timestamp) -> anyhow::Result<Timestamp> {
    let whole = Timestamp::from_second(time.as_second())?;
    if whole < time { Ok(whole.checked_add(SignedDuration::from_secs(1))?) } else { Ok(whole) }
}

#[cfg(test)]
mod tests;
