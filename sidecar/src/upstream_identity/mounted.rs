//! A secret from mounted files. It is looked at again within a second of a change, so that rotating it needs no restart, and
//! a file that can't be used any more is no secret, not the last good one: it may have been taken away on purpose.

use crate::listen::Stamp;
use crate::secret_file::{self, FileError};
use arc_swap::ArcSwap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use zeroize::Zeroizing;

/// Most bytes of a file.
const MAX_BYTES: usize = 8 * 1024;

/// Why there is no secret. It says nothing of the content.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum MountedError {
    /// A file can't be read, or holds no text.
    #[error("{path} {cause}")]
    File {
        /// The file.
        path: String,
        /// What is wrong.
        cause: FileError,
    },
    /// It holds something else.
    #[error("{path} {message}")]
    Content {
        /// The files.
        path: String,
        /// What is wrong.
        message: &'static str,
    },
}

/// The texts of the files, without the line break that editors add.
pub(super) type Texts = [Zeroizing<String>];

/// Makes a secret of texts, or says what is wrong with them.
type Make<T> = Box<dyn Fn(&Texts) -> Result<T, &'static str> + Send + Sync>;

/// A secret made of one or two files.
pub(super) struct Mounted<T> {
    files: Vec<PathBuf>,
    make: Make<T>,
    looked: ArcSwap<Looked<T>>,
}

/// What the files held when they were looked at.
struct Looked<T> {
    /// In seconds since the epoch; `None` before the first look.
    at: Option<i64>,
    stamps: Vec<Option<Stamp>>,
    made: Result<Arc<T>, MountedError>,
}

impl<T> Mounted<T> {
    pub(super) fn new(
        files: Vec<PathBuf>,
        make: impl Fn(&Texts) -> Result<T, &'static str> + Send + Sync + 'static,
    ) -> Self {
        let nothing = MountedError::Content { path: listed(&files), message: "was not read yet" };
        let looked = Looked { at: None, stamps: Vec::new(), made: Err(nothing) };
        Self { files, make: Box::new(make), looked: ArcSwap::from_pointee(looked) }
    }

    pub(super) fn files(&self) -> impl Iterator<Item = &Path> {
        self.files.iter().map(PathBuf::as_path)
    }

    /// The secret as it is on file now, or was within this second.
    pub(super) fn get(&self, now: i64) -> Result<Arc<T>, MountedError> {
        let looked = self.looked.load();
        if looked.at == Some(now) {
            return looked.made.clone();
        }
        // Before the content: a change in between shows at the next look.
        let stamps: Vec<_> = self.files.iter().map(|file| Stamp::of(file)).collect();
        let is_same = looked.at.is_some() && stamps == looked.stamps && stamps.iter().all(Option::is_some);
        let made = if is_same { looked.made.clone() } else { self.read() };
        if made.is_err() && made.as_ref().err() != looked.made.as_ref().err() {
            let error = made.as_ref().err().map(ToString::to_string).unwrap_or_default();
            tracing::error!(error, "a secret for the MCP server can't be used; calls are refused until it can");
        }
        self.looked.store(Arc::new(Looked { at: Some(now), stamps, made: made.clone() }));
        made
    }

    fn read(&self) -> Result<Arc<T>, MountedError> {
        let texts = self.files.iter().map(|file| read(file)).collect::<Result<Vec<_>, _>>()?;
        let made = (self.make)(&texts);
        made.map(Arc::new).map_err(|message| MountedError::Content { path: listed(&self.files), message })
    }
}

fn listed(files: &[PathBuf]) -> String {
    files.iter().map(|file| file.display().to_string()).collect::<Vec<_>>().join(" and ")
}

fn read(path: &Path) -> Result<Zeroizing<String>, MountedError> {
    secret_file::text(path, MAX_BYTES).map_err(|cause| MountedError::File { path: path.display().to_string(), cause })
}

impl<T> fmt::Debug for Mounted<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Mounted").field("files", &self.files).finish_non_exhaustive()
    }
}
