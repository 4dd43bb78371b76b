//! `tollward check`: whether the operator would accept manifests, and everything that is wrong if not.

use crate::arguments::Files;
use crate::manifests::{self, Problem, Refused};
use crate::screen::{Screen, Tone, printable, printable_lines};
use std::process::ExitCode;
use tollward_desired::advice;

/// Columns before the further lines of a message.
const INDENT: usize = 8;

/// Judges every server of the files.
pub(crate) fn run(files: &Files, screen: &Screen) -> ExitCode {
    let manifests = match manifests::read(&files.filename) {
        Ok(manifests) => manifests,
        Err(refused) => return refuse(&refused, screen),
    };
    let (mut problems, mut notices) = (Vec::new(), manifests.notices.clone());
    for server in 0..manifests.servers() {
        match manifests.judge(server) {
            Ok(judged) => {
                let (identity, url) = (judged.validated.identity(), judged.validated.endpoint().url());
                let name = format!("MCPServer {}/{}", identity.namespace(), identity.name());
                screen.line(&format!("{} {name}, {}", screen.paint(Tone::Good, "valid"), printable(url.as_str())));
                notices.extend(advice(&judged.validated).into_iter().map(|text| format!("{name}: {text}")));
            }
            Err(refused) => problems.extend(refused.0),
        }
    }
    print_notices(&notices, screen);
    if manifests.servers() == 0 {
        problems.push(Problem::nothing_judged());
    }
    if problems.is_empty() { ExitCode::SUCCESS } else { refuse(&Refused(problems), screen) }
}

/// Prints everything that is wrong.
pub(crate) fn refuse(refused: &Refused, screen: &Screen) -> ExitCode {
    for problem in &refused.0 {
        let text = printable_lines(&problem.to_string(), INDENT);
        screen.line(&format!("{} {text}", screen.paint(Tone::Bad, "invalid")));
    }
    ExitCode::FAILURE
}

/// Prints what is worth knowing and no problem.
pub(crate) fn print_notices(notices: &[String], screen: &Screen) {
    for notice in notices {
        screen.line(&screen.paint(Tone::Quiet, &format!("note  {}", printable_lines(notice, INDENT))));
    }
}
