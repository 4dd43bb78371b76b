//! Builds every test executable and every program of the workspace with one cargo call, and lists what can be run. One
//! call means one set of features, so that nothing is compiled twice for different suites.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

use super::log::Log;
use crate::{process, say, workspace};

const LIMIT: Duration = Duration::from_hours(3);

/// A test executable.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Executable {
    pub(super) path: PathBuf,
    /// The package's folder, in which cargo runs its tests.
    pub(super) folder: PathBuf,
    pub(super) package: String,
    /// The library's, program's or test file's name.
    pub(super) target: String,
    /// Whether it is a file of the package's `tests` folder.
    pub(super) is_test_file: bool,
}

/// Builds `packages`, or the whole workspace if there are none.
pub(super) fn build(packages: &[String], logs: &Path) -> Result<Vec<Executable>> {
    let root = workspace::root()?;
    let started = Instant::now();
    let mut command = workspace::cargo(&root);
    command.args(["build", "--bins", "--tests", "--examples", "--message-format", "json-render-diagnostics"]);
    workspace::select(&mut command, packages);
    say::line(format!("building the tests: {}", process::describe(&command)));
    let mut log = Log::create(logs, "build")?;
    let mut executables = Vec::new();
    let status = process::stream(&mut command, LIMIT, |line| match artefact(line) {
        Artefact::Test(executable) => executables.push(executable),
        Artefact::Other => {}
        Artefact::NotJson => {
            say::note(line);
            log.line(line);
        }
    })?;
    match status {
        Some(status) if status.success() => {}
        Some(status) => bail!("the tests do not build (cargo ended with {status})"),
        None => bail!("building the tests took more than {}", say::elapsed(LIMIT)),
    }
    // Cargo reports in the order in which it happened to finish.
    executables.sort_by(|a, b| (&a.package, &a.target, &a.path).cmp(&(&b.package, &b.target, &b.path)));
    say::line(format!("built {} test executables in {}", executables.len(), say::elapsed(started.elapsed())));
    Ok(executables)
}

/// Whether a package has documentation tests, for which it needs a library.
pub(super) fn has_library(package: &str) -> Result<bool> {
    let root = workspace::root()?;
    let mut command = workspace::cargo(&root);
    command.args(["metadata", "--no-deps", "--format-version", "1"]);
    let metadata: Value =
        serde_json::from_str(&process::capture(&mut command)?).context("cargo metadata is not JSON")?;
    let packages = metadata.get("packages").and_then(Value::as_array).context("cargo metadata lists no packages")?;
    Ok(packages.iter().filter(|entry| entry.get("name").and_then(Value::as_str) == Some(package)).any(|entry| {
        let manifest = entry.get("manifest_path").and_then(Value::as_str).unwrap_or_default();
        Path::new(manifest).parent().is_some_and(|folder| fs::exists(folder.join("src/lib.rs")).unwrap_or(false))
    }))
}

enum Artefact {
    Test(Executable),
    Other,
    NotJson,
}

/// Reads one line of cargo's output.
fn artefact(line: &str) -> Artefact {
    if !line.starts_with('{') {
        return Artefact::NotJson;
    }
    let Ok(message) = serde_json::from_str::<Value>(line) else {
        return Artefact::NotJson;
    };
    executable(&message).map_or(Artefact::Other, Artefact::Test)
}

fn executable(message: &Value) -> Option<Executable> {
    let text = |pointer: &str| message.pointer(pointer).and_then(Value::as_str);
    if text("/reason")? != "compiler-artifact" || !message.pointer("/profile/test")?.as_bool()? {
        return None;
    }
    let folder = Path::new(text("/manifest_path")?).parent()?.to_path_buf();
    Some(Executable {
        path: PathBuf::from(text("/executable")?),
        package: package_name(text("/package_id")?)?.to_owned(),
        target: text("/target/name")?.to_owned(),
        is_test_file: text("/target/kind/0")? == "test",
        folder,
    })
}

/// The name in a package id: `path+file:///w/cli#tollward@0.1.0`, or `path+file:///w/xtask#0.1.0` where the folder has
/// the package's name.
fn package_name(id: &str) -> Option<&str> {
    let (source, fragment) = id.rsplit_once('#')?;
    match fragment.split_once('@') {
        Some((name, _)) => Some(name),
        None => source.rsplit('/').next(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MESSAGE: &str = r#"{"reason":"compiler-artifact","package_id":"path+file:///w/cli#tollward@0.1.0",
        "manifest_path":"/w/cli/Cargo.toml","target":{"kind":["test"],"name":"args"},
        "profile":{"test":true},"executable":"/w/target/debug/deps/args-1"}"#;

    #[test]
    fn a_test_executable_is_read_from_cargos_message() {
        let message: Value = serde_json::from_str(MESSAGE).expect("valid JSON");
        let found = executable(&message).expect("a test executable");
        assert_eq!(found.package, "tollward");
        assert_eq!(found.target, "args");
        assert_eq!(found.folder, Path::new("/w/cli"));
        assert!(found.is_test_file);
    }

    #[test]
    fn programs_and_libraries_are_no_tests() {
        for (from, to) in [("\"test\":true", "\"test\":false"), ("\"/w/target/debug/deps/args-1\"", "null")] {
            let message: Value = serde_json::from_str(&MESSAGE.replace(from, to)).expect("valid JSON");
            assert_eq!(executable(&message), None, "{to}");
        }
    }

    #[test]
    fn a_package_id_names_the_package_with_or_without_its_folder() {
        assert_eq!(package_name("path+file:///w/cli#tollward@0.1.0"), Some("tollward"));
        assert_eq!(package_name("path+file:///w/xtask#0.1.0"), Some("xtask"));
    }

    #[test]
    fn this_package_has_no_library_and_an_unknown_one_neither() {
        assert!(!has_library("xtask").expect("cargo metadata works"));
        assert!(!has_library("tollward-no-such-package").expect("cargo metadata works"));
    }
}
