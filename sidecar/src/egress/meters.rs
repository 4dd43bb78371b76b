//! Metrics of tunnels. What became of requests for them is in the metrics of records.

use super::tunnel::Carried;
use opentelemetry::KeyValue;
use opentelemetry::metrics::{Counter, UpDownCounter};
use tollward_telemetry::Telemetry;
use tollward_telemetry::names::{attribute, metric, value};

/// Open tunnels, and what went through them.
pub(crate) struct Meters {
    tunnels: UpDownCounter<i64>,
    carried: Counter<u64>,
}

/// An open tunnel, until it is dropped.
pub(crate) struct Open<'m>(&'m Meters);

impl Meters {
    pub(crate) fn new(telemetry: &Telemetry) -> Self {
        let meter = telemetry.meter();
        Self {
            tunnels: meter.i64_up_down_counter(metric::TOLLWARD_EGRESS_TUNNELS).build(),
            carried: meter.u64_counter(metric::TOLLWARD_EGRESS_IO).with_unit("By").build(),
        }
    }

    /// A tunnel is open.
    pub(crate) fn open(&self) -> Open<'_> {
        self.tunnels.add(1, &[]);
        Open(self)
    }

    /// So much went through a tunnel.
    pub(crate) fn carried(&self, carried: &Carried) {
        let direction = |direction: &'static str| [KeyValue::new(attribute::NETWORK_IO_DIRECTION, direction)];
        self.carried.add(carried.up(), &direction(value::TRANSMIT));
        self.carried.add(carried.down(), &direction(value::RECEIVE));
    }
}

impl Drop for Open<'_> {
    fn drop(&mut self) {
        self.0.tunnels.add(-1, &[]);
    }
}
