//! The steps, in the order in which they are played. Each shows what it does, checks every answer, and returns what the
//! next ones need.

pub(super) mod audit;
pub(super) mod bad_tokens;
pub(super) mod discovery;
pub(super) mod edit;
pub(super) mod limits;
pub(super) mod no_token;
pub(super) mod read;
pub(super) mod refused_write;
pub(super) mod registration;
pub(super) mod sign_in;
pub(super) mod step_up;
pub(super) mod token;
pub(super) mod tools;
pub(super) mod write;

/// How many there are, without the one that edits the policy.
pub(super) const COUNT: usize = 13;
