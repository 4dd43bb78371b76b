//! The configuration file that the data plane reads and follows, in a folder that only this user can look into and that
//! is gone at the end.

use anyhow::Context as _;
use std::path::{Path, PathBuf};
use tempfile::TempDir;
use tollward_policy::config::{SidecarConfig, load};

/// The file.
pub(crate) struct ConfigFile {
    folder: TempDir,
}

impl ConfigFile {
    /// Makes the folder and writes the first version.
    pub(crate) fn create(config: &SidecarConfig) -> anyhow::Result<Self> {
        let folder = tempfile::Builder::new().prefix("tollward-dev-").tempdir();
        let file = Self { folder: folder.context("can't make a folder for the configuration")? };
        file.write(config)?;
        Ok(file)
    }

    /// Replaces the file at once, after it was read as the data plane will read it.
    pub(crate) fn write(&self, config: &SidecarConfig) -> anyhow::Result<()> {
        let bytes = serde_json::to_vec_pretty(config).context("can't write the configuration as JSON")?;
        load(&bytes).context("the data plane would refuse the configuration")?;
        let next = self.folder.path().join("next.json");
        std::fs::write(&next, bytes).with_context(|| format!("can't write {}", next.display()))?;
        std::fs::rename(&next, self.path()).with_context(|| format!("can't replace {}", self.path().display()))
    }

    /// Where limits are asked about: as private as the file.
    pub(crate) fn inquiry_socket(&self) -> PathBuf {
        self.folder.path().join(Path::new("inquiry.sock"))
    }

    /// Where it is.
    pub(crate) fn path(&self) -> PathBuf {
        self.folder.path().join(Path::new("config.json"))
    }
}
