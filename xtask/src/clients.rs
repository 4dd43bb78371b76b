//! Installs the real MCP clients and servers of `tests/clients` and the conformance suite: npm packages beside their lock
//! files, Python packages in a virtual environment in the cache. They are left alone while their lock files stay the same.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use anyhow::{Context as _, Result};

use crate::{cache, process, say, workspace};

/// Says for which lock file an installation was finished.
const STAMP: &str = ".tollward-installed-for";

/// The npm packages of `tests/clients`; returns that folder.
pub(crate) fn node() -> Result<PathBuf> {
    npm("tests/clients")
}

/// The npm packages of `tests/conformance`; returns that folder.
pub(crate) fn conformance() -> Result<PathBuf> {
    npm("tests/conformance")
}

/// `npm ci` in a folder of the checkout; returns that folder.
fn npm(name: &str) -> Result<PathBuf> {
    let folder = workspace::root()?.join(name);
    let lock = read(&folder.join("package-lock.json"))?;
    let npm = process::require("npm", "install Node.js 20 or later, with npm")?;
    let key = cache::key([lock.as_slice()]);
    let stamp = folder.join("node_modules").join(STAMP);
    cache::locked(&workspace::scratch()?.join("npm.lock"), "npm", || {
        if is_stamped(&stamp, &key) {
            return Ok(());
        }
        let started = Instant::now();
        say::note(format!("  npm packages of {name}: installing"));
        let mut command = Command::new(&npm);
        command.args(["ci", "--no-audit", "--no-fund", "--loglevel", "error"]).current_dir(&folder);
        process::capture(&mut command)?;
        say::note(format!("  npm packages of {name}: installed in {}", say::elapsed(started.elapsed())));
        write(&stamp, &key)
    })?;
    Ok(folder)
}

/// A virtual environment with `tests/clients/requirements.txt`; returns its interpreter.
pub(crate) fn python() -> Result<PathBuf> {
    let requirements = workspace::root()?.join("tests/clients/requirements.txt");
    let python = process::require("python3", "install Python 3.10 or later, with venv")?;
    let version = process::capture(Command::new(&python).arg("--version"))?;
    let wanted = read(&requirements)?;
    let key = cache::key([wanted.as_slice(), version.as_bytes(), python.as_os_str().as_encoded_bytes()]);
    let folder = cache::folder()?.join(format!("python-{key}"));
    let interpreter = folder.join("bin/python");
    // An environment knows its own path, so it is made in place and the stamp tells a finished one.
    let stamp = folder.join(STAMP);
    cache::locked(&folder.with_extension("lock"), "Python packages", || {
        if is_stamped(&stamp, &key) {
            return Ok(());
        }
        let started = Instant::now();
        say::note("  Python packages: installing");
        process::capture(Command::new(&python).args(["-m", "venv", "--clear"]).arg(&folder))
            .context("cannot make a virtual environment; on Debian install python3-venv")?;
        let mut install = Command::new(&interpreter);
        install.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input", "-r"]);
        process::capture(install.arg(&requirements))?;
        say::note(format!("  Python packages: installed in {}", say::elapsed(started.elapsed())));
        write(&stamp, &key)
    })?;
    Ok(interpreter)
}

fn is_stamped(stamp: &Path, key: &str) -> bool {
    fs::read_to_string(stamp).is_ok_and(|found| found == key)
}

fn read(path: &Path) -> Result<Vec<u8>> {
    fs::read(path).with_context(|| format!("cannot read {}", path.display()))
}

fn write(path: &Path, text: &str) -> Result<()> {
    fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
}
