//! Places in the queues before the exporters: `OTEL_BSP_MAX_QUEUE_SIZE` and `OTEL_BLRP_MAX_QUEUE_SIZE`.
//!
//! They are read here and not by the SDK, since what does not fit is counted in front of its queue and both must agree
//! on the size. The SDK would also take a typo for the default.

use super::{Environment, SettingsError, unknown};

/// Places unless a variable says otherwise (OpenTelemetry specification, "Environment Variable Specification").
const DEFAULT: usize = 2048;
/// Most places: a queue is memory that a dead collector fills.
const MOST: usize = 65_536;

/// How many spans and log records may wait for an exporter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Queues {
    /// Spans.
    pub spans: usize,
    /// Log records, and as many audit records in a queue of their own.
    pub logs: usize,
}

pub(super) fn settings(environment: &Environment<'_>) -> Result<Queues, SettingsError> {
    Ok(Queues {
        spans: places(environment, "OTEL_BSP_MAX_QUEUE_SIZE")?,
        logs: places(environment, "OTEL_BLRP_MAX_QUEUE_SIZE")?,
    })
}

fn places(environment: &Environment<'_>, variable: &'static str) -> Result<usize, SettingsError> {
    let Some(value) = environment.value(variable)? else {
        return Ok(DEFAULT);
    };
    match value.parse::<usize>() {
        Ok(places @ 1..=MOST) => Ok(places),
        Ok(_) | Err(_) => Err(unknown(variable, &value, "a whole number from 1 to 65536")),
    }
}
