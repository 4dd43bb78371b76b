//! `cargo xtask`: the one entry for building, testing and showing this repository, on a developer's machine as in
//! continuous integration. It owns no product code and needs nothing installed but the Rust toolchain to start; each
//! command installs or names what else it needs.

mod background;
mod bench;
mod binaries;
mod cache;
mod clients;
mod cluster;
mod command;
mod debian;
mod demo;
mod generate;
mod image;
mod kubernetes;
mod lint;
mod oci;
mod packages;
mod process;
mod say;
mod stores;
mod test;
mod upstreams;
mod workspace;

use std::process::ExitCode;

use clap::Parser as _;

fn main() -> ExitCode {
    match command::Arguments::parse().run() {
        Ok(code) => code,
        Err(error) => {
            say::note(format!("error: {error:#}"));
            ExitCode::FAILURE
        }
    }
}
