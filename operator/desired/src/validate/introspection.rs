//! Asking a provider about tokens: whether it can be, and which Secret a server mounts for it.

use super::web_url::is_url;
use crate::names::MAX_SECRET_KEY;
use std::path::Path;
use tollward_api::identityprovider::Introspection;
use tollward_api::owned::is_owned;
use tollward_policy::config::{IntrospectionClient, IntrospectionConfig, MAX_CACHE_SECONDS};

/// How a provider is asked about tokens, but for where the client's secret is mounted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct IntrospectionPlan {
    wanted: Introspection,
    secret_key: String,
    cache_seconds: u32,
}

impl IntrospectionPlan {
    /// The Secret to mount.
    pub(crate) fn secret(&self) -> &str {
        &self.wanted.client.secret.name
    }

    /// Its key. Whoever describes a provider names a Secret, maybe in the namespaces of others, and says where it is sent. So its
    /// key must say that it was made for this very provider: the kubelet mounts no Secret without that key.
    pub(crate) fn secret_key(&self) -> &str {
        &self.secret_key
    }

    /// What the data plane reads, with the Secret mounted in that folder.
    pub(crate) fn config(&self, folder: &Path) -> IntrospectionConfig {
        let Introspection { tokens, endpoint_url, client, cache_ttl: _ } = &self.wanted;
        IntrospectionConfig {
            tokens: *tokens,
            endpoint_url: endpoint_url.clone(),
            client: IntrospectionClient {
                id: client.id.clone(),
                authentication: client.authentication,
                secret_file: folder.join(&self.secret_key),
            },
            cache_seconds: self.cache_seconds,
        }
    }
}

/// The plan for `introspection` of the provider `key`; `None` after `refuse` was told why.
pub(super) fn judge(key: &str, wanted: &Introspection, refuse: &mut impl FnMut(String)) -> Option<IntrospectionPlan> {
    let Introspection { tokens: _, endpoint_url, client, cache_ttl } = wanted;
    let mut fine = true;
    let mut unless = |holds: bool, message: &str| {
        if !holds {
            refuse(format!("spec.external.introspection.{message}"));
            fine = false;
        }
    };
    unless(
        endpoint_url.as_deref().is_none_or(|url| is_url(url, true)),
        "endpointURL must be an absolute http(s) URL without user or fragment",
    );
    let visible = client.id.bytes().all(|byte| matches!(byte, 0x20..=0x7e));
    unless(
        (1..=512).contains(&client.id.len()) && visible,
        "client.id must have 1 to 512 visible ASCII characters (RFC 6749 appendix A.1)",
    );
    unless(
        !client.secret.name.is_empty() && !is_owned(&client.secret.name),
        "client.secret.name must name a Secret that is not Tollward's own",
    );
    let cache_seconds = cache_ttl.seconds().unwrap_or(u32::MAX);
    unless(cache_seconds <= MAX_CACHE_SECONDS, "cacheTTL must be a duration of at most 5m");
    let secret_key = format!("introspection.{}", key.replace('/', "."));
    if secret_key.len() > MAX_SECRET_KEY {
        let message = "client.secret: no Secret has a key as long as `introspection.NAMESPACE.NAME` would be; choose a shorter name for the provider";
        refuse(format!("spec.external.introspection.{message}"));
        return None;
    }
    fine.then(|| IntrospectionPlan { wanted: wanted.clone(), secret_key, cache_seconds })
}
