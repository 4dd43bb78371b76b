//! The Valkey that the chart can bring, by the image that `cargo xtask test` makes of the real one.

use super::installation::{NAMESPACE, archive, image_settings, import};
use serde_json::json;

/// Its `StatefulSet`, which gives its one pod this name with a number.
pub const STORE: &str = "tollward-valkey";
/// A free address of the node's Services.
const ADDRESS: &str = "10.96.200.10";
/// The image; nothing else has this name.
const IMAGE: &str = concat!("ghcr.io/tollward/valkey:", env!("CARGO_PKG_VERSION"));

/// Loads the image, and says what the chart has to be told so that this policy of the namespace can count there.
pub fn store(namespace: &str, policy: &str) -> Vec<String> {
    import(&[archive("valkey", "cargo xtask test --suite e2e")]);
    let mut settings = image_settings("valkey.image", IMAGE);
    settings.extend([
        "valkey.enabled=true".to_owned(),
        format!("valkey.namespaces={}", json!({namespace: [policy]})),
        format!("valkey.service.clusterIP={}", json!(ADDRESS)),
    ]);
    settings
}

/// What a policy writes into `url`, as the chart's notes say.
pub fn store_url() -> String {
    format!("rediss://{STORE}.{NAMESPACE}.svc.cluster.local:6379")
}
