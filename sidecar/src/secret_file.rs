//! Reads files with secrets: bounded, and into memory that is cleared. What they hold is judged by whoever needs them.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;
use zeroize::Zeroizing;

/// At most one byte more than `most`, so that a longer file is noticed and a huge one is not read.
pub(crate) fn read(path: &Path, most: usize) -> io::Result<Zeroizing<Vec<u8>>> {
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
    use super::{read, read_exact};

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
}
