//! Notices that a file changed, also behind the symbolic links by which Kubernetes swaps mounted volumes.
//!
//! It asks the file system every time instead of subscribing: a watch on a mounted file goes deaf when the link above it
//! is swapped.

use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

/// What identifies a version of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp {
    device: u64,
    inode: u64,
    length: u64,
    modified: (i64, i64),
}

impl Stamp {
    /// The file's version now; `None` if it can't be looked at.
    pub fn of(path: &Path) -> Option<Self> {
        let facts = std::fs::metadata(path).ok()?;
        Some(Self {
            device: facts.dev(),
            inode: facts.ino(),
            length: facts.len(),
            modified: (facts.mtime(), facts.mtime_nsec()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::Stamp;

    #[test]
    fn a_swapped_link_and_new_content_are_changes_and_a_missing_file_is_none() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config");
        assert_eq!(Stamp::of(&path), None);
        std::fs::write(folder.path().join("a"), "1").unwrap();
        std::fs::write(folder.path().join("b"), "1").unwrap();
        std::os::unix::fs::symlink("a", &path).unwrap();
        let first = Stamp::of(&path);
        assert_eq!(first, Stamp::of(&path));
        std::os::unix::fs::symlink("b", folder.path().join("next")).unwrap();
        std::fs::rename(folder.path().join("next"), &path).unwrap();
        let second = Stamp::of(&path);
        assert_ne!(first, second);
        std::fs::write(folder.path().join("b"), "12").unwrap();
        assert_ne!(second, Stamp::of(&path));
    }
}
