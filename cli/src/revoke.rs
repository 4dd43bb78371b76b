//! `tollward revoke`: an entry in an `IdentityProvider`'s `deny`, and the wait until every replica enforces it.
//!
//! Flow: read the provider -> [`entry`] (what was typed, as an entry) -> [`patch`] (planned against what was read, tried
//! again if somebody else was faster) -> [`progress`] (what the servers' statuses say, until the time is over).
//!
//! Guarantees: no entry of anybody else is lost; success means that every replica that the operator knows of reported a
//! configuration with the change; no part of a token is printed or sent.

mod cluster;
mod entry;
mod patch;
mod progress;
mod token;

use crate::arguments::RevokeArguments;
use crate::screen::{Screen, Tone, printable};
use anyhow::{Context as _, bail};
use aws_lc_rs::rand::{SecureRandom as _, SystemRandom};
use cluster::{Cluster, Patched};
use jiff::Timestamp;
use patch::Change;
use progress::{Server, State};
use serde_json::Value;
use std::process::ExitCode;
use std::time::Duration;
use token::Claims;
use tokio::time::{Instant, interval};

/// How often a change is planned anew because somebody else changed the provider meanwhile.
const ATTEMPTS: usize = 20;
/// Between two looks at the servers.
const PERIOD: Duration = Duration::from_millis(300);

/// Revokes, lists or takes back.
pub(crate) fn run(arguments: &RevokeArguments, screen: &Screen) -> anyhow::Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let outcome = runtime.context("can't start the runtime")?.block_on(revoke(arguments, screen));
    outcome.map(|done| if done { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn revoke(arguments: &RevokeArguments, screen: &Screen) -> anyhow::Result<bool> {
    // Before anything is asked of the API server, since it may come from a terminal.
    let token = arguments.token.as_deref().map(Claims::read).transpose()?;
    let cluster = Cluster::connect(arguments.context.as_deref(), arguments.namespace.as_deref()).await?;
    let provider = cluster.provider(&arguments.provider).await?;
    let now = Timestamp::now();
    if arguments.list {
        list(&provider, now, screen);
        return Ok(true);
    }
    let change = if let Some(name) = &arguments.undo {
        Change::Remove(name.clone())
    } else {
        let setting = entry::Setting { provider: &provider, token, now, random: random()? };
        Change::Add(entry::entry(arguments, &setting)?)
    };
    let started = Instant::now();
    let changed = write(&cluster, arguments, provider, &change, screen).await?;
    match &change {
        Change::Add(entry) => screen.line(&format!(
            "{} {}\nto take it back: tollward revoke --provider {} --namespace {} --undo {}",
            screen.paint(Tone::Strong, "revoked"),
            describe(entry),
            arguments.provider,
            cluster.namespace(),
            patch::name(entry),
        )),
        Change::Remove(name) => screen.line(&format!("{} {name}", screen.paint(Tone::Strong, "taken back"))),
    }
    if arguments.wait.is_zero() {
        return Ok(true);
    }
    let generation = changed.pointer("/metadata/generation").and_then(Value::as_i64).unwrap_or_default();
    follow(&cluster, arguments, generation, started, screen).await
}

/// Writes the change. Whoever else writes at the same time makes it fail once, and loses nothing either.
async fn write(
    cluster: &Cluster,
    arguments: &RevokeArguments,
    mut provider: Value,
    change: &Change,
    screen: &Screen,
) -> anyhow::Result<Value> {
    for _ in 0..ATTEMPTS {
        let plan = patch::plan(&provider, change, Timestamp::now())?;
        match cluster.patch(&arguments.provider, &plan.operations).await? {
            Patched::Done(changed) => {
                if !plan.dropped.is_empty() {
                    screen.line(&format!("dropped, since they ended long ago: {}", plan.dropped.join(", ")));
                }
                return Ok(changed);
            }
            Patched::Refused(message) => {
                let newer = cluster.provider(&arguments.provider).await?;
                if newer.pointer("/metadata/resourceVersion") == provider.pointer("/metadata/resourceVersion") {
                    bail!("the API server refuses the change, so that nothing is revoked: {}", printable(&message));
                }
                provider = newer;
            }
        }
    }
    bail!("IdentityProvider {} changes all the time; nothing is revoked, try again", arguments.provider)
}

/// Shows how far the servers are until all are done or the time is over.
async fn follow(
    cluster: &Cluster,
    arguments: &RevokeArguments,
    generation: i64,
    started: Instant,
    screen: &Screen,
) -> anyhow::Result<bool> {
    let mut looks = interval(PERIOD);
    let mut shown: Vec<Server> = Vec::new();
    loop {
        looks.tick().await;
        let list = cluster.servers().await.context(
            "the entry is written, but whether replicas enforce it can't be seen: the right to list mcpservers is missing, or \
             the API server does not answer",
        )?;
        let servers = progress::servers(&list, cluster.namespace(), &arguments.provider, generation);
        for server in servers.iter().filter(|server| !shown.contains(server)) {
            screen.line(&line(server, screen));
        }
        let elapsed = started.elapsed();
        if servers.iter().all(Server::is_done) {
            let replicas: usize = servers.iter().map(replicas).sum();
            let count = servers.len();
            screen.line(&format!(
                "{} by all {replicas} replicas of {count} servers after {:.1} s",
                screen.paint(Tone::Good, "enforced"),
                elapsed.as_secs_f64()
            ));
            return Ok(true);
        }
        if elapsed >= arguments.wait {
            late(&servers, arguments.wait, screen);
            return Ok(false);
        }
        shown = servers;
    }
}

/// Who does not enforce the change although the time is over.
fn late(servers: &[Server], wait: Duration, screen: &Screen) {
    let label = screen.paint(Tone::Bad, "not enforced");
    screen
        .line(&format!("{label} everywhere after {} s; the entry stays, and these may still accept:", wait.as_secs()));
    for server in servers.iter().filter(|server| !server.is_done()) {
        let why = match &server.state {
            State::Enforced { .. } => continue,
            State::Behind { why, .. } => why.join("; "),
            State::Waiting(why) => why.clone(),
        };
        screen.line(&format!("  {}: {}", printable(&server.name), printable(&why)));
    }
}

fn replicas(server: &Server) -> usize {
    match server.state {
        State::Enforced { replicas } | State::Behind { replicas, .. } => replicas,
        State::Waiting(_) => 0,
    }
}

fn line(server: &Server, screen: &Screen) -> String {
    let text = match &server.state {
        State::Enforced { replicas } => screen.paint(Tone::Good, &format!("{replicas} of {replicas} replicas")),
        State::Behind { done, replicas, why: _ } => format!("{done} of {replicas} replicas"),
        State::Waiting(_) => "waiting for the operator".to_owned(),
    };
    format!("  {}: {text}", printable(&server.name))
}

fn list(provider: &Value, now: Timestamp, screen: &Screen) {
    let entries = patch::entries(provider);
    if entries.is_empty() {
        screen.line("there are no entries");
    }
    for entry in entries {
        let ended = patch::until(entry).is_some_and(|until| until <= now);
        let text = describe(entry);
        screen.line(&if ended { screen.paint(Tone::Quiet, &format!("{text}, ended")) } else { text });
    }
}

/// `laptop: subject ada, until 2026-11-24T12:00:00Z (her laptop was stolen)`
fn describe(entry: &Value) -> String {
    let field = |name: &str| entry.get(name).and_then(Value::as_str);
    let fields = [
        ("subject", "subject"),
        ("client", "client"),
        ("tokenId", "token id"),
        ("issuedBefore", "issued before"),
        ("until", "until"),
    ];
    let parts: Vec<_> =
        fields.iter().filter_map(|(name, words)| field(name).map(|value| format!("{words} {value}"))).collect();
    let reason = field("reason").map(|reason| format!(" ({reason})")).unwrap_or_default();
    printable(&format!("{}: {}{reason}", patch::name(entry), parts.join(", ")))
}

/// Eight letters and digits.
fn random() -> anyhow::Result<String> {
    let mut bytes = [0; 4];
    SystemRandom::new().fill(&mut bytes).map_err(|_| anyhow::anyhow!("the system gives no randomness"))?;
    Ok(format!("{:08x}", u32::from_be_bytes(bytes)))
}
