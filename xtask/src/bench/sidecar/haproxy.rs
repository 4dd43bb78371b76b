//! `HAProxy` with one thread on the sidecar's core: without a limit, with one for each caller by a stick table, and with one that
//! is so low that it must refuse.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;

use anyhow::{Context as _, Result};

use super::super::child::{Running, pinned};
use super::super::machine::Cores;
use super::rig::{free_address, until};
use crate::process;

/// Requests that the low limit lets through.
pub(super) const FEW: u32 = 5;

/// The running program and its three listeners.
#[derive(Debug)]
pub(super) struct Haproxy {
    pub(super) process: Running,
    pub(super) plain: SocketAddr,
    pub(super) limited: SocketAddr,
    pub(super) strict: SocketAddr,
}

impl Haproxy {
    /// Starts it in front of the bare server.
    pub(super) fn start(upstream: SocketAddr, cores: Cores, folder: &Path) -> Result<Self> {
        let program = process::require("haproxy", "install it by hand: apt-get install haproxy")?;
        let (plain, limited, strict) = (free_address()?, free_address()?, free_address()?);
        let (file, log) = (folder.join("haproxy.cfg"), folder.join("haproxy.log"));
        let text = configuration(upstream, [plain, limited, strict]);
        fs::write(&file, text).with_context(|| format!("cannot write {}", file.display()))?;
        let mut command = pinned(cores.subject, &program)?;
        command.arg("-db").arg("-f").arg(&file);
        let mut process = Running::start("HAProxy", &mut command, &log)?;
        until(&mut process, &log, || std::net::TcpStream::connect(strict).ok().map(drop))?;
        Ok(Self { process, plain, limited, strict })
    }
}

/// A caller is its access token, by a digest, since a stick table's key is bounded: what it does for every request that it
/// limits by a header of that length.
fn configuration(upstream: SocketAddr, listeners: [SocketAddr; 3]) -> String {
    let [plain, limited, strict] = listeners;
    let limit = |name: &str, address: SocketAddr, most: u32| {
        format!(
            "frontend {name}\n    bind {address}\n    \
             stick-table type binary len 20 size 1m expire 1h store http_req_rate(1h)\n    \
             http-request track-sc0 req.hdr(authorization),sha1\n    \
             http-request deny deny_status 429 if {{ sc_http_req_rate(0) gt {most} }}\n    default_backend mcp\n"
        )
    };
    format!(
        "global\n    nbthread 1\n    maxconn 4096\n\
         defaults\n    mode http\n    timeout connect 2s\n    timeout client 60s\n    timeout server 60s\n    http-reuse always\n\
         frontend plain\n    bind {plain}\n    default_backend mcp\n{}{}\
         backend mcp\n    server bare {upstream}\n",
        limit("limited", limited, 1_000_000_000),
        limit("strict", strict, FEW),
    )
}
