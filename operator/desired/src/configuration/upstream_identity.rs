//! Under which identity the data plane calls the server, as its configuration says it: with paths of mounted Secrets, or of
//! folders on this machine that stand for them.

use super::Place;
use crate::finding::{Finding, Findings};
use crate::names::{ASSERTION_KEY, ASSERTION_NEIGHBOURS, KEYS_FOLDER};
use crate::validate::{FormPlan, MountedSecret, UpstreamAuthPlan, Validated};
use std::path::{Path, PathBuf};
use tollward_api::condition::ConditionReason;
use tollward_policy::config::{AssertionKeys, CredentialForm, ExchangeClient, UpstreamIdentity};

/// Secrets that this machine has no folder for.
pub(super) fn missing(server: &Validated, place: &Place) -> Vec<Finding> {
    let mut findings = Findings::default();
    let Place::Local(local) = place else {
        return findings.into_vec();
    };
    if let Some(secret) = server.upstream_auth.secret().filter(|secret| !local.secrets.contains_key(&secret.name)) {
        let (name, keys) = (&secret.name, secret.keys.join(", "));
        let message = format!(
            "spec.upstreamAuth needs the Secret `{name}`, which this machine does not have; name a folder with a file for \
             each of its keys ({keys}): --secret {name}=FOLDER"
        );
        findings.reference(ConditionReason::TargetNotFound, message);
    }
    findings.into_vec()
}

pub(super) fn identity(server: &Validated, place: &Place) -> UpstreamIdentity {
    match &server.upstream_auth {
        UpstreamAuthPlan::None => UpstreamIdentity::None {},
        UpstreamAuthPlan::SignedAssertion { audience } => {
            UpstreamIdentity::SignedAssertion { audience: audience.clone(), keys: keys(place) }
        }
        UpstreamAuthPlan::TokenExchange {
            client,
            authentication,
            secret,
            audience,
            resource,
            scopes,
            max_lifetime_seconds,
        } => UpstreamIdentity::TokenExchange {
            client: ExchangeClient {
                id: client.clone(),
                secret: file(secret, 0, place),
                authentication: *authentication,
            },
            audience: audience.clone(),
            resource: resource.clone(),
            scopes: scopes.clone(),
            max_lifetime_seconds: *max_lifetime_seconds,
        },
        UpstreamAuthPlan::Credential { form, secret } => UpstreamIdentity::Credential {
            form: match form {
                FormPlan::Bearer => CredentialForm::Bearer { token: file(secret, 0, place) },
                FormPlan::Basic => {
                    CredentialForm::Basic { username: file(secret, 0, place), password: file(secret, 1, place) }
                }
                FormPlan::Header(name) => CredentialForm::Header { name: name.clone(), value: file(secret, 0, place) },
            },
        },
    }
}

/// On this machine the data plane makes a key by itself.
fn keys(place: &Place) -> Option<AssertionKeys> {
    let file = |name: &str| Path::new(KEYS_FOLDER).join(name);
    match place {
        Place::Pod => {
            Some(AssertionKeys { private_key: file(ASSERTION_KEY), neighbours: ASSERTION_NEIGHBOURS.map(file).into() })
        }
        Place::Local(_) => None,
    }
}

fn file(secret: &MountedSecret, key: usize, place: &Place) -> PathBuf {
    let folder = match place {
        Place::Pod => secret.folder(),
        // A Secret without a folder was refused before.
        Place::Local(local) => local.secrets.get(&secret.name).cloned().unwrap_or_else(|| secret.folder()),
    };
    folder.join(secret.keys.get(key).map(String::as_str).unwrap_or_default())
}
