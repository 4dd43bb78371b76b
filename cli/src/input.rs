//! Files that were named on the command line, and standard input in their place: bounded, so that a wrong name fills no memory.

use anyhow::{Context as _, ensure};
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

/// Whether standard input was named.
pub(crate) fn is_standard_input(path: &Path) -> bool {
    path.as_os_str() == "-"
}

/// The text of a file, or of standard input for `-`. No error says anything of the content.
pub(crate) fn text(path: &Path, most: u64) -> anyhow::Result<String> {
    let read = if is_standard_input(path) {
        bounded(io::stdin(), most)
    } else {
        File::open(path).and_then(|file| bounded(file, most))
    };
    let text = read.with_context(|| format!("can't read {}", path.display()))?;
    ensure!(text.len() as u64 <= most, "{} has more than {most} bytes", path.display());
    Ok(text)
}

fn bounded(source: impl Read, most: u64) -> io::Result<String> {
    let mut text = String::new();
    source.take(most.saturating_add(1)).read_to_string(&mut text)?;
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::text;

    #[test]
    fn a_file_may_have_as_many_bytes_as_it_may_have_and_no_more() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "four").unwrap();
        assert_eq!(text(file.path(), 4).unwrap(), "four");
        let error = text(file.path(), 3).unwrap_err().to_string();
        assert!(error.ends_with("has more than 3 bytes"), "{error}");
        assert!(text(&file.path().with_extension("missing"), 4).is_err());
    }
}
