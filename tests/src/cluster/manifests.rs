//! The manifests of `examples/catalog`, with the few values that a cluster of its own asks for.

use super::programs::root;
use serde_json::{Value, json};
use std::path::PathBuf;

/// Name of the example's `MCPServer`.
pub const SERVER: &str = "catalog";
/// The image that `cargo xtask image` makes, where it is not called otherwise.
const IMAGE: &str = concat!("ghcr.io/tollward/catalog:", env!("CARGO_PKG_VERSION"));

/// The example's three objects.
#[derive(Debug, Clone)]
pub struct Manifests {
    /// The `MCPServer`.
    pub server: Value,
    /// Its `IdentityProvider`.
    pub provider: Value,
    /// Its `RateLimitPolicy`.
    pub limits: Value,
}

impl Manifests {
    /// The example in that namespace, for tokens of that issuer.
    pub fn new(namespace: &str, issuer: &str) -> Self {
        let mut manifests = Self {
            server: read("mcpserver.yaml"),
            provider: read("identityprovider.yaml"),
            limits: read("ratelimitpolicy.yaml"),
        };
        for object in [&mut manifests.server, &mut manifests.provider, &mut manifests.limits] {
            set(object, "/metadata/namespace", json!(namespace));
        }
        let image = std::env::var("TOLLWARD_CATALOG_IMAGE").unwrap_or_else(|_| IMAGE.to_owned());
        set(&mut manifests.server, "/spec/source/workload/image", json!(image));
        set(&mut manifests.provider, "/spec/external/issuer", json!(issuer));
        manifests
    }

    /// With that many replicas.
    #[must_use]
    pub fn replicas(mut self, count: u32) -> Self {
        let workload = self.server.pointer_mut("/spec/source/workload").expect("the example is a workload");
        set_member(workload, "replicas", json!(count));
        self
    }

    /// With one more rule.
    #[must_use]
    pub fn rule(mut self, rule: Value) -> Self {
        let rules = self.server.pointer_mut("/spec/auth/rules").and_then(Value::as_array_mut);
        rules.expect("the example has rules").push(rule);
        self
    }

    /// With a value of the `MCPServer` replaced; the path must exist.
    #[must_use]
    pub fn with(mut self, pointer: &str, value: Value) -> Self {
        set(&mut self.server, pointer, value);
        self
    }

    /// All objects.
    pub fn objects(&self) -> [&Value; 3] {
        let Self { server, provider, limits } = self;
        [provider, server, limits]
    }
}

fn read(file: &str) -> Value {
    let path: PathBuf = root().join("examples/catalog").join(file);
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_saphyr::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn set(object: &mut Value, pointer: &str, value: Value) {
    *object.pointer_mut(pointer).unwrap_or_else(|| panic!("there is no {pointer}")) = value;
}

fn set_member(object: &mut Value, name: &str, value: Value) {
    object.as_object_mut().expect("an object").insert(name.to_owned(), value);
}
