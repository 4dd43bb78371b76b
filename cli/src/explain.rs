//! `tollward explain`: what would happen to a call, and why, by the data plane's own code.
//!
//! Flow: manifests and token from files -> [`question`] makes the request that a client would send -> [`keys`] are fetched from
//! the provider, or read from a file -> the data plane explains -> [`show`] prints. Nothing is sent to the MCP server, and the
//! token is never printed.

mod keys;
mod question;
mod show;

use crate::arguments::{ExplainArguments, Form};
use crate::check;
use crate::manifests;
use crate::screen::{Screen, causes};
use anyhow::Context as _;
use keys::KeyFile;
use std::process::ExitCode;
use std::sync::Arc;
use tollward_policy::config::{SidecarConfig, UpstreamIdentity};
use tollward_sidecar::authenticate::Fetch;
use tollward_sidecar::clock::{Clock as _, SystemClock};
use tollward_sidecar::explain::{Decision, Explanation, explain};
use tollward_sidecar::run::parts;

/// Whether it would be refused can't be told.
const CANNOT_TELL: u8 = 2;

/// Explains one call. Exit code 0: it would be let through; 1: refused; 2: that can't be told.
pub(crate) fn run(arguments: &ExplainArguments, screen: &Screen) -> ExitCode {
    let compiled = match manifests::compile(&arguments.files.filename, arguments.server.as_deref()) {
        Ok(compiled) => compiled,
        Err(refused) => {
            check::refuse(&refused, screen);
            return ExitCode::from(CANNOT_TELL);
        }
    };
    match answer(arguments, compiled.declared().clone()) {
        Ok(explanation) => {
            match arguments.output {
                Form::Text => {
                    check::print_notices(&compiled.notices, screen);
                    show::print(&explanation, screen);
                }
                Form::Json => screen.line(&serde_json::to_string_pretty(&explanation).unwrap_or_default()),
            }
            match explanation.decision {
                Decision::Allow => ExitCode::SUCCESS,
                Decision::Deny => ExitCode::FAILURE,
                Decision::Unknown => ExitCode::from(CANNOT_TELL),
            }
        }
        Err(error) => {
            screen.error(&causes(&error));
            ExitCode::from(CANNOT_TELL)
        }
    }
}

fn answer(arguments: &ExplainArguments, mut config: SidecarConfig) -> anyhow::Result<Explanation> {
    let question = question::ask(arguments)?;
    let keys: Option<Arc<dyn Fetch>> = match &arguments.jwks {
        Some(path) => Some(Arc::new(KeyFile::read(path)?)),
        None => None,
    };
    localize(&mut config, arguments.jwks.is_some());
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().context("can't start the runtime")?;
    runtime.block_on(async {
        let clock = Arc::new(SystemClock);
        let parts = parts(&config.process.dial, keys, clock.clone()).context("names can't be resolved")?;
        let snapshot = parts.compile(&config, String::new()).context("the configuration can't be used here")?;
        let route = snapshot.routes().first().context("the manifests lead to no server")?.clone();
        let faults = keys::fetched(&parts.providers).await;
        let most = snapshot.limits.max_body_bytes;
        let mut explanation = explain(&route, &question.headers, &question.body, most, clock.unix_seconds()).await;
        if explanation.decision == Decision::Unknown && !faults.is_empty() {
            let faults = faults.join("; ");
            explanation.detail =
                Some(format!("{faults}. This machine asked; if it can't reach the issuer, use --jwks"));
        }
        Ok(explanation)
    })
}

/// What is mounted in a pod is not on this machine: sessions and the identity that a server is called with are not looked
/// at, and a key file stands in for addresses.
fn localize(config: &mut SidecarConfig, offline: bool) {
    config.process.dial.allow.extend(keys::this_machine());
    for route in &mut config.routes {
        route.session.keys.clear();
        route.upstream.identity = UpstreamIdentity::none();
    }
    for provider in &mut config.identity_providers {
        provider.ca_file = None;
        if offline {
            provider.jwks_url = Some(keys::OFFLINE.to_owned());
        }
    }
}
