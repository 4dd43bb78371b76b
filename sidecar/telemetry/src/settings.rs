//! What the environment says about telemetry, parsed once into values that need no second look.
//!
//! The standard `OTEL_*` variables are what OpenTelemetry's users, operators and injectors already set, so they are the
//! interface here; several of them (`OTEL_SDK_DISABLED`, `OTEL_{TRACES,METRICS,LOGS}_EXPORTER`, `OTEL_PROPAGATORS`,
//! `OTEL_EXPORTER_OTLP_CERTIFICATE`) the Rust SDK does not read itself. The environment comes in as a function, so that
//! a test sets a variable without touching its process.
//!
//! A value that is not understood is an error which names the variable and what it accepts: a typo must not end as an
//! audit trail that silently goes nowhere. An empty value counts as unset (OpenTelemetry specification,
//! "Environment Variable Specification"). Header values are secrets and are not kept here at all: the SDK reads them
//! from the process's environment when an exporter is built. What stays is whether they are there.

mod endpoint;
mod log;
mod queue;
mod sampler;
#[cfg(test)]
mod tests;

use std::fmt;

use percent_encoding::percent_decode_str;

pub use endpoint::{OtlpTarget, Protocol};
pub use log::{LogFormat, LogSettings};
pub use queue::Queues;
pub use sampler::{RootSampler, SamplerSettings};

/// Longest value of any variable that is looked at, in bytes.
const LONGEST_VALUE: usize = 16 * 1024;

/// Everything that [`crate::Telemetry::start`] needs to know. `Debug` shows no header and no attribute value.
#[derive(Clone)]
pub struct Settings {
    pub(crate) traces: Option<OtlpTarget>,
    pub(crate) metrics: Option<OtlpTarget>,
    pub(crate) logs: Option<OtlpTarget>,
    pub(crate) sampler: SamplerSettings,
    pub(crate) propagators: Propagators,
    pub(crate) resource: Vec<(String, String)>,
    pub(crate) service_name: Option<String>,
    pub(crate) queues: Queues,
    pub(crate) log: LogSettings,
}

/// Which formats of context travel, from `OTEL_PROPAGATORS`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Propagators {
    /// W3C `traceparent` and `tracestate`.
    pub trace_context: bool,
    /// W3C `baggage`.
    pub baggage: bool,
}

/// Why the environment can't be used. Every message names the variable; none holds a header or a credential.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SettingsError {
    /// A value outside the known set.
    #[error("{variable} has the value {value:?}, which is not known; accepted: {accepted}")]
    UnknownValue {
        /// The environment variable.
        variable: &'static str,
        /// What it holds, cut to 40 characters.
        value: String,
        /// What it may hold.
        accepted: &'static str,
    },
    /// A value of the right variable in the wrong form. The value itself may be a secret, so it is not repeated.
    #[error("{variable} can't be read: {problem}; accepted: {accepted}")]
    Malformed {
        /// The environment variable.
        variable: &'static str,
        /// What is wrong with it.
        problem: &'static str,
        /// What it may hold.
        accepted: &'static str,
    },
    /// OTLP was asked for by name, without saying where to.
    #[error("{variable}=otlp needs an address: set {endpoint} or OTEL_EXPORTER_OTLP_ENDPOINT, or {variable}=none")]
    NoEndpoint {
        /// The variable that asks for OTLP.
        variable: &'static str,
        /// The variable that would say where to.
        endpoint: &'static str,
    },
    /// A standard variable that would change who is trusted, and that is not supported.
    #[error("{variable} is not supported: {instead}")]
    Unsupported {
        /// The environment variable.
        variable: &'static str,
        /// What to do.
        instead: &'static str,
    },
    /// `TOLLWARD_LOG` is not a filter.
    #[error(
        "{} is not a log filter: {problem}; accepted: a level (off, error, warn, info, debug, trace), or a list such as \
         info,tollward_sidecar=debug",
        log::FILTER
    )]
    LogFilter {
        /// What the parser of filters says.
        problem: String,
    },
}

impl Settings {
    /// Reads the environment through `lookup`, which returns the value of a variable.
    pub fn from_lookup(lookup: impl Fn(&str) -> Option<String>) -> Result<Self, SettingsError> {
        let environment = Environment { lookup: &lookup };
        let disabled = environment.flag("OTEL_SDK_DISABLED")?;
        // Read also when disabled: a typo is reported on the day it is made, not on the day telemetry is switched on.
        let traces = endpoint::target(&environment, &endpoint::TRACES)?;
        let metrics = endpoint::target(&environment, &endpoint::METRICS)?;
        let logs = endpoint::target(&environment, &endpoint::LOGS)?;
        let only_if_enabled = |target: Option<OtlpTarget>| target.filter(|_| !disabled);
        Ok(Self {
            traces: only_if_enabled(traces),
            metrics: only_if_enabled(metrics),
            logs: only_if_enabled(logs),
            sampler: sampler::settings(&environment)?,
            propagators: propagators(&environment)?,
            resource: resource_attributes(&environment)?,
            service_name: environment.value("OTEL_SERVICE_NAME")?,
            queues: queue::settings(&environment)?,
            log: log::settings(&environment)?,
        })
    }

    /// Where spans go, if anywhere.
    pub fn traces(&self) -> Option<&OtlpTarget> {
        self.traces.as_ref()
    }

    /// Where metrics are pushed, if anywhere. The Prometheus text is there in any case.
    pub fn metrics(&self) -> Option<&OtlpTarget> {
        self.metrics.as_ref()
    }

    /// Where log records and audit records go, if anywhere.
    pub fn logs(&self) -> Option<&OtlpTarget> {
        self.logs.as_ref()
    }

    /// Which context formats travel.
    pub fn propagators(&self) -> Propagators {
        self.propagators
    }

    /// How traces are sampled.
    pub fn sampler(&self) -> &SamplerSettings {
        &self.sampler
    }

    /// How much may wait for the exporters.
    pub fn queues(&self) -> Queues {
        self.queues
    }

    /// Format and filter of the log on standard error.
    pub fn log(&self) -> &LogSettings {
        &self.log
    }
}

impl fmt::Debug for Settings {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { traces, metrics, logs, sampler, propagators, resource, service_name, queues, log } = self;
        formatter
            .debug_struct("Settings")
            .field("traces", traces)
            .field("metrics", metrics)
            .field("logs", logs)
            .field("sampler", sampler)
            .field("propagators", propagators)
            // Attributes are free text from elsewhere; their names are enough to find a mistake.
            .field("resource", &resource.iter().map(|(name, _)| name).collect::<Vec<_>>())
            .field("service_name", service_name)
            .field("queues", queues)
            .field("log", log)
            .finish()
    }
}

/// The injected environment, with the reading rules that all variables share.
struct Environment<'a> {
    lookup: &'a dyn Fn(&str) -> Option<String>,
}

impl Environment<'_> {
    /// The trimmed value; `None` if unset or empty.
    fn value(&self, variable: &'static str) -> Result<Option<String>, SettingsError> {
        let Some(value) = (self.lookup)(variable) else {
            return Ok(None);
        };
        if value.len() > LONGEST_VALUE {
            return Err(SettingsError::Malformed {
                variable,
                problem: "it is longer than 16 KiB",
                accepted: "a shorter value",
            });
        }
        let value = value.trim();
        Ok((!value.is_empty()).then(|| value.to_owned()))
    }

    fn flag(&self, variable: &'static str) -> Result<bool, SettingsError> {
        match self.value(variable)? {
            None => Ok(false),
            Some(value) if value.eq_ignore_ascii_case("true") => Ok(true),
            Some(value) if value.eq_ignore_ascii_case("false") => Ok(false),
            Some(value) => Err(unknown(variable, &value, "true, false")),
        }
    }

    /// The entries of a comma-separated list; empty if unset.
    fn list(&self, variable: &'static str) -> Result<Vec<String>, SettingsError> {
        let value = self.value(variable)?.unwrap_or_default();
        Ok(value.split(',').map(str::trim).filter(|entry| !entry.is_empty()).map(str::to_owned).collect())
    }
}

/// For variables that hold one of a few words, where repeating a short piece of the wrong one helps and leaks nothing.
fn unknown(variable: &'static str, value: &str, accepted: &'static str) -> SettingsError {
    SettingsError::UnknownValue { variable, value: value.chars().take(40).collect(), accepted }
}

fn propagators(environment: &Environment<'_>) -> Result<Propagators, SettingsError> {
    const VARIABLE: &str = "OTEL_PROPAGATORS";
    const ACCEPTED: &str = "tracecontext, baggage, both separated by a comma, or none alone";
    let entries = environment.list(VARIABLE)?;
    if entries.is_empty() {
        return Ok(Propagators { trace_context: true, baggage: true });
    }
    let mut chosen = Propagators { trace_context: false, baggage: false };
    for entry in &entries {
        match entry.as_str() {
            "tracecontext" => chosen.trace_context = true,
            "baggage" => chosen.baggage = true,
            "none" if entries.len() == 1 => {}
            other => return Err(unknown(VARIABLE, other, ACCEPTED)),
        }
    }
    Ok(chosen)
}

/// `OTEL_RESOURCE_ATTRIBUTES`, percent-decoded as the specification asks (the SDK's own reader does not).
fn resource_attributes(environment: &Environment<'_>) -> Result<Vec<(String, String)>, SettingsError> {
    const VARIABLE: &str = "OTEL_RESOURCE_ATTRIBUTES";
    let malformed = |problem| SettingsError::Malformed {
        variable: VARIABLE,
        problem,
        accepted: "name=value pairs separated by commas, with percent-encoding inside values",
    };
    let decoded = |text: &str| {
        percent_decode_str(text.trim())
            .decode_utf8()
            .map(std::borrow::Cow::into_owned)
            .map_err(|_| malformed("an entry is not UTF-8 after percent-decoding"))
    };
    let mut attributes = Vec::new();
    for entry in environment.list(VARIABLE)? {
        let (name, value) = entry.split_once('=').ok_or_else(|| malformed("an entry has no ="))?;
        if name.trim().is_empty() {
            return Err(malformed("an entry has no name"));
        }
        attributes.push((decoded(name)?, decoded(value)?));
    }
    Ok(attributes)
}
