//! `EgressConfig`: the file of an egress proxy, which carries servers' own connections to the outside.
//!
//! Like `SidecarConfig`, it is owned by its reader, holds no secret, and is refused with anything unknown in it.

use super::load::parse;
use super::{DialConfig, LoadError, Problem, ServerRef, VERSION};
use crate::egress::{AllowList, EgressIdentity};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::PathBuf;

/// Most entries of a server's list.
pub const MAX_EGRESS_ENTRIES: usize = 256;

/// Everything that an egress proxy enforces.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct EgressConfig {
    /// Schema version of the writer.
    pub version: u32,
    /// Oldest schema version whose reader enforces all of this file. A reader below it must refuse the file.
    pub min_reader: u32,
    /// Needs a new process to change.
    pub process: EgressProcess,
    /// Who may connect where. Who is not here may connect nowhere.
    #[schemars(length(max = 10_000))]
    pub servers: Vec<EgressServer>,
}

/// Listeners, bounds and what may be dialled at all.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct EgressProcess {
    /// Where sidecars connect: mutual TLS always.
    pub listen: SocketAddr,
    /// Where probes and Prometheus connect: `/livez`, `/readyz`, `/metrics`, nothing else.
    pub observe: SocketAddr,
    /// Certificate chain in PEM, leaf first. Read again when it changes.
    pub certificate: PathBuf,
    /// Private key in PEM. Read again when it changes.
    pub private_key: PathBuf,
    /// Certificate authority in PEM of the sidecars.
    pub client_ca: PathBuf,
    /// Which addresses may be dialled. Public ones need no entry, and all names of a list are judged as https. Not the list for
    /// identity providers: what a sidecar may reach need not be open to the server beside it.
    pub dial: DialConfig,
    /// Bounds.
    pub limits: EgressLimits,
    /// Seconds that open tunnels get to end after SIGTERM.
    #[schemars(range(min = 0, max = 3600))]
    pub drain_seconds: u32,
}

/// Bounds of tunnels.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct EgressLimits {
    /// Most connections of all servers, tunnels included.
    #[schemars(range(min = 1, max = 100_000))]
    pub max_connections: u32,
    /// Most connections of one server.
    #[schemars(range(min = 1, max = 100_000))]
    pub max_connections_per_server: u32,
    /// Seconds for the request, and then for the client's first TLS message.
    #[schemars(range(min = 1, max = 300))]
    pub head_timeout_seconds: u32,
    /// Seconds to look the name up, and to connect to one address.
    #[schemars(range(min = 1, max = 300))]
    pub connect_timeout_seconds: u32,
    /// Seconds after which a tunnel ends in which nothing moves in either direction.
    #[schemars(range(min = 1, max = 86_400))]
    pub idle_seconds: u32,
    /// Seconds after which a tunnel ends whatever moves.
    #[schemars(range(min = 1, max = 604_800))]
    pub max_seconds: u32,
}

/// A server and where it may connect to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct EgressServer {
    /// The server. Its unique id stands in its certificate.
    pub server: ServerRef,
    /// Where it may connect to. Empty: nowhere.
    #[schemars(length(max = 256))]
    pub allow: Vec<EgressEntry>,
}

/// A name and a port.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct EgressEntry {
    /// A full DNS name, or `*.` and one, which stands for every name below it. International names in their A-label form.
    pub host: String,
    /// The port.
    #[schemars(range(min = 1, max = 65_535))]
    pub port: u16,
}

/// The only field that must be readable whatever the version.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Header {
    min_reader: u32,
}

/// Reads an egress proxy's file and checks it. All problems of content are reported, not the first.
pub fn load_egress(bytes: &[u8]) -> Result<EgressConfig, LoadError> {
    let header: Header = parse(bytes)?;
    if header.min_reader > VERSION {
        return Err(LoadError::TooNew { needed: header.min_reader });
    }
    let config: EgressConfig = parse(bytes)?;
    let problems = check_egress(&config);
    if problems.is_empty() { Ok(config) } else { Err(LoadError::Content(problems)) }
}

/// Everything that is wrong with an egress proxy's configuration of the right shape.
pub fn check_egress(config: &EgressConfig) -> Vec<Problem> {
    let mut problems = Vec::new();
    let limits = &config.process.limits;
    let mut within = |name: &str, value: u32, most: u32| {
        if value == 0 || value > most {
            problems.push(problem("process", format!("{name} must be 1 to {most}, not {value}")));
        }
    };
    within("limits.maxConnections", limits.max_connections, 100_000);
    within("limits.maxConnectionsPerServer", limits.max_connections_per_server, 100_000);
    within("limits.headTimeoutSeconds", limits.head_timeout_seconds, 300);
    within("limits.connectTimeoutSeconds", limits.connect_timeout_seconds, 300);
    within("limits.idleSeconds", limits.idle_seconds, 86_400);
    within("limits.maxSeconds", limits.max_seconds, 604_800);
    if config.process.drain_seconds > 3600 {
        problems.push(problem("process", "drainSeconds must be at most 3600"));
    }
    if config.servers.len() > 10_000 {
        problems.push(problem("servers", "must name at most 10000 servers"));
    }
    let mut known = BTreeSet::new();
    for server in &config.servers {
        let place = format!("servers[{}/{}]", server.server.namespace, server.server.name);
        if !known.insert(server.server.uid.as_str()) {
            problems.push(problem(&place, "has the uid of another server"));
        }
        check_server(server, &place, &mut problems);
    }
    problems
}

fn check_server(server: &EgressServer, place: &str, problems: &mut Vec<Problem>) {
    if EgressIdentity::server(&server.server.uid).is_none() {
        problems.push(problem(place, "has a uid that no certificate can carry"));
    }
    if server.allow.len() > MAX_EGRESS_ENTRIES {
        problems.push(problem(place, format!("allow must have at most {MAX_EGRESS_ENTRIES} entries")));
    }
    let mut list = AllowList::default();
    for EgressEntry { host, port } in &server.allow {
        if let Err(error) = list.add(host, *port) {
            problems.push(problem(place, format!("allow `{host}:{port}`: {error}")));
        }
    }
}

fn problem(place: &str, message: impl Into<String>) -> Problem {
    Problem { place: place.to_owned(), message: message.into() }
}

#[cfg(test)]
mod tests {
    use super::load_egress;
    use serde_json::{Value, json};

    fn good() -> Value {
        json!({
            "version": 1, "minReader": 1,
            "process": {
                "listen": "0.0.0.0:64434", "observe": "0.0.0.0:64431",
                "certificate": "/keys/tls.crt", "privateKey": "/keys/tls.key", "clientCa": "/keys/ca.crt",
                "dial": {}, "drainSeconds": 25,
                "limits": {
                    "maxConnections": 4096, "maxConnectionsPerServer": 256, "headTimeoutSeconds": 10,
                    "connectTimeoutSeconds": 5, "idleSeconds": 300, "maxSeconds": 3600
                }
            },
            "servers": [{
                "server": {"namespace": "shop", "name": "catalog", "uid": "uid-1"},
                "allow": [{"host": "api.example.com", "port": 443}, {"host": "*.example.org", "port": 8443}]
            }]
        })
    }

    fn problems(change: impl FnOnce(&mut Value)) -> String {
        let mut config = good();
        change(&mut config);
        load_egress(config.to_string().as_bytes()).map_or_else(|error| error.to_string(), |_| String::new())
    }

    #[test]
    fn a_good_file_is_taken_and_an_empty_list_of_servers_too() {
        assert_eq!(problems(|_| {}), "");
        assert_eq!(problems(|config| config["servers"] = json!([])), "");
    }

    #[test]
    fn what_can_not_be_enforced_is_refused_by_name() {
        for (pointer, value, expected) in [
            ("/servers/0/allow/0/host", json!("10.0.0.1"), "shop/catalog"),
            ("/servers/0/allow/0/host", json!("*.com"), "wildcard"),
            ("/servers/0/allow/0/host", json!("http://a.example"), "address"),
            ("/servers/0/allow/0/port", json!(0), "port"),
            ("/servers/0/server/uid", json!("a/b"), "uid"),
            ("/process/limits/idleSeconds", json!(0), "idleSeconds"),
            ("/process/limits/maxConnections", json!(100_001), "maxConnections"),
            ("/process/drainSeconds", json!(3601), "drainSeconds"),
            ("/minReader", json!(99), "upgrade"),
            ("/servers/0/allow/0", json!({"host": "a.example.com", "port": 443, "deny": true}), "deny"),
        ] {
            let said = problems(|config| *config.pointer_mut(pointer).unwrap() = value.clone());
            assert!(said.contains(expected), "{pointer} {value}: {said}");
        }
        let twice = problems(|config| {
            let server = config["servers"][0].clone();
            config["servers"].as_array_mut().unwrap().push(server);
        });
        assert!(twice.contains("another server"), "{twice}");
    }
}
