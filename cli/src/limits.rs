//! `tollward limits`: how a caller's limits stand at each replica of a server, and at all of them together.
//!
//! Flow: what was typed -> [`Inquiry`] -> [`replicas`] (each data plane is asked by its own program, in its own container, with
//! kubectl: so the cluster's RBAC decides who may look) -> [`sum`] (pure) -> [`show`].
//!
//! Asking charges nothing.

mod replicas;
mod show;
mod sum;

use crate::arguments::{GivenClaim, LimitsArguments, View};
use crate::screen::{Screen, Tone, printable, redact};
use anyhow::Context as _;
use replicas::Replica;
use serde::Serialize;
use std::process::ExitCode;
use tollward_policy::inquiry::{Inquiry, MAX_QUESTION};

/// What programs get.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Told<'a> {
    limits: &'a [sum::Sum],
    not_given: &'a [String],
    replicas: &'a [Replica],
}

/// Asks and shows. Success means that every replica answered, and every store that they asked.
pub(crate) fn run(arguments: &LimitsArguments, screen: &Screen) -> anyhow::Result<ExitCode> {
    let question = question(arguments)?;
    let replicas = match (&arguments.socket, &arguments.server) {
        (Some(socket), _) => vec![replicas::beside(socket, &question)],
        (None, Some(server)) => replicas::in_cluster(server, arguments, &question)?,
        (None, None) => anyhow::bail!("name the MCPServer, or a socket"),
    };
    let sums = sum::sum(&replicas);
    let mut not_given: Vec<String> =
        replicas.iter().filter_map(|it| it.answer.as_ref()).flat_map(|it| it.not_given.clone()).collect();
    not_given.sort();
    not_given.dedup();
    let all = !replicas.is_empty() && replicas.iter().all(|replica| replica.answer.is_some());
    let stores = sums.iter().all(|sum| sum.state.store_error.is_none());
    match arguments.output {
        View::Json => {
            let told = Told { limits: &sums, not_given: &not_given, replicas: &replicas };
            screen.line(&serde_json::to_string_pretty(&told).context("an answer is JSON")?);
        }
        View::Table | View::Wide => {
            show::table(&sums, screen);
            if arguments.output == View::Wide {
                show::each(&replicas, screen);
            }
            if !not_given.is_empty() && !sums.is_empty() {
                let hint = format!("The tier may be another one: it depends on {}.", not_given.join(", "));
                screen.line(&screen.paint(Tone::Quiet, &printable(&hint)));
            }
            for replica in &replicas {
                if let Some(error) = &replica.error {
                    let label = screen.paint(Tone::Bad, "no answer");
                    screen.line(&format!("{label} of {}: {}", printable(&replica.name), printable(error)));
                }
            }
        }
    }
    Ok(if all && stores { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The question, in one line.
fn question(arguments: &LimitsArguments) -> anyhow::Result<String> {
    let question = serde_json::to_string(&inquiry(arguments)).context("a question is JSON")?;
    if redact(&question) != question {
        anyhow::bail!(
            "one of the values is a token: name its subject or client instead, and take care who may see it there"
        );
    }
    if question.len() >= MAX_QUESTION {
        anyhow::bail!("a question has at most {MAX_QUESTION} bytes: ask about fewer names at once");
    }
    Ok(question)
}

fn inquiry(arguments: &LimitsArguments) -> Inquiry {
    let LimitsArguments { subject, client, issuer, claims, address, tools, prompts, resources, .. } = arguments;
    Inquiry {
        issuer: issuer.clone(),
        subject: subject.clone(),
        client: client.clone(),
        claims: claims.iter().map(|GivenClaim { name, value }| (name.clone(), value.clone())).collect(),
        address: *address,
        tools: tools.clone(),
        prompts: prompts.clone(),
        resources: resources.clone(),
    }
}
