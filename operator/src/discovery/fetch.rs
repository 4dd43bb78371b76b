//! Fetches what an issuer says about itself under the installer's dial policy.
//!
//! The addresses come from a tenant's resource: everything is dialled through netguard, and whoever wrote the resource is told
//! only that a URL could not be fetched, never what answered there.

use super::{DiscoverySource, Question};
use super::{describe, introspection};
use futures_util::future::BoxFuture;
use http::StatusCode;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::{Api, Client};
use serde_json::Value;
use std::sync::Arc;
use std::time::Duration;
use tollward_api::identityprovider::{CaConfigMap, IssuerStatus};
use tollward_netguard::{
    Allowance, DialPolicy, Dialer, FetchLimits, Fetched, Fetcher, Resolve, Scheme, Target, TrustRoots,
};
use tollward_policy::config::{DialConfig, Scheme as ConfigScheme};
use tollward_policy::well_known::metadata_addresses;

/// Bounds of one fetch.
const LIMITS: FetchLimits =
    FetchLimits { total: Duration::from_secs(10), connect: Duration::from_secs(3), max_body: 1024 * 1024 };

/// Asks through netguard.
pub struct GuardedDiscovery {
    client: Client,
    policy: DialPolicy,
    resolver: Arc<dyn Resolve>,
}

impl GuardedDiscovery {
    /// Under the installer's dial policy.
    pub fn new(client: Client, dial: &DialConfig, resolver: Arc<dyn Resolve>) -> Self {
        let scheme = |scheme| match scheme {
            ConfigScheme::Http => Scheme::Http,
            ConfigScheme::Https => Scheme::Https,
        };
        let allow = dial.allow.iter().map(|entry| Allowance { cidr: entry.cidr, scheme: scheme(entry.scheme) });
        let policy = DialPolicy { allow: allow.collect(), deny: dial.deny.clone() };
        Self { client, policy, resolver }
    }

    async fn fetcher(&self, question: &Question) -> Result<Fetcher, String> {
        let pem = match &question.authority {
            None => None,
            Some(authority) => Some(self.authority(&question.namespace, authority).await?),
        };
        let trust = TrustRoots::system(pem.as_deref().map(str::as_bytes)).map_err(|error| error.to_string())?;
        Ok(Fetcher::new(Dialer::new(self.policy.clone(), self.resolver.clone(), &trust), LIMITS))
    }

    async fn authority(&self, namespace: &str, authority: &CaConfigMap) -> Result<String, String> {
        let CaConfigMap { name, key } = authority;
        let api: Api<ConfigMap> = Api::namespaced(self.client.clone(), namespace);
        let found = api.get_opt(name).await.map_err(|error| {
            tracing::warn!(namespace, name, %error, "a certificate authority can't be read");
            format!("spec.external.caConfigMap: ConfigMap `{name}` can't be read by the operator")
        })?;
        found.and_then(|map| map.data).and_then(|mut data| data.remove(key)).ok_or_else(|| {
            format!(
                "spec.external.caConfigMap: ConfigMap `{name}` with key `{key}` does not exist in namespace `{namespace}`; \
                 put it there too, so that the operator can check the issuer"
            )
        })
    }

    async fn ask(&self, question: Question) -> Result<Vec<IssuerStatus>, String> {
        let fetcher = self.fetcher(&question).await?;
        let mut found = Vec::with_capacity(question.issuers.len());
        // One after the other: there are few, and several of one host should not be asked at once.
        for issuer in &question.issuers {
            found.push(ask_one(&fetcher, issuer, &question).await?);
        }
        Ok(found)
    }
}

impl DiscoverySource for GuardedDiscovery {
    fn discover(&self, question: Question) -> BoxFuture<'_, Result<Vec<IssuerStatus>, String>> {
        Box::pin(self.ask(question))
    }
}

/// The keys, at least one.
async fn keys(fetcher: &Fetcher, url: &str) -> Result<Vec<Value>, String> {
    let mut keys = document(fetcher, url).await?;
    match keys.get_mut("keys").map(Value::take) {
        Some(Value::Array(keys)) if !keys.is_empty() => Ok(keys),
        Some(_) | None => Err(format!("{url} holds no keys")),
    }
}

async fn ask_one(fetcher: &Fetcher, issuer: &str, question: &Question) -> Result<IssuerStatus, String> {
    let metadata = metadata(fetcher, issuer).await;
    let (jwks_url, metadata) = match (&question.jwks_url, metadata) {
        (Some(url), metadata) => (Some(url.clone()), metadata.ok()),
        (None, Ok((address, metadata))) => {
            (metadata.get("jwks_uri").and_then(Value::as_str).map(str::to_owned), Some((address, metadata)))
        }
        (None, Err(error)) => return Err(error),
    };
    let introspection = match &question.introspection {
        None => None,
        Some(wanted) => {
            let said = metadata.as_ref().map_or(&Value::Null, |(_, metadata)| metadata);
            Some(introspection::endpoint(wanted, issuer, said)?)
        }
    };
    let keys = match &jwks_url {
        Some(url) => keys(fetcher, url).await?,
        // All tokens of such an issuer are opaque.
        None if introspection.is_some() => Vec::new(),
        None => return Err(format!("the metadata of {issuer} have no jwks_uri; set spec.external.jwksURL")),
    };
    Ok(describe::issuer(issuer, metadata, jwks_url.as_deref(), &keys, introspection.as_deref()))
}

/// The first well-known address that answers with metadata of this very issuer.
async fn metadata(fetcher: &Fetcher, issuer: &str) -> Result<(String, Value), String> {
    let mut failure = format!("{issuer} has no well-known address");
    for (index, url) in metadata_addresses(issuer).into_iter().enumerate() {
        match document(fetcher, &url).await {
            Ok(document) if document.get("issuer").and_then(Value::as_str) == Some(issuer) => {
                return Ok((url, document));
            }
            Ok(_) => {
                failure = format!(
                    "{url} is the metadata of another issuer: spec.external.issuer must equal its `issuer` character for \
                     character, with or without a slash at the end"
                );
                break;
            }
            Err(error) if index == 0 => failure = error,
            Err(_) => {}
        }
    }
    Err(failure)
}

async fn document(fetcher: &Fetcher, url: &str) -> Result<Value, String> {
    let target = Target::parse(url).map_err(|error| format!("{url}: {error}"))?;
    let answer = fetcher.get(&target, "application/json").await.map_err(|error| {
        tracing::info!(url, %error, "an issuer's document can't be fetched");
        format!("{url}: {}", error.public_message())
    })?;
    let Fetched { status, content_type: _, cache_control: _, body } = answer;
    if status != StatusCode::OK {
        return Err(format!("{url} answered {}", status.as_u16()));
    }
    serde_json::from_slice(&body).map_err(|_| format!("{url} did not answer with JSON"))
}

#[cfg(test)]
mod tests;
