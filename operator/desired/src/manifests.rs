//! Files into resources, strictly: what an API server would prune or refuse is an error that names file, document and
//! place. Reading the files is the caller's part.

use serde::de::DeserializeOwned;
use serde_json::Value;
use serde_saphyr::{DefaultMessageFormatter, MessageFormatter};
use std::borrow::Cow;
use tollward_api::{API_VERSION, GROUP, IdentityProvider, MCPServer, RateLimitPolicy};

/// The resources of some files.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Manifests {
    /// Servers.
    pub servers: Vec<MCPServer>,
    /// Rate limit policies.
    pub policies: Vec<RateLimitPolicy>,
    /// Identity providers.
    pub providers: Vec<IdentityProvider>,
    /// What belongs to other API groups, as `file: apiVersion kind name`. It has no effect here.
    pub skipped: Vec<String>,
}

/// One thing that is wrong with a file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ManifestError {
    /// Not YAML.
    #[error("{file}: {message}")]
    Yaml {
        /// The file.
        file: String,
        /// What is wrong.
        message: String,
    },
    /// A document is no object of a kind that is known here.
    #[error("{file}, document {document}: {message}")]
    Kind {
        /// The file.
        file: String,
        /// Number of the document, from 1.
        document: usize,
        /// What is wrong.
        message: String,
    },
    /// A field is missing, unknown or of the wrong type.
    #[error("{file}, document {document}, at `{path}`: {message}")]
    Field {
        /// The file.
        file: String,
        /// Number of the document, from 1.
        document: usize,
        /// Where in the document.
        path: String,
        /// What is wrong.
        message: String,
    },
}

/// Reads pairs of file name and text. All errors are reported, not the first.
pub fn read<'a>(files: impl IntoIterator<Item = (&'a str, &'a str)>) -> Result<Manifests, Vec<ManifestError>> {
    let mut manifests = Manifests::default();
    let mut errors = Vec::new();
    for (file, text) in files {
        match serde_saphyr::from_multiple::<Value>(text) {
            Err(error) => {
                errors
                    .push(ManifestError::Yaml { file: file.to_owned(), message: error.render_with_formatter(&Plain) });
            }
            Ok(documents) => {
                for (position, document) in
                    documents.into_iter().enumerate().filter(|(_, document)| !document.is_null())
                {
                    let at = Position { file, document: position + 1 };
                    at.sort(document, &mut manifests, &mut errors);
                }
            }
        }
    }
    if errors.is_empty() { Ok(manifests) } else { Err(errors) }
}

#[derive(Clone, Copy)]
struct Position<'a> {
    file: &'a str,
    document: usize,
}

impl Position<'_> {
    fn sort(self, document: Value, manifests: &mut Manifests, errors: &mut Vec<ManifestError>) {
        let text = |pointer: &str| document.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned();
        let (version, kind, name) = (text("/apiVersion"), text("/kind"), text("/metadata/name"));
        if version == "v1" && kind == "List" {
            // What `kubectl get -o yaml` prints of several objects.
            let items = document.get("items").and_then(Value::as_array).cloned().unwrap_or_default();
            items
                .into_iter()
                .filter(|item| item.get("kind").and_then(Value::as_str) != Some("List"))
                .for_each(|item| self.sort(item, manifests, errors));
        } else if version.is_empty() || kind.is_empty() {
            errors.push(self.kind("apiVersion and kind must be set"));
        } else if version.split('/').next() != Some(GROUP) {
            manifests.skipped.push(format!("{}: {version} {kind} {name}", self.file));
        } else if version != API_VERSION {
            errors.push(self.kind(format!("apiVersion `{version}` is not known; use {API_VERSION}")));
        } else if name.is_empty() {
            errors.push(self.kind(format!("{kind} needs a text as metadata.name")));
        } else {
            match kind.as_str() {
                "MCPServer" => manifests.servers.extend(self.typed(document, errors)),
                "RateLimitPolicy" => manifests.policies.extend(self.typed(document, errors)),
                "IdentityProvider" => manifests.providers.extend(self.typed(document, errors)),
                other => errors.push(self.kind(format!(
                    "kind `{other}` is not known; there are MCPServer, RateLimitPolicy and IdentityProvider"
                ))),
            }
        }
    }

    fn kind(self, message: impl Into<String>) -> ManifestError {
        ManifestError::Kind { file: self.file.to_owned(), document: self.document, message: message.into() }
    }

    fn field(self, path: impl Into<String>, message: impl Into<String>) -> ManifestError {
        ManifestError::Field {
            file: self.file.to_owned(),
            document: self.document,
            path: path.into(),
            message: message.into(),
        }
    }

    fn typed<T: DeserializeOwned>(self, document: Value, errors: &mut Vec<ManifestError>) -> Option<T> {
        let mut unknown = Vec::new();
        let mut track = serde_path_to_error::Track::new();
        let reader = serde_path_to_error::Deserializer::new(document, &mut track);
        let read = serde_ignored::deserialize(reader, |path| unknown.push(path.to_string()));
        // Kubernetes' own two fields are no part of the type.
        unknown.retain(|path| !matches!(path.as_str(), "apiVersion" | "kind"));
        // An optional part stands as `?` in the path.
        errors.extend(unknown.iter().map(|path| self.field(path.replace(".?", ""), "this field is not known")));
        match read {
            Ok(typed) => Some(typed).filter(|_| unknown.is_empty()),
            Err(error) => {
                errors.push(self.field(track.path().to_string(), explain(&error.to_string())));
                None
            }
        }
    }
}

/// What is wrong with YAML, for people who write it: the library's words, but for those that are about its own interface.
struct Plain;

impl MessageFormatter for Plain {
    fn format_message<'a>(&self, error: &'a serde_saphyr::Error) -> Cow<'a, str> {
        if let serde_saphyr::Error::DuplicateMappingKey { key, .. } = error {
            let key = key.as_ref().map(|key| format!(" `{key}`")).unwrap_or_default();
            return Cow::Owned(format!("the key{key} stands twice; keep one of them"));
        }
        if let serde_saphyr::Error::Budget { .. } = error {
            return Cow::Borrowed(
                "the text is larger, deeper or repeats more by aliases than a manifest may; split it up",
            );
        }
        DefaultMessageFormatter.format_message(error)
    }
}

/// YAML reads some bare words as booleans, among them a value of ours.
fn explain(message: &str) -> String {
    if message.contains("boolean `false`") {
        format!("{message}; if you mean the word Off, write it in quotes")
    } else {
        message.to_owned()
    }
}

#[cfg(test)]
mod tests;
