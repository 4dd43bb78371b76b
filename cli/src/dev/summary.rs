//! Where everything is and how to connect, once it runs.

use super::plan::IssuerPlace;
use super::stack::Facts;
use crate::screen::{Screen, Tone};

/// Columns of the labels.
const LABEL: usize = 17;

/// Prints it.
pub(crate) fn print(facts: &Facts, screen: &Screen) {
    screen.gap();
    screen.line(&screen.paint(Tone::Strong, &format!("Tollward is in front of `{}`.", facts.name)));
    screen.gap();
    for (label, value) in places(facts) {
        screen.line(&format!("  {label:LABEL$} {}", screen.paint(Tone::Accent, &value)));
    }
    screen.gap();
    for (label, value) in clients(facts) {
        screen.line(&format!("  {label:LABEL$} {value}"));
    }
    screen.gap();
    screen.line(&screen.paint(Tone::Quiet, "Ctrl-C ends it. Each request gets a line:"));
}

fn places(facts: &Facts) -> Vec<(&'static str, String)> {
    let issuer = match &facts.issuer {
        IssuerPlace::BuiltIn(issuer) => format!("{issuer} (built in: any name signs in)"),
        IssuerPlace::Given(issuer) => issuer.clone(),
        IssuerPlace::Nobody => "none: auth.mode is None, anybody may call what the rules allow".to_owned(),
    };
    let server = match &facts.process {
        Some((id, command)) => format!("{} (process {id}: {command})", facts.upstream),
        None => facts.upstream.clone(),
    };
    let audit = match &facts.audit {
        Some(path) => format!("{}, one JSON record per request", path.display()),
        None => "the terminal only; --audit FILE keeps the full records".to_owned(),
    };
    let manifests: Vec<_> = facts.manifests.iter().map(|path| path.display().to_string()).collect();
    vec![
        ("MCP endpoint", facts.endpoint.clone()),
        ("Authorization", issuer),
        ("MCP server", server),
        ("Policy", format!("{}, in force when you save", manifests.join(", "))),
        ("Audit", audit),
        ("Limits", format!("tollward limits --socket {} --subject NAME", facts.inquiry_socket.display())),
    ]
}

fn clients(facts: &Facts) -> Vec<(&'static str, String)> {
    let (name, endpoint) = (&facts.name, &facts.endpoint);
    vec![
        ("MCP Inspector", "npx @modelcontextprotocol/inspector, then the endpoint above".to_owned()),
        ("Claude Code", format!("claude mcp add --transport http {name} {endpoint}")),
        ("stdio clients", format!("npx mcp-remote {endpoint}")),
        ("any other", "give it the endpoint: it finds the sign-in by itself".to_owned()),
    ]
}
