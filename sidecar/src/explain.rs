//! What would happen to a call, and why: the decisions of the pipeline, by the pipeline's own code, without sending anything.
//!
//! Flow: authenticate -> envelope -> authorize -> limits -> the token as content, as in [`crate::pipeline`]. Nothing is charged, recorded or
//! forwarded. What is left out is what only a connection has: Host, Origin, sessions, capacity and earlier calls.
//!
//! An [`Explanation`] holds no part of the token but verified claims that say who calls.

use crate::authenticate::{Presented, Refusal};
use crate::envelope;
use crate::pipeline;
use crate::snapshot::Route;
use bytes::Bytes;
use http::{HeaderMap, Method};
use serde::Serialize;
use tollward_policy::condition::Outcome;
use tollward_policy::limits::Counted;
use tollward_policy::principal::{Membership, Principal};
use tollward_policy::reason::Reason;
use tollward_policy::rules::{Action, Judgement, Verdict};

/// What would happen to a call, and why.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Explanation {
    /// `namespace/name` of the server.
    pub server: String,
    /// What it comes to.
    pub decision: Decision,
    /// The reason, as in answers and audit records.
    pub reason: Reason,
    /// What exactly, where the reason does not say all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// Who calls, as far as it was verified.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub caller: Option<Caller>,
    /// Protocol revision of the call.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub revision: Option<&'static str>,
    /// The rule that decided.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
    /// Scopes that a step-up challenge would ask for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub missing_scopes: Vec<String>,
    /// Every rule that is about the call, in order.
    pub rules: Vec<RuleExplanation>,
    /// The limits that would be charged, in their order.
    pub limits: Vec<LimitExplanation>,
}

/// What it comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Decision {
    /// The call would be let through, if its limits are not exhausted.
    Allow,
    /// It would be refused.
    Deny,
    /// It can't be told: the provider's keys could not be fetched, or it can't be asked about the token.
    Unknown,
}

/// The verified caller.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Caller {
    /// `iss`.
    pub issuer: String,
    /// The subject.
    pub subject: String,
    /// The OAuth client.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client: Option<String>,
    /// Granted scopes.
    pub scopes: Vec<String>,
    /// Groups; absent if they are unknown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub groups: Option<Vec<String>>,
    /// Roles; absent if they are unknown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub roles: Option<Vec<String>>,
    /// `exp`, seconds since the epoch.
    pub expires_at: i64,
}

/// What one rule says.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RuleExplanation {
    /// Its name.
    pub name: String,
    /// What it does.
    pub action: Action,
    /// Scopes that the caller lacks.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub missing_scopes: Vec<String>,
    /// Its condition.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub condition: Option<String>,
    /// What the condition comes to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub outcome: Option<String>,
    /// True if the rule applies: an Allow that permits, a Deny that refuses.
    pub applies: bool,
}

/// A limit that would be charged.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LimitExplanation {
    /// `policy/limit`.
    pub limit: String,
    /// The caller's tier.
    pub tier: String,
    /// Most requests in a window.
    pub requests: u32,
    /// The window in seconds.
    pub window_seconds: u64,
    /// Most requests at once.
    pub burst: u32,
    /// As many requests the call counts for.
    pub cost: u32,
}

/// Explains a POST with these headers and this body, of which `most` bytes would be read, at a time, in seconds since the epoch.
pub async fn explain(route: &Route, headers: &HeaderMap, body: &Bytes, most: u32, now: i64) -> Explanation {
    let mut explanation = Explanation {
        server: route.name.clone(),
        decision: Decision::Deny,
        reason: Reason::InternalError,
        detail: None,
        caller: None,
        revision: None,
        rule: None,
        missing_scopes: Vec::new(),
        rules: Vec::new(),
        limits: Vec::new(),
    };
    // No proof of a key: there is no connection that one could be about.
    let presented = Presented { headers, method: &Method::POST, certificate: None };
    let principal = match route.authenticator.authenticate(presented, |_| Ok(())).await {
        Ok(authenticated) => authenticated.principal,
        Err(refusal) => return explanation.refused(&refusal),
    };
    explanation.caller = caller(&principal);
    if body.len() > most as usize {
        explanation.reason = Reason::BodyTooLarge;
        return explanation;
    }
    let message = match envelope::read(headers, body) {
        Ok(message) => message,
        Err(refused) => {
            explanation.reason = refused.reason;
            explanation.detail = Some(refused.message);
            return explanation;
        }
    };
    explanation.revision = Some(message.revision().as_str());
    explanation.judge(route, &principal, &message, now);
    if explanation.decision == Decision::Allow && pipeline::repeats_token(headers, &message, body) {
        // No rule decided that, and the limits are charged before it is looked for.
        explanation.decision = Decision::Deny;
        explanation.reason = Reason::TokenInCall;
        explanation.rule = None;
    }
    explanation
}

impl Explanation {
    fn refused(mut self, refusal: &Refusal) -> Self {
        self.reason = refusal.reason;
        self.detail = Some(refusal.detail.to_owned());
        if matches!(refusal.reason, Reason::KeysUnavailable | Reason::IntrospectionUnavailable) {
            self.decision = Decision::Unknown;
        }
        if let Some(denied) = &refusal.denied {
            self.caller = caller(&denied.principal);
            self.rule = Some(denied.entry.clone());
        }
        self
    }

    fn judge(&mut self, route: &Route, principal: &Principal, message: &envelope::Message, now: i64) {
        let operation = message.operation();
        let (held, verdict) = pipeline::judge(route, principal, message, now);
        self.reason = verdict.reason();
        self.rule = verdict.rule().map(str::to_owned);
        if let Verdict::StepUp(_, scopes) = &verdict {
            self.missing_scopes = scopes.iter().map(ToString::to_string).collect();
        }
        let facts = pipeline::facts(principal, message, now);
        let judgements = route.rules.explain(operation, &held, &facts, &route.catalogue);
        self.rules = judgements.into_iter().map(rule).collect();
        if let Verdict::Allow(_) = verdict {
            self.decision = Decision::Allow;
            let counted = Counted { principal, operation, target_known: true, server: &route.name, address: "" };
            self.limits = route.limits.charges(&counted).iter().map(limit).collect();
        }
    }
}

fn rule(judgement: Judgement) -> RuleExplanation {
    let Judgement { rule, action, missing, condition, verdict } = judgement;
    let (condition, outcome): (Option<String>, Option<Outcome>) = condition.unzip();
    RuleExplanation {
        name: rule.to_string(),
        action,
        missing_scopes: missing.iter().map(ToString::to_string).collect(),
        condition,
        outcome: outcome.map(|outcome| outcome.to_string()),
        applies: matches!(verdict, Some(Verdict::Allow(_) | Verdict::Deny(_))),
    }
}

fn limit(charge: &tollward_policy::limits::Charge<'_>) -> LimitExplanation {
    LimitExplanation {
        limit: charge.id.to_owned(),
        tier: charge.tier.to_owned(),
        requests: charge.rate.requests,
        window_seconds: charge.rate.window.as_secs(),
        burst: charge.rate.burst.get(),
        cost: charge.cost,
    }
}

fn caller(principal: &Principal) -> Option<Caller> {
    let known = |membership: &Membership| match membership {
        Membership::Known(names) => Some(names.clone()),
        Membership::Unknown => None,
    };
    principal.token().map(|token| Caller {
        issuer: token.issuer.clone(),
        subject: token.subject.clone(),
        client: token.client.clone(),
        scopes: token.scopes.clone(),
        groups: known(&token.groups),
        roles: known(&token.roles),
        expires_at: token.expires_at,
    })
}
