//! An MCP server's own connections to the outside: the relay in its sidecar and the egress proxy of its namespace.
//!
//! # Flow
//! server -> [`relay`] on loopback -> mutual TLS, by which the proxy knows which server it is -> `identity` -> `admit` (one CONNECT
//! request, one name and port) -> `lists` (whether this server may) -> netguard (look up once, judge every address, dial the judged one)
//! -> 200 -> `hello` (TLS, for that very name) -> `tunnel` (both ways, until an end or a bound).
//!
//! # Guarantees
//! - Who has no certificate of a server has no connection; which server it is comes from the certificate and from nothing that is sent.
//! - Not a byte of the server's goes out before its first TLS message was read in whole and names the host that was permitted. What was
//!   read is what is sent.
//! - Each request for a tunnel leaves one record. Why a destination can't be reached is told to the record alone.
//! - A change of the lists ends the tunnels that it no longer permits.
//! - Everything is bounded: connections in all and of a server, heads, first messages, times.
//!
//! # Caveats
//! - What is inside of the TLS is not seen. A host that serves many names may be asked for another one inside (domain fronting), or by an
//!   encrypted `ClientHello`.
//! - Nothing here keeps a server from dialling by itself: that is the pod's network.

mod accept;
mod admit;
mod hello;
mod identity;
mod lists;
mod meters;
mod places;
mod probes;
mod proxy;
pub mod relay;
mod tunnel;

pub(crate) use accept::accept;
pub(crate) use identity::servers;
pub(crate) use lists::{Compiled, Lists};
pub(crate) use meters::Meters;
pub(crate) use places::Places;
pub(crate) use probes::{Observed, probes};
pub(crate) use proxy::{Bounds, Proxy};
pub(crate) use tunnel::Patience;
