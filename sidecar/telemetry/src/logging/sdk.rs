//! Keeps the messages of the SDK, and those about what it lost, few and harmless.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use tracing::{Event, Level, Metadata, callsite::Identifier};
use tracing_subscriber::layer::{Context, Filter};

use crate::loss;

/// How long a message stays silent after it was printed once.
const SILENCE: Duration = Duration::from_mins(5);

/// Lets each message of the OpenTelemetry crates through once in [`SILENCE`], and none below `INFO`: their debug messages
/// hold collectors' answers, which may repeat the credentials that were sent. Everything else passes.
pub(super) struct Quiet<C> {
    clock: C,
    /// Bounded by the number of messages in the SDK's source.
    printed: Mutex<HashMap<Identifier, Instant>>,
}

impl<C> Quiet<C> {
    pub(super) fn new(clock: C) -> Self {
        Self { clock, printed: Mutex::new(HashMap::new()) }
    }
}

fn is_sdk(metadata: &Metadata<'_>) -> bool {
    metadata.target().starts_with("opentelemetry") || metadata.target() == loss::TARGET
}

impl<S, C: Fn() -> Instant> Filter<S> for Quiet<C> {
    fn enabled(&self, metadata: &Metadata<'_>, _: &Context<'_, S>) -> bool {
        !is_sdk(metadata) || *metadata.level() <= Level::INFO
    }

    fn event_enabled(&self, event: &Event<'_>, _: &Context<'_, S>) -> bool {
        if !is_sdk(event.metadata()) {
            return true;
        }
        let now = (self.clock)();
        let mut printed = self.printed.lock().unwrap_or_else(PoisonError::into_inner);
        let last = printed.get(&event.metadata().callsite());
        if last.is_some_and(|last| now.saturating_duration_since(*last) < SILENCE) {
            return false;
        }
        printed.insert(event.metadata().callsite(), now);
        true
    }
}
