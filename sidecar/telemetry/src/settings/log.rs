//! `TOLLWARD_LOG` and `TOLLWARD_LOG_FORMAT`: the diagnostic log on standard error.

use tracing_subscriber::EnvFilter;

use super::{Environment, SettingsError, unknown};

/// The variable that holds the filter.
pub(super) const FILTER: &str = "TOLLWARD_LOG";
const FORMAT: &str = "TOLLWARD_LOG_FORMAT";

/// Format and filter of the diagnostic log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogSettings {
    pub(crate) format: LogFormat,
    pub(crate) filter: String,
}

/// How a line of the log looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// One JSON object a line.
    Json,
    /// For people.
    Text,
}

impl LogSettings {
    /// Format.
    pub fn format(&self) -> LogFormat {
        self.format
    }

    /// The filter's text, which was parsed once and is known to be good.
    pub fn filter(&self) -> &str {
        &self.filter
    }

    /// The filter itself; it can't be cloned, so each layer makes its own.
    pub(crate) fn env_filter(&self) -> Result<EnvFilter, SettingsError> {
        // No regular expressions: a filter is configuration, not a program.
        EnvFilter::builder()
            .with_regex(false)
            .parse(&self.filter)
            .map_err(|error| SettingsError::LogFilter { problem: error.to_string() })
    }
}

pub(super) fn settings(environment: &Environment<'_>) -> Result<LogSettings, SettingsError> {
    let format = match environment.value(FORMAT)?.as_deref() {
        None | Some("json") => LogFormat::Json,
        Some("text") => LogFormat::Text,
        Some(other) => return Err(unknown(FORMAT, other, "json, text")),
    };
    let filter = environment.value(FILTER)?.unwrap_or_else(|| "info".to_owned());
    refuse_words_that_are_no_levels(&filter)?;
    let settings = LogSettings { format, filter };
    settings.env_filter()?;
    Ok(settings)
}

/// The parser takes a word that isn't a level as the name of a module: `TOLLWARD_LOG=verbose` would silence everything.
fn refuse_words_that_are_no_levels(filter: &str) -> Result<(), SettingsError> {
    const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];
    // A comma inside [span{fields}] does not separate directives; such filters are left to the parser.
    if filter.contains('[') {
        return Ok(());
    }
    for directive in filter.split(',').map(str::trim) {
        let bare = !directive.contains('=');
        if bare && !directive.is_empty() && !LEVELS.iter().any(|level| directive.eq_ignore_ascii_case(level)) {
            return Err(SettingsError::LogFilter { problem: "a word is not a level, and names no level".to_owned() });
        }
    }
    Ok(())
}
