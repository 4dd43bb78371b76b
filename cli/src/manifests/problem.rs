//! What is wrong, and where: file, object, field, and what to do.

use std::fmt;
use tollward_desired::Finding;
use tollward_desired::manifests::ManifestError;

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Problem {
    place: Option<String>,
    message: String,
}

/// Everything that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refused(pub(crate) Vec<Problem>);

impl Problem {
    /// A problem whose text says where it is.
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self { place: None, message: message.into() }
    }

    /// There was nothing to judge. Silence would read as consent in a pipeline that looks at the wrong folder.
    pub(crate) fn nothing_judged() -> Self {
        Self::new(
            "nothing was judged: there is no MCPServer in these files; a RateLimitPolicy or IdentityProvider is judged with the \
             servers that use it, so name their files as well",
        )
    }

    /// A problem of the file's text.
    pub(super) fn in_text(error: &ManifestError) -> Self {
        Self::new(error.to_string())
    }

    /// A finding of the operator's code about an object.
    pub(super) fn of(file: Option<String>, object: String, finding: &Finding) -> Self {
        let place = match file {
            Some(file) => format!("{file}: {object}"),
            None => object,
        };
        Self { place: Some(place), message: format!("{}: {}", finding.reason, finding.message) }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.place {
            Some(place) => write!(formatter, "{place}: {}", self.message),
            None => formatter.write_str(&self.message),
        }
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines: Vec<_> = self.0.iter().map(ToString::to_string).collect();
        formatter.write_str(&lines.join("\n"))
    }
}

impl std::error::Error for Refused {}
