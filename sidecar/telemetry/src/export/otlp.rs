//! OTLP exporters over gRPC and HTTP.
//!
//! The SDK's queues run on threads of their own, without a runtime. Over HTTP that means the blocking client, passed
//! explicitly: the exporter's automatic choice takes an asynchronous one as soon as any crate of the build enables it,
//! which then fails on those threads. Over gRPC the channel's task lives on the Tokio runtime that is current here, so
//! there must be one, and it must live until [`crate::Telemetry::shutdown`] returns.
//!
//! Headers come from `OTEL_EXPORTER_OTLP_HEADERS`, which the SDK reads itself.

use std::{fs, path::PathBuf, thread, time::Duration};

use opentelemetry_otlp::{
    LogExporter, MetricExporter, SpanExporter, WithExportConfig, WithHttpConfig, WithTonicConfig,
    tonic_types::transport::{Certificate, ClientTlsConfig},
};
use opentelemetry_sdk::{
    Resource,
    logs::{self, BatchLogProcessor, LoggerProviderBuilder},
    metrics::MeterProviderBuilder,
    trace::{self, BatchSpanProcessor, TracerProviderBuilder},
};
use reqwest::{blocking::Client, redirect};
use rustls::{
    RootCertStore,
    pki_types::{CertificateDer, pem::PemObject},
};

use crate::{
    AuditDelivery, SetupError,
    loss::{Bounded, Counted, Passage},
    settings::{OtlpTarget, Protocol},
};

/// Builds exporters; those over HTTP that agree on timeout and trust share one client, which is a thread and a pool.
#[derive(Default)]
pub(crate) struct Exporters {
    clients: Vec<(Duration, Option<PathBuf>, Client)>,
}

impl Exporters {
    /// Adds the export of spans to `builder`.
    pub(crate) fn spans(
        &mut self,
        builder: TracerProviderBuilder,
        target: &OtlpTarget,
        passage: Passage,
    ) -> Result<TracerProviderBuilder, SetupError> {
        let exporter = match target.protocol {
            Protocol::Grpc => grpc(SpanExporter::builder().with_tonic(), target)?.build(),
            Protocol::HttpProtobuf => self.http(SpanExporter::builder().with_http(), target)?.build(),
        };
        let exporter = Counted::new(exporter.map_err(|error| failed(target, &error))?, passage.clone());
        let size = trace::BatchConfigBuilder::default().with_max_queue_size(passage.places()).build();
        let queue = BatchSpanProcessor::builder(exporter).with_batch_config(size).build();
        Ok(builder.with_span_processor(Bounded::new(queue, passage)))
    }

    /// Adds the push of metrics to `builder`.
    pub(crate) fn metrics(
        &mut self,
        builder: MeterProviderBuilder,
        target: &OtlpTarget,
    ) -> Result<MeterProviderBuilder, SetupError> {
        let exporter = match target.protocol {
            Protocol::Grpc => grpc(MetricExporter::builder().with_tonic(), target)?.build(),
            Protocol::HttpProtobuf => self.http(MetricExporter::builder().with_http(), target)?.build(),
        };
        Ok(builder.with_periodic_exporter(exporter.map_err(|error| failed(target, &error))?))
    }

    /// Adds the export of log records to `builder`.
    pub(crate) fn logs(
        &mut self,
        builder: LoggerProviderBuilder,
        target: &OtlpTarget,
        passage: Passage,
    ) -> Result<LoggerProviderBuilder, SetupError> {
        let exporter = Counted::new(self.log_exporter(target)?, passage.clone());
        let size = logs::BatchConfigBuilder::default().with_max_queue_size(passage.places()).build();
        let queue = BatchLogProcessor::builder(exporter).with_batch_config(size).build();
        Ok(builder.with_log_processor(Bounded::new(queue, passage)))
    }

    /// Export of log records with an acknowledgement.
    pub(crate) fn delivery(&mut self, target: &OtlpTarget, resource: &Resource) -> Result<AuditDelivery, SetupError> {
        Ok(AuditDelivery::new(self.log_exporter(target)?, resource))
    }

    fn log_exporter(&mut self, target: &OtlpTarget) -> Result<LogExporter, SetupError> {
        let exporter = match target.protocol {
            Protocol::Grpc => grpc(LogExporter::builder().with_tonic(), target)?.build(),
            Protocol::HttpProtobuf => self.http(LogExporter::builder().with_http(), target)?.build(),
        };
        exporter.map_err(|error| failed(target, &error))
    }

    fn http<B: WithExportConfig + WithHttpConfig>(&mut self, builder: B, target: &OtlpTarget) -> Result<B, SetupError> {
        let client = self.client(target)?;
        Ok(builder
            .with_http_client(client)
            .with_protocol(opentelemetry_otlp::Protocol::HttpBinary)
            .with_endpoint(target.url.as_str())
            .with_timeout(target.timeout))
    }

    fn client(&mut self, target: &OtlpTarget) -> Result<Client, SetupError> {
        let OtlpTarget { protocol: _, url: _, timeout, certificate, headers: _ } = target;
        let known = self.clients.iter().find(|(limit, trusted, _)| limit == timeout && trusted == certificate);
        if let Some((_, _, client)) = known {
            return Ok(client.clone());
        }
        // A redirect would take the headers, which hold credentials, to a host that nobody configured.
        let mut builder = Client::builder().timeout(*timeout).redirect(redirect::Policy::none());
        if let Some(pem) = pem(target)? {
            let roots = reqwest::Certificate::from_pem_bundle(&pem).map_err(|error| failed(target, &error))?;
            builder = builder.tls_certs_only(roots);
        }
        // Building a blocking client blocks, which a runtime's thread must not.
        let client = match thread::spawn(move || builder.build()).join() {
            Ok(client) => client.map_err(|error| failed(target, &error))?,
            Err(_) => return Err(failed(target, &"the HTTP client could not be built")),
        };
        self.clients.push((*timeout, certificate.clone(), client.clone()));
        Ok(client)
    }
}

fn grpc<B: WithExportConfig + WithTonicConfig>(builder: B, target: &OtlpTarget) -> Result<B, SetupError> {
    if tokio::runtime::Handle::try_current().is_err() {
        return Err(SetupError::NoRuntime { address: target.address() });
    }
    let builder = builder.with_endpoint(target.url.as_str()).with_timeout(target.timeout);
    if target.url.scheme() != "https" {
        return Ok(builder);
    }
    // The exporter's own default trusts no root at all.
    let tls = match pem(target)? {
        Some(pem) => ClientTlsConfig::new().ca_certificate(Certificate::from_pem(pem)),
        None => ClientTlsConfig::new().with_enabled_roots(),
    };
    Ok(builder.with_tls_config(tls))
}

/// The only certificates to trust, if the settings name a file. Each must be usable: the gRPC channel would skip a broken
/// one in silence and then trust nobody.
fn pem(target: &OtlpTarget) -> Result<Option<Vec<u8>>, SetupError> {
    let Some(path) = &target.certificate else {
        return Ok(None);
    };
    let unusable =
        |problem: &dyn std::fmt::Display| SetupError::Certificate { path: path.clone(), problem: problem.to_string() };
    let pem = fs::read(path).map_err(|error| unusable(&error))?;
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(&pem) {
        let certificate = certificate.map_err(|error| unusable(&error))?;
        roots.add(certificate).map_err(|error| unusable(&error))?;
    }
    if roots.is_empty() {
        return Err(unusable(&"it holds no certificate"));
    }
    Ok(Some(pem))
}

/// The error without the address that the exporter quotes: its query may hold a key.
fn failed(target: &OtlpTarget, error: &dyn std::fmt::Display) -> SetupError {
    let problem = error.to_string().replace(target.url.as_str(), "the address");
    SetupError::Exporter { address: target.address(), problem }
}
