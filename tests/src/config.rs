//! The data plane's configuration file: a good one, the same with what a test changes, and its replacement while running.

use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use tempfile::TempDir;
use tollward_policy::config::SidecarConfig;

/// The public URL of the default server, which is also the audience of its tokens.
pub const ENDPOINT: &str = "https://mcp.example.test/shop/mcp";
/// What a client writes into Host.
pub const AUTHORITY: &str = "mcp.example.test";
/// The path of the endpoint.
pub const PATH: &str = "/shop/mcp";
/// Where its protected resource metadata is.
pub const METADATA_URL: &str = "https://mcp.example.test/.well-known/oauth-protected-resource/shop/mcp";
/// The issuer's name in the configuration.
pub const PROVIDER: &str = "shop/idp";

/// A configuration with one server.
///
/// Tools: `get_*` need `mcp:catalog-read`, `set_*` need `mcp:catalog-write` (both step up), `secret_*` need
/// `mcp:catalog-audit` and are hidden, `get_forbidden` is denied to all, anything else has no rule.
pub fn standard(issuer: &str, upstream: &str) -> SidecarConfig {
    serde_json::from_value(json!({
        "version": 1, "minReader": 1, "generation": 1,
        "process": process(),
        "identityProviders": [provider(PROVIDER, issuer)],
        "routes": [{
            "server": {"namespace": "shop", "name": "catalog", "uid": "uid-catalog"},
            "endpoint": {"url": ENDPOINT, "displayName": "Shop catalog"},
            "upstream": {"url": upstream, "connectTimeoutSeconds": 2, "responseTimeoutSeconds": 20, "idleTimeoutSeconds": 60},
            "auth": {"mode": "OAuth", "providers": [PROVIDER], "audiences": [ENDPOINT], "authServerMetadata": "Compat"},
            "scopes": [
                {"name": "mcp:catalog-read", "description": "See products"},
                {"name": "mcp:catalog-write", "description": "Change products", "implies": ["mcp:catalog-read"]},
                {"name": "mcp:catalog-audit", "description": "See reports"}
            ],
            "initialScopes": ["mcp:catalog-read"],
            "rules": rules(),
            "rateLimits": [],
            "session": {"maxAgeSeconds": 3600},
            "audit": {"arguments": "Redacted", "claims": ["tier"], "maxArgumentBytes": 4096}
        }]
    }))
    .expect("the harness writes a configuration of the right shape")
}

fn process() -> Value {
    json!({
        "role": "Sidecar",
        "public": {"address": "127.0.0.1:0", "tls": {"mode": "Off"}},
        "observe": "127.0.0.1:0",
        "http": {
            "maxBodyBytes": 65_536, "maxHeaderBytes": 32_768, "maxHeaders": 100, "headerTimeoutSeconds": 10,
            "bodyTimeoutSeconds": 10, "maxConnections": 2_000, "maxInFlight": 1_000, "maxStreamsPerConnection": 100
        },
        "dial": {"allow": [{"cidr": "127.0.0.0/8", "scheme": "http"}]},
        "drainSeconds": 10
    })
}

/// An identity provider of that name.
pub fn provider(name: &str, issuer: &str) -> Value {
    json!({
        "name": name, "issuer": issuer, "algorithms": ["ES256", "ES384", "RS256", "PS256", "EdDSA"],
        "tokenTypes": ["at+jwt"],
        "claims": {"scopes": ["scope"], "client": ["client_id", "azp"], "subject": "sub", "tokenId": ["jti"]},
        "leewaySeconds": 0, "maxLifetimeSeconds": 7200,
        "refresh": {"intervalSeconds": 300, "cooldownSeconds": 30, "maxStaleSeconds": 86_400}
    })
}

fn rules() -> Value {
    let rule = |name: &str, matches: Value, scope: &str, missing: &str| json!({"name": name, "match": matches, "action": "Allow", "scopes": [scope], "onMissingScope": missing});
    json!([
        rule("read", json!({"tools": ["get_*"]}), "mcp:catalog-read", "Challenge"),
        rule("write", json!({"tools": ["set_*", "set_price"]}), "mcp:catalog-write", "Challenge"),
        rule("reports", json!({"tools": ["secret_*"]}), "mcp:catalog-audit", "Hide"),
        {"name": "never", "match": {"tools": ["get_forbidden"]}, "action": "Deny", "onMissingScope": "Challenge"},
        rule("pages", json!({"resources": ["shop://products/*"], "prompts": ["describe"]}), "mcp:catalog-read", "Challenge"),
        rule("level", json!({"methods": ["logging/setLevel"]}), "mcp:catalog-read", "Challenge"),
    ])
}

/// A configuration file in a directory of its own.
pub struct ConfigFile {
    folder: TempDir,
    path: PathBuf,
    current: SidecarConfig,
}

impl ConfigFile {
    /// Writes the file.
    pub fn new(config: SidecarConfig) -> Self {
        let folder = tempfile::tempdir().expect("a temporary directory");
        let path = folder.path().join("config.json");
        let file = Self { folder, path, current: config };
        file.write(&text(&file.current));
        file
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The directory, for files that the configuration names.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The configuration that was written last.
    pub fn current(&self) -> &SidecarConfig {
        &self.current
    }

    /// Replaces the file by the next generation.
    pub fn change(&mut self, change: impl FnOnce(&mut SidecarConfig)) {
        self.current.generation += 1;
        change(&mut self.current);
        self.write(&text(&self.current));
    }

    /// Replaces the file by any bytes, in one step: a reader sees the old file or the new one.
    pub fn write(&self, bytes: &[u8]) {
        let next = self.path.with_extension("next");
        std::fs::write(&next, bytes).expect("the directory is writable");
        std::fs::rename(next, &self.path).expect("a rename within the directory");
    }

    /// Writes a file beside it and gives its path.
    pub fn beside(&self, name: &str, content: &str) -> PathBuf {
        let path = self.folder.path().join(name);
        std::fs::write(&path, content).expect("the directory is writable");
        path
    }
}

/// The configuration as it stands in a file.
pub fn text(config: &SidecarConfig) -> Vec<u8> {
    serde_json::to_vec_pretty(config).expect("a configuration is JSON")
}
