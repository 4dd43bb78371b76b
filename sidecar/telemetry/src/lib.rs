//! OpenTelemetry for the sidecar, the operator and the broker: one set-up, one list of names.
//!
//! Flow: [`Settings::from_lookup`] reads the environment -> [`Telemetry::start`] builds providers and exporters ->
//! [`Telemetry::install_subscriber`] makes the log global, if the caller is a program -> [`Telemetry::shutdown`].
//! [`Propagation`] carries trace context from one request to the next, [`AuditDelivery`] carries audit records to the
//! collector and says whether they arrived.
//!
//! Guarantees: nothing here blocks or fails a request. Queues are bounded; a collector that is down costs records, which
//! are counted, and a few log lines in five minutes. Nothing global is touched unless [`Telemetry::install_subscriber`] is
//! called. No header value, token or answer of a collector reaches the log.
//!
//! It must not know what a request is: what is recorded, and which values may become labels, is decided by its users. It
//! depends on no other crate of Tollward.

mod audit;
pub mod context;
mod error;
mod export;
mod logging;
mod loss;
pub mod names;
mod resource;
mod sampling;
pub mod settings;
mod setup;
mod shutdown;
#[cfg(any(test, feature = "testing"))]
mod testing;
mod views;

pub use audit::{AuditDelivery, DeliveryError};
pub use context::{Fields, Inbound, Propagation};
pub use error::SetupError;
pub use resource::ServiceIdentity;
pub use settings::{Settings, SettingsError};
pub use setup::{PROMETHEUS_CONTENT_TYPE, Telemetry};
pub use shutdown::ShutdownError;
#[cfg(any(test, feature = "testing"))]
pub use testing::InMemory;
pub use views::{HTTP_SECONDS, MCP_SECONDS};
