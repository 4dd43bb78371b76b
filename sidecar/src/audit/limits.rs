//! What limits charged, refused and left, as metrics. Labels are names that policies gave: never a caller's.

use super::record::{LimitState, NOBODY};
use opentelemetry::KeyValue;
use opentelemetry::metrics::{Counter, Histogram, Meter};
use tollward_telemetry::names::{attribute, metric};

/// Parts of a burst: the first is of callers that have nothing left, the last of those that have hardly called.
const PARTS: [f64; 6] = [0.0, 0.1, 0.25, 0.5, 0.75, 0.9];

/// Counts by limit and tier.
pub(super) struct LimitMetrics {
    charges: Counter<u64>,
    rejections: Counter<u64>,
    headroom: Histogram<f64>,
}

impl LimitMetrics {
    pub(super) fn new(meter: &Meter) -> Self {
        Self {
            charges: meter.u64_counter(metric::TOLLWARD_RATELIMIT_CHARGES).build(),
            rejections: meter.u64_counter(metric::TOLLWARD_RATELIMIT_REJECTIONS).build(),
            headroom: meter
                .f64_histogram(metric::TOLLWARD_RATELIMIT_HEADROOM)
                .with_unit("1")
                .with_boundaries(PARTS.to_vec())
                .build(),
        }
    }

    /// A call that one limit refused was given back what others charged, but for those of its address.
    pub(super) fn measure(&self, limits: &[LimitState]) {
        let refused = limits.iter().any(|limit| limit.exceeded);
        for limit in limits {
            let labels = [
                KeyValue::new(attribute::TOLLWARD_RATELIMIT_NAME, limit.limit.clone()),
                KeyValue::new(attribute::TOLLWARD_RATELIMIT_TIER, limit.tier.clone()),
            ];
            if limit.exceeded {
                self.rejections.add(1, &labels);
            } else if limit.counted_by != Some(NOBODY) && (!refused || limit.tier.is_empty()) {
                self.charges.add(limit.cost.into(), &labels);
                self.headroom.record(f64::from(limit.remaining) / f64::from(limit.burst.max(1)), &labels);
            }
        }
    }
}
