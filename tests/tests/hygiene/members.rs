//! The workspace's members as cargo reads their manifests: what they depend on, and which files are their crate roots.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

use super::checkout;

pub(crate) struct Member {
    pub(crate) name: String,
    pub(crate) rust_version: Option<String>,
    pub(crate) dependencies: Vec<Dependency>,
    pub(crate) roots: Vec<CrateRoot>,
}

pub(crate) struct Dependency {
    pub(crate) name: String,
    /// Only for tests, benchmarks and examples.
    pub(crate) dev: bool,
    pub(crate) default_features: bool,
    pub(crate) features: Vec<String>,
}

pub(crate) struct CrateRoot {
    /// From the checkout's root.
    pub(crate) file: String,
    /// `lib`, `bin`, `test`, `bench`, `example`, `custom-build`, ...
    pub(crate) kind: String,
}

impl CrateRoot {
    pub(crate) fn is_test(&self) -> bool {
        matches!(self.kind.as_str(), "test" | "bench")
    }
}

/// Runs the cargo that runs this test. Offline: nothing is fetched.
pub(crate) fn cargo(arguments: &[&str]) -> String {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(arguments)
        .arg("--offline")
        .current_dir(checkout::root())
        .output()
        .expect("cargo runs");
    assert!(
        output.status.success(),
        "`cargo {}` failed; if a package isn't on this machine yet, `cargo fetch` gets it:\n{}",
        arguments.join(" "),
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).expect("cargo prints UTF-8")
}

/// All members of the workspace.
pub(crate) fn members() -> Vec<Member> {
    let metadata: Value = serde_json::from_str(&cargo(&["metadata", "--no-deps", "--format-version=1"]))
        .expect("`cargo metadata` prints JSON");
    let members: Vec<Member> = array(&metadata, "packages").iter().map(member).collect();
    assert!(!members.is_empty(), "`cargo metadata` lists no package");
    members
}

fn member(package: &Value) -> Member {
    Member {
        name: string(package, "name"),
        rust_version: package.get("rust_version").and_then(Value::as_str).map(str::to_owned),
        dependencies: array(package, "dependencies").iter().map(dependency).collect(),
        roots: array(package, "targets").iter().map(crate_root).collect(),
    }
}

fn dependency(value: &Value) -> Dependency {
    Dependency {
        name: string(value, "name"),
        dev: value.get("kind").and_then(Value::as_str) == Some("dev"),
        default_features: value.get("uses_default_features").and_then(Value::as_bool) != Some(false),
        features: array(value, "features").iter().filter_map(Value::as_str).map(str::to_owned).collect(),
    }
}

fn crate_root(target: &Value) -> CrateRoot {
    let source = string(target, "src_path");
    let file = Path::new(&source)
        .strip_prefix(checkout::root())
        .unwrap_or_else(|_| panic!("{source} is outside of the checkout"));
    CrateRoot {
        file: file.to_str().expect("file names of the checkout are UTF-8").to_owned(),
        kind: array(target, "kind").first().and_then(Value::as_str).unwrap_or_default().to_owned(),
    }
}

fn string(value: &Value, key: &str) -> String {
    value
        .get(key)
        .and_then(Value::as_str)
        .unwrap_or_else(|| panic!("`cargo metadata` has no text under `{key}`"))
        .to_owned()
}

fn array<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    value.get(key).and_then(Value::as_array).unwrap_or_else(|| panic!("`cargo metadata` has no list under `{key}`"))
}
