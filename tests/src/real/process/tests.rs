use super::{Process, command};
use std::fs;
use std::time::{Duration, Instant};

const LIMIT: Duration = Duration::from_secs(10);

fn shell(script: &str) -> Process {
    let mut shell = command("sh");
    shell.args(["-c", script]);
    Process::start("a shell", shell)
}

/// True once the process is gone or only waits to be collected.
fn gone(id: &str) -> bool {
    let end = Instant::now() + LIMIT;
    loop {
        let state = fs::read_to_string(format!("/proc/{id}/stat")).ok();
        let ended = state.is_none_or(|state| state.rsplit(") ").next().is_some_and(|rest| rest.starts_with('Z')));
        if ended || Instant::now() > end {
            return ended;
        }
        std::thread::sleep(super::LOOK);
    }
}

#[test]
fn a_dropped_program_ends_with_its_children() {
    let process = shell("sleep 1000 & echo $! $$; wait");
    let ids = process.line(LIMIT);
    drop(process);
    assert!(ids.split(' ').count() == 2 && ids.split(' ').all(gone), "{ids}");
}

#[test]
fn a_program_ends_when_the_pipe_to_this_process_breaks() {
    let mut process = shell("sleep 1000 & echo $! $$; wait");
    let ids = process.line(LIMIT);
    drop(process.child.stdin.take());
    assert!(ids.split(' ').all(gone), "{ids}");
}

#[test]
fn a_program_that_ends_by_itself_is_reported_with_what_it_wrote() {
    let ended = shell("echo one; echo two; echo why >&2; exit 3").ended(LIMIT);
    assert_eq!(ended.status.code(), Some(3));
    assert_eq!((ended.output.as_str(), ended.errors.as_str()), ("one\ntwo\n", "why\n"));
}
