//! Builds one Go module's programs into the cache. The folder is named after the module files, the flags and the
//! compiler, so an entry never goes stale; each program appears by a rename, so a killed build leaves none behind.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};

use super::table::{Module, Program};
use crate::{cache, process, say};

/// The slowest program takes a quarter of an hour on two busy cores; ten times that is a hang.
const LIMIT: Duration = Duration::from_mins(150);

/// How often a running build says that it is alive.
const HEARTBEAT: Duration = Duration::from_secs(15);

/// The same for every program: reproducible, and never a changed module file.
const FLAGS: [&str; 4] = ["-v", "-mod=readonly", "-trimpath", "-buildvcs=false"];

/// How much of a failed build's output is shown.
const TAIL: usize = 40;

/// A module with its files read and its flags filled in.
#[derive(Debug)]
pub(super) struct Recipe<'a> {
    module: &'a Module,
    go: PathBuf,
    source: PathBuf,
    version: String,
    link: String,
    folder: PathBuf,
}

impl<'a> Recipe<'a> {
    /// Reads the module's files in the checkout and names its folder in the cache.
    pub(super) fn read(module: &'a Module, root: &Path, cache: &Path) -> Result<Self> {
        let go = process::require("go", "install Go from https://go.dev/dl or your distribution")?;
        let source = root.join(module.within).join(module.folder);
        let manifest = read(&source.join("go.mod"))?;
        let sums = read(&source.join("go.sum"))?;
        let version = pinned_version(&manifest, module.source)
            .with_context(|| format!("{}/go.mod does not pin {}", source.display(), module.source))?;
        let link = filled_in(module.link, &version);
        let compiler =
            process::capture(Command::new(&go).arg("-C").arg(&source).args(["env", "GOVERSION", "GOOS", "GOARCH"]))?;
        let cgo = [u8::from(module.cgo)];
        let code = code(&source)?;
        let texts = [&manifest, &sums, &link, module.tags, &compiler].map(str::as_bytes);
        let parts = texts.into_iter().chain(FLAGS.map(str::as_bytes)).chain([cgo.as_slice()]);
        let parts = parts.chain(code.iter().map(String::as_bytes));
        let folder = cache.join("tools").join(format!("{}-{}", module.folder, cache::key(parts)));
        Ok(Self { module, go, source, version, link, folder })
    }

    /// Where a program is once it is built.
    pub(super) fn path(&self, program: &Program) -> PathBuf {
        self.folder.join(program.name)
    }

    /// Builds a program, unless the cache has it. The lock is that of the program and not of the module, so that who
    /// needs few programs does not wait for who needs many.
    pub(super) fn build(&self, program: &Program) -> Result<()> {
        if self.path(program).is_file() {
            return Ok(());
        }
        let lock = self.folder.join(format!("{}.lock", program.name));
        cache::locked(
            &lock,
            program.name,
            || {
                if self.path(program).is_file() { Ok(()) } else { self.build_now(program) }
            },
        )
    }

    fn build_now(&self, program: &Program) -> Result<()> {
        let started = Instant::now();
        let unfinished = self.folder.join(format!(".{}.unfinished", program.name));
        say::note(format!("  {} {}: building with Go (kept in {})", program.name, self.version, self.folder.display()));
        let mut packages = 0_u32;
        let mut said = started;
        let mut tail: Vec<String> = Vec::new();
        let status = process::stream(&mut self.command(program, &unfinished), LIMIT, |line| {
            packages += 1;
            if tail.len() == TAIL {
                tail.remove(0);
            }
            tail.push(line.to_owned());
            if said.elapsed() >= HEARTBEAT {
                said = Instant::now();
                let time = say::elapsed(started.elapsed());
                say::note(format!("  {}: {packages} packages after {time}, now {line}", program.name));
            }
        })?;
        match status {
            Some(status) if status.success() => {}
            Some(status) => bail!("building {} ended with {status}:\n{}", program.name, tail.join("\n")),
            None => bail!("building {} took more than {}", program.name, say::elapsed(LIMIT)),
        }
        let path = self.path(program);
        fs::rename(&unfinished, &path).with_context(|| format!("cannot move {} into place", path.display()))?;
        say::note(format!("  {} {}: built in {}", program.name, self.version, say::elapsed(started.elapsed())));
        Ok(())
    }

    /// Niced, since the Rust build beside it is what a person waits for; and ended with us, where that can be had, so
    /// that a run that was stopped does not go on heating the machine.
    fn command(&self, program: &Program, output: &Path) -> Command {
        let mut command = Command::new("nice");
        command.args(["-n", "15"]);
        if let Some(setpriv) = process::find("setpriv") {
            command.arg(setpriv).args(["--pdeathsig", "TERM"]);
        }
        command.arg(&self.go).arg("-C").arg(&self.source);
        command.arg("build").args(FLAGS);
        command.arg("-tags").arg(self.module.tags);
        command.arg("-ldflags").arg(format!("-s -w {}", self.link).trim_end());
        command.arg("-o").arg(output).arg(program.package);
        command.env("GOWORK", "off").env("CGO_ENABLED", if self.module.cgo { "1" } else { "0" });
        command
    }
}

/// The module's own Go files, where it has any, in the order of their names.
fn code(source: &Path) -> Result<Vec<String>> {
    let entries = fs::read_dir(source).with_context(|| format!("cannot list {}", source.display()))?;
    let mut paths = entries.map(|entry| entry.map(|entry| entry.path())).collect::<Result<Vec<_>, _>>()?;
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "go"));
    paths.sort();
    paths.iter().map(|path| read(path)).collect()
}

fn read(path: &Path) -> Result<String> {
    fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))
}

/// The version that a `go.mod` requires of `module`.
fn pinned_version(manifest: &str, module: &str) -> Option<String> {
    manifest.lines().find_map(|line| {
        let mut words = line.trim().trim_start_matches("require ").split_whitespace();
        (words.next() == Some(module))
            .then(|| words.next())
            .flatten()
            .filter(|word| word.starts_with('v'))
            .map(str::to_owned)
    })
}

/// Fills a version such as `v1.37.2` into linker settings.
fn filled_in(link: &str, version: &str) -> String {
    let mut numbers = version.trim_start_matches('v').split('.');
    let major = numbers.next().unwrap_or_default();
    let minor = numbers.next().unwrap_or_default();
    link.replace("{version}", version).replace("{major}", major).replace("{minor}", minor)
}

#[cfg(test)]
mod tests {
    use super::super::table::MODULES;
    use super::*;
    use crate::workspace;

    const MANIFEST: &str = "module m\n\nreplace k8s.io/api => k8s.io/api v0.37.2\n\ntool k8s.io/kubernetes/cmd/kubectl\n\n\
                            require (\n\tk8s.io/api v0.37.2 // indirect\n\tk8s.io/kubernetes v1.37.2 // indirect\n)\n";

    #[test]
    fn the_version_comes_from_the_module_file() {
        assert_eq!(pinned_version(MANIFEST, "k8s.io/kubernetes").as_deref(), Some("v1.37.2"));
        assert_eq!(pinned_version("require a.b/c v1.0.0 // indirect\n", "a.b/c").as_deref(), Some("v1.0.0"));
        assert_eq!(pinned_version(MANIFEST, "k8s.io/kubernetes/cmd/kubectl"), None);
    }

    #[test]
    fn linker_settings_carry_the_version_and_its_numbers() {
        assert_eq!(filled_in("-X a={version} -X b={major} -X c={minor}", "v1.37.2"), "-X a=v1.37.2 -X b=1 -X c=37");
    }

    #[test]
    fn every_committed_module_pins_its_source_and_declares_its_programs_as_tools() {
        let root = workspace::root().expect("a root");
        for module in MODULES {
            let source = root.join(module.within).join(module.folder);
            let manifest = read(&source.join("go.mod")).expect("a module file");
            assert!(pinned_version(&manifest, module.source).is_some(), "{}", module.folder);
            for program in module.programs {
                if program.package == "." {
                    assert!(!code(&source).expect("a folder").is_empty(), "{} has no code", module.folder);
                    continue;
                }
                assert!(
                    manifest.lines().any(|line| line.trim().trim_start_matches("tool ") == program.package),
                    "{} is not a tool of {}",
                    program.package,
                    module.folder
                );
            }
        }
    }
}
