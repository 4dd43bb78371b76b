//! Follows the manifests: each saved change is compiled as the operator would, and put in force if it is valid.

use super::stack::Stack;
use crate::check;
use crate::manifests;
use crate::screen::{Screen, Tone, causes};
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::path::PathBuf;
use std::time::Duration;
use tollward_sidecar::listen::Stamp;

/// Between two looks.
const PERIOD: Duration = Duration::from_millis(250);

/// What identifies a version of the manifests.
type Seen = BTreeMap<PathBuf, Option<Stamp>>;

/// Runs for ever.
pub(crate) async fn run(paths: &[PathBuf], server: Option<&str>, stack: &Stack, screen: &Screen) -> Infallible {
    // What changed while everything was put up is found by the first look.
    let mut compiled = Seen::new();
    let mut last = Seen::new();
    loop {
        let now = look(paths);
        // A file that is being written is left alone until it rests.
        if now == last && now != compiled {
            apply(paths, server, stack, screen);
            compiled.clone_from(&now);
        }
        last = now;
        tokio::time::sleep(PERIOD).await;
    }
}

/// The files and folders themselves count too: a removed folder is a change.
fn look(paths: &[PathBuf]) -> Seen {
    let files = manifests::files(paths).unwrap_or_default();
    files.into_iter().chain(paths.iter().cloned()).map(|path| (path.clone(), Stamp::of(&path))).collect()
}

fn apply(paths: &[PathBuf], server: Option<&str>, stack: &Stack, screen: &Screen) {
    let compiled = match manifests::compile(paths, server) {
        Ok(compiled) => compiled,
        Err(refused) => {
            check::refuse(&refused, screen);
            screen.line(&screen.paint(Tone::Bad, "the change was refused; the last good policy stays in force"));
            return;
        }
    };
    match stack.update(&compiled) {
        Ok(false) => {}
        Ok(true) => {
            check::print_notices(&compiled.notices, screen);
            screen.line(&screen.paint(Tone::Good, "the changed policy is valid and will be in force within a second"));
        }
        Err(error) => screen.error(&format!("{}; the last good policy stays in force", causes(&error))),
    }
}
