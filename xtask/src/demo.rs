//! `cargo xtask demo`: Tollward in front of a real MCP server, played through step by step, on this machine or in a
//! Kubernetes cluster.

mod catalog;
mod cluster;
mod doors;
mod identity;
mod local;

use anyhow::Result;

use crate::cluster::smoke;
use crate::kubernetes::Choice;
use crate::process::Lines;

/// Arguments of `cargo xtask demo`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  cargo xtask demo                       on this machine, with nothing installed but Rust\n  \
                        cargo xtask demo --cluster             by Helm on a Kubernetes node of this machine (needs root)\n  \
                        cargo xtask demo --cluster --context kind-mine --registry registry.example.com/tollward\n\n\
                        With --cluster everything stays up for you to look around, and the last lines say how to remove it.\n\
                        The cluster is that of `cargo xtask cluster up`, so `cargo xtask cluster down` removes all of it, also\n\
                        after a run that was stopped half-way. In a cluster of yours the demonstration uses the namespaces\n\
                        `shop`, `tollward-demo` and `tollward-system`, refuses to start if one is there already, and --remove\n\
                        takes away what is left of an earlier run. Node.js with npm is needed for the identity provider."
)]
pub(crate) struct Args {
    /// In a Kubernetes cluster, installed by Helm
    #[arg(long)]
    cluster: bool,
    #[command(flatten)]
    choice: Choice,
    /// With --cluster: remove everything at the end
    #[arg(long, requires = "cluster")]
    rm: bool,
    /// With --cluster: only remove what an earlier run left
    #[arg(long, requires = "cluster", conflicts_with = "rm")]
    remove: bool,
}

pub(crate) fn run(args: &Args) -> Result<()> {
    if !args.cluster && args.choice.context.is_none() {
        return local::run();
    }
    let name = crate::cluster::DEFAULT;
    if args.remove { cluster::remove(name, &args.choice) } else { cluster::run(name, &args.choice, args.rm) }
}

/// The demonstration in a cluster of the tests' own, from nothing to nothing.
pub(crate) fn check(_packages: &[String], _each: Lines<'_>) -> Result<()> {
    crate::cluster::down(smoke::NAME)?;
    cluster::run(smoke::NAME, &Choice { context: None, registry: None, images_loaded: false }, true)
}
