//! The ways from this machine into the cluster: ports that kubectl forwards, the log that it follows, and the installation's
//! certificate authority. All of them end with their handle.

use std::fs;
use std::path::PathBuf;
use std::process::ChildStdout;
use std::time::Duration;

use anyhow::{Context as _, Result};

use super::{catalog, identity};
use crate::background::Background;
use crate::kubernetes::{Kubernetes, release};
use crate::workspace;

/// Time for kubectl to open a port.
const OPEN: Duration = Duration::from_secs(30);

/// Open ways.
#[derive(Debug)]
pub(super) struct Doors {
    /// Addresses on this machine's loopback: of the endpoint, of the identity provider, of the MCP server itself.
    pub(super) endpoint: String,
    pub(super) identity: String,
    pub(super) behind: String,
    /// The certificate authority's file.
    pub(super) authority: PathBuf,
    records: Background,
    _forwards: Vec<Background>,
}

impl Doors {
    /// Opens all of them.
    pub(super) fn open(kubernetes: &Kubernetes) -> Result<Self> {
        let deployment = format!("deployment/{}-tollward", catalog::SERVER);
        let mut forwards = Vec::new();
        let mut forward = |namespace: &str, target: &str, port: u16| -> Result<String> {
            let port = format!(":{port}");
            let arguments = ["port-forward", "--namespace", namespace, "--address", "127.0.0.1", target, &port];
            let mut running = kubernetes.in_background(&arguments)?;
            let line = running.first_line(OPEN)?;
            forwards.push(running);
            address(&line).with_context(|| format!("kubectl does not say which port it forwards: {line}"))
        };
        let endpoint = forward(catalog::NAMESPACE, &format!("service/{}-tollward", catalog::SERVER), 443)?;
        let identity = forward(identity::NAMESPACE, &format!("deployment/{}", identity::NAME), identity::PORT)?;
        let behind = forward(catalog::NAMESPACE, &deployment, catalog::PORT)?;
        let log = ["logs", "--namespace", catalog::NAMESPACE, "--follow", &deployment, "--container=tollward"];
        let records = kubernetes.in_background(&log)?;
        Ok(Self { endpoint, identity, behind, authority: authority(kubernetes)?, records, _forwards: forwards })
    }

    /// What the sidecar writes, from its start on: audit records among its log.
    pub(super) fn records(&mut self) -> Result<ChildStdout> {
        self.records.output()
    }
}

/// The address in `Forwarding from 127.0.0.1:40721 -> 64430`.
fn address(line: &str) -> Option<String> {
    let (address, _) = line.strip_prefix("Forwarding from ")?.split_once(" -> ")?;
    Some(address.to_owned())
}

fn authority(kubernetes: &Kubernetes) -> Result<PathBuf> {
    let template = r"--output=jsonpath={.data.ca\.crt}";
    let text = kubernetes.get(&["get", "configmap", "tollward-ca", "--namespace", release::NAMESPACE, template])?;
    let path = workspace::scratch()?.join("demo/ca.crt");
    fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
    Ok(path)
}

#[cfg(test)]
mod tests {
    use super::address;

    #[test]
    fn the_forwarded_address_is_read() {
        assert_eq!(address("Forwarding from 127.0.0.1:40721 -> 64430").as_deref(), Some("127.0.0.1:40721"));
        assert_eq!(address("error: unable to listen"), None);
    }
}
