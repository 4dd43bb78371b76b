//! Why telemetry could not be set up, for the set-up and its exporters alike.
//!
//! It names the variable or address to look at. It never holds a header's value, which may be a credential.

use std::path::PathBuf;

use crate::settings::SettingsError;

/// Why telemetry could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// The settings don't hold what they promised.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// gRPC outside of a runtime.
    #[error(
        "exporting to {address} over gRPC needs a Tokio runtime: start telemetry inside of it, or use \
             OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf"
    )]
    NoRuntime {
        /// The collector.
        address: String,
    },
    /// A build without the feature `otlp`, told to export.
    #[error(
        "this build can't export to {address}: unset OTEL_EXPORTER_OTLP_ENDPOINT, set OTEL_SDK_DISABLED=true, or \
             use a build with the feature otlp"
    )]
    OtlpNotBuilt {
        /// The collector.
        address: String,
    },
    /// The file with the certificates to trust is unreadable, empty or broken.
    #[error("OTEL_EXPORTER_OTLP_CERTIFICATE names {}, which can't be used: {problem}", path.display())]
    Certificate {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// The exporter refused its settings.
    #[error("no exporter to {address}: {problem}")]
    Exporter {
        /// The collector.
        address: String,
        /// What the exporter says.
        problem: String,
    },
    /// The Prometheus reader could not be registered.
    #[error("no Prometheus metrics: {problem}")]
    Prometheus {
        /// What the reader says.
        problem: String,
    },
    /// The process has a subscriber already.
    #[error("the log is installed already: Telemetry::install_subscriber may be called once in a process ({problem})")]
    SubscriberInstalled {
        /// What the subscriber says.
        problem: String,
    },
}
