//! Connections: accepted within bounds, with TLS whose certificates are read again when they change, served as HTTP/1.1 or
//! HTTP/2, and drained at the end.

mod abandoned;
mod acceptor;
mod any_client;
mod client_name;
mod linger;
mod peer;
mod proxies;
mod serve;
mod stamp;
mod tls;

pub use acceptor::{Acceptor, Wanted};
pub use peer::Peer;
pub use proxies::{Proxies, Proxy};
pub use serve::{Bounds, serve};
pub(crate) use serve::{next, tune};
pub use stamp::Stamp;
pub use tls::{Certificate, TlsError, mutual, server};
pub(crate) use tls::{clients_of, mutual_for, servers_of};
