//! Objects of released versions: each must be read by every later version, and be written as it was read.

#![expect(clippy::unwrap_used, reason = "a failed expectation is how a test fails, in its helpers too")]

use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;
use std::path::{Path, PathBuf};
use tollward_api::{IdentityProvider, MCPServer, RateLimitPolicy};

fn fixtures() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/v1alpha1");
    let mut files: Vec<_> = std::fs::read_dir(root)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "yaml"))
        .collect();
    files.sort();
    files
}

fn round_trip<T: Serialize + DeserializeOwned>(object: &Value) -> Value {
    let typed: T = serde_json::from_value(object.clone()).unwrap();
    serde_json::to_value(typed).unwrap()
}

#[test]
fn every_field_of_every_fixture_survives_a_round_trip() {
    let files = fixtures();
    assert!(files.len() >= 5, "{files:?}");
    for file in files {
        let object: Value = serde_saphyr::from_str(&std::fs::read_to_string(&file).unwrap()).unwrap();
        let written = match object["kind"].as_str().unwrap() {
            "MCPServer" => round_trip::<MCPServer>(&object),
            "RateLimitPolicy" => round_trip::<RateLimitPolicy>(&object),
            "IdentityProvider" => round_trip::<IdentityProvider>(&object),
            other => panic!("{}: {other}", file.display()),
        };
        assert_eq!(written, object, "{}", file.display());
    }
}
