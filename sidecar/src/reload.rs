//! Watches the configuration file and the certificate files, and puts changes in force while running.

use crate::listen::{Certificate, Stamp};
use crate::snapshot::Parts;
use crate::state::State;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use tollward_policy::config::{LoadError, ProcessConfig, SidecarConfig, load};
use tollward_policy::digest;

/// Between two looks at the configuration file.
pub(crate) const CONFIG_PERIOD: Duration = Duration::from_millis(500);
/// Between two looks at certificates.
const CERTIFICATE_PERIOD: Duration = Duration::from_secs(5);

/// A configuration with the digest of the bytes it came from.
pub struct Loaded {
    /// The configuration.
    pub config: SidecarConfig,
    /// The digest.
    pub digest: String,
}

/// Why a file is no configuration.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// It can't be read.
    #[error("{path}: {source}")]
    File {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// Its content is refused.
    #[error("{path}: {source}")]
    Content {
        /// The file.
        path: PathBuf,
        /// Digest of the content.
        digest: String,
        /// What is wrong.
        source: LoadError,
    },
}

/// Reads and checks a configuration file.
pub fn read(path: &std::path::Path) -> Result<Loaded, ReadError> {
    let bytes = std::fs::read(path).map_err(|source| ReadError::File { path: path.to_owned(), source })?;
    let digest = digest::of(&bytes);
    match load(&bytes) {
        Ok(config) => Ok(Loaded { config, digest }),
        Err(source) => Err(ReadError::Content { path: path.to_owned(), digest, source }),
    }
}

/// Follows the configuration file.
pub struct ConfigWatch {
    /// The file.
    pub path: PathBuf,
    /// Version of the file that is in force.
    pub stamp: Option<Stamp>,
    /// Compiles.
    pub parts: Arc<Parts>,
    /// Where it is put in force.
    pub state: Arc<State>,
    /// The process part at the start.
    pub process: ProcessConfig,
    /// Set while the process part on file is another one.
    pub restart_required: Arc<AtomicBool>,
}

impl ConfigWatch {
    /// Looks at the file until `ending` is cancelled.
    pub async fn run(mut self, ending: CancellationToken) {
        while !pause(CONFIG_PERIOD, &ending).await {
            let now = Stamp::of(&self.path);
            if now == self.stamp {
                continue;
            }
            self.stamp = now;
            self.reload();
        }
    }

    fn reload(&self) {
        match read(&self.path) {
            Ok(loaded) if loaded.digest == self.state.last_good().digest && self.state.rejected().is_none() => {}
            Ok(loaded) => self.put_in_force(&loaded),
            Err(error) => {
                let digest = match &error {
                    ReadError::File { .. } => String::new(),
                    ReadError::Content { digest, .. } => digest.clone(),
                };
                self.reject(digest, &error);
            }
        }
    }

    fn put_in_force(&self, loaded: &Loaded) {
        match self.parts.compile(&loaded.config, loaded.digest.clone()) {
            Ok(snapshot) => {
                self.state.accept(snapshot);
                self.parts.limiter.sweep();
                self.parts.stores.wake();
                let changed = loaded.config.process != self.process;
                self.restart_required.store(changed, Ordering::Relaxed);
                tracing::info!(digest = %loaded.digest, generation = loaded.config.generation, restart_required = changed, "a new configuration is in force");
            }
            Err(error) => self.reject(loaded.digest.clone(), &error),
        }
    }

    fn reject(&self, digest: String, error: &dyn std::fmt::Display) {
        tracing::error!(%error, in_force = %self.state.last_good().digest, "a new configuration was refused; the last good one stays in force");
        self.state.reject(digest, error.to_string());
    }
}

/// Follows certificates until `ending` is cancelled.
pub async fn watch_certificates(certificates: Vec<Arc<Certificate>>, ending: CancellationToken) {
    while !pause(CERTIFICATE_PERIOD, &ending).await {
        for certificate in &certificates {
            match certificate.refresh() {
                Ok(true) => tracing::info!("a new certificate is in force"),
                Ok(false) => {}
                Err(error) => {
                    tracing::error!(%error, "a new certificate was refused; the last good one stays in force");
                }
            }
        }
    }
}

/// True once `ending` is cancelled.
pub(crate) async fn pause(period: Duration, ending: &CancellationToken) -> bool {
    tokio::time::timeout(period, ending.cancelled()).await.is_ok()
}
