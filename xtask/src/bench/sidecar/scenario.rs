//! The table of what is measured, and the requests of each.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use super::super::answer::Connection;
use super::super::message::{self, SEPARATOR, STREAMING_TOOL, TOOL};
use super::prepare::Issuer;
use super::proof::session;
use super::rig::Rig;

/// What answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Target {
    /// The MCP server itself.
    Bare,
    /// The sidecar in front of it, or another program there.
    Sidecar,
}

/// One thing to measure.
#[derive(Debug)]
pub(super) struct Scenario {
    /// What the table calls it.
    pub(super) name: &'static str,
    /// The prepared requests.
    pub(super) requests: PathBuf,
    /// Requests a second; `None` for as many as are answered.
    pub(super) rate: Option<u32>,
    /// False if it makes no difference to the bare server.
    pub(super) also_bare: bool,
}

impl Target {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Bare => "bare",
            Self::Sidecar => "sidecar",
        }
    }
}

/// All, with their requests written to files.
pub(super) fn all(rig: &Rig, issuer: &Issuer, folder: &Path) -> Result<Vec<Scenario>> {
    let modern = |tool: &'static str, tokens: &[String]| -> Vec<Vec<u8>> {
        tokens.iter().map(|token| message::modern(tool, Some(token))).collect()
    };
    let mut connection = Connection::open(rig.addresses.public).context("the sidecar does not listen")?;
    let mut legacy = Vec::with_capacity(issuer.rsa.len());
    for token in &issuer.rsa {
        legacy.push(message::legacy(TOOL, token, &session(&mut connection, token)?));
    }
    let file = |name: &str, requests: &[Vec<u8>]| {
        let path = folder.join(name);
        fs::write(&path, requests.join(&SEPARATOR)).with_context(|| format!("cannot write {}", path.display()))?;
        anyhow::Ok(path)
    };
    let json = file("json.requests", &modern(TOOL, &issuer.rsa))?;
    let scenario = |name, requests, rate, also_bare| Scenario { name, requests, rate, also_bare };
    Ok(vec![
        scenario("JSON answer", json.clone(), None, true),
        scenario("JSON answer, with session", file("session.requests", &legacy)?, None, false),
        scenario("JSON answer, ES256", file("es256.requests", &modern(TOOL, &issuer.elliptic))?, None, false),
        scenario("event stream", file("events.requests", &modern(STREAMING_TOOL, &issuer.rsa))?, None, true),
        scenario("JSON answer, 500/s", json, Some(500), true),
    ])
}
