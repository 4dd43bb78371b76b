//! One record per request on the public listener, allowed or refused.
//!
//! Flow: [`Auditor::begin`] opens a [`Trail`] with the request; stages add what they learn; before the first byte goes
//! upstream [`Trail::intend`] makes the intent known to every sink, and a sink that fails stops the call; the record
//! closes when the answer's last byte is out, when the request is refused, or when the client vanishes.
//!
//! Guarantees: exactly one close per begin, also when a future is dropped. Only verified facts about the caller; never a
//! token or a raw session id.

mod limits;
mod lines;
mod otel;
mod record;
mod redact;
mod sink;
mod trail;
mod tunnel;

pub use lines::{LinesSink, LinesWriter};
pub use otel::OtelSink;
pub use record::{BoundTo, Call, Caller, Decision, Ended, HttpFacts, LimitState, Outcome, Record, Shown};
pub use redact::Redactor;
pub use sink::{AuditSink, Fanout, SinkError};
pub use trail::{Auditor, Trail};
pub use tunnel::Tunnel;

#[cfg(test)]
mod tests;
