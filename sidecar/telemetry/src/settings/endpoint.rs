//! Whether and where a signal is exported: `OTEL_{TRACES,METRICS,LOGS}_EXPORTER` and `OTEL_EXPORTER_OTLP_*`.
//!
//! The address is complete when it leaves this file (the per-signal path of OTLP/HTTP is appended), and it can't hold
//! credentials: they would end up in every error message that names the address.

use std::{fmt, path::PathBuf, time::Duration};

use url::Url;

use super::{Environment, SettingsError, unknown};

/// How long one export may take unless `OTEL_EXPORTER_OTLP_TIMEOUT` says otherwise (OTLP exporter specification).
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(10);
/// Longest timeout, in milliseconds: beyond it a dead collector would hold queued records for longer than they are of use.
const LONGEST_TIMEOUT: u64 = 600_000;

/// Where one signal goes.
#[derive(Clone, PartialEq, Eq)]
pub struct OtlpTarget {
    pub(crate) protocol: Protocol,
    pub(crate) url: Url,
    pub(crate) timeout: Duration,
    pub(crate) certificate: Option<PathBuf>,
    pub(crate) headers: bool,
}

/// Transport of OTLP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// gRPC, usually on port 4317. Its exporter needs a Tokio runtime.
    Grpc,
    /// HTTP with protobuf bodies, usually on port 4318.
    HttpProtobuf,
}

impl OtlpTarget {
    /// Transport.
    pub fn protocol(&self) -> Protocol {
        self.protocol
    }

    /// Scheme, host, port and path, without query.
    pub fn address(&self) -> String {
        let mut shown = self.url.clone();
        shown.set_query(None);
        shown.into()
    }

    /// Longest time of one export.
    pub fn timeout(&self) -> Duration {
        self.timeout
    }

    /// Whether headers are configured for this signal. Their values never enter this process's own types.
    pub fn has_headers(&self) -> bool {
        self.headers
    }

    /// Whether configured headers would travel in clear text to another machine.
    pub fn sends_headers_in_clear(&self) -> bool {
        self.headers && self.url.scheme() == "http" && !is_loopback(&self.url)
    }
}

impl fmt::Debug for OtlpTarget {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { protocol, url: _, timeout, certificate, headers } = self;
        formatter
            .debug_struct("OtlpTarget")
            .field("protocol", protocol)
            .field("address", &self.address())
            .field("timeout", timeout)
            .field("certificate", certificate)
            .field("headers", headers)
            .finish()
    }
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        Some(url::Host::Domain(name)) => name == "localhost",
        None => false,
    }
}

/// The variables of one signal. They are written out, not composed, so that a search for one finds this place.
pub(super) struct Variables {
    exporter: &'static str,
    exporter_accepted: &'static str,
    exporter_ignored: &'static [&'static str],
    endpoint: &'static str,
    protocol: &'static str,
    timeout: &'static str,
    certificate: &'static str,
    client_certificate: &'static str,
    client_key: &'static str,
    headers: &'static str,
    http_path: &'static str,
}

pub(super) const TRACES: Variables = Variables {
    exporter: "OTEL_TRACES_EXPORTER",
    exporter_accepted: "otlp, none",
    exporter_ignored: &[],
    endpoint: "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
    protocol: "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL",
    timeout: "OTEL_EXPORTER_OTLP_TRACES_TIMEOUT",
    certificate: "OTEL_EXPORTER_OTLP_TRACES_CERTIFICATE",
    client_certificate: "OTEL_EXPORTER_OTLP_TRACES_CLIENT_CERTIFICATE",
    client_key: "OTEL_EXPORTER_OTLP_TRACES_CLIENT_KEY",
    headers: "OTEL_EXPORTER_OTLP_TRACES_HEADERS",
    http_path: "v1/traces",
};

pub(super) const METRICS: Variables = Variables {
    exporter: "OTEL_METRICS_EXPORTER",
    exporter_accepted: "otlp, prometheus (always on), none",
    // The Prometheus text is always there, so naming it changes nothing.
    exporter_ignored: &["prometheus"],
    endpoint: "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT",
    protocol: "OTEL_EXPORTER_OTLP_METRICS_PROTOCOL",
    timeout: "OTEL_EXPORTER_OTLP_METRICS_TIMEOUT",
    certificate: "OTEL_EXPORTER_OTLP_METRICS_CERTIFICATE",
    client_certificate: "OTEL_EXPORTER_OTLP_METRICS_CLIENT_CERTIFICATE",
    client_key: "OTEL_EXPORTER_OTLP_METRICS_CLIENT_KEY",
    headers: "OTEL_EXPORTER_OTLP_METRICS_HEADERS",
    http_path: "v1/metrics",
};

pub(super) const LOGS: Variables = Variables {
    exporter: "OTEL_LOGS_EXPORTER",
    exporter_accepted: "otlp, none",
    exporter_ignored: &[],
    endpoint: "OTEL_EXPORTER_OTLP_LOGS_ENDPOINT",
    protocol: "OTEL_EXPORTER_OTLP_LOGS_PROTOCOL",
    timeout: "OTEL_EXPORTER_OTLP_LOGS_TIMEOUT",
    certificate: "OTEL_EXPORTER_OTLP_LOGS_CERTIFICATE",
    client_certificate: "OTEL_EXPORTER_OTLP_LOGS_CLIENT_CERTIFICATE",
    client_key: "OTEL_EXPORTER_OTLP_LOGS_CLIENT_KEY",
    headers: "OTEL_EXPORTER_OTLP_LOGS_HEADERS",
    http_path: "v1/logs",
};

/// The target of one signal; `None` if it isn't exported.
pub(super) fn target(
    environment: &Environment<'_>,
    variables: &Variables,
) -> Result<Option<OtlpTarget>, SettingsError> {
    let wanted = exporter(environment, variables)?;
    // Everything else is parsed before the decision, so that a mistake shows whatever is switched off.
    let protocol = protocol(environment, variables)?;
    let url = url(environment, variables, protocol)?;
    let timeout = timeout(environment, variables)?;
    let certificate = certificate(environment, variables)?;
    let headers = headers(environment, variables)?;
    match (wanted, url) {
        (Wanted::No, _) | (Wanted::IfThereIsAnEndpoint, None) => Ok(None),
        (Wanted::Yes, None) => {
            Err(SettingsError::NoEndpoint { variable: variables.exporter, endpoint: variables.endpoint })
        }
        (Wanted::Yes | Wanted::IfThereIsAnEndpoint, Some(url)) => {
            Ok(Some(OtlpTarget { protocol, url, timeout, certificate, headers }))
        }
    }
}

enum Wanted {
    No,
    IfThereIsAnEndpoint,
    Yes,
}

fn exporter(environment: &Environment<'_>, variables: &Variables) -> Result<Wanted, SettingsError> {
    let entries = environment.list(variables.exporter)?;
    if entries.is_empty() {
        return Ok(Wanted::IfThereIsAnEndpoint);
    }
    let mut wanted = Wanted::No;
    for entry in &entries {
        match entry.as_str() {
            "otlp" => wanted = Wanted::Yes,
            "none" if entries.len() == 1 => {}
            ignored if variables.exporter_ignored.contains(&ignored) => {}
            other => return Err(unknown(variables.exporter, other, variables.exporter_accepted)),
        }
    }
    Ok(wanted)
}

/// The signal's own variable if set, else the one for all signals; with its name, for messages.
fn own_or_general(
    environment: &Environment<'_>,
    own: &'static str,
    general: &'static str,
) -> Result<Option<(&'static str, String)>, SettingsError> {
    if let Some(value) = environment.value(own)? {
        return Ok(Some((own, value)));
    }
    Ok(environment.value(general)?.map(|value| (general, value)))
}

fn protocol(environment: &Environment<'_>, variables: &Variables) -> Result<Protocol, SettingsError> {
    match own_or_general(environment, variables.protocol, "OTEL_EXPORTER_OTLP_PROTOCOL")? {
        None => Ok(Protocol::HttpProtobuf),
        Some((variable, value)) => match value.as_str() {
            "grpc" => Ok(Protocol::Grpc),
            "http/protobuf" => Ok(Protocol::HttpProtobuf),
            other => Err(unknown(variable, other, "grpc, http/protobuf")),
        },
    }
}

fn url(environment: &Environment<'_>, variables: &Variables, protocol: Protocol) -> Result<Option<Url>, SettingsError> {
    const GENERAL: &str = "OTEL_EXPORTER_OTLP_ENDPOINT";
    let Some((variable, value)) = own_or_general(environment, variables.endpoint, GENERAL)? else {
        return Ok(None);
    };
    let mut url = parse_url(variable, &value)?;
    // OTLP exporter specification: the general address is a base, a signal's own is used as it stands.
    if variable == GENERAL && protocol == Protocol::HttpProtobuf {
        let base = url.path().trim_end_matches('/').to_owned();
        url.set_path(&format!("{base}/{}", variables.http_path));
    }
    Ok(Some(url))
}

fn parse_url(variable: &'static str, value: &str) -> Result<Url, SettingsError> {
    let malformed = |problem| SettingsError::Malformed {
        variable,
        problem,
        accepted: "http://host:port or https://host:port (usually 4318, for gRPC 4317); credentials belong into \
                   OTEL_EXPORTER_OTLP_HEADERS",
    };
    let url = Url::parse(value).map_err(|_| malformed("it is not an absolute URL"))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(malformed("its scheme is neither http nor https"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(malformed("it holds credentials"));
    }
    if url.fragment().is_some() {
        return Err(malformed("it has a fragment"));
    }
    Ok(url)
}

fn timeout(environment: &Environment<'_>, variables: &Variables) -> Result<Duration, SettingsError> {
    let Some((variable, value)) = own_or_general(environment, variables.timeout, "OTEL_EXPORTER_OTLP_TIMEOUT")? else {
        return Ok(DEFAULT_TIMEOUT);
    };
    match value.parse::<u64>() {
        Ok(milliseconds @ 1..=LONGEST_TIMEOUT) => Ok(Duration::from_millis(milliseconds)),
        Ok(_) | Err(_) => Err(unknown(variable, &value, "milliseconds from 1 to 600000")),
    }
}

fn certificate(environment: &Environment<'_>, variables: &Variables) -> Result<Option<PathBuf>, SettingsError> {
    // Ignoring these would mean to talk without the identity that the user thinks is shown.
    for variable in [
        "OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE",
        "OTEL_EXPORTER_OTLP_CLIENT_KEY",
        variables.client_certificate,
        variables.client_key,
    ] {
        if environment.value(variable)?.is_some() {
            return Err(SettingsError::Unsupported {
                variable,
                instead: "unset it, and authenticate to the collector by OTEL_EXPORTER_OTLP_HEADERS or through a \
                          collector in the cluster",
            });
        }
    }
    let found = own_or_general(environment, variables.certificate, "OTEL_EXPORTER_OTLP_CERTIFICATE")?;
    Ok(found.map(|(_, path)| PathBuf::from(path)))
}

/// Whether headers are set. Their form is checked, since the SDK drops an entry it can't read and the collector's 401
/// would then be the first hint.
fn headers(environment: &Environment<'_>, variables: &Variables) -> Result<bool, SettingsError> {
    let found = own_or_general(environment, variables.headers, "OTEL_EXPORTER_OTLP_HEADERS")?;
    let Some((variable, value)) = found else {
        return Ok(false);
    };
    let well_formed = value.split(',').map(str::trim).filter(|entry| !entry.is_empty()).all(|entry| {
        entry.split_once('=').is_some_and(|(name, _)| http::HeaderName::from_bytes(name.trim().as_bytes()).is_ok())
    });
    if !well_formed {
        return Err(SettingsError::Malformed {
            variable,
            problem: "an entry is not a header name, = and a value",
            accepted: "name=value pairs separated by commas, with percent-encoding inside values",
        });
    }
    Ok(true)
}
