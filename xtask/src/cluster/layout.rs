//! The cluster's fixed names, addresses and paths. Its network is a namespace of its own, so the addresses can't clash
//! with the machine's, nor with those of another cluster.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};

use crate::cache;

/// The one node's name.
pub(super) const NODE: &str = "node-1";
/// The node's address, on which the API server listens too.
pub(super) const NODE_ADDRESS: &str = "10.10.0.1";
/// Addresses of pods.
pub(super) const POD_RANGE: &str = "10.244.0.0/16";
/// Addresses of services. The first one is the API server's.
pub(super) const SERVICE_RANGE: &str = "10.96.0.0/16";
/// The address of the cluster's DNS service, within `SERVICE_RANGE`.
pub(super) const DNS_ADDRESS: &str = "10.96.0.10";

/// Where a cluster keeps its files: one folder, so that removing it forgets the cluster.
#[derive(Debug, Clone)]
pub(super) struct Layout {
    name: String,
    root: PathBuf,
}

impl Layout {
    /// The layout of the cluster with this name, below the cache folder. Clusters with different names don't meet.
    pub(super) fn new(name: &str) -> Result<Self> {
        let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        if name.is_empty() || name.len() > 20 || !name.bytes().all(is_plain) {
            bail!("`{name}` can't be a cluster's name: use up to 20 small letters and digits");
        }
        Ok(Self { name: name.to_owned(), root: cache::folder()?.join(format!("cluster-{name}")) })
    }

    /// The control group below which the kubelet keeps all pods.
    pub(super) fn control_group(&self) -> String {
        format!("tollward-{}", self.name)
    }

    /// The program of the process that holds the cluster's namespaces, which tells it from others.
    pub(super) fn holder(&self) -> PathBuf {
        self.path("pause")
    }

    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    /// A file or folder of the cluster.
    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    /// The same, as an argument of a program.
    pub(super) fn text(&self, name: &str) -> String {
        self.path(name).display().to_string()
    }

    /// The administrator's kubeconfig.
    pub(super) fn kubeconfig(&self) -> PathBuf {
        self.path("admin.kubeconfig")
    }

    /// The lock of `up` and `down`; beside the folder, which `down` removes.
    pub(super) fn lock(&self) -> PathBuf {
        self.root.with_extension("lock")
    }

    /// Makes the folder, closed to other users since it holds keys.
    pub(super) fn create(&self) -> Result<()> {
        fs::create_dir_all(&self.root)
            .and_then(|()| fs::set_permissions(&self.root, fs::Permissions::from_mode(0o700)))
            .with_context(|| format!("cannot create {}", self.root.display()))
    }

    /// Writes a file, with its folders.
    pub(super) fn write(&self, name: &str, text: &str) -> Result<()> {
        let path = self.path(name);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent).with_context(|| format!("cannot create {}", parent.display()))?;
        }
        fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_would_leave_the_cache_folder_is_refused() {
        for name in ["", "..", "a/b", "A", "a b", "abcdefghijklmnopqrstu"] {
            assert!(Layout::new(name).is_err(), "{name}");
        }
    }

    #[test]
    fn clusters_with_different_names_share_nothing() {
        let (one, other) = (Layout::new("one").expect("a name"), Layout::new("other").expect("a name"));
        assert_ne!(one.root(), other.root());
        assert_ne!(one.lock(), other.lock());
        assert_ne!(one.control_group(), other.control_group());
    }
}
