//! `tollward render`: what the operator would make of manifests, as YAML documents that kubectl reads.

use crate::arguments::{Output, RenderArguments};
use crate::manifests::{self, Judged, Manifests, Problem, Refused};
use crate::screen::{Screen, printable};
use anyhow::Context as _;
use serde::Serialize;
use std::process::ExitCode;
use tollward_desired::{Children, Desired, KeyEntry, KeysSecret, desired};

/// Prints everything that is valid, and everything that is not as comments.
pub(crate) fn run(arguments: &RenderArguments, screen: &Screen) -> anyhow::Result<ExitCode> {
    let manifests = match manifests::read(&arguments.files.filename) {
        Ok(manifests) => manifests,
        Err(refused) => return Ok(comment(&refused, screen)),
    };
    if manifests.servers() == 0 {
        return Ok(comment(&Refused(vec![Problem::nothing_judged()]), screen));
    }
    let mut code = ExitCode::SUCCESS;
    for notice in &manifests.notices {
        screen.line(&format!("# note: {notice}"));
    }
    for server in 0..manifests.servers() {
        match make(&manifests, server) {
            Ok((judged, made)) => print(&judged, made, arguments.output, screen)?,
            Err(refused) => code = comment(&refused, screen),
        }
    }
    Ok(code)
}

/// Says what is wrong as comments: what is printed may go to kubectl.
fn comment(refused: &Refused, screen: &Screen) -> ExitCode {
    for problem in &refused.0 {
        for (number, line) in problem.to_string().lines().enumerate() {
            screen.line(&format!("# {}{}", if number == 0 { "invalid: " } else { "  " }, printable(line)));
        }
    }
    ExitCode::FAILURE
}

fn make(manifests: &Manifests, server: usize) -> Result<(Judged, Desired), Refused> {
    let judged = manifests.judge(server)?;
    match desired(&judged.validated) {
        Ok(made) => Ok((judged, made)),
        Err(findings) => Err(manifests.refused(&judged, &findings)),
    }
}

fn print(judged: &Judged, made: Desired, output: Output, screen: &Screen) -> anyhow::Result<()> {
    let identity = judged.validated.identity();
    let Desired { children, configuration } = made;
    screen.line(&format!("# MCPServer {}/{}: Accepted=True, ResolvedRefs=True", identity.namespace(), identity.name()));
    if matches!(output, Output::Config | Output::All) {
        screen.line(&format!("# The data plane's configuration, {}", configuration.digest()));
        document(configuration.config(), screen)?;
    }
    if matches!(output, Output::Children | Output::All) {
        print_children(&children, screen)?;
    }
    Ok(())
}

fn print_children(children: &Children, screen: &Screen) -> anyhow::Result<()> {
    let Children { service_account, config_map, keys, deployment, service, network_policy, pod_disruption_budget } =
        children;
    document(service_account, screen)?;
    document(config_map, screen)?;
    describe(keys, screen);
    document(deployment, screen)?;
    document(service, screen)?;
    document(network_policy, screen)?;
    pod_disruption_budget.as_ref().map_or(Ok(()), |budget| document(budget, screen))
}

fn document(object: &impl Serialize, screen: &Screen) -> anyhow::Result<()> {
    let text = serde_saphyr::to_string(object).context("an object can't be written as YAML")?;
    screen.line("---");
    screen.line(text.trim_end());
    Ok(())
}

/// The operator makes the bytes of keys; nobody else can, so there is no document to apply.
fn describe(keys: &KeysSecret, screen: &Screen) {
    screen.line("---");
    screen.line(&format!("# Secret {}/{}, made by the operator:", keys.namespace, keys.name));
    for entry in &keys.entries {
        let text = match entry {
            KeyEntry::Session { file, id: _, after } => match after {
                0 => format!("{file}: key for sealing session ids"),
                _ => format!("{file}: key of a neighbouring epoch ({after:+}) for opening session ids"),
            },
            KeyEntry::Certificate { certificate, private_key, names } => {
                format!("{certificate}, {private_key}: a certificate for {}", names.join(", "))
            }
            KeyEntry::Assertion { private_key, earlier, later } => {
                format!("{private_key}, {earlier}, {later}: keys for assertions to the server")
            }
            KeyEntry::ClientAuthority { file } => format!("{file}: who signs the operator's client certificate"),
        };
        screen.line(&format!("#   {text}"));
    }
}
