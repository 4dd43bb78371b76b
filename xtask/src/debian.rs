//! Programs as Debian ships them, unpacked into the cache and never installed: installing a server would start it.
//!
//! `apt` fetches them from where this machine has its packages from, with lists of its own, and believes the archive by its
//! signatures. No version is pinned: the archive keeps only the newest one with security fixes. The release's backports are
//! asked besides.

use std::collections::BTreeSet;
use std::env::consts::ARCH;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use anyhow::{Context as _, Result, bail};

use crate::packages::ARCHIVE_KEYS;
use crate::{cache, process, say};

/// Says for what an installation was finished.
const STAMP: &str = ".tollward-installed-for";

/// Packages that are unpacked together.
#[derive(Debug)]
pub(crate) struct Set {
    /// Begins the name of their folder in the cache.
    pub(crate) name: &'static str,
    /// What they are, for people.
    pub(crate) about: &'static str,
    /// The programs, and the libraries that a machine may not have.
    pub(crate) packages: &'static [&'static str],
}

impl Set {
    /// Fetches and unpacks what is missing; returns the folder that has `usr/bin` and `usr/lib`.
    pub(crate) fn install(&self) -> Result<PathBuf> {
        let architecture = match ARCH {
            "x86_64" => "amd64",
            "aarch64" => "arm64",
            other => bail!("{} are fetched from Debian for x86_64 and aarch64, not for {other}", self.about),
        };
        let sources = sources(architecture)?;
        let wanted = [sources.as_bytes(), architecture.as_bytes()];
        let key = cache::key(wanted.into_iter().chain(self.packages.iter().map(|package| package.as_bytes())));
        let folder = cache::folder()?.join(format!("{}-{key}", self.name));
        let stamp = folder.join(STAMP);
        cache::locked(&folder.with_extension("lock"), self.about, || {
            if fs::read_to_string(&stamp).is_ok_and(|found| found == key) {
                return Ok(());
            }
            let started = Instant::now();
            say::note(format!("  {}: fetching", self.about));
            let own = folder.with_extension("apt");
            fetch(&own, &sources, self.packages, &folder)?;
            fs::remove_dir_all(&own).with_context(|| format!("cannot remove {}", own.display()))?;
            say::note(format!("  {}: fetched in {}", self.about, say::elapsed(started.elapsed())));
            fs::write(&stamp, &key).with_context(|| format!("cannot write {}", stamp.display()))
        })?;
        Ok(folder)
    }
}

/// The release's own entries of the machine, and its backports.
fn sources(architecture: &str) -> Result<String> {
    let system = fs::read_to_string("/etc/os-release").context("cannot read /etc/os-release")?;
    let release = system.lines().find_map(|line| line.strip_prefix("VERSION_CODENAME=")).unwrap_or_default();
    let mut known = Command::new("apt-get");
    known.args(["indextargets", "--format", "$(REPO_URI) $(RELEASE)", "Created-By: Packages", "Component: main"]);
    let told = process::capture(&mut known)?;
    let of_release = |(_, suite): &(&str, &str)| {
        suite.strip_prefix(release).is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
    };
    let mut entries = BTreeSet::new();
    for (archive, suite) in told.lines().filter_map(|line| line.split_once(' ')).filter(of_release) {
        entries.insert(format!("{archive} {suite}"));
        if suite == release {
            entries.insert(format!("{archive} {suite}-backports"));
        }
    }
    if release.is_empty() || entries.is_empty() {
        bail!("apt has no sources of this machine's release; programs are fetched on Debian 12");
    }
    let line = |entry: &String| format!("deb [arch={architecture} signed-by={ARCHIVE_KEYS}] {entry} main\n");
    Ok(entries.iter().map(line).collect())
}

/// `own` holds what apt wants to keep: nothing of the machine is read or changed.
fn fetch(own: &Path, sources: &str, packages: &[&str], folder: &Path) -> Result<()> {
    let make = |path: &Path| fs::create_dir_all(path).with_context(|| format!("cannot make {}", path.display()));
    let list = own.join("sources.list");
    let downloads = own.join("packages");
    for path in [own.join("lists/partial"), own.join("cache/archives/partial"), downloads.clone()] {
        make(&path)?;
    }
    fs::write(&list, sources).with_context(|| format!("cannot write {}", list.display()))?;
    let apt = |arguments: &[&str]| {
        let set = |name: &str, path: &Path| format!("{name}={}", path.display());
        let options = [
            set("Dir::Etc::SourceList", &list),
            "Dir::Etc::SourceParts=/dev/null".to_owned(),
            set("Dir::State", own),
            set("Dir::State::Lists", &own.join("lists")),
            "Dir::State::status=/dev/null".to_owned(),
            set("Dir::Cache", &own.join("cache")),
            // Only root may change to apt's own user, and the folder is not that user's.
            "APT::Sandbox::User=root".to_owned(),
            "Acquire::Languages=none".to_owned(),
        ];
        let mut command = Command::new("apt-get");
        command.arg("-qq").args(options.iter().flat_map(|option| ["-o", option])).args(arguments);
        process::capture(command.current_dir(&downloads))
    };
    apt(&["update"])?;
    apt(&[&["download"], packages].concat())?;
    make(folder)?;
    for entry in fs::read_dir(&downloads).with_context(|| format!("cannot read {}", downloads.display()))? {
        let package = entry.context("cannot read an entry of the downloads")?.path();
        process::capture(Command::new("dpkg-deb").arg("--extract").arg(&package).arg(folder))?;
    }
    Ok(())
}
