//! The installer's file: which namespaces are watched, and the settings of the data plane. No tenant's resource reaches it.
//!
//! What the file leaves out is as in a plain installation, so that a file with an image is complete. A field that is not
//! known is refused: it may have been meant as a restriction.

use serde_json::{Map, Value};
use std::path::{Path, PathBuf};
use tollward_desired::InstallSettings;
use tollward_policy::config::trusted_proxy_problems;

/// What the installer decided.
#[derive(Debug, Clone, PartialEq)]
pub struct Install {
    /// Namespaces that are looked after. Empty means all.
    pub watch_namespaces: Vec<String>,
    /// Settings of the data plane.
    pub settings: InstallSettings,
}

/// Why the file can't be used.
#[derive(Debug, thiserror::Error)]
pub enum InstallError {
    /// It can't be read.
    #[error("can't read the install file {path}; give it with --install")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// It is no YAML mapping.
    #[error("the install file {path} is no YAML or JSON object: {message}")]
    Syntax {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        message: String,
    },
    /// A field is wrong.
    #[error("the install file {path}, at `{field}`: {message}")]
    Field {
        /// The file.
        path: PathBuf,
        /// The field.
        field: String,
        /// What is wrong.
        message: String,
    },
}

impl Install {
    /// Reads the file.
    pub fn read(path: &Path, operator_namespace: &str) -> Result<Self, InstallError> {
        let text = std::fs::read_to_string(path)
            .map_err(|source| InstallError::Unreadable { path: path.to_owned(), source })?;
        Self::parse(&text, path, operator_namespace)
    }

    fn parse(text: &str, path: &Path, operator_namespace: &str) -> Result<Self, InstallError> {
        let field = |field: &str, message: String| InstallError::Field {
            path: path.to_owned(),
            field: field.to_owned(),
            message,
        };
        let mut given: Map<String, Value> = serde_saphyr::from_str(text)
            .map_err(|error| InstallError::Syntax { path: path.to_owned(), message: error.to_string() })?;
        let watch_namespaces = match given.remove("watchNamespaces") {
            None | Some(Value::Null) => Vec::new(),
            Some(value) => {
                serde_json::from_value(value).map_err(|error| field("watchNamespaces", error.to_string()))?
            }
        };
        if !given.get("image").is_some_and(Value::is_string) {
            return Err(field("image", "must name the image of the data plane".into()));
        }
        let plain = InstallSettings::plain("", operator_namespace);
        let mut whole = serde_json::to_value(plain).map_err(|error| field(".", error.to_string()))?;
        overlay(&mut whole, Value::Object(given));
        let settings: InstallSettings = serde_path_to_error::deserialize(whole).map_err(|error| {
            let place = error.path().to_string();
            field(&place, error.into_inner().to_string())
        })?;
        match trusted_proxy_problems(&settings.trusted_proxies).as_slice() {
            [] => Ok(Self { watch_namespaces, settings }),
            problems => Err(field("trustedProxies", problems.join("; "))),
        }
    }
}

/// Puts `given` over `base`: objects field by field, anything else as a whole.
fn overlay(base: &mut Value, given: Value) {
    match (base, given) {
        (Value::Object(base), Value::Object(given)) => {
            for (key, value) in given {
                overlay(base.entry(key).or_insert(Value::Null), value);
            }
        }
        (base, given) => *base = given,
    }
}

#[cfg(test)]
mod tests {
    use super::Install;
    use std::path::Path;
    use tollward_desired::InstallSettings;

    fn parse(text: &str) -> Result<Install, String> {
        Install::parse(text, Path::new("install.yaml"), "tollward").map_err(|error| error.to_string())
    }

    #[test]
    fn an_image_is_enough() {
        let install = parse("image: example.com/sidecar:1").unwrap();
        assert_eq!(install.settings, InstallSettings::plain("example.com/sidecar:1", "tollward"));
        assert!(install.watch_namespaces.is_empty());
    }

    #[test]
    fn a_field_changes_itself_only() {
        let install = parse("{image: a, watchNamespaces: [x], stop: {delay: 1}}").unwrap();
        let plain = InstallSettings::plain("a", "tollward");
        assert_eq!((install.settings.stop.delay, install.settings.stop.drain), (1, plain.stop.drain));
        assert_eq!(install.watch_namespaces, ["x"]);
    }

    #[test]
    fn what_is_not_understood_is_refused_by_name() {
        for (text, expected) in [
            ("{image: a, denny: []}", "denny"),
            ("{image: a, stop: {dely: 1}}", "dely"),
            ("{image: a, dial: {deny: [nonsense]}}", "dial.deny"),
            ("{image: a, trustedProxies: [{cidr: 10.0.0.0/8}]}", "wider than a /24"),
            ("{watchNamespaces: []}", "image"),
            ("[]", "no YAML or JSON object"),
        ] {
            let error = parse(text).unwrap_err();
            assert!(error.contains(expected) && error.contains("install.yaml"), "{text}: {error}");
        }
    }
}
