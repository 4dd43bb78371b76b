//! The Secret with a server's keys: its name, and its content when it has to be made.
//!
//! A Secret is made once and never changed or read: the operator may only `create` and `delete` Secrets. So its name stands
//! for its content: another epoch, another host or another authority means another Secret, and pods that roll over to it.
//! The name can't be foreseen without the root key, so nobody can put a Secret of their own in its place.

use crate::authority::{Authority, CertificateError, Epoch, Issued};
use jiff::Timestamp;
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::{Secret, Volume};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use tollward_api::owned::child_name;
use tollward_desired::{Children, KeyEntry, KeysSecret};

/// Which Secret a server needs.
#[derive(Debug, Clone)]
pub(super) struct Keys {
    pub(super) secret: KeysSecret,
    uid: String,
    epoch: Epoch,
}

/// The epoch whose keys a server seals with: that of the time, and as many more as its owner has asked for new keys.
pub(super) fn epoch(authority: &Authority, uid: &str, generation: u32, now: Timestamp) -> Epoch {
    Epoch(authority.epoch(uid, now).0.saturating_add(i64::from(generation)))
}

/// Names the Secret, and makes the pods use it.
pub(super) fn name(
    children: &mut Children,
    uid: &str,
    epoch: Epoch,
    authority: &Authority,
) -> Result<Keys, CertificateError> {
    let suffix = authority.unforeseeable(uid, epoch, &content(&children.keys.entries))?;
    let described = children.keys.name.clone();
    let server = &children.keys.owner.name;
    let name = child_name(&format!("{server}-keys-{suffix}"));
    let pod = children.deployment.spec.template.spec.as_mut();
    for volume in pod.and_then(|pod| pod.volumes.as_mut()).into_iter().flatten() {
        rename(volume, &described, &name);
    }
    children.keys.name = name;
    Ok(Keys { secret: children.keys.clone(), uid: uid.to_owned(), epoch })
}

fn rename(volume: &mut Volume, from: &str, to: &str) {
    if let Some(secret) = &mut volume.secret
        && secret.secret_name.as_deref() == Some(from)
    {
        secret.secret_name = Some(to.to_owned());
    }
}

/// A text that differs whenever the Secret would have to differ.
fn content(entries: &[KeyEntry]) -> String {
    let mut text = String::new();
    for entry in entries {
        // Writing to a String cannot fail.
        let _ = match entry {
            KeyEntry::Session { file, id: _, after } => writeln!(text, "session {file:?} {after}"),
            KeyEntry::Certificate { certificate, private_key, names } => {
                writeln!(text, "certificate {certificate:?} {private_key:?} {names:?}")
            }
            KeyEntry::Assertion { private_key, earlier, later } => {
                writeln!(text, "assertion {private_key:?} {earlier:?} {later:?}")
            }
            KeyEntry::ClientAuthority { file } => writeln!(text, "authority {file:?}"),
        };
    }
    text
}

impl Keys {
    /// Makes the Secret's content.
    pub(super) fn make(&self, authority: &Authority, now: Timestamp) -> Result<Secret, CertificateError> {
        let KeysSecret { name, namespace, labels, owner, entries } = &self.secret;
        let mut data = BTreeMap::new();
        for entry in entries {
            match entry {
                KeyEntry::Session { file, id: _, after } => {
                    let key = authority.session_key(&self.uid, Epoch(self.epoch.0.saturating_add(*after)))?;
                    data.insert(file.clone(), ByteString(key.to_vec()));
                }
                KeyEntry::Certificate { certificate, private_key, names } => {
                    let Issued { chain, private_key: key } = authority.issue_server(names, now)?;
                    data.insert(certificate.clone(), ByteString(chain.into_bytes()));
                    data.insert(private_key.clone(), ByteString(key.as_bytes().to_vec()));
                }
                KeyEntry::Assertion { private_key, earlier, later } => {
                    let key = authority.assertion_key(&self.uid, self.epoch)?;
                    data.insert(private_key.clone(), ByteString(key.to_vec()));
                    // Pods of two epochs live side by side while they roll.
                    for (file, epoch) in [(earlier, self.epoch.0 - 1), (later, self.epoch.0 + 1)] {
                        let public = authority.assertion_public_key(&self.uid, Epoch(epoch))?;
                        data.insert(file.clone(), ByteString(public));
                    }
                }
                KeyEntry::ClientAuthority { file } => {
                    data.insert(file.clone(), ByteString(authority.certificate().as_bytes().to_vec()));
                }
            }
        }
        Ok(Secret {
            metadata: ObjectMeta {
                name: Some(name.clone()),
                namespace: Some(namespace.clone()),
                labels: Some(labels.clone()),
                owner_references: Some(vec![owner.clone()]),
                ..ObjectMeta::default()
            },
            immutable: Some(true),
            data: Some(data),
            type_: Some("tollward.dev/keys".into()),
            ..Secret::default()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::{content, epoch};
    use crate::authority::{Epoch, fresh_authority};
    use jiff::Timestamp;
    use tollward_desired::KeyEntry;

    #[test]
    fn a_generation_counts_like_an_epoch_so_that_the_keys_before_stay_next_to_it() {
        let (authority, now) = (fresh_authority(), Timestamp::now());
        let Epoch(first) = epoch(&authority, "11f0", 0, now);
        assert_eq!(epoch(&authority, "11f0", 1, now), Epoch(first + 1));
        assert_eq!(epoch(&authority, "11f0", u32::MAX, now), Epoch(first + i64::from(u32::MAX)));
        let before = authority.session_key("11f0", epoch(&authority, "11f0", 4, now)).unwrap();
        let earlier = Epoch(epoch(&authority, "11f0", 5, now).0 - 1);
        assert_eq!(authority.session_key("11f0", earlier).unwrap(), before);
    }

    #[test]
    fn another_host_is_another_content() {
        let entry = |names: &[&str]| KeyEntry::Certificate {
            certificate: "tls.crt".into(),
            private_key: "tls.key".into(),
            names: names.iter().map(|name| (*name).to_owned()).collect(),
        };
        assert_ne!(content(&[entry(&["a", "b"])]), content(&[entry(&["a b"])]));
        assert_ne!(content(&[entry(&["a"])]), content(&[entry(&["b"])]));
    }
}
