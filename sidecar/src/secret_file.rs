//! Reads files with secrets: bounded, and into memory that is cleared. What their text says is judged by whoever needs it.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;
use zeroize::Zeroizing;

/// Why a file can't be used. It says nothing of the content, and goes on behind the file's name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum FileError {
    #[error("can't be read: {0}")]
    Unreadable(String),
    #[error("has more than {0} bytes")]
    TooLong(usize),
    #[error("is not UTF-8")]
    NotText,
    #[error("is empty")]
    Empty,
}

/// The one text of a file. A line break at its end does not count, since editors and `echo` leave one.
pub(crate) fn text(path: &Path, most: usize) -> Result<Zeroizing<String>, FileError> {
    let bytes = bounded(path, most)?;
    let text = std::str::from_utf8(&bytes).map_err(|_| FileError::NotText)?;
    let text = text.strip_suffix('\n').map_or(text, |line| line.strip_suffix('\r').unwrap_or(line));
    if text.is_empty() { Err(FileError::Empty) } else { Ok(Zeroizing::new(text.to_owned())) }
}

/// All of a file.
pub(crate) fn bounded(path: &Path, most: usize) -> Result<Zeroizing<Vec<u8>>, FileError> {
    let bytes = read(path, most).map_err(|error| FileError::Unreadable(error.to_string()))?;
    if bytes.len() > most { Err(FileError::TooLong(most)) } else { Ok(bytes) }
}

/// At most one byte more than `most`, so that a longer file is noticed and a huge one is not read.
fn read(path: &Path, most: usize) -> io::Result<Zeroizing<Vec<u8>>> {
    let bound = most.saturating_add(1);
    // Room for all of it, so that growing leaves no copy behind.
    let mut bytes = Zeroizing::new(Vec::with_capacity(bound));
    File::open(path)?.take(bound as u64).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Exactly that many bytes; `None` if the file has more or fewer.
pub(crate) fn read_exact<const LENGTH: usize>(path: &Path) -> io::Result<Option<Zeroizing<[u8; LENGTH]>>> {
    let bytes = read(path, LENGTH)?;
    let exact: Result<[u8; LENGTH], _> = bytes.as_slice().try_into();
    Ok(exact.ok().map(Zeroizing::new))
}

#[cfg(test)]
mod tests {
    use super::{FileError, bounded, read, read_exact, text};

    #[test]
    fn no_more_is_read_than_tells_that_a_file_is_too_long() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret");
        for (length, read_bytes, is_exact) in
            [(0, 0, false), (31, 31, false), (32, 32, true), (33, 33, false), (9999, 33, false)]
        {
            std::fs::write(&path, vec![7; length]).unwrap();
            assert_eq!(read(&path, 32).unwrap().len(), read_bytes, "{length}");
            assert_eq!(read_exact::<32>(&path).unwrap().is_some(), is_exact, "{length}");
        }
        assert!(read(&folder.path().join("missing"), 32).is_err());
    }

    #[test]
    fn a_text_is_whole_and_its_last_line_break_does_not_count() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret");
        for (content, expected) in [
            (&b"four"[..], Ok("four")),
            (b"thr\n", Ok("thr")),
            (b"tw\r\n", Ok("tw")),
            (b"a\n\n", Ok("a\n")),
            (b"ab\r", Ok("ab\r")),
            (b"five\n", Err(FileError::TooLong(4))),
            (b"\r\n", Err(FileError::Empty)),
            (b"", Err(FileError::Empty)),
            (b"\xff", Err(FileError::NotText)),
        ] {
            std::fs::write(&path, content).unwrap();
            assert_eq!(text(&path, 4).as_deref().map(String::as_str), expected.as_ref().copied(), "{content:?}");
        }
        assert!(matches!(bounded(&folder.path().join("missing"), 4), Err(FileError::Unreadable(_))));
    }
}
