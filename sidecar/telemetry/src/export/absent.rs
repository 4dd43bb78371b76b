//! The interface of `otlp.rs` in a build without it.

use opentelemetry_sdk::{
    Resource, logs::LoggerProviderBuilder, metrics::MeterProviderBuilder, trace::TracerProviderBuilder,
};

use crate::{AuditDelivery, SetupError, loss::Passage, settings::OtlpTarget};

/// Refuses every target.
#[derive(Default)]
pub(crate) struct Exporters {}

fn refused(target: &OtlpTarget) -> SetupError {
    SetupError::OtlpNotBuilt { address: target.address() }
}

#[expect(clippy::unused_self, clippy::needless_pass_by_ref_mut, reason = "the interface of `otlp.rs`")]
impl Exporters {
    pub(crate) fn spans(
        &mut self,
        _: TracerProviderBuilder,
        target: &OtlpTarget,
        _: Passage,
    ) -> Result<TracerProviderBuilder, SetupError> {
        Err(refused(target))
    }

    pub(crate) fn metrics(
        &mut self,
        _: MeterProviderBuilder,
        target: &OtlpTarget,
    ) -> Result<MeterProviderBuilder, SetupError> {
        Err(refused(target))
    }

    pub(crate) fn logs(
        &mut self,
        _: LoggerProviderBuilder,
        target: &OtlpTarget,
        _: Passage,
    ) -> Result<LoggerProviderBuilder, SetupError> {
        Err(refused(target))
    }

    pub(crate) fn delivery(&mut self, target: &OtlpTarget, _: &Resource) -> Result<AuditDelivery, SetupError> {
        Err(refused(target))
    }
}
