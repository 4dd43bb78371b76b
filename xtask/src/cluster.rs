//! `cargo xtask cluster`: a real Kubernetes node on this machine, in namespaces of its own, from the Go module proxy
//! alone: etcd, the control plane, a kubelet with containerd and runc, kube-proxy, and a DNS server.

mod bring_up;
mod components;
mod configuration;
mod control_groups;
mod credentials;
mod images;
mod layout;
pub(crate) mod smoke;
mod space;

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::Instant;

use anyhow::{Context as _, Result, bail};
use clap::Subcommand;

use crate::{binaries, cache, packages, process, say, workspace};
use bring_up::Cluster;
use images::Image;
use layout::Layout;
use space::Space;

/// The cluster that is meant where none is named.
pub(crate) const DEFAULT: &str = "dev";

/// Arguments of `cargo xtask cluster`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  cargo xtask cluster up\n  cargo xtask cluster run -- kubectl get pods --all-namespaces\n  \
                  cargo xtask cluster image example.test/catalog:1 target/debug/catalog\n  cargo xtask cluster down\n\n\
                  The cluster has a network of its own: its addresses answer to what runs by `run` only.\n\
                  It needs root. The first `up` builds Kubernetes, which takes about twenty minutes on two cores."
)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Action,
    /// Which cluster; several can be up at once (the tests use `test`)
    #[arg(long, default_value = DEFAULT, global = true)]
    name: String,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Start the cluster, or complete one that is half up, and wait until its node runs pods
    Up,
    /// End the cluster and remove everything of it
    Down,
    /// Show what runs
    Status,
    /// Print the path of the administrator's kubeconfig
    Kubeconfig,
    /// Load OCI archives, so that pods can use the images
    Import {
        /// Files in the format of `docker save` or an OCI layout
        #[arg(required = true, value_name = "FILE")]
        files: Vec<PathBuf>,
    },
    /// Pack a program of this machine into an image, with the shared libraries that it needs, and load it
    Image {
        /// The image's name, with a tag
        #[arg(value_name = "IMAGE")]
        image: String,
        /// The program, which is the image's entry point
        #[arg(value_name = "PROGRAM")]
        program: PathBuf,
    },
    /// Run a command in the cluster's network, with KUBECONFIG set and the cluster's programs in PATH
    Run {
        /// The command and its arguments
        #[arg(required = true, last = true, value_name = "COMMAND")]
        command: Vec<OsString>,
    },
}

pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    let name = &args.name;
    match &args.command {
        Action::Up => up(name)?,
        Action::Down => down(name)?,
        Action::Status => status(name)?,
        Action::Kubeconfig => say::line(running(name)?.layout.kubeconfig().display()),
        Action::Import { files } => import(&running(name)?, files)?,
        Action::Image { image, program } => pack(&running(name)?, image, program)?,
        Action::Run { command } => return run_inside(name, command),
    }
    Ok(ExitCode::SUCCESS)
}

/// Starts or completes the cluster.
pub(crate) fn up(name: &str) -> Result<()> {
    require_root()?;
    let started = Instant::now();
    let layout = Layout::new(name)?;
    packages::install(packages::NODE)?;
    let programs = binaries::install(binaries::NODE)?;
    cache::locked(&layout.lock(), "the cluster", || {
        let mut cluster = if let Some(space) = Space::find(&layout.holder()) {
            Cluster::existing(layout, space, programs)
        } else {
            bring_up::remove_files(&layout)?;
            Cluster::create(layout, programs)?
        };
        cluster.bring_up()?;
        say::note(format!("the cluster `{name}` is up after {}", say::elapsed(started.elapsed())));
        say::note(format!("its administrator's kubeconfig is {}", cluster.layout.kubeconfig().display()));
        Ok(())
    })
}

/// Ends the cluster and removes everything of it.
pub(crate) fn down(name: &str) -> Result<()> {
    require_root()?;
    let layout = Layout::new(name)?;
    cache::locked(&layout.lock(), "the cluster", || {
        // More than one can only be left by somebody who removed the folder while it ran.
        while let Some(space) = Space::find(&layout.holder()) {
            space.end()?;
        }
        bring_up::remove_files(&layout)
    })?;
    say::note(format!("the cluster `{name}` is down"));
    Ok(())
}

/// A command that runs `program` from `folder` in the cluster's namespaces, with the cluster's programs and kubeconfig.
pub(crate) fn inside(name: &str, folder: &Path, program: &OsStr) -> Result<Command> {
    let cluster = running(name)?;
    // Entering the mounts leaves the current folder behind.
    let mut command = cluster.space.command("sh");
    command.args(["-c", "cd \"$1\" && shift && exec \"$@\"", "sh"]).arg(folder).arg(program);
    command.env("KUBECONFIG", cluster.layout.kubeconfig()).env("PATH", process::path_with(cluster.programs())?);
    command.env("TOLLWARD_CLUSTER_BIN", cluster.programs());
    Ok(command)
}

/// The cluster makes namespaces and control groups.
pub(crate) fn require_root() -> Result<()> {
    if !packages::is_root() {
        bail!("the cluster makes namespaces and control groups, which needs root: run it by sudo, or as root");
    }
    Ok(())
}

fn status(name: &str) -> Result<()> {
    require_root()?;
    let Ok(cluster) = running(name) else {
        say::line(format!("the cluster `{name}` is down"));
        return Ok(());
    };
    for component in components::ALL {
        let state = if component.is_running(&cluster.layout, &cluster.space) { "runs" } else { "ended" };
        say::line(format!("{:24} {state:6} {}", component.name, component.log_file(&cluster.layout).display()));
    }
    let ready = |ready: bool| if ready { "ready" } else { "not ready" };
    say::line(format!("{:24} {}", "node", ready(cluster.node_is_ready())));
    say::line(format!("{:24} {}", "DNS server", ready(cluster.dns_is_ready())));
    Ok(())
}

/// Loads OCI archives into a cluster that is up.
pub(crate) fn load(name: &str, files: &[PathBuf]) -> Result<()> {
    import(&running(name)?, files)
}

fn import(cluster: &Cluster, files: &[PathBuf]) -> Result<()> {
    for file in files {
        let file = file.canonicalize().with_context(|| format!("cannot find {}", file.display()))?;
        images::import(&cluster.space, cluster.programs(), &file)?;
        say::note(format!("imported {}", file.display()));
    }
    Ok(())
}

fn pack(cluster: &Cluster, name: &str, program: &Path) -> Result<()> {
    let program = program.canonicalize().with_context(|| format!("cannot find {}", program.display()))?;
    images::install(&cluster.layout, &cluster.space, cluster.programs(), &Image { name, program: &program })?;
    say::note(format!("packed {} as {name}", program.display()));
    Ok(())
}

fn run_inside(name: &str, command: &[OsString]) -> Result<ExitCode> {
    let (program, arguments) = command.split_first().context("no command was given")?;
    let folder = std::env::current_dir().context("the current folder is gone")?;
    let status = inside(name, &folder, program)?.args(arguments).status().context("cannot start `nsenter`")?;
    let code = status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(u8::MAX);
    Ok(ExitCode::from(code))
}

/// The cluster, if it is up.
fn running(name: &str) -> Result<Cluster> {
    require_root()?;
    let layout = Layout::new(name)?;
    let space = Space::find(&layout.holder())
        .with_context(|| format!("the cluster `{name}` is down; start it by `cargo xtask cluster up --name {name}`"))?;
    Ok(Cluster::existing(layout, space, workspace::scratch()?.join("bin")))
}
