//! What a server in the pod is told, so that it can verify signed assertions without being configured for it.

use crate::validate::{UpstreamAuthPlan, Validated};
use tollward_api::ports;
use tollward_policy::config::LOCAL_ASSERTION_KEYS;

/// Environment variables of the server's container: what to expect as `iss` and `aud`, and where the keys are.
pub(super) fn variables(server: &Validated) -> Vec<(&'static str, String)> {
    match &server.upstream_auth {
        UpstreamAuthPlan::SignedAssertion { audience } => {
            let (namespace, name) = (server.identity.namespace(), server.identity.name());
            let keys = format!("http://127.0.0.1:{}{LOCAL_ASSERTION_KEYS}/{namespace}/{name}", ports::OBSERVE);
            vec![
                ("TOLLWARD_ASSERTION_ISSUER", server.endpoint.url().as_str().to_owned()),
                ("TOLLWARD_ASSERTION_AUDIENCE", audience.clone()),
                ("TOLLWARD_ASSERTION_KEYS_URL", keys),
            ]
        }
        UpstreamAuthPlan::None | UpstreamAuthPlan::TokenExchange { .. } | UpstreamAuthPlan::Credential { .. } => {
            Vec::new()
        }
    }
}
