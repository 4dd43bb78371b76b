//! `HAProxy` in front of the data plane: it ends TLS, asks its clients for certificates, and shows one of its own.

use super::collector::own_address;
use super::place;
use super::process::{Process, command};
use super::reader::libraries;
use crate::certificates::{Authority, Pair};
use crate::deadline::eventually;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use tempfile::TempDir;
use tokio::net::TcpStream;

/// Where it listens, on an address of its own.
const PORT: u16 = 8443;

/// A running proxy.
pub struct Front {
    /// Where it listens.
    pub address: SocketAddr,
    /// Where its clients come from, other than itself.
    pub client: IpAddr,
    _folder: TempDir,
    _process: Process,
}

impl Front {
    /// Starts one; `public` issued the data plane's certificate and issues its own for `name`, `own` is what it shows the data plane, and
    /// its clients' certificates are of `clients`.
    pub async fn start(
        data_plane: SocketAddr,
        name: &str,
        public: &Authority,
        clients: &Authority,
        own: &Pair,
    ) -> Self {
        let folder = tempfile::tempdir().expect("a temporary directory");
        let both = |pair: &Pair| format!("{}{}", pair.certificate, pair.key);
        for (file, text) in [
            ("public.pem", both(&public.issue(name))),
            ("ingress.pem", both(own)),
            ("clients.pem", clients.certificate().to_owned()),
            ("data-plane.pem", public.certificate().to_owned()),
        ] {
            std::fs::write(folder.path().join(file), text).expect("the directory is writable");
        }
        let address = SocketAddr::new(own_address(), PORT);
        let text = std::fs::read_to_string(place::tests().join("upstreams/front.cfg"));
        let text = text.expect("the configuration is in the checkout");
        let text = text.replace("LISTEN", &address.to_string()).replace("SOURCE", &address.ip().to_string());
        let text = text.replace("FOLDER", &folder.path().display().to_string());
        let text = text.replace("DATA_PLANE", &data_plane.to_string()).replace("NAME", name);
        let file = folder.path().join("front.cfg");
        std::fs::write(&file, text).expect("the directory is writable");
        let mut haproxy = command(place::upstreams().join("usr/sbin/haproxy"));
        haproxy.args(["-db", "-f"]).arg(&file).env("LD_LIBRARY_PATH", libraries(&place::upstreams()));
        let process = Process::start("haproxy", haproxy);
        eventually("the proxy listens", async || TcpStream::connect(address).await.is_ok()).await;
        Self { address, client: Ipv4Addr::LOCALHOST.into(), _folder: folder, _process: process }
    }
}
