//! The way out: OTLP exporters, or their absence, behind one interface.
//!
//! With the feature `otlp` an exporter is built and put behind the SDK's bounded queue; without it the same calls refuse.
//! A configured address is never silently ignored: an audit trail that goes nowhere must be noticed at start.

#[cfg(not(feature = "otlp"))]
mod absent;
#[cfg(feature = "otlp")]
mod otlp;

#[cfg(not(feature = "otlp"))]
pub(crate) use absent::Exporters;
#[cfg(feature = "otlp")]
pub(crate) use otlp::Exporters;
