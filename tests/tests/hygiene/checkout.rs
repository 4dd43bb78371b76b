//! The checkout as git sees it: its root, and every file that is tracked or would be.

use std::path::{Path, PathBuf};
use std::process::Command;

/// The folder that holds the workspace's `Cargo.toml`.
pub(crate) fn root() -> PathBuf {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    tests.parent().expect("the tests are a folder of the checkout").to_owned()
}

/// Paths from the root, with `/`, of all files that are not ignored. A file that git knows and the disk lacks is left out.
pub(crate) fn files() -> Vec<String> {
    let root = root();
    let output = Command::new("git")
        .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"])
        .current_dir(&root)
        .output()
        .expect("`git` lists the files of the checkout: install it");
    assert!(
        output.status.success(),
        "`git ls-files` failed in {}: {}",
        root.display(),
        String::from_utf8_lossy(&output.stderr)
    );
    let listing = String::from_utf8(output.stdout).expect("file names of the checkout are UTF-8");
    let mut files: Vec<String> =
        listing.split('\0').filter(|path| !path.is_empty() && root.join(path).is_file()).map(str::to_owned).collect();
    files.sort();
    files.dedup();
    assert!(files.iter().any(|path| path == "Cargo.toml"), "git lists no Cargo.toml in {}", root.display());
    files
}

/// The Rust sources among [`files`].
pub(crate) fn rust_files() -> Vec<String> {
    files().into_iter().filter(|path| extension(path) == Some("rs")).collect()
}

/// The text of a file, or `None` if it is no text.
pub(crate) fn text(path: &str) -> Option<String> {
    let bytes = std::fs::read(root().join(path)).unwrap_or_else(|error| panic!("{path} can't be read: {error}"));
    String::from_utf8(bytes).ok()
}

/// The last part of a path.
pub(crate) fn name(path: &str) -> &str {
    path.rsplit_once('/').map_or(path, |(_, name)| name)
}

/// What stands behind the last dot of a file's name.
pub(crate) fn extension(path: &str) -> Option<&str> {
    name(path).rsplit_once('.').map(|(_, extension)| extension)
}
