//! What is wrong with a specification: each finding becomes a condition.

use std::fmt;
use tollward_api::condition::{ConditionReason, ConditionType};
use tollward_policy::config::Problem;

/// Whose fault it is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Subject {
    /// The server itself.
    Server,
    /// A rate limit policy of its namespace.
    Policy(String),
    /// An identity provider, as `namespace/name`.
    Provider(String),
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Whose fault it is.
    pub subject: Subject,
    /// The condition that is false because of it.
    pub condition: ConditionType,
    /// The condition's reason.
    pub reason: ConditionReason,
    /// What is wrong, where, and what to do.
    pub message: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { subject, condition: _, reason, message } = self;
        match subject {
            Subject::Server => write!(formatter, "{reason}: {message}"),
            Subject::Policy(name) => write!(formatter, "{reason}: RateLimitPolicy `{name}`: {message}"),
            Subject::Provider(name) => write!(formatter, "{reason}: IdentityProvider `{name}`: {message}"),
        }
    }
}

/// Collects findings about one subject after the other.
#[derive(Debug, Default)]
pub(crate) struct Findings(Vec<Finding>);

impl Findings {
    /// The specification of the server can't be accepted.
    pub(crate) fn server(&mut self, reason: ConditionReason, message: impl Into<String>) {
        self.push(Subject::Server, ConditionType::Accepted, reason, message);
    }

    /// A reference of the server can't be resolved.
    pub(crate) fn reference(&mut self, reason: ConditionReason, message: impl Into<String>) {
        self.push(Subject::Server, ConditionType::ResolvedRefs, reason, message);
    }

    /// Any finding.
    pub(crate) fn push(
        &mut self,
        subject: Subject,
        condition: ConditionType,
        reason: ConditionReason,
        message: impl Into<String>,
    ) {
        self.0.push(Finding { subject, condition, reason, message: message.into() });
    }

    /// Keeps the value of a result, or its error as a finding about the server.
    pub(crate) fn keep<T, E: fmt::Display>(
        &mut self,
        reason: ConditionReason,
        place: &str,
        result: Result<T, E>,
    ) -> Option<T> {
        result.map_err(|error| self.server(reason, format!("{place}: {error}"))).ok()
    }

    /// Everything that was found.
    pub(crate) fn into_vec(self) -> Vec<Finding> {
        self.0
    }

    /// True if nothing was found.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// What the data plane would refuse.
pub(crate) fn rejected(problems: &[Problem]) -> Vec<Finding> {
    problems
        .iter()
        .map(|problem| Finding {
            subject: Subject::Server,
            condition: ConditionType::Accepted,
            reason: ConditionReason::Rejected,
            message: problem.to_string(),
        })
        .collect()
}
