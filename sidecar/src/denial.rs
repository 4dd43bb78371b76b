//! A refusal, and the one place where it becomes HTTP: status, `WWW-Authenticate`, `Retry-After` and a JSON-RPC error.
//!
//! Status codes and challenges follow the MCP specification (authorization, transports), RFC 6750, RFC 9728 and RFC 6585.
//! Nothing of a token, a policy's inner working or an upstream's error text ever gets into an answer.

mod answer;
mod challenge;
mod tunnel;

pub use answer::{DPOP_NONCE, respond, standing_headers, status_of};
pub use challenge::Challenge;
pub use tunnel::{PROXY_STATUS, refuse_tunnel};

use crate::limiter::Standing;
use serde_json::Value;
use std::borrow::Cow;
use std::time::Duration;
use tollward_policy::operation::Era;
use tollward_policy::reason::Reason;

/// Why a request is refused, with what the caller needs to know to do better.
#[derive(Debug, Clone, PartialEq)]
pub struct Denial {
    /// The reason, which decides the status.
    pub reason: Reason,
    /// Boxed, since nearly every request ends without one.
    details: Box<Details>,
}

#[derive(Debug, Clone, PartialEq, Default)]
struct Details {
    text: Option<Cow<'static, str>>,
    /// For the audit record alone.
    record: Option<String>,
    advice: Option<&'static str>,
    rule: Option<String>,
    challenge: Option<Challenge>,
    rpc: Option<RpcError>,
    retry_after: Option<Duration>,
    allow: Option<&'static str>,
    era: Option<Era>,
    standings: Vec<Standing>,
}

/// The JSON-RPC side of a refusal, where the message was understood well enough.
#[derive(Debug, Clone, PartialEq)]
struct RpcError {
    code: Option<i64>,
    message: Option<String>,
    data: Option<Value>,
    /// Raw JSON of the request's id.
    id: Option<String>,
}

impl Denial {
    /// A refusal for a reason alone.
    pub fn new(reason: Reason) -> Self {
        Self { reason, details: Box::default() }
    }

    /// Says what exactly is wrong, free of secrets and of what the caller sent.
    #[must_use]
    pub fn detail(mut self, detail: impl Into<Cow<'static, str>>) -> Self {
        self.details.text = Some(detail.into());
        self
    }

    /// Says in the audit record alone what exactly is wrong: a policy's inner working is not for the caller.
    #[must_use]
    pub fn record(mut self, record: String) -> Self {
        self.details.record = Some(record);
        self
    }

    /// What to change at the identity provider. It is recorded, and callers are not told.
    #[must_use]
    pub fn advice(mut self, advice: Option<&'static str>) -> Self {
        self.details.advice = advice;
        self
    }

    /// Names the rule that decided.
    #[must_use]
    pub fn rule(mut self, rule: impl Into<String>) -> Self {
        self.details.rule = Some(rule.into());
        self
    }

    /// Tells the caller how to get a better token.
    #[must_use]
    pub fn challenge(mut self, challenge: Challenge) -> Self {
        self.details.challenge = Some(challenge);
        self
    }

    /// Tells the caller when to come back.
    #[must_use]
    pub fn retry_after(mut self, wait: Duration) -> Self {
        self.details.retry_after = Some(wait);
        self
    }

    /// Names the HTTP methods that are served (RFC 9110 section 15.5.6).
    #[must_use]
    pub fn allow(mut self, methods: &'static str) -> Self {
        self.details.allow = Some(methods);
        self
    }

    /// Puts a code of the JSON-RPC or MCP specification in place of our own.
    #[must_use]
    pub fn rpc(mut self, code: i64, message: String, data: Option<Value>) -> Self {
        let id = self.details.rpc.and_then(|rpc| rpc.id);
        self.details.rpc = Some(RpcError { code: Some(code), message: Some(message), data, id });
        self
    }

    /// Answers the request of this id, given as raw JSON.
    #[must_use]
    pub fn id(mut self, id: Option<String>) -> Self {
        match &mut self.details.rpc {
            Some(rpc) => rpc.id = id,
            None => self.details.rpc = Some(RpcError { code: None, message: None, data: None, id }),
        }
        self
    }

    /// Answers in the manner of this era.
    #[must_use]
    pub fn era(mut self, era: Era) -> Self {
        self.details.era = Some(era);
        self
    }

    /// Tells how the limits stand.
    #[must_use]
    pub fn standings(mut self, standings: Vec<Standing>) -> Self {
        self.details.standings = standings;
        self
    }

    /// What exactly is wrong.
    pub fn text(&self) -> Option<&str> {
        self.details.text.as_deref()
    }

    /// What exactly is wrong, for the audit record.
    pub fn recorded(&self) -> Option<&str> {
        self.details.record.as_deref().or(self.text())
    }

    /// What to change at the identity provider, for the audit record.
    pub fn recorded_advice(&self) -> Option<&'static str> {
        self.details.advice
    }

    /// The rule that decided.
    pub fn decided_by(&self) -> Option<&str> {
        self.details.rule.as_deref()
    }

    /// The limits, for the audit record.
    pub fn limits(&self) -> &[Standing] {
        &self.details.standings
    }

    /// Code of the JSON-RPC error in the answer.
    pub fn rpc_code(&self) -> i64 {
        let own = i64::from(status_of(self).as_u16());
        self.details.rpc.as_ref().and_then(|rpc| rpc.code).unwrap_or(own)
    }
}

#[cfg(test)]
mod tests;
