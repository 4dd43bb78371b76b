//! The cache outside of the checkout, for what takes minutes to make and does not change with our own code. An entry is
//! named after everything that goes into it, made under a lock, and appears whole or not at all.

use std::env;
use std::fmt::Write as _;
use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use sha2::{Digest as _, Sha256};

use crate::say;

/// `$TOLLWARD_CACHE`, else `$XDG_CACHE_HOME/tollward`, else `~/.cache/tollward`.
pub(crate) fn folder() -> Result<PathBuf> {
    let set = |name: &str| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let folder = set("TOLLWARD_CACHE")
        .or_else(|| set("XDG_CACHE_HOME").map(|cache| cache.join("tollward")))
        .or_else(|| set("HOME").map(|home| home.join(".cache/tollward")))
        .context("no cache folder: set TOLLWARD_CACHE, XDG_CACHE_HOME or HOME")?;
    fs::create_dir_all(&folder).with_context(|| format!("cannot create the cache folder {}", folder.display()))?;
    folder.canonicalize().with_context(|| format!("cannot resolve {}", folder.display()))
}

/// The name of an entry that is made from `parts`: 16 hexadecimal digits.
pub(crate) fn key<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        // The length keeps ("ab", "c") and ("a", "bc") apart.
        hash.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
        hash.update(part);
    }
    let mut text = hexadecimal(&hash.finalize());
    text.truncate(16);
    text
}

/// Lower-case hexadecimal digits.
pub(crate) fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// Runs `make` while holding the lock file at `path`, so that two runs never make the same thing at once. The lock
/// ends with the process, so a killed run leaves nothing to clean up.
pub(crate) fn locked<T>(path: &Path, what: &str, make: impl FnOnce() -> Result<T>) -> Result<T> {
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent).with_context(|| format!("cannot create {}", parent.display()))?;
    }
    let lock = File::create(path).with_context(|| format!("cannot open the lock file {}", path.display()))?;
    match lock.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            say::note(format!("  {what}: another run is at it, waiting for it ({})", path.display()));
            lock.lock().with_context(|| format!("cannot lock {}", path.display()))?;
        }
        Err(TryLockError::Error(error)) => {
            return Err(error).with_context(|| format!("cannot lock {}", path.display()));
        }
    }
    make()
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};
    use std::thread;

    use super::*;

    #[test]
    fn a_key_tells_apart_what_only_concatenates_alike() {
        let one = key([b"ab".as_slice(), b"c".as_slice()]);
        let other = key([b"a".as_slice(), b"bc".as_slice()]);
        assert_ne!(one, other);
        assert_eq!(one.len(), 16);
        assert_eq!(one, key([b"ab".as_slice(), b"c".as_slice()]));
    }

    #[test]
    fn two_runs_never_make_the_same_thing_at_once() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("deep/lock");
        let inside = AtomicU32::new(0);
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    locked(&path, "test", || {
                        assert_eq!(inside.fetch_add(1, Ordering::SeqCst), 0);
                        thread::yield_now();
                        assert_eq!(inside.fetch_sub(1, Ordering::SeqCst), 1);
                        Ok(())
                    })
                    .expect("the lock works");
                });
            }
        });
    }
}
