//! Durations as Go writes them: `30s`, `1h30m` (GEP-2257), in whole seconds but for the one that is [`ShortDuration`].

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;

/// A duration such as `30s`, `1h` or `1h30m`: one to four numbers, each with its unit h, m or s.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct GoDuration(pub String);

/// Why a text is no duration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no duration; write for instance 30s, 5m or 1h30m")]
pub struct DurationError(pub String);

impl GoDuration {
    /// The schema's pattern.
    pub const PATTERN: &'static str = "^([0-9]{1,5}(h|m|s)){1,4}$";

    /// Keeps a text; [`GoDuration::seconds`] judges it.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The duration in seconds: exactly what [`Self::PATTERN`] describes, which is narrower than what Go reads.
    pub fn seconds(&self) -> Result<u32, DurationError> {
        self.sum().ok_or_else(|| DurationError(self.0.chars().take(32).collect()))
    }

    fn sum(&self) -> Option<u32> {
        let mut groups = self.0.split_inclusive(|letter: char| !letter.is_ascii_digit());
        let mut seconds = group(groups.next()?)?;
        for (position, text) in groups.enumerate() {
            if position == 3 {
                return None;
            }
            seconds = seconds.checked_add(group(text)?)?;
        }
        Some(seconds)
    }
}

/// One number with its unit, in seconds.
fn group(text: &str) -> Option<u32> {
    let (number, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let factor: u32 = match unit {
        "h" => 3600,
        "m" => 60,
        "s" => 1,
        _ => return None,
    };
    let short = (1..=5).contains(&number.len()) && number.bytes().all(|byte| byte.is_ascii_digit());
    number.parse::<u32>().ok().filter(|_| short)?.checked_mul(factor)
}

impl JsonSchema for GoDuration {
    fn schema_name() -> Cow<'static, str> {
        "GoDuration".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "string", "maxLength": 24, "pattern": Self::PATTERN})
    }
}

/// A duration of one number, with the unit ms or s: `30ms`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ShortDuration(pub String);

/// Why a text is no short duration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no duration of milliseconds; write for instance 30ms or 1s")]
pub struct ShortDurationError(pub String);

impl ShortDuration {
    /// The schema's pattern.
    pub const PATTERN: &'static str = "^[0-9]{1,4}(ms|s)$";

    /// Keeps a text; [`ShortDuration::milliseconds`] judges it.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The duration in milliseconds: exactly what [`Self::PATTERN`] describes.
    pub fn milliseconds(&self) -> Result<u32, ShortDurationError> {
        let (number, factor) = match self.0.strip_suffix("ms") {
            Some(number) => (Some(number), 1),
            None => (self.0.strip_suffix('s'), 1000),
        };
        number
            .filter(|number| (1..=4).contains(&number.len()) && number.bytes().all(|byte| byte.is_ascii_digit()))
            .and_then(|number| number.parse::<u32>().ok()?.checked_mul(factor))
            .ok_or_else(|| ShortDurationError(self.0.chars().take(32).collect()))
    }
}

impl JsonSchema for ShortDuration {
    fn schema_name() -> Cow<'static, str> {
        "ShortDuration".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "string", "maxLength": 6, "pattern": Self::PATTERN})
    }
}

#[cfg(test)]
mod tests {
    use super::{GoDuration, ShortDuration};

    #[test]
    fn short_durations_are_read_as_milliseconds_and_nothing_else_is_one() {
        for (text, milliseconds) in [("30ms", 30), ("5ms", 5), ("1s", 1000), ("0ms", 0), ("9999s", 9_999_000)] {
            assert_eq!(ShortDuration::new(text).milliseconds(), Ok(milliseconds), "{text}");
        }
        for text in ["", "30", "ms", "s", "-5ms", "1.5ms", "10000ms", "5 ms", "+5ms", "1s5ms", "5ms ", "1m", "5äs"] {
            let error = ShortDuration::new(text).milliseconds().unwrap_err();
            assert!(error.to_string().contains(&format!("`{text}`")), "{error}");
        }
    }

    #[test]
    fn go_durations_are_read_as_whole_seconds() {
        for (text, seconds) in [("30s", 30), ("5m", 300), ("1h30m", 5400), ("24h", 86_400), ("0s", 0)] {
            assert_eq!(GoDuration::new(text).seconds(), Ok(seconds), "{text}");
        }
    }

    #[test]
    fn what_is_no_whole_positive_duration_is_refused_by_name() {
        for text in ["", "10", "-5s", "1500ms", "1.5s", "1d", "99999999h", "5 m", "+5m", "5m ", "5ä", "1s1s1s1s1s"] {
            let error = GoDuration::new(text).seconds().unwrap_err();
            assert!(error.to_string().contains(&format!("`{text}`")), "{error}");
        }
    }
}
