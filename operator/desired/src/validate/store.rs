//! Where a policy's limits are counted by all replicas: the store as the data plane gets it, and the Secret that it needs.
//!
//! Whoever writes policies names a Secret that he need not be able to read, and where its password is sent. So its keys must
//! say that they were made for this very policy.

use crate::names::{MAX_SECRET_KEY, STORES_FOLDER};
use std::path::{Path, PathBuf};
use tollward_api::owned::is_owned;
use tollward_api::ratelimitpolicy::{Store, StoreKey, StoreSecret};
use tollward_policy::limits::{OnStoreFailure, StoreConfig};

/// The keys of a Secret that a store needs, as the data plane's container has them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StoreMount {
    policy: String,
    pub(crate) secret: String,
    pub(crate) keys: Vec<String>,
}

impl StoreMount {
    /// Its folder. It is named after the Secret: a data plane that runs already and is told of another one finds no such folder,
    /// instead of the former one's content.
    pub(crate) fn folder(&self) -> PathBuf {
        Path::new(STORES_FOLDER).join(&self.policy).join(&self.secret)
    }

    fn file(&self, policy: &str, key: StoreKey) -> Option<PathBuf> {
        let name = key_name(policy, key);
        self.keys.contains(&name).then(|| self.folder().join(name))
    }
}

/// The store of a policy, if it names one; an error says which field is wrong.
pub(super) fn judge(
    policy: &str,
    store: Option<&Store>,
    on_failure: Option<OnStoreFailure>,
) -> Result<Option<(StoreConfig, Option<StoreMount>)>, String> {
    let Some(Store { url, mode, credentials_secret, deadline }) = store else {
        return match on_failure {
            Some(_) => Err("spec.onStoreFailure must be set only with spec.store".to_owned()),
            None => Ok(None),
        };
    };
    let tls = url.starts_with("rediss://");
    let mount = credentials_secret.as_ref().map(|secret| mount(policy, secret, tls)).transpose()?;
    let file = |key: StoreKey| mount.as_ref().and_then(|mount| mount.file(policy, key));
    let config = StoreConfig {
        url: url.clone(),
        mode: *mode,
        username_file: file(StoreKey::Username),
        password_file: file(StoreKey::Password),
        ca_file: file(StoreKey::CertificateAuthority),
        deadline_millis: deadline.milliseconds().map_err(|error| format!("spec.store.deadline: {error}"))?,
        // What is not said must not let calls pass.
        on_failure: on_failure.unwrap_or(OnStoreFailure::Local),
    };
    Ok(Some((config, mount)))
}

fn mount(policy: &str, secret: &StoreSecret, tls: bool) -> Result<StoreMount, String> {
    let StoreSecret { name, keys } = secret;
    let refuse = |message: &str| Err(format!("spec.store.credentialsSecret: {message}"));
    let plain = |text: &str| {
        !text.is_empty()
            && !text.starts_with('.')
            && text.chars().all(|it| it.is_ascii_alphanumeric() || matches!(it, '-' | '.'))
    };
    if is_owned(name) {
        return refuse(&format!("Secret `{name}` belongs to Tollward"));
    }
    // Both are parts of a path.
    if !plain(name) || !plain(policy) {
        return refuse("the names of Secret and policy must have letters, digits, `-` and `.` only");
    }
    let wanted: &[StoreKey] = match (keys.as_slice(), tls) {
        ([], true) => &[StoreKey::Username, StoreKey::Password, StoreKey::CertificateAuthority],
        ([], false) => &[StoreKey::Username, StoreKey::Password],
        (given, _) => given,
    };
    if wanted.contains(&StoreKey::Username) != wanted.contains(&StoreKey::Password) {
        return refuse("keys must name username and password both, or neither");
    }
    if wanted.contains(&StoreKey::CertificateAuthority) && !tls {
        return refuse("keys must not name ca.crt with redis://: without TLS no certificate is looked at");
    }
    let keys: Vec<_> = wanted.iter().map(|key| key_name(policy, *key)).collect();
    if keys.iter().any(|key| key.len() > MAX_SECRET_KEY) {
        return refuse("no Secret has a key as long as `store.POLICY.password` would be; choose a shorter name");
    }
    Ok(StoreMount { policy: policy.to_owned(), secret: name.clone(), keys })
}

fn key_name(policy: &str, key: StoreKey) -> String {
    format!("store.{policy}.{}", key.as_str())
}
