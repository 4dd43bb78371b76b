//! Redis on loopback, beside the load, for a sidecar whose limits are counted there.

use std::env::consts::ARCH;
use std::net::{SocketAddr, TcpStream};
use std::path::Path;

use anyhow::Result;

use super::super::child::{Running, pinned};
use super::super::machine::Cores;
use super::rig::{free_address, until};
use crate::stores;

/// Starts it, and gives where it listens.
pub(super) fn start(cores: Cores, folder: &Path) -> Result<(Running, SocketAddr)> {
    let installed = stores::install()?;
    let (address, log) = (free_address()?, folder.join("redis.log"));
    let mut command = pinned(cores.load, &installed.join("usr/bin/redis-server"))?;
    command.env("LD_LIBRARY_PATH", installed.join(format!("usr/lib/{ARCH}-linux-gnu")));
    command.args(["--bind", &address.ip().to_string(), "--port", &address.port().to_string()]);
    command.args(["--save", "", "--appendonly", "no", "--dir"]).arg(folder);
    let mut process = Running::start("Redis", &mut command, &log)?;
    until(&mut process, &log, || TcpStream::connect(address).ok().map(drop))?;
    Ok((process, address))
}
