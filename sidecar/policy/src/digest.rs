//! The digest by which operator and sidecar agree on which configuration is in force.

use aws_lc_rs::digest::{SHA256, digest};

/// SHA-256 of the exact bytes of a configuration file, in lower-case hexadecimal with the prefix `sha256:`.
pub fn of(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    let mut text = String::with_capacity(71);
    text.push_str("sha256:");
    for byte in digest(&SHA256, bytes).as_ref() {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_empty_file_has_the_well_known_digest() {
        assert_eq!(super::of(b""), "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    }
}
