//! The data plane in front of a real MCP server: on a port that is known before it starts, since the public URL is the
//! audience of tokens, and with a passage behind it that shows what reaches the server.

use crate::clock::TestClock;
use crate::config::{ConfigFile, PROVIDER, standard};
use crate::deadline::eventually;
use crate::real::passage::{Head, Passage};
use crate::real::server::Server;
use crate::sidecar::Sidecar;
use serde_json::{Value, json};
use std::collections::HashSet;
use std::net::{SocketAddr, TcpListener};
use tollward_policy::config::SidecarConfig;
use tollward_sidecar::audit::Record;
use tollward_sidecar::run::StartError;

/// Attempts to find a port: somebody else may take one between the look and the start.
const ATTEMPTS: usize = 5;

/// How every JWT begins: `{"` in base64.
const TOKEN_MARK: &str = "eyJ";
/// Longer than any random id, which may hold the mark too, and shorter than any JWT.
const LONGEST_ID: usize = 64;

/// What stands in front of a server.
#[derive(Debug, Clone)]
pub struct Guard {
    /// Host name of the public URL: `127.0.0.1` or `localhost`.
    pub host: &'static str,
    /// The issuer; `None` for callers without authorization.
    pub issuer: Option<String>,
    /// `aud` of tokens, if not the public URL.
    pub audience: Option<&'static str>,
    /// `scopes` of the route.
    pub scopes: Value,
    /// `initialScopes` of the route.
    pub initial_scopes: Value,
    /// `rules` of the route.
    pub rules: Value,
    /// Authorities besides that of the public URL.
    pub hosts: Vec<String>,
}

/// A guarded server.
pub struct Guarded {
    /// The public URL.
    pub url: String,
    /// The data plane.
    pub sidecar: Sidecar,
    behind: Passage,
}

impl Guard {
    /// The public URL on that port.
    pub fn url(&self, port: u16) -> String {
        format!("http://{}:{port}/mcp", self.host)
    }

    /// Starts on a free port, with a configuration that `change` may change.
    pub async fn start(&self, server: &Server, change: impl Fn(&mut SidecarConfig)) -> Guarded {
        for _ in 1..ATTEMPTS {
            match self.start_at(free_address(), server, &change).await {
                Ok(guarded) => return guarded,
                Err(StartError::Bind { .. }) => {}
                Err(error) => panic!("the data plane should start: {error}"),
            }
        }
        panic!("no free port in {ATTEMPTS} attempts");
    }

    /// Starts on that port.
    pub async fn start_at(
        &self,
        address: SocketAddr,
        server: &Server,
        change: impl Fn(&mut SidecarConfig),
    ) -> Result<Guarded, StartError> {
        let behind = Passage::to(server.address).await;
        let upstream = format!("http://{}{}", behind.address(), server.path);
        let url = self.url(address.port());
        let mut config = self.config(&url, &upstream, address);
        change(&mut config);
        let sidecar = Sidecar::start(ConfigFile::new(config), TestClock::default()).await?;
        sidecar.ready().await;
        Ok(Guarded { url, sidecar, behind })
    }

    fn config(&self, url: &str, upstream: &str, address: SocketAddr) -> SidecarConfig {
        let issuer = self.issuer.as_deref().unwrap_or("http://127.0.0.1:1");
        let mut config = serde_json::to_value(standard(issuer, upstream)).expect("a configuration is JSON");
        let mut put = |pointer: &str, value: Value| {
            *config.pointer_mut(pointer).unwrap_or_else(|| panic!("the configuration has {pointer}")) = value;
        };
        put("/process/public/address", json!(address));
        put("/process/http/maxBodyBytes", json!(1_048_576));
        let origins: Vec<_> = self.hosts.iter().map(|host| format!("http://{host}")).collect();
        put("/routes/0/endpoint", json!({"url": url, "hosts": self.hosts, "allowedOrigins": origins}));
        put("/routes/0/scopes", self.scopes.clone());
        put("/routes/0/initialScopes", self.initial_scopes.clone());
        put("/routes/0/rules", self.rules.clone());
        put("/routes/0/upstream/responseTimeoutSeconds", json!(60));
        let audience = self.audience.unwrap_or(url);
        if self.issuer.is_some() {
            let auth = json!({
                "mode": "OAuth", "providers": [PROVIDER], "audiences": [audience], "authServerMetadata": "Compat"
            });
            put("/routes/0/auth", auth);
        } else {
            put("/routes/0/auth", json!({"mode": "None"}));
            put("/identityProviders", json!([]));
        }
        serde_json::from_value(config).expect("the harness writes a configuration of the right shape")
    }
}

impl Guarded {
    /// Records of all requests so far, once they have ended, after checking that none holds a token. A client may have its
    /// answer, and be gone, before the request has ended on this side.
    pub async fn records(&self) -> Vec<Record> {
        let records = &self.sidecar.records;
        eventually("every request that was let through has ended", async || {
            let ended: HashSet<_> = records.closed().into_iter().map(|record| record.id).collect();
            records.intents().iter().all(|intent| ended.contains(&intent.id))
        })
        .await;
        let records = records.closed();
        let text = serde_json::to_string(&records).expect("records are JSON");
        assert!(!holds_token(&text), "a token is in an audit record: {text}");
        records
    }

    /// Heads of the requests that reached the server, whatever they carry.
    pub fn heads(&self) -> Vec<Head> {
        self.behind.seen()
    }

    /// Heads of the requests that reached the server, after checking that none carries a credential.
    pub fn reached(&self) -> Vec<Head> {
        let heads = self.behind.seen();
        for head in &heads {
            let text = format!("{:?}", head.headers);
            let carries =
                ["authorization", "cookie", "proxy-authorization"].iter().any(|name| head.headers.contains_key(*name));
            assert!(!carries && !holds_token(&text), "a credential reached the MCP server: {text}");
        }
        heads
    }
}

/// An address on loopback whose port nobody listens on, for now.
pub fn free_address() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port on loopback");
    listener.local_addr().expect("a bound socket has an address")
}

/// Whether a JWT stands in a text.
fn holds_token(text: &str) -> bool {
    let is_part = |char: char| char.is_ascii_alphanumeric() || "-_.".contains(char);
    text.split(|char| !is_part(char)).any(|word| word.len() > LONGEST_ID && word.starts_with(TOKEN_MARK))
}

#[cfg(test)]
mod tests {
    use super::holds_token;

    #[test]
    fn a_token_is_found_and_a_random_id_is_none() {
        let token = format!("{}.{}.c2lnbmF0dXJl", "eyJhbGciOiJFUzI1NiJ9", "eyJzdWIiOiJhbGljZSIsInNjb3BlIjoiYSBiIn0");
        assert!(holds_token(&format!("{{\"detail\":\"Bearer {token}\"}}")));
        assert!(!holds_token(r#"{"tokenId":"KAJRW6TYRecGeJAVXRTiCXz7W48--9RJbCB5eyJwQjt","client":"eyJ"}"#));
    }
}
