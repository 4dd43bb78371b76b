//! Which files are read, and their text; bounded, so that `-f /` ends.

use super::problem::Problem;
use std::ffi::OsStr;
use std::io::Read as _;
use std::path::{Path, PathBuf};

/// Most files.
const MAX_FILES: usize = 500;
/// Most bytes of a file; the API server accepts about as much.
const MAX_BYTES: u64 = 2 * 1024 * 1024;

/// Files as named, and those of folders by name. Folders in folders are left alone, as kubectl does.
pub(crate) fn files(paths: &[PathBuf]) -> Result<Vec<PathBuf>, Problem> {
    let mut found = Vec::new();
    for path in paths {
        if path.is_dir() {
            found.extend(within(path)?);
        } else {
            found.push(path.clone());
        }
    }
    found.dedup();
    if found.len() > MAX_FILES {
        return Err(Problem::new(format!(
            "these are {} files, at most {MAX_FILES} are read; name a narrower folder",
            found.len()
        )));
    }
    Ok(found)
}

/// The text of a file.
pub(super) fn text(path: &Path) -> Result<String, Problem> {
    let unreadable = |error: std::io::Error| Problem::new(format!("{}: {error}", path.display()));
    let mut text = String::new();
    let file = std::fs::File::open(path).map_err(unreadable)?;
    file.take(MAX_BYTES + 1).read_to_string(&mut text).map_err(unreadable)?;
    if text.len() as u64 > MAX_BYTES {
        return Err(Problem::new(format!("{}: is larger than {MAX_BYTES} bytes", path.display())));
    }
    Ok(text)
}

fn within(folder: &Path) -> Result<Vec<PathBuf>, Problem> {
    let unreadable = |error: std::io::Error| Problem::new(format!("{}: {error}", folder.display()));
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        let known = path
            .extension()
            .and_then(OsStr::to_str)
            .is_some_and(|extension| matches!(extension, "yaml" | "yml" | "json"));
        if known && path.is_file() {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}
