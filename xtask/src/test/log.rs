//! A suite's full output in a file, and its last lines in memory for the failure message.

use std::collections::VecDeque;
use std::fs::{self, File};
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use crate::say;

/// How many lines a failure shows at most.
const TAIL: usize = 200;

#[derive(Debug)]
pub(super) struct Log {
    path: PathBuf,
    file: BufWriter<File>,
    tail: VecDeque<String>,
}

impl Log {
    /// Opens `<folder>/<name>.log`, replacing that of an earlier run.
    pub(super) fn create(folder: &Path, name: &str) -> Result<Self> {
        fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
        let path = folder.join(format!("{name}.log"));
        let file = File::create(&path).with_context(|| format!("cannot create {}", path.display()))?;
        Ok(Self { path, file: BufWriter::new(file), tail: VecDeque::with_capacity(TAIL) })
    }

    /// Starts a part: a failure shows no line from before it.
    pub(super) fn part(&mut self, title: &str) {
        self.tail.clear();
        self.write(&format!("==== {title}"));
    }

    pub(super) fn line(&mut self, line: &str) {
        if self.tail.len() == TAIL {
            self.tail.pop_front();
        }
        self.tail.push_back(line.to_owned());
        self.write(line);
    }

    /// Prints what tells about a failure: from the test harness's list of failures on, or else the last lines.
    pub(super) fn show_failure(&mut self) {
        let first = self.tail.iter().position(|line| line == "failures:").unwrap_or(0);
        for line in self.tail.iter().skip(first) {
            say::line(format!("    {line}"));
        }
        // A full disk already shows as an incomplete file.
        let _ = self.file.flush();
        say::line(format!("    (full output: {})", self.path.display()));
    }

    fn write(&mut self, line: &str) {
        let _ = writeln!(self.file, "{line}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_holds_everything_and_memory_only_the_end_of_the_part() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mut log = Log::create(folder.path(), "unit").expect("a log");
        log.part("one");
        log.line("first");
        log.part("two");
        for number in 0..TAIL + 5 {
            log.line(&number.to_string());
        }
        assert_eq!(log.tail.len(), TAIL);
        assert_eq!(log.tail.front().map(String::as_str), Some("5"));
        drop(log);
        let text = fs::read_to_string(folder.path().join("unit.log")).expect("the file");
        assert!(text.starts_with("==== one\nfirst\n==== two\n0\n"));
        assert!(text.ends_with(&format!("{}\n", TAIL + 4)));
    }
}
