//! A port of the loopback interface that nobody uses, for whoever has to know it before it listens.

use anyhow::Context as _;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};

/// The wanted port, if nobody has it, or a free one for 0. Another process may take it in the meantime; listening then
/// fails and says so.
pub(crate) fn or_free(wanted: u16) -> anyhow::Result<SocketAddr> {
    if wanted != 0 {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, wanted));
        // Looked at before anything is started, so that nobody waits for a server to learn of it.
        TcpListener::bind(address)
            .with_context(|| format!("can't listen on {address}; choose another port with --port"))?;
        return Ok(address);
    }
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("can't find a free port on 127.0.0.1")?;
    listener.local_addr().context("can't read the free port")
}
