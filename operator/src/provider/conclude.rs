//! What is known of a provider, as conditions. Pure.

use crate::condition::{Holds, Verdict};
use crate::discovery::Discovered;
use crate::report::ProviderState;
use tollward_api::condition::{ConditionReason, ConditionType};
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
    discovered: Option<&Result<Discovered, String>>,
    reports: &[(String, ProviderState)],
) -> Vec<Verdict> {
    with_ready(vec![accepted(findings), resolved(discovered), programmed(reports)])
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

fn resolved(discovered: Option<&Result<Discovered, String>>) -> Verdict {
    let kind = ConditionType::ResolvedRefs;
    match discovered {
        None => Verdict::unknown(kind, ConditionReason::Pending, "The issuer has not been asked yet."),
        Some(Err(error)) => Verdict::no(kind, ConditionReason::DiscoveryFailed, error.as_str()),
        Some(Ok(Discovered { keys, pkce, registration, client_documents, introspection })) => {
            let says = |has: bool| if has { "yes" } else { "no" };
            let asked = introspection.as_ref().map(|url| format!(" Tokens are introspected at {url}."));
            let message = format!(
                "The issuer's metadata and {keys} keys were fetched. PKCE with S256: {}. Dynamic client registration: {}. Client \
                 ID metadata documents: {}.{}",
                says(*pkce),
                says(*registration),
                says(*client_documents),
                asked.unwrap_or_default()
            );
            Verdict::yes(kind, ConditionReason::ResolvedRefs, message)
        }
    }
}

fn programmed(reports: &[(String, ProviderState)]) -> Verdict {
    let kind = ConditionType::Programmed;
    if reports.is_empty() {
        return Verdict::unknown(kind, ConditionReason::Pending, "No server that uses the provider has reported yet.");
    }
    let unready: Vec<_> = reports.iter().filter(|(_, state)| !state.ready).collect();
    let unasked = |(pod, state): &(String, ProviderState)| {
        state.introspection_error.as_ref().map(|error| format!("{pod}: {error}"))
    };
    let unasked: Vec<_> = reports.iter().filter_map(unasked).collect();
    if unready.is_empty() && !unasked.is_empty() {
        let first: Vec<_> = unasked.iter().take(3).map(String::as_str).collect();
        let message = format!(
            "{} of {} replicas can't ask the issuer about tokens: {}",
            unasked.len(),
            reports.len(),
            first.join("; ")
        );
        return Verdict::no(kind, ConditionReason::IntrospectionFailed, message);
    }
    if unready.is_empty() {
        return Verdict::yes(kind, ConditionReason::Programmed, format!("{} replicas have its keys.", reports.len()));
    }
    let says = |(pod, state): &&(String, ProviderState)| {
        format!("{pod}: {}", state.error.as_deref().unwrap_or("keys were not fetched yet"))
    };
    let first: Vec<_> = unready.iter().copied().take(3).map(|entry| says(&entry)).collect();
    let message = format!("{} of {} replicas have no keys: {}", unready.len(), reports.len(), first.join("; "));
    Verdict::no(kind, ConditionReason::DiscoveryFailed, message)
}

/// Ready means that tokens can be verified, as far as anybody knows. A provider that nobody uses yet may be ready.
fn with_ready(mut verdicts: Vec<Verdict>) -> Vec<Verdict> {
    let kind = ConditionType::Ready;
    let blocks = |verdict: &&Verdict| match verdict.condition {
        ConditionType::Programmed => verdict.holds == Holds::False,
        ConditionType::Accepted
        | ConditionType::ResolvedRefs
        | ConditionType::UpstreamIdentity
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
    use super::{unreadable, verdicts};
    use crate::condition::{Holds, Verdict};
    use crate::discovery::Discovered;
    use crate::report::ProviderState;
    use tollward_api::condition::{ConditionReason, ConditionType};

    const fn found() -> Discovered {
        Discovered { keys: 2, pkce: true, registration: false, client_documents: false, introspection: None }
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
        let verdicts = verdicts(&[], Some(&Ok(found())), &[]);
        assert_eq!(of(&verdicts, ConditionType::Ready).0, Holds::True);
        let message = of(&verdicts, ConditionType::ResolvedRefs).2;
        assert!(message.contains("S256: yes") && message.contains("registration: no"), "{message}");
    }

    #[test]
    fn a_provider_that_refuses_a_replica_s_questions_is_not_ready_and_says_what_to_do() {
        let mut refused = state(true);
        refused.1.introspection_error = Some("check introspection.client".into());
        let verdicts = verdicts(&[], Some(&Ok(found())), &[state(true), refused]);
        let (holds, reason, message) = of(&verdicts, ConditionType::Ready);
        assert_eq!((holds, reason), (Holds::False, ConditionReason::IntrospectionFailed));
        assert!(message.contains("1 of 2") && message.contains("check introspection.client"), "{message}");
    }

    #[test]
    fn where_tokens_are_introspected_is_told() {
        let found = Discovered { introspection: Some("https://idp.example/introspect".into()), ..found() };
        let verdicts = verdicts(&[], Some(&Ok(found)), &[]);
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
        let verdicts = verdicts(&[], Some(&Ok(found())), &[state(true), state(false)]);
        let (holds, reason, message) = of(&verdicts, ConditionType::Ready);
        assert_eq!((holds, reason), (Holds::False, ConditionReason::DiscoveryFailed));
        assert!(message.contains("1 of 2") && message.contains("timeout"), "{message}");
    }

    #[test]
    fn a_provider_of_a_newer_version_is_unsupported() {
        assert_eq!(of(&unreadable("x"), ConditionType::Ready).1, ConditionReason::Unsupported);
    }
}
