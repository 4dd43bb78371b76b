//! Which sockets open the pod to others, and what that amounts to. Pure.

use super::table::Socket;
use std::collections::{BTreeSet, HashMap};
use tollward_policy::report::{ForeignListener, MAX_LISTENERS, Protocol, SealingReport};

/// Looks in a row, two seconds apart, after which a UDP socket counts. A question to a name server leaves one open for a moment.
const STEADY: u32 = 5;

/// What Tollward itself listens on: these ports, as this user. Neither alone is enough.
#[derive(Debug, Clone)]
pub struct Own {
    /// The data plane's user id.
    pub uid: u32,
    /// Its ports.
    pub ports: Vec<u16>,
}

impl Own {
    /// Whether a socket can be reached by others and is not Tollward's.
    pub(super) fn is_foreign(&self, socket: &Socket) -> bool {
        if socket.address.to_canonical().is_loopback() {
            return false;
        }
        let own = match socket.protocol {
            Protocol::Tcp => self.ports.contains(&socket.port),
            // It listens on none, and asks name servers.
            Protocol::Udp => true,
        };
        socket.uid != self.uid || !own
    }
}

/// How often in a row each UDP socket was there.
#[derive(Debug, Default)]
pub(super) struct Steady(HashMap<Socket, u32>);

impl Steady {
    /// Takes the sockets of a look; those that count.
    pub(super) fn count(&mut self, sockets: BTreeSet<Socket>) -> BTreeSet<Socket> {
        let mut now = HashMap::new();
        let counts = sockets.into_iter().filter(|socket| match socket.protocol {
            Protocol::Tcp => true,
            Protocol::Udp => {
                let looks = self.0.get(socket).copied().unwrap_or_default().saturating_add(1);
                now.insert(*socket, looks);
                looks >= STEADY
            }
        });
        let counts = counts.collect();
        self.0 = now;
        counts
    }
}

/// The report of a look that found these foreign sockets, and could not do all for these reasons.
pub(super) fn report(foreign: &BTreeSet<Socket>, problems: &[String]) -> SealingReport {
    let listener = |socket: &Socket| {
        let Socket { protocol, address, port, uid } = *socket;
        ForeignListener { protocol, address, port, uid }
    };
    SealingReport {
        listeners: foreign.iter().take(MAX_LISTENERS).map(listener).collect(),
        more: u32::try_from(foreign.len().saturating_sub(MAX_LISTENERS)).unwrap_or(u32::MAX),
        error: (!problems.is_empty()).then(|| problems.join("; ")),
    }
}
