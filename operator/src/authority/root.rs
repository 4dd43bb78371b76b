//! The Secret with root key and certificate authority, in the operator's own namespace and nowhere else.
//!
//! Made at the first start. Of two operators that start at once, one makes it and the other reads that one's.

use super::certificate::authority_params;
use super::{Authority, CertificateError, derive};
use jiff::Timestamp;
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::api::PostParams;
use kube::{Api, Client};
use rcgen::KeyPair;
use std::collections::BTreeMap;
use std::time::Duration;
use zeroize::Zeroizing;

/// Name of the Secret.
pub const ROOT_SECRET: &str = "tollward-root";

const ROOT_KEY: &str = "root.key";
const CA_CERTIFICATE: &str = "ca.crt";
const CA_KEY: &str = "ca.key";
/// When the authority was made, in seconds since 1970: its parameters are rebuilt from it.
const CA_MADE: &str = "ca.made";

/// Why there are no root keys.
#[derive(Debug, thiserror::Error)]
pub enum RootError {
    /// The API server.
    #[error("can't {verb} the Secret {namespace}/{ROOT_SECRET}")]
    Api {
        /// What was tried.
        verb: &'static str,
        /// The operator's namespace.
        namespace: String,
        /// Why it failed.
        source: Box<kube::Error>,
    },
    /// It holds something else.
    #[error(
        "the Secret {namespace}/{ROOT_SECRET} has no usable `{entry}`; restore it from a backup, or delete it to start with \
         new keys, which rolls the pods of every server"
    )]
    Unusable {
        /// The operator's namespace.
        namespace: String,
        /// The entry.
        entry: &'static str,
    },
    /// No keys could be made.
    #[error(transparent)]
    Make(#[from] CertificateError),
}

/// Reads the root keys, or makes them at the first start.
pub async fn load_or_create(
    client: &Client,
    namespace: &str,
    period: Duration,
    now: Timestamp,
) -> Result<Authority, RootError> {
    let api: Api<Secret> = Api::namespaced(client.clone(), namespace);
    let failed =
        |verb| move |source| RootError::Api { verb, namespace: namespace.to_owned(), source: Box::new(source) };
    if let Some(secret) = api.get_opt(ROOT_SECRET).await.map_err(failed("read"))? {
        return read(&secret, namespace, period);
    }
    let secret = make(namespace, now)?;
    match api.create(&PostParams::default(), &secret).await {
        Ok(_) => {
            tracing::info!(secret = ROOT_SECRET, "made the installation's root keys");
            read(&secret, namespace, period)
        }
        Err(kube::Error::Api(status)) if status.code == 409 => {
            let theirs = api.get(ROOT_SECRET).await.map_err(failed("read"))?;
            read(&theirs, namespace, period)
        }
        Err(error) => Err(failed("create")(error)),
    }
}

fn make(namespace: &str, now: Timestamp) -> Result<Secret, CertificateError> {
    let mut root = Zeroizing::new([0_u8; derive::KEY_LENGTH]);
    aws_lc_rs::rand::fill(root.as_mut_slice())
        .map_err(|_| CertificateError::Cryptography("the system gives no randomness".into()))?;
    let key = KeyPair::generate()?;
    let certificate = authority_params(now)?.self_signed(&key)?;
    let data = BTreeMap::from([
        (ROOT_KEY.to_owned(), ByteString(root.to_vec())),
        (CA_CERTIFICATE.to_owned(), ByteString(certificate.pem().into_bytes())),
        (CA_KEY.to_owned(), ByteString(key.serialize_pem().into_bytes())),
        (CA_MADE.to_owned(), ByteString(now.as_second().to_string().into_bytes())),
    ]);
    Ok(Secret {
        metadata: ObjectMeta {
            name: Some(ROOT_SECRET.into()),
            namespace: Some(namespace.into()),
            labels: Some(BTreeMap::from([
                ("app.kubernetes.io/part-of".into(), "tollward".into()),
                ("app.kubernetes.io/managed-by".into(), "tollward-operator".into()),
            ])),
            ..ObjectMeta::default()
        },
        immutable: Some(true),
        data: Some(data),
        type_: Some("tollward.dev/root".into()),
        ..Secret::default()
    })
}

pub(super) fn read(secret: &Secret, namespace: &str, period: Duration) -> Result<Authority, RootError> {
    let unusable = |entry| RootError::Unusable { namespace: namespace.to_owned(), entry };
    let bytes = |entry: &'static str| {
        let found = secret.data.as_ref().and_then(|data| data.get(entry));
        found.map(|bytes| bytes.0.as_slice()).ok_or_else(|| unusable(entry))
    };
    let text = |entry| std::str::from_utf8(bytes(entry)?).map_err(|_| unusable(entry));
    let root: [u8; derive::KEY_LENGTH] = bytes(ROOT_KEY)?.try_into().map_err(|_| unusable(ROOT_KEY))?;
    let made = text(CA_MADE)?.parse().ok().and_then(|second| Timestamp::from_second(second).ok());
    Ok(Authority {
        root: Zeroizing::new(root),
        key: KeyPair::from_pem(text(CA_KEY)?).map_err(|_| unusable(CA_KEY))?,
        params: authority_params(made.ok_or_else(|| unusable(CA_MADE))?)?,
        pem: text(CA_CERTIFICATE)?.to_owned(),
        period,
    })
}

#[cfg(test)]
pub(super) fn fresh(now: Timestamp, period: Duration) -> Authority {
    read(&make("test", now).unwrap(), "test", period).unwrap()
}
