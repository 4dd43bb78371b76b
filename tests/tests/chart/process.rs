//! A program that ends with the test that started it, however the test ends.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// Waits for the end of its input, which comes when the test closes it or dies, then ends the program and removes the
/// folder that it worked in.
const GUARD: &str = r#"
folder=$1 log=$2
shift 2
"$@" >"$log" 2>&1 </dev/null &
program=$!
cat >/dev/null
kill -KILL "$program"
wait "$program"
rm -rf -- "$folder"
"#;

#[derive(Debug)]
pub(crate) struct Process {
    guard: Child,
    log: PathBuf,
}

impl Process {
    /// Starts `program`, which works in `folder` and logs to a file of its name there.
    pub(crate) fn start(folder: &Path, program: &Path, arguments: &[String]) -> Self {
        let name = program.file_name().and_then(OsStr::to_str).expect("a program has a name");
        let log = folder.join(format!("{name}.log"));
        let mut command = Command::new("sh");
        command.args(["-c", GUARD, "guard"]).arg(folder).arg(&log).arg(program).args(arguments);
        let guard = command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("sh runs");
        Self { guard, log }
    }

    /// The end of its log.
    pub(crate) fn last_words(&self) -> String {
        let log = std::fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        lines.get(lines.len().saturating_sub(20)..).unwrap_or_default().join("\n")
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        drop(self.guard.stdin.take());
        // The guard ends once the program has.
        let _ = self.guard.wait();
    }
}
