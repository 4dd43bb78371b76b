//! Kubernetes, its container runtime and its tools, and the OpenTelemetry Collector, built from the Go modules below
//! `tests` into the cache, and linked together in one folder of this checkout. They are built since no registry of container images and no download
//! page need be reachable: the Go module proxy is enough.

mod build;
mod table;

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::{Context as _, Result};

use crate::{cache, say, workspace};
use build::Recipe;
use table::{MODULES, Program};

pub(crate) use table::{CONTROL_PLANE, NODE};

/// Arguments of `cargo xtask binaries`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  cargo xtask binaries                     etcd, kube-apiserver and kubectl\n  \
                        cargo xtask binaries node helm           everything for a node, and Helm\n  \
                        export TOLLWARD_CLUSTER_BIN=$(cargo xtask binaries)")]
pub(crate) struct Args {
    /// Programs, or the sets `control-plane`, `node` and `all`
    #[arg(value_name = "NAME", default_value = "control-plane")]
    names: Vec<String>,
}

/// Builds what is named and prints the folder that holds it.
pub(crate) fn run(args: &Args) -> Result<()> {
    let folder = install(&table::named(&args.names)?)?;
    say::line(folder.display());
    Ok(())
}

/// Builds what the cache lacks of `names` and returns a folder of this checkout that holds all of them.
pub(crate) fn install(names: &[&str]) -> Result<PathBuf> {
    let root = workspace::root()?;
    let cache = cache::folder()?;
    let links = workspace::scratch()?.join("bin");
    fs::create_dir_all(&links).with_context(|| format!("cannot create {}", links.display()))?;
    for module in MODULES {
        let programs: Vec<&Program> = module.programs.iter().filter(|program| names.contains(&program.name)).collect();
        if programs.is_empty() {
            continue;
        }
        let recipe = Recipe::read(module, &root, &cache)?;
        for program in programs {
            recipe.build(program)?;
            link(&recipe.path(program), &links.join(program.name))?;
        }
    }
    Ok(links)
}

/// Keeps the names of unfinished links apart.
static LINKS_MADE: AtomicU32 = AtomicU32::new(0);

/// Points `path` to `program`, also when it pointed elsewhere and somebody runs it right now.
fn link(program: &Path, path: &Path) -> Result<()> {
    if fs::read_link(path).is_ok_and(|current| current == program) {
        return Ok(());
    }
    let number = LINKS_MADE.fetch_add(1, Ordering::Relaxed);
    let unfinished = path.with_extension(format!("{}-{number}.link", std::process::id()));
    // It can only be the left-over of an earlier process with our number.
    let _ = fs::remove_file(&unfinished);
    symlink(program, &unfinished)
        .and_then(|()| fs::rename(&unfinished, path))
        .with_context(|| format!("cannot link {} to {}", path.display(), program.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_moves_on_to_the_newer_build() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("etcd");
        for build in ["old", "new", "new"] {
            let program = folder.path().join(build);
            fs::write(&program, build).expect("a file");
            link(&program, &path).expect("a link");
            assert_eq!(fs::read_to_string(&path).expect("the link works"), build);
        }
        assert_eq!(fs::read_dir(folder.path()).expect("a folder").count(), 3);
    }
}
