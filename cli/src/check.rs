//! `tollward check`: whether the operator would accept manifests, and everything that is wrong if not.

use crate::arguments::Files;
use crate::manifests::{self, Refused};
use crate::screen::{Screen, Tone, printable};
use std::process::ExitCode;

/// Judges every server of the files.
pub(crate) fn run(files: &Files, screen: &Screen) -> ExitCode {
    let manifests = match manifests::read(&files.filename) {
        Ok(manifests) => manifests,
        Err(refused) => return refuse(&refused, screen),
    };
    let mut problems = Vec::new();
    for server in 0..manifests.servers() {
        match manifests.judge(server) {
            Ok(judged) => {
                let (identity, url) = (judged.validated.identity(), judged.validated.endpoint().url());
                let name = format!("MCPServer {}/{}", identity.namespace(), identity.name());
                screen.line(&format!("{} {name}, {}", screen.paint(Tone::Good, "valid"), printable(url.as_str())));
            }
            Err(refused) => problems.extend(refused.0),
        }
    }
    print_notices(&manifests.notices, screen);
    if manifests.servers() == 0 {
        screen.line("there is no MCPServer in these files");
    }
    if problems.is_empty() { ExitCode::SUCCESS } else { refuse(&Refused(problems), screen) }
}

/// Prints everything that is wrong, one line each.
pub(crate) fn refuse(refused: &Refused, screen: &Screen) -> ExitCode {
    for problem in &refused.0 {
        screen.line(&format!("{} {}", screen.paint(Tone::Bad, "invalid"), printable(&problem.to_string())));
    }
    ExitCode::FAILURE
}

/// Prints what is worth knowing and no problem.
pub(crate) fn print_notices(notices: &[String], screen: &Screen) {
    for notice in notices {
        screen.line(&screen.paint(Tone::Quiet, &format!("note  {}", printable(notice))));
    }
}
