//! Manifests in a folder of their own.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use tempfile::TempDir;

/// A server with one rule for a token and one provider.
pub(crate) const GOOD: &str = "apiVersion: tollward.dev/v1alpha1
kind: MCPServer
metadata: {name: catalog, namespace: shop}
spec:
  source:
    type: Workload
    workload: {image: catalog, transport: {port: 3000}}
  auth:
    mode: OAuth
    identityProviders: [{name: idp}]
    scopes: [{name: 'catalog:read', description: look products up}]
    initialScopes: ['catalog:read']
    rules: [{name: read, match: {tools: ['get_*']}, scopes: ['catalog:read']}]
---
apiVersion: tollward.dev/v1alpha1
kind: IdentityProvider
metadata: {name: idp, namespace: shop}
spec: {type: External, external: {issuer: 'https://idp.example.com'}}
";

/// A folder with manifests.
pub(crate) struct Manifests(TempDir);

impl Manifests {
    /// Files by name.
    pub(crate) fn of(files: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("manifests")).unwrap();
        let manifests = Self(folder);
        for (name, text) in files {
            manifests.write(name, text);
        }
        manifests
    }

    /// Replaces a file as editors do.
    pub(crate) fn write(&self, name: &str, text: &str) {
        let next = self.path("next");
        std::fs::write(&next, text).unwrap();
        std::fs::rename(next, self.folder().join(name)).unwrap();
    }

    pub(crate) fn folder(&self) -> PathBuf {
        self.path("manifests")
    }

    /// A path beside the manifests.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Runs the program with these arguments beside the manifests, and returns what it printed and how it ended.
    pub(crate) fn run(&self, arguments: &[&str]) -> (String, Option<i32>) {
        let Output { status, stdout, stderr } = program(self.0.path(), arguments).output().unwrap();
        let text = [stdout, stderr].concat();
        (String::from_utf8(text).unwrap(), status.code())
    }
}

/// The program, in a folder.
pub(crate) fn program(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tollward"));
    // What a killed program leaves behind goes with the folder.
    command.args(arguments).current_dir(folder).env("TMPDIR", folder).env_remove("NO_COLOR");
    for name in ["TOLLWARD_LOG", "OTEL_EXPORTER_OTLP_ENDPOINT"] {
        command.env_remove(name);
    }
    command
}

/// The example that the documentation and the demonstration use.
pub(crate) fn example() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/catalog")
}
