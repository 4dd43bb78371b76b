//! Helm, called on the chart: what it renders, and what it complains about. Nothing is installed.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

/// Name of the release in all tests.
pub const RELEASE: &str = "tollward";
/// Its namespace.
pub const NAMESPACE: &str = "tollward-system";

/// One rendered object.
#[derive(Debug, Clone, PartialEq)]
pub struct Object {
    /// What it is, such as `Secret`.
    pub kind: String,
    /// Empty for what belongs to no namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// All of it.
    pub value: Value,
}

impl Object {
    fn new(value: Value) -> Self {
        let text = |pointer: &str| value.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned();
        let object =
            Self { kind: text("/kind"), namespace: text("/metadata/namespace"), name: text("/metadata/name"), value };
        assert!(!object.kind.is_empty() && !object.name.is_empty(), "no Kubernetes object: {}", object.value);
        object
    }

    /// `Kind namespace/name`.
    pub fn id(&self) -> String {
        format!("{} {}/{}", self.kind, self.namespace, self.name)
    }
}

/// The root of the checkout.
pub fn root() -> PathBuf {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    tests.parent().expect("the tests are a folder of the checkout").to_owned()
}

/// The chart's folder.
pub fn chart() -> PathBuf {
    root().join("charts/tollward")
}

/// A file of the checkout.
pub fn text(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path} can't be read: {error}"))
}

/// A program that `cargo xtask binaries` builds.
pub fn program(name: &str) -> PathBuf {
    let own = format!("TOLLWARD_{}", name.to_uppercase());
    if let Some(path) = std::env::var_os(&own) {
        return path.into();
    }
    let folder = std::env::var_os("TOLLWARD_CLUSTER_BIN").map_or_else(linked, PathBuf::from);
    let path = folder.join(name);
    assert!(path.is_file(), "{} is missing; build it first: cargo xtask binaries control-plane helm", path.display());
    path
}

/// Where xtask links what it built, beside this test's own folder.
fn linked() -> PathBuf {
    let executable = std::env::current_exe().expect("a test knows its own executable");
    let target = executable.ancestors().nth(3).expect("tests are built into target/PROFILE/deps");
    target.join("xtask/bin")
}

/// Runs Helm without the user's own settings, repositories and plugins.
pub fn run(arguments: &[&str]) -> Output {
    let home = tempfile::tempdir().expect("a temporary folder");
    Command::new(program("helm"))
        .args(arguments)
        .arg(chart())
        .env_clear()
        .env("HOME", home.path())
        .output()
        .expect("Helm runs")
}

/// What `helm template` prints with these settings (`--set`), or its complaint.
pub fn template(settings: &[&str]) -> Result<String, String> {
    let mut arguments = vec!["template", "--namespace", NAMESPACE, "--kube-version", "1.37.0"];
    for setting in settings {
        arguments.extend(["--set-json", setting]);
    }
    arguments.push(RELEASE);
    let output = run(&arguments);
    if output.status.success() {
        Ok(String::from_utf8(output.stdout).expect("Helm prints UTF-8"))
    } else {
        Err(String::from_utf8_lossy(&output.stderr).into_owned())
    }
}

/// The objects that the chart renders with these settings, each `path=JSON`.
pub fn render(settings: &[&str]) -> Vec<Object> {
    let text = template(settings).unwrap_or_else(|error| panic!("the chart does not render: {error}"));
    let documents: Vec<Value> = serde_saphyr::from_multiple(&text).expect("Helm prints YAML");
    let objects: Vec<Object> = documents.into_iter().filter(|value| !value.is_null()).map(Object::new).collect();
    for (index, object) in objects.iter().enumerate() {
        let twice = objects.iter().skip(index + 1).any(|other| other.id() == object.id());
        assert!(!twice, "{} is rendered twice", object.id());
    }
    objects
}

/// The one object of this kind and name.
pub fn find<'a>(objects: &'a [Object], kind: &str, name: &str) -> &'a Object {
    objects
        .iter()
        .find(|object| object.kind == kind && object.name == name)
        .unwrap_or_else(|| panic!("there is no {kind} {name}"))
}
