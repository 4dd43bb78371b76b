//! Proof that what is measured is the real thing: the sidecar refuses what it must, and lets the measured calls through.

use anyhow::{Context as _, Result, bail};

use super::super::answer::Connection;
use super::super::message::{self, STREAMING_TOOL, TOOL};
use super::super::upstream::MARK;
use super::prepare::Issuer;
use super::rig::Rig;

/// Fails with the first thing that is not as it must be.
pub(super) fn refuses_and_allows(rig: &Rig, issuer: &Issuer) -> Result<()> {
    let call = |token| message::modern(TOOL, token);
    expect(rig, "without a token", &call(None), 401)?;
    expect(rig, "with a forged signature", &call(Some(&issuer.forged)), 401)?;
    expect(rig, "with a token for another server", &call(Some(&issuer.foreign)), 401)?;
    expect(rig, "without the scope", &call(Some(&issuer.lesser)), 403)?;
    for (name, tokens) in [("RS256", &issuer.rsa), ("ES256", &issuer.elliptic)] {
        let token = tokens.first().map(String::as_str);
        expect(rig, &format!("with a good {name} token"), &call(token), 200)?;
        expect(rig, &format!("for events with a good {name} token"), &message::modern(STREAMING_TOOL, token), 200)?;
    }
    let token = issuer.rsa.first().context("no tokens were made")?;
    let session = session(&mut Connection::open(rig.addresses.public)?, token)?;
    expect(rig, "within a session", &message::legacy(TOOL, token, &session), 200)?;
    let other = issuer.rsa.last().context("no tokens were made")?;
    expect(rig, "within another caller's session", &message::legacy(TOOL, other, &session), 404)
}

/// Begins a session of the legacy era.
pub(super) fn session(connection: &mut Connection, token: &str) -> Result<String> {
    let answer = connection.exchange(&message::initialize(token)).context("the sidecar did not answer initialize")?;
    answer.header("mcp-session-id").with_context(|| format!("initialize began no session, status {}", answer.status))
}

fn expect(rig: &Rig, what: &str, request: &[u8], status: u16) -> Result<()> {
    let mut connection = Connection::open(rig.addresses.public).context("the sidecar does not listen")?;
    let answer = connection.exchange(request).with_context(|| format!("no answer to a call {what}"))?;
    if answer.status != status || answer.has(MARK) != (status == 200) {
        let text = String::from_utf8_lossy(answer.bytes);
        bail!("a call {what} was to be answered by {status}, so nothing was measured. It was:\n{text}");
    }
    Ok(())
}
