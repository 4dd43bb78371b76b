//! HTTP servers of other people, which say what they read: nginx and `HAProxy` as Debian ships them, and a small program on Go's
//! own library. Those on Node.js and Python are scripts.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context as _, Result};

use crate::debian::Set;
use crate::{cache, process, workspace};

const SET: Set = Set {
    name: "upstreams",
    about: "nginx and HAProxy",
    packages: &["nginx", "haproxy", "liblua5.3-0", "libopentracing-c-wrapper0", "libopentracing1", "libpcre2-8-0"],
};

/// Fetches and builds what is missing; returns the folder of all of them.
pub(crate) fn install() -> Result<PathBuf> {
    let folder = SET.install()?;
    let source = workspace::root()?.join("tests/upstreams/reader.go");
    let text = fs::read(&source).with_context(|| format!("cannot read {}", source.display()))?;
    let go = process::require("go", "install Go from https://go.dev/dl or your distribution")?;
    let version = process::capture(Command::new(&go).arg("version"))?;
    // Beside the program, what it was made of: another checkout may have another one.
    let made_of = folder.join("reader.made-of");
    let key = cache::key([text.as_slice(), version.as_bytes()]);
    cache::locked(&folder.join("reader.lock"), "the reader on Go", || {
        if fs::read_to_string(&made_of).is_ok_and(|found| found == key) {
            return Ok(());
        }
        let mut build = Command::new(&go);
        build.args(["build", "-trimpath", "-o"]).arg(folder.join("reader")).arg(&source);
        process::capture(build.env("GOWORK", "off").env("CGO_ENABLED", "0"))?;
        fs::write(&made_of, &key).with_context(|| format!("cannot write {}", made_of.display()))
    })?;
    Ok(folder)
}
