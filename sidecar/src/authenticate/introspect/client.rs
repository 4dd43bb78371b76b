//! The client as which the data plane asks: its secret is read from its mounted file for every question, so that a new one
//! counts as soon as the kubelet brings it, and is kept nowhere.

use super::trouble::Trouble;
use crate::secret_file;
use secrecy::SecretString;
use std::path::Path;

/// Longest secret in bytes.
const MAX_SECRET: usize = 4096;

/// Reads the secret. The kubelet keeps Secrets in memory, so that reading a few bytes here costs less than handing it to
/// another thread.
pub(super) fn secret(path: &Path) -> Result<SecretString, Trouble> {
    let wrong = |cause| Trouble::Secret { path: path.to_owned(), cause };
    let line = secret_file::text(path, MAX_SECRET).map_err(|error| wrong(format!("it {error}")))?;
    if line.contains(char::is_control) {
        return Err(wrong("it has more than one line, or control characters".to_owned()));
    }
    Ok(line.as_str().into())
}

#[cfg(test)]
mod tests {
    use super::secret;
    use secrecy::ExposeSecret as _;

    fn read(content: &[u8]) -> Result<String, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret");
        std::fs::write(&path, content).unwrap();
        match secret(&path) {
            Ok(secret) => Ok(secret.expose_secret().to_owned()),
            Err(trouble) => Err(trouble.to_string()),
        }
    }

    #[test]
    fn a_secret_is_one_line_whose_break_does_not_count() {
        for content in ["pass word", "pass word\n", "pass word\r\n"] {
            assert_eq!(read(content.as_bytes()).unwrap(), "pass word");
        }
        assert_eq!(read(b" lead\n").unwrap(), " lead", "spaces may belong to it");
        for (content, cause) in [
            (&b""[..], "empty"),
            (b"\n", "empty"),
            (b"one\ntwo\n", "more than one line"),
            (b"nul\0", "control characters"),
            (b"\xff\xfe", "not UTF-8"),
            (&[b'a'; 4097], "more than 4096 bytes"),
        ] {
            let error = read(content).unwrap_err();
            assert!(error.contains(cause), "{error}");
            assert!(!error.contains("one\n") && !error.contains("aaa"), "{error}");
        }
        let missing = secret(std::path::Path::new("/nowhere/secret")).unwrap_err().to_string();
        assert!(missing.contains("/nowhere/secret"), "{missing}");
    }
}
