//! `tollward walkthrough`: the same client as in `dev --walkthrough`, playing against a server in a cluster.
//!
//! It talks to the endpoint, to the identity provider and to the MCP server by addresses that were given, and learns what
//! was audited from lines on standard input. It reads no kubeconfig and knows nothing of Kubernetes.

use crate::arguments::{Door, WalkthroughArguments};
use crate::check;
use crate::manifests;
use crate::screen::Screen;
use crate::walkthrough::{self, Cast, Client, Edit, Ledger, Passage, Scene};
use anyhow::{Context as _, ensure};
use std::io::BufRead as _;
use std::process::ExitCode;
use std::sync::Arc;
use tollward_policy::config::{AuthConfig, SidecarConfig};

/// Plays it. The exit code is 1 if an answer was not as described.
pub(crate) fn run(arguments: WalkthroughArguments, screen: &Screen) -> anyhow::Result<ExitCode> {
    let compiled = match manifests::compile(&arguments.files.filename, arguments.server.as_deref()) {
        Ok(compiled) => compiled,
        Err(refused) => return Ok(check::refuse(&refused, screen)),
    };
    check::print_notices(&compiled.notices, screen);
    let config = compiled.declared();
    let route = config.routes.first().context("the manifests lead to no server")?.clone();
    let ledger = Arc::new(Ledger::new());
    let scene = Scene {
        issuer: issuer(config)?,
        issuer_kind: "in the cluster",
        behind: arguments.behind.to_string(),
        cast: Cast::of(&route)?,
        ledger: ledger.clone(),
        decoy: arguments.decoy.to_string(),
        edit: Some(Edit(arguments.edit)).filter(|edit| !edit.0.is_empty()),
        route,
    };
    let authorities = std::fs::read(&arguments.authorities)
        .with_context(|| format!("can't read {}", arguments.authorities.display()))?;
    let doors = arguments.doors.into_iter().map(|Door { host, address }| (host, address)).collect();
    let client = Client::new(Passage::by(doors, Some(&authorities))?);
    // It ends with the process: whoever writes the lines does not end by itself.
    std::thread::spawn(move || {
        for line in std::io::stdin().lock().lines().map_while(Result::ok) {
            ledger.take(&line);
        }
    });
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().context("can't start the runtime")?;
    let as_described = runtime.block_on(walkthrough::play(scene, client, screen))?;
    Ok(if as_described { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The one whose tokens count.
fn issuer(config: &SidecarConfig) -> anyhow::Result<String> {
    let tokens = config.routes.iter().any(|route| matches!(route.auth, AuthConfig::OAuth { .. }));
    ensure!(tokens, "the walk-through needs a server with auth.mode OAuth");
    match config.identity_providers.as_slice() {
        [provider] => Ok(provider.issuer.clone()),
        several => anyhow::bail!("the walk-through needs exactly one identity provider; there are {}", several.len()),
    }
}
