//! From bytes to a configuration that was checked as a whole, or to every reason why not.

use super::{Problem, SidecarConfig, VERSION, check};
use serde::Deserialize;

/// Why a configuration is refused.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// Not the documented shape.
    #[error("at `{path}`: {message}")]
    Shape {
        /// Where, as a path of fields.
        path: String,
        /// What is wrong.
        message: String,
    },
    /// Written for a newer data plane.
    #[error("needs a reader of schema version {needed}, this one reads up to {VERSION}; upgrade the data plane first")]
    TooNew {
        /// The version needed.
        needed: u32,
    },
    /// The shape is right, the content is not.
    #[error("{}", list(.0))]
    Content(Vec<Problem>),
}

fn list(problems: &[Problem]) -> String {
    problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

/// The only field that must be readable whatever the version.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Header {
    min_reader: u32,
}

/// Reads JSON and checks it. All problems of content are reported, not the first.
pub fn load(bytes: &[u8]) -> Result<SidecarConfig, LoadError> {
    let header: Header = parse(bytes)?;
    if header.min_reader > VERSION {
        return Err(LoadError::TooNew { needed: header.min_reader });
    }
    let config: SidecarConfig = parse(bytes)?;
    let problems = check(&config);
    if problems.is_empty() { Ok(config) } else { Err(LoadError::Content(problems)) }
}

pub(super) fn parse<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Result<T, LoadError> {
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let value = serde_path_to_error::deserialize(&mut reader)
        .map_err(|error| LoadError::Shape { path: error.path().to_string(), message: error.inner().to_string() })?;
    reader.end().map_err(|error| LoadError::Shape { path: ".".into(), message: error.to_string() })?;
    Ok(value)
}
