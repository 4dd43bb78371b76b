//! What every OCI image layout has in common: blobs by their digest, and the name of this machine's architecture
//! (<https://github.com/opencontainers/image-spec/blob/v1.1.1/descriptor.md>). Where blobs are stored is the caller's part.

use anyhow::{Result, bail};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::cache;

/// What an image layout says about a blob.
#[derive(Debug)]
pub(crate) struct Blob {
    media_type: &'static str,
    /// SHA-256, in hexadecimal digits.
    sha256: String,
    /// In bytes.
    size: usize,
}

impl Blob {
    /// The blob that holds `bytes`.
    pub(crate) fn of(media_type: &'static str, bytes: &[u8]) -> Self {
        Self { media_type, sha256: cache::hexadecimal(&Sha256::digest(bytes)), size: bytes.len() }
    }

    /// Its name in the layout's folder `blobs/sha256`.
    pub(crate) fn file_name(&self) -> &str {
        &self.sha256
    }

    /// The digest, with its algorithm in front.
    pub(crate) fn digest(&self) -> String {
        format!("sha256:{}", self.sha256)
    }

    /// How other blobs and the index refer to it.
    pub(crate) fn descriptor(&self) -> Value {
        json!({"mediaType": self.media_type, "digest": self.digest(), "size": self.size})
    }

    /// The same with annotations, as an index has them.
    pub(crate) fn annotated(&self, annotations: &Value) -> Value {
        json!({"mediaType": self.media_type, "digest": self.digest(), "size": self.size, "annotations": annotations})
    }
}

/// This machine's name in OCI images.
pub(crate) fn architecture() -> Result<&'static str> {
    match std::env::consts::ARCH {
        "x86_64" => Ok("amd64"),
        "aarch64" => Ok("arm64"),
        other => bail!("no name is known for container images of {other}"),
    }
}
