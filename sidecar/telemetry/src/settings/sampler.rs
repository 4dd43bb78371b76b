//! `OTEL_TRACES_SAMPLER`, its argument, and whether a caller may decide for us.

use super::{Environment, SettingsError, unknown};

/// The switch for believing the sampled flag of callers.
const TRUST: &str = "TOLLWARD_TRUST_INBOUND_SAMPLING";

/// How traces are sampled.
#[derive(Clone, Debug, PartialEq)]
pub struct SamplerSettings {
    /// What decides where no parent does.
    pub root: RootSampler,
    /// Whether a span follows its parent.
    pub parent_based: bool,
    /// Whether "parent" includes a caller's. Off by default: the flag is one bit that anybody can send, and each
    /// believed one costs storage.
    pub trust_inbound: bool,
}

/// What decides where no parent does.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum RootSampler {
    /// Every trace.
    AlwaysOn,
    /// No trace.
    AlwaysOff,
    /// This share of traces, 0 to 1.
    Ratio(f64),
}

pub(super) fn settings(environment: &Environment<'_>) -> Result<SamplerSettings, SettingsError> {
    const VARIABLE: &str = "OTEL_TRACES_SAMPLER";
    const ACCEPTED: &str = "always_on, always_off, traceidratio, parentbased_always_on (default), \
                            parentbased_always_off, parentbased_traceidratio";
    let ratio = ratio(environment)?;
    let chosen = environment.value(VARIABLE)?;
    let (root, parent_based) = match chosen.as_deref() {
        None | Some("parentbased_always_on") => (RootSampler::AlwaysOn, true),
        Some("always_on") => (RootSampler::AlwaysOn, false),
        Some("always_off") => (RootSampler::AlwaysOff, false),
        Some("traceidratio") => (RootSampler::Ratio(ratio), false),
        Some("parentbased_always_off") => (RootSampler::AlwaysOff, true),
        Some("parentbased_traceidratio") => (RootSampler::Ratio(ratio), true),
        Some(other) => return Err(unknown(VARIABLE, other, ACCEPTED)),
    };
    Ok(SamplerSettings { root, parent_based, trust_inbound: environment.flag(TRUST)? })
}

fn ratio(environment: &Environment<'_>) -> Result<f64, SettingsError> {
    const VARIABLE: &str = "OTEL_TRACES_SAMPLER_ARG";
    let Some(value) = environment.value(VARIABLE)? else {
        return Ok(1.0);
    };
    match value.parse::<f64>() {
        Ok(ratio) if (0.0..=1.0).contains(&ratio) => Ok(ratio),
        Ok(_) | Err(_) => Err(unknown(VARIABLE, &value, "a number from 0 to 1")),
    }
}
