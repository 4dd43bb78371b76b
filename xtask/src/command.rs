//! The command line: which commands there are, and which module runs each.

use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};

use crate::{bench, binaries, cluster, demo, generate, image, lint, test};

/// What was asked for.
#[derive(Debug, Parser)]
#[command(
    name = "cargo xtask",
    bin_name = "cargo xtask",
    about = "Build, test and show Tollward",
    after_help = "Examples:\n  cargo xtask demo            see Tollward at work on this machine\n  \
                  cargo xtask test            what a change must pass\n  \
                  cargo xtask test --all      what continuous integration runs"
)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run Tollward in front of a real MCP server and walk through it, on this machine or in a cluster
    Demo(demo::Args),
    /// Install what the test suites need, run them and sum up
    Test(test::Args),
    /// Check formatting, and run clippy with warnings as errors
    Lint,
    /// Rewrite the committed files that code generates
    Generate(generate::Args),
    /// Build Kubernetes and its tools into the cache and print the folder that holds them
    Binaries(binaries::Args),
    /// Run a real Kubernetes node on this machine, in namespaces of its own
    Cluster(cluster::Args),
    /// Write the programs as container images, without a container engine
    Image(image::Args),
    /// Measure what Tollward costs on this machine
    Bench(bench::Args),
}

impl Arguments {
    /// Runs the command; the code is what the program ends with.
    pub(crate) fn run(&self) -> Result<ExitCode> {
        match &self.command {
            Command::Demo(args) => demo::run(args)?,
            Command::Test(args) => {
                if !test::run(args)? {
                    return Ok(ExitCode::FAILURE);
                }
            }
            Command::Lint => lint::run()?,
            Command::Generate(args) => generate::run(args)?,
            Command::Binaries(args) => binaries::run(args)?,
            Command::Cluster(args) => return cluster::run(args),
            Command::Image(args) => image::run(args)?,
            Command::Bench(args) => bench::run(args)?,
        }
        Ok(ExitCode::SUCCESS)
    }
}
