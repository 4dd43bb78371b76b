//! What is known of a provider, as conditions. Pure.

use crate::condition::{Holds, Verdict, whole_seconds};
use crate::discovery::Looked;
use crate::report::ProviderState;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use tollward_api::condition::{ConditionReason, ConditionType};
use tollward_api::identityprovider::{ExternalProvider, IdentityProviderStatus, IssuerStatus};
use tollward_desired::Finding;

pub(super) fn unreadable(error: &str) -> Vec<Verdict> {
    let message =
        format!("this operator can't read the specification: {error}; upgrade the operator, or correct the field");
    let pending = |kind| Verdict::unknown(kind, ConditionReason::Pending, "The specification can't be read.");
    with_ready(vec![
        Verdict::no(ConditionType::Accepted, ConditionReason::Unsupported, message),
        pending(ConditionType::ResolvedRefs),
        pending(ConditionType::Programmed),
    ])
}

pub(super) fn verdicts(
    findings: &[Finding],
    looked: Option<&Looked>,
    reports: &[(String, ProviderState)],
) -> Vec<Verdict> {
    with_ready(vec![accepted(findings), resolved(looked), programmed(reports)])
}

fn accepted(findings: &[Finding]) -> Verdict {
    let kind = ConditionType::Accepted;
    match findings.first() {
        None => Verdict::yes(kind, ConditionReason::Accepted, ConditionReason::Accepted.meaning()),
        Some(first) => {
            let messages: Vec<_> = findings.iter().map(|finding| finding.message.as_str()).collect();
            Verdict::no(kind, first.reason, messages.join("; "))
        }
    }
}

fn resolved(looked: Option<&Looked>) -> Verdict {
    let kind = ConditionType::ResolvedRefs;
    match looked {
        Some(Looked { error: Some(error), .. }) => Verdict::no(kind, ConditionReason::DiscoveryFailed, error.as_str()),
        Some(Looked { error: None, found: Some((issuers, _)), .. }) => {
            Verdict::yes(kind, ConditionReason::ResolvedRefs, told(issuers))
        }
        None | Some(Looked { error: None, found: None, .. }) => {
            Verdict::unknown(kind, ConditionReason::Pending, "The issuer has not been asked yet.")
        }
    }
}

/// What clients of the issuers can count on.
fn told(issuers: &[IssuerStatus]) -> String {
    let says = |has: fn(&IssuerStatus) -> bool| if issuers.iter().all(has) { "yes" } else { "no" };
    let keys: usize = issuers.iter().map(|issuer| issuer.keys.len()).sum();
    let mut message = format!(
        "The issuer's metadata and {keys} keys were fetched. PKCE with S256: {}. Dynamic client registration: {}. Client ID \
         metadata documents: {}.",
        says(|issuer| issuer.pkce_methods.iter().any(|method| method == "S256")),
        says(|issuer| issuer.dynamic_client_registration),
        says(|issuer| issuer.client_id_metadata_documents),
    );
    if let Some(url) = issuers.iter().find_map(|issuer| issuer.introspected_at.as_ref()) {
        message.push_str(" Tokens are introspected at ");
        message.push_str(url);
        message.push('.');
    }
    if let Some(nameless) = issuers.iter().find(|issuer| !issuer.issuer_matches) {
        message.push_str(" No metadata name the issuer ");
        message.push_str(&nameless.issuer);
        message.push_str(", so that clients can't find it; its keys come from external.jwksURL.");
    }
    message
}

/// What the status tells about the issuers, without conditions.
pub(super) fn found(external: Option<&ExternalProvider>, looked: Option<Looked>) -> IdentityProviderStatus {
    let issuer = external.map(|external| external.issuer.clone());
    let Some(Looked { error: _, found, again }) = looked else {
        return IdentityProviderStatus { issuer, ..IdentityProviderStatus::default() };
    };
    let (issuers, last_refresh) =
        found.map_or_else(Default::default, |(issuers, at)| (issuers, Some(Time(whole_seconds(at)))));
    let keys: usize = issuers.iter().map(|issuer: &IssuerStatus| issuer.keys.len()).sum();
    IdentityProviderStatus {
        issuer,
        key_count: last_refresh.as_ref().and_then(|_| i64::try_from(keys).ok()),
        last_refresh,
        next_refresh: Some(Time(whole_seconds(again))),
        issuers,
        ..IdentityProviderStatus::default()
    }
}

fn programmed(reports: &[(String, ProviderState)]) -> Verdict {
    let kind = ConditionType::Programmed;
    if reports.is_empty() {
        return Verdict::unknown(kind, ConditionReason::Pending, "No server that uses the provider has reported yet.");
    }
    let some = |which: &[String], what: &str| {
        let few = which.get(..3).unwrap_or(which).join("; ");
        format!("{} of {} replicas {what}: {few}", which.len(), reports.len())
    };
    let unready = reports
        .iter()
        .filter(|(_, state)| !state.ready)
        .map(|(pod, state)| format!("{pod}: {}", state.error.as_deref().unwrap_or("keys were not fetched yet")));
    let unready: Vec<_> = unready.collect();
    if !unready.is_empty() {
        return Verdict::no(kind, ConditionReason::DiscoveryFailed, some(&unready, "have no keys"));
    }
    let unasked =
        reports.iter().filter_map(|(pod, state)| Some(format!("{pod}: {}", state.introspection_error.as_ref()?)));
    let unasked: Vec<_> = unasked.collect();
    if !unasked.is_empty() {
        let message = some(&unasked, "can't ask the issuer about tokens");
        return Verdict::no(kind, ConditionReason::IntrospectionFailed, message);
    }
    let message = match reports.len() {
        1 => "1 replica has its keys.".to_owned(),
        count => format!("{count} replicas have its keys."),
    };
    Verdict::yes(kind, ConditionReason::Programmed, message)
}

/// Ready means that tokens can be verified, as far as anybody knows. A provider that nobody uses yet may be ready.
fn with_ready(mut verdicts: Vec<Verdict>) -> Vec<Verdict> {
    let kind = ConditionType::Ready;
    let blocks = |verdict: &&Verdict| match verdict.condition {
        ConditionType::Programmed => verdict.holds == Holds::False,
        ConditionType::Accepted
        | ConditionType::ResolvedRefs
        | ConditionType::UpstreamIdentity
        | ConditionType::Exact
        | ConditionType::Sealed
        | ConditionType::Ready => verdict.holds != Holds::True,
    };
    let ready = match verdicts.iter().find(blocks) {
        None => Verdict::yes(kind, ConditionReason::Ready, "Tokens of this provider can be verified."),
        Some(first) => Verdict {
            condition: kind,
            holds: first.holds,
            reason: first.reason,
            message: format!("{}: {}", first.condition, first.message),
        },
    };
    verdicts.push(ready);
    verdicts
}

#[cfg(test)]
mod tests {
    use super::{found, unreadable, verdicts};
    use crate::condition::{Holds, Verdict};
    use crate::discovery::Looked;
    use crate::report::ProviderState;
    use jiff::Timestamp;
    use tollward_api::condition::{ConditionReason, ConditionType};
    use tollward_api::identityprovider::{IssuerStatus, KeyStatus};

    fn issuer() -> IssuerStatus {
        let key = |id: &str| KeyStatus { id: Some(id.into()), algorithm: "RS256".into() };
        IssuerStatus {
            issuer: "https://idp.example".into(),
            issuer_matches: true,
            metadata_url: Some("https://idp.example/.well-known/openid-configuration".into()),
            jwks_url: Some("https://idp.example/keys".into()),
            algorithms: vec!["RS256".into()],
            pkce_methods: vec!["S256".into()],
            dynamic_client_registration: false,
            client_id_metadata_documents: false,
            introspection_endpoint: None,
            introspected_at: None,
            keys: vec![key("one"), key("two")],
        }
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    /// One good answer, and then what the last attempt brought.
    fn looked(error: Option<String>) -> Looked {
        Looked { error, found: Some((vec![issuer()], at(10))), again: at(310) }
    }

    fn of(verdicts: &[Verdict], kind: ConditionType) -> (Holds, ConditionReason, &str) {
        let verdict = verdicts.iter().find(|verdict| verdict.condition == kind).unwrap();
        (verdict.holds, verdict.reason, &verdict.message)
    }

    fn state(ready: bool) -> (String, ProviderState) {
        let error = (!ready).then(|| "timeout".to_owned());
        ("pod-1".into(), ProviderState { ready, error, introspection_error: None })
    }

    #[test]
    fn an_issuer_that_answers_makes_its_provider_ready_before_anybody_uses_it() {
        let verdicts = verdicts(&[], Some(&looked(None)), &[]);
        assert_eq!(of(&verdicts, ConditionType::Ready).0, Holds::True);
        let message = of(&verdicts, ConditionType::ResolvedRefs).2;
        assert!(message.contains("S256: yes") && message.contains("registration: no"), "{message}");
    }

    #[test]
    fn a_provider_that_refuses_a_replica_s_questions_is_not_ready_and_says_what_to_do() {
        let mut refused = state(true);
        refused.1.introspection_error = Some("check introspection.client".into());
        let verdicts = verdicts(&[], Some(&looked(None)), &[state(true), refused]);
        let (holds, reason, message) = of(&verdicts, ConditionType::Ready);
        assert_eq!((holds, reason), (Holds::False, ConditionReason::IntrospectionFailed));
        assert!(message.contains("1 of 2") && message.contains("check introspection.client"), "{message}");
    }

    #[test]
    fn where_tokens_are_introspected_is_told() {
        let asked = IssuerStatus { introspected_at: Some("https://idp.example/introspect".into()), ..issuer() };
        let found = Looked { found: Some((vec![asked], at(0))), ..looked(None) };
        let verdicts = verdicts(&[], Some(&found), &[]);
        let message = of(&verdicts, ConditionType::ResolvedRefs).2;
        assert!(message.ends_with("Tokens are introspected at https://idp.example/introspect."), "{message}");
    }

    #[test]
    fn an_issuer_that_was_not_asked_yet_is_unknown() {
        let verdicts = verdicts(&[], None, &[]);
        assert_eq!(of(&verdicts, ConditionType::Ready).0, Holds::Unknown);
    }

    #[test]
    fn what_sidecars_see_counts_even_if_the_operator_sees_otherwise() {
        let verdicts = verdicts(&[], Some(&looked(None)), &[state(true), state(false)]);
        let (holds, reason, message) = of(&verdicts, ConditionType::Ready);
        assert_eq!((holds, reason), (Holds::False, ConditionReason::DiscoveryFailed));
        assert!(message.contains("1 of 2") && message.contains("timeout"), "{message}");
    }

    #[test]
    fn a_provider_of_a_newer_version_is_unsupported() {
        assert_eq!(of(&unreadable("x"), ConditionType::Ready).1, ConditionReason::Unsupported);
    }

    #[test]
    fn what_was_found_stays_in_the_status_when_the_issuer_fails() {
        let failed = looked(Some("timeout".into()));
        let verdicts = verdicts(&[], Some(&failed), &[]);
        assert_eq!(of(&verdicts, ConditionType::Ready).1, ConditionReason::DiscoveryFailed);
        let status = found(None, Some(failed));
        assert_eq!((status.key_count, status.issuers.len()), (Some(2), 1));
        assert_eq!((status.last_refresh.unwrap().0, status.next_refresh.unwrap().0), (at(10), at(310)));
        let never = found(None, Some(Looked { error: None, found: None, again: at(0) }));
        assert_eq!((never.key_count, never.last_refresh), (None, None));
    }

    #[test]
    fn an_issuer_without_metadata_is_said_to_be_one() {
        let nameless = IssuerStatus { issuer_matches: false, ..issuer() };
        let known = Looked { found: Some((vec![nameless], at(0))), ..looked(None) };
        let verdicts = verdicts(&[], Some(&known), &[]);
        assert!(
            of(&verdicts, ConditionType::ResolvedRefs).2.contains("No metadata name the issuer https://idp.example,")
        );
    }
}
