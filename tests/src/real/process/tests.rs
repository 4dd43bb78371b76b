//! Ends of programs, by the harness and by themselves. A process that is only waited for counts as gone.

use super::{Process, command};
use crate::deadline::{DEADLINE, eventually};
use std::fs;

fn shell(script: &str) -> Process {
    let mut shell = command("sh");
    shell.args(["-c", script]);
    Process::start("a shell", shell)
}

async fn all_gone(ids: &str) {
    assert_eq!(ids.split(' ').count(), 2, "{ids}");
    let gone = |id: &str| {
        let state = fs::read_to_string(format!("/proc/{id}/stat")).ok();
        state.is_none_or(|state| state.rsplit(") ").next().is_some_and(|rest| rest.starts_with('Z')))
    };
    eventually("the program and its child are gone", async || ids.split(' ').all(gone)).await;
}

#[tokio::test]
async fn a_dropped_program_ends_with_its_children() {
    let process = shell("sleep 1000 & echo $! $$; wait");
    let ids = process.line(DEADLINE);
    drop(process);
    all_gone(&ids).await;
}

#[tokio::test]
async fn a_program_ends_when_the_pipe_to_this_process_breaks() {
    let mut process = shell("sleep 1000 & echo $! $$; wait");
    let ids = process.line(DEADLINE);
    drop(process.child.stdin.take());
    all_gone(&ids).await;
}

#[test]
fn a_program_that_ends_by_itself_is_reported_with_what_it_wrote() {
    let ended = shell("echo one; echo two; echo why >&2; exit 3").ended(DEADLINE);
    assert_eq!(ended.status.code(), Some(3));
    assert_eq!((ended.output.as_str(), ended.errors.as_str()), ("one\ntwo\n", "why\n"));
}
