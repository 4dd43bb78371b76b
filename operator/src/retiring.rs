//! Old Secrets with keys, removed once no pod mounts them.
//!
//! Kept in memory only: what a restart forgets goes with its server, by owner reference.

use k8s_openapi::api::core::v1::Secret;
use kube::api::DeleteParams;
use kube::{Api, Client};
use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, PoisonError};

/// Names of old Secrets, by server.
#[derive(Debug, Default)]
pub struct Retiring(Mutex<HashMap<String, HashSet<String>>>);

impl Retiring {
    /// Pods are told to use another Secret than this one.
    pub fn begin(&self, uid: &str, secret: &str) {
        let mut secrets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        secrets.entry(uid.to_owned()).or_default().insert(secret.to_owned());
    }

    /// A Secret is in use again.
    pub fn keep(&self, uid: &str, secret: &str) {
        let mut secrets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(names) = secrets.get_mut(uid) {
            names.remove(secret);
        }
    }

    /// Forgets all but these servers.
    pub fn retain(&self, live: &HashSet<String>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).retain(|uid, _| live.contains(uid));
    }

    /// Every pod uses the current one: removes the others. What can't be removed is kept for the next time.
    pub async fn finish(&self, namespace: &str, uid: &str, client: &Client) {
        let names = {
            let mut secrets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            secrets.remove(uid).unwrap_or_default()
        };
        let api: Api<Secret> = Api::namespaced(client.clone(), namespace);
        for name in names {
            match api.delete(&name, &DeleteParams::background()).await {
                Ok(_) => tracing::info!(namespace, "removed keys that no pod uses any more"),
                Err(kube::Error::Api(status)) if status.code == 404 => {}
                Err(error) => {
                    tracing::warn!(namespace, %error, "old keys could not be removed; this is tried again");
                    self.begin(uid, &name);
                }
            }
        }
    }
}
