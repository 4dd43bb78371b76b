//! An audit record in words for a person.

use crate::screen::{Screen, Tone, printable};
use tollward_sidecar::audit::{Caller, Ended, Record};

/// Most characters of a text that somebody else chose.
const MOST: usize = 60;

/// `12:04:31.120  deny   403  tools/call add_to_cart  ada  scope_insufficient  0.4 ms`
pub(crate) fn line(record: &Record, screen: &Screen) -> String {
    let decision = if record.decision.allowed { ("allow", Tone::Good) } else { ("deny ", Tone::Bad) };
    let outcome = record.outcome.as_ref();
    let status =
        outcome.and_then(|outcome| outcome.status).map_or_else(|| "---".to_owned(), |status| status.to_string());
    let mut parts = vec![
        screen.paint(Tone::Quiet, time(&record.time)),
        screen.paint(decision.1, decision.0),
        status,
        screen.paint(Tone::Strong, &what(record)),
        who(record),
    ];
    parts.extend(why(record).map(|why| screen.paint(decision.1, &why)));
    parts.extend(outcome.map(|outcome| screen.paint(Tone::Quiet, &latency(outcome.latency_micros))));
    parts.join("  ")
}

/// The time of day of an RFC 3339 text, with milliseconds.
fn time(rfc3339: &str) -> &str {
    rfc3339.get(11..23).unwrap_or(rfc3339)
}

/// The call, or the request if it was not understood as one.
pub(crate) fn what(record: &Record) -> String {
    let call = record.call.as_ref().map(|call| (call.method.as_str(), call.target.as_deref()));
    in_words::what(call, (&record.http.method, &record.http.path))
}

/// The verified caller.
pub(crate) fn who(record: &Record) -> String {
    match &record.caller {
        Some(Caller::Token { subject, .. }) => in_words::who(Some(subject)),
        Some(Caller::Anonymous {}) => in_words::who(None),
        None => in_words::NOBODY.to_owned(),
    }
}

/// The same words for records that come as text.
pub(crate) mod in_words {
    use super::short;

    /// Of the call's method and target, or else of the request's method and path.
    pub(crate) fn what(call: Option<(&str, Option<&str>)>, (method, path): (&str, &str)) -> String {
        match call {
            Some((method, Some(target))) => format!("{} {}", short(method), short(target)),
            Some((method, None)) => short(method),
            None => format!("{} {}", short(method), short(path)),
        }
    }

    /// Of a request whose caller was not verified.
    pub(crate) const NOBODY: &str = "nobody";

    /// Of the verified caller, who may have no name.
    pub(crate) fn who(subject: Option<&str>) -> String {
        subject.map_or_else(|| "anonymous".to_owned(), short)
    }
}

/// The reason, if there is more to say than that all went well.
fn why(record: &Record) -> Option<String> {
    let ended = record.outcome.as_ref().map(|outcome| outcome.ended);
    let ended = match ended {
        Some(Ended::ClientGone) => Some("client gone"),
        Some(Ended::UpstreamBroke) => Some("server broke off"),
        Some(Ended::TokenExpired) => Some("token expired"),
        Some(Ended::Draining) => Some("draining"),
        Some(Ended::Revoked) => Some("revoked"),
        Some(Ended::Idle) => Some("idle"),
        Some(Ended::TimeLimit) => Some("time limit"),
        Some(Ended::Complete) | None => None,
    };
    if record.decision.allowed {
        let failed = record.outcome.as_ref().is_some_and(|outcome| outcome.tool_error);
        return ended.or(failed.then_some("the tool reports an error")).map(str::to_owned);
    }
    let rule = record.decision.rule.as_ref().map(|rule| format!(" by rule {}", short(rule)));
    Some(format!("{}{}", record.decision.reason, rule.unwrap_or_default()))
}

fn latency(micros: u64) -> String {
    format!("{}.{} ms", micros / 1000, micros % 1000 / 100)
}

fn short(text: &str) -> String {
    let mut kept: String = text.chars().take(MOST).collect();
    if text.chars().nth(MOST).is_some() {
        kept.push('…');
    }
    printable(&kept)
}

#[cfg(test)]
pub(crate) mod testing {
    //! A record, for tests.

    use tollward_policy::reason::Reason;
    use tollward_sidecar::audit::{Call, Caller, Decision, Ended, HttpFacts, Outcome, Record};

    pub(crate) fn record() -> Record {
        let text = str::to_owned;
        Record {
            version: 1,
            id: text("id"),
            stream: text("stream"),
            seq: 1,
            time: text("2026-11-23T12:04:31.120456789Z"),
            trace_id: None,
            server: None,
            http: HttpFacts {
                method: text("POST"),
                path: text("/mcp"),
                version: text("HTTP/1.1"),
                peer: text("127.0.0.1"),
                client: None,
                user_agent: None,
            },
            caller: Some(Caller::Token {
                issuer: text("http://127.0.0.1:8081"),
                subject: text("Ada"),
                client: None,
                token_id: None,
                bound_to: None,
                scopes: vec![],
                claims: serde_json::Map::new(),
            }),
            call: Some(Call {
                revision: text("2026-07-28"),
                method: text("tools/call"),
                target: Some(text("get_product")),
                request_id: None,
                arguments: None,
                more_targets: Vec::new(),
                bytes_in: 10,
                target_known: true,
            }),
            decision: Decision {
                allowed: true,
                reason: Reason::Allowed,
                detail: None,
                advice: None,
                rule: None,
                denied_by: None,
                policy_digest: None,
            },
            limits: vec![],
            upstream_identity: None,
            tunnel: None,
            outcome: Some(Outcome {
                status: Some(200),
                rpc_code: None,
                tool_error: false,
                determined: true,
                ended: Ended::Complete,
                latency_micros: 3210,
                bytes_out: 7,
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::line;
    use super::testing::record;
    use crate::screen::testing::screen;
    use tollward_policy::reason::Reason;
    use tollward_sidecar::audit::Call;

    #[test]
    fn an_allowed_call_says_who_did_what_and_how_fast() {
        assert_eq!(line(&record(), &screen().0), "12:04:31.120  allow  200  tools/call get_product  Ada  3.2 ms");
    }

    #[test]
    fn a_refusal_says_why_and_by_which_rule() {
        let mut refused = record();
        refused.decision.allowed = false;
        refused.decision.reason = Reason::ScopeInsufficient;
        refused.decision.rule = Some("cart".into());
        assert!(
            line(&refused, &screen().0)
                .contains("deny   200  tools/call get_product  Ada  scope_insufficient by rule cart")
        );
    }

    #[test]
    fn what_nobody_understood_is_shown_as_a_request_of_nobody() {
        let mut unknown = record();
        unknown.caller = None;
        unknown.call = None;
        assert!(line(&unknown, &screen().0).contains("POST /mcp  nobody"));
    }

    #[test]
    fn hostile_names_can_neither_steer_the_terminal_nor_fill_it() {
        let mut hostile = record();
        let target = format!("\u{1b}[2J{}", "x".repeat(500));
        hostile.call = hostile.call.map(|call| Call { target: Some(target), ..call });
        let shown = line(&hostile, &screen().0);
        assert!(!shown.chars().any(char::is_control), "{shown}");
        assert!(shown.chars().count() < 200, "{shown}");
    }
}
