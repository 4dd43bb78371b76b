//! `cargo xtask bench`: what Tollward costs, measured on this machine. Owns the list of benchmarks; each has a file of its
//! own, and they share the load, the bare MCP server, the placing on processor cores and the figures.
//!
//! The measuring parts are this very program, built in release mode and started once more as a process of its own: a
//! benchmark then needs nothing but cargo and openssl.

mod answer;
mod child;
mod figures;
mod load;
mod machine;
mod message;
mod sidecar;
mod token;
mod upstream;

use anyhow::Result;

/// Arguments of `cargo xtask bench`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  cargo xtask bench sidecar                           the hot path, in about five minutes\n  \
                        cargo xtask bench sidecar --seconds 2 --rounds 1    a quick look\n  \
                        cargo xtask bench sidecar --json figures.json       also every sample, for a machine\n  \
                        cargo xtask bench limits                            limits, beside HAProxy"
)]
pub(crate) struct Args {
    #[command(subcommand)]
    benchmark: Benchmark,
}

#[derive(Debug, clap::Subcommand)]
enum Benchmark {
    /// The hot path through the sidecar, against the bare MCP server
    Sidecar(sidecar::Args),
    /// What a limit for each caller adds, beside `HAProxy` with a stick table
    Limits(sidecar::limits::Args),
    /// A part of a benchmark: the MCP server that does nothing
    #[command(hide = true)]
    Upstream(upstream::Args),
    /// A part of a benchmark: the load
    #[command(hide = true)]
    Load(load::Args),
}

pub(crate) fn run(args: &Args) -> Result<()> {
    match &args.benchmark {
        Benchmark::Sidecar(args) => sidecar::run(args),
        Benchmark::Limits(args) => sidecar::limits::run(args),
        Benchmark::Upstream(args) => upstream::run(args),
        Benchmark::Load(args) => load::run(args),
    }
}
