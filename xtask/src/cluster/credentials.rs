//! Who may talk to the API server: one random token per component, with the names that Kubernetes' built-in roles know,
//! and the key that signs service account tokens. Nothing here leaves the cluster's folder.

use std::fs::File;
use std::io::Read as _;
use std::process::Command;

use anyhow::{Context as _, Result};

use super::layout::{Layout, NODE_ADDRESS};
use crate::{cache, process};

/// A component's identity: its kubeconfig's name, its user and its group.
struct Identity {
    name: &'static str,
    user: &'static str,
    group: &'static str,
}

const IDENTITIES: &[Identity] = &[
    Identity { name: "admin", user: "admin", group: "system:masters" },
    Identity { name: "kube-controller-manager", user: "system:kube-controller-manager", group: "" },
    Identity { name: "kube-scheduler", user: "system:kube-scheduler", group: "" },
    Identity { name: "kube-proxy", user: "system:kube-proxy", group: "" },
    Identity { name: "kubelet", user: "system:node:node-1", group: "system:nodes" },
];

/// The API server's own certificate and its authority, in this order; it makes them itself when it starts.
const SERVER_CERTIFICATE: &str = "apiserver/apiserver.crt";

/// The authority that signed the API server's certificate.
pub(super) const AUTHORITY: &str = "authority.crt";

/// Makes tokens, kubeconfig files and the signing key.
pub(super) fn create(layout: &Layout) -> Result<()> {
    let mut tokens = String::new();
    for Identity { name, user, group } in IDENTITIES {
        let token = random()?;
        tokens.push_str(&[&token, *user, *user, *group].join(","));
        tokens.push('\n');
        layout.write(&format!("{name}.kubeconfig"), &kubeconfig(layout, name, &token))?;
    }
    layout.write("tokens.csv", &tokens)?;
    let mut openssl = Command::new(process::require("openssl", "apt-get install openssl")?);
    openssl.args(["genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048", "-out"]);
    process::capture(openssl.arg(layout.path("service-accounts.key")))?;
    Ok(())
}

/// Takes the authority from what the API server wrote; false while it has not.
pub(super) fn publish_authority(layout: &Layout) -> Result<bool> {
    let Ok(chain) = std::fs::read_to_string(layout.path(SERVER_CERTIFICATE)) else {
        return Ok(false);
    };
    let Some(authority) = last_certificate(&chain) else {
        return Ok(false);
    };
    layout.write(AUTHORITY, authority)?;
    Ok(true)
}

fn last_certificate(chain: &str) -> Option<&str> {
    let start = chain.rfind("-----BEGIN CERTIFICATE-----")?;
    chain.get(start..).filter(|text| text.contains("-----END CERTIFICATE-----"))
}

fn kubeconfig(layout: &Layout, name: &str, token: &str) -> String {
    format!(
        "apiVersion: v1
kind: Config
clusters:
- name: tollward
  cluster:
    server: https://{NODE_ADDRESS}:6443
    certificate-authority: {authority}
users:
- name: {name}
  user:
    token: {token}
contexts:
- name: tollward
  context:
    cluster: tollward
    user: {name}
current-context: tollward
",
        authority = layout.text(AUTHORITY),
    )
}

fn random() -> Result<String> {
    let mut bytes = [0; 24];
    File::open("/dev/urandom")
        .and_then(|mut source| source.read_exact(&mut bytes))
        .context("cannot read random bytes")?;
    Ok(cache::hexadecimal(&bytes))
}

#[cfg(test)]
mod tests {
    use super::super::layout::NODE;
    use super::*;

    #[test]
    fn the_kubelet_is_the_user_that_the_node_authorizer_knows() {
        let expected = format!("system:node:{NODE}");
        assert!(IDENTITIES.iter().any(|identity| identity.name == "kubelet" && identity.user == expected));
    }

    #[test]
    fn the_authority_is_the_last_certificate_and_nothing_half_written() {
        let leaf = "-----BEGIN CERTIFICATE-----\na\n-----END CERTIFICATE-----\n";
        let authority = "-----BEGIN CERTIFICATE-----\nb\n-----END CERTIFICATE-----\n";
        assert_eq!(last_certificate(&format!("{leaf}{authority}")), Some(authority));
        assert_eq!(last_certificate(&format!("{leaf}-----BEGIN CERTIFICATE-----\nb")), None);
        assert_eq!(last_certificate(""), None);
    }
}
