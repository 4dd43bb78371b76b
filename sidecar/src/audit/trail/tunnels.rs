//! The record of a tunnel in the making. Its answer is only its beginning: it closes when the tunnel does.

use super::super::tunnel::Tunnel;
use super::{Ended, RpcOutcome, Trail, bounded};
use crate::denial::Denial;
use std::net::SocketAddr;
use tollward_policy::reason::Reason;

/// The status of a tunnel that was made.
const MADE: u16 = 200;
/// A tunnel carries no JSON-RPC that could be looked at.
const OPAQUE: RpcOutcome = RpcOutcome { error_code: None, tool_error: false, determined: false };

impl Trail {
    /// It asks for a tunnel there.
    pub fn tunnels(&mut self, to: &str) {
        self.record.tunnel = Some(Tunnel { to: bounded(to), address: None, bytes_up: 0 });
    }

    /// The tunnel leads to this address.
    pub fn dialled(&mut self, address: SocketAddr) {
        if let Some(tunnel) = &mut self.record.tunnel {
            tunnel.address = Some(address.to_string());
        }
    }

    /// Closes a tunnel in which so much was carried from and to the MCP server.
    pub fn carried(mut self, ended: Ended, up: u64, down: u64) {
        self.status = Some(MADE);
        self.bytes_out = down;
        if let Some(tunnel) = &mut self.record.tunnel {
            tunnel.bytes_up = up;
        }
        match ended {
            Ended::ClientGone => self.record.decision.reason = Reason::ClientGone,
            Ended::UpstreamBroke => self.record.decision.reason = Reason::EgressUnreachable,
            // Why it was revoked was said before.
            Ended::Complete
            | Ended::TokenExpired
            | Ended::Draining
            | Ended::Revoked
            | Ended::Idle
            | Ended::TimeLimit => {}
        }
        self.close(&OPAQUE, ended);
    }

    /// Closes a tunnel that was made and through which nothing is let.
    pub fn shut(mut self, denial: &Denial) {
        let decision = &mut self.record.decision;
        (decision.allowed, decision.reason) = (false, denial.reason);
        decision.detail = denial.recorded().map(str::to_owned);
        self.status = Some(MADE);
        self.close(&OPAQUE, Ended::Complete);
    }
}
