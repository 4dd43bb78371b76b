//! Runs the tests of one suite: checks of this crate, test executables, and documentation tests. Every line goes to the
//! suite's log; the line of each test also goes to the terminal, so that one sees where a run is.

use std::ffi::OsString;
use std::path::Path;
use std::process::{Command, ExitStatus};
use std::time::{Duration, Instant};

use anyhow::Result;

use super::artefacts::{self, Executable};
use super::libtest::{self, Counts};
use super::log::Log;
use super::suites::Check;
use crate::{cluster, process, say, workspace};

/// A test executable that takes longer hangs.
const LIMIT: Duration = Duration::from_mins(30);

/// Where a suite's tests run and write.
#[derive(Debug)]
pub(super) struct Bench {
    pub(super) log: Log,
    /// Variables that the tests get on top of ours.
    pub(super) environment: Vec<(&'static str, OsString)>,
}

impl Bench {
    /// Runs checks, of `packages` if there are any.
    pub(super) fn checks(&mut self, checks: &[Check], packages: &[String]) -> Counts {
        let mut counts = Counts::NONE;
        for check in checks {
            let started = Instant::now();
            self.log.part(check.name);
            say::line(format!("check {} ...", check.name));
            let log = &mut self.log;
            let mut each = |line: &str| {
                say::note(line);
                log.line(line);
            };
            match (check.run)(packages, &mut each) {
                Ok(()) => {
                    counts += Counts::ONE_PASSED;
                    say::line(format!("check {} ... ok ({})", check.name, say::elapsed(started.elapsed())));
                }
                Err(error) => {
                    counts += Counts::ONE_FAILED;
                    self.log.line(&format!("{error:#}"));
                    say::line(format!("check {} ... FAILED: {error:#}", check.name));
                }
            }
        }
        counts
    }

    /// Runs one test executable as cargo would, here or in the named cluster.
    pub(super) fn executable(&mut self, executable: &Executable, cluster: Option<&str>) -> Result<Counts> {
        let mut command = match cluster {
            Some(name) => cluster::inside(name, &executable.folder, executable.path.as_os_str())?,
            None => Command::new(&executable.path),
        };
        command
            .current_dir(&executable.folder)
            .env("CARGO_MANIFEST_DIR", &executable.folder)
            .env("CARGO_MANIFEST_PATH", executable.folder.join("Cargo.toml"))
            .env("CARGO_PKG_NAME", &executable.package);
        self.tests(&format!("{} {}", executable.package, executable.target), &mut command)
    }

    /// Runs documentation tests of `packages`, or of all.
    pub(super) fn documentation(&mut self, packages: &[String]) -> Result<Counts> {
        let mut with_library = Vec::new();
        for package in packages {
            if artefacts::has_library(package)? {
                with_library.push(package.clone());
            }
        }
        if !packages.is_empty() && with_library.is_empty() {
            return Ok(Counts::NONE);
        }
        let mut command = workspace::cargo(&workspace::root()?);
        command.args(["test", "--doc"]);
        workspace::select(&mut command, &with_library);
        self.tests("documentation", &mut command)
    }

    fn tests(&mut self, title: &str, command: &mut Command) -> Result<Counts> {
        self.listen(title, command, |status| Ok((!status.success()).then(|| format!("ended with {status}"))))
    }

    /// Runs a command that prints what tests print. Once it has ended, `judge` says what is wrong, if anything.
    pub(super) fn listen(
        &mut self,
        title: &str,
        command: &mut Command,
        judge: impl FnOnce(ExitStatus) -> Result<Option<String>>,
    ) -> Result<Counts> {
        say::line(format!("---- {title}"));
        self.log.part(title);
        command.envs(self.environment.iter().map(|(name, value)| (*name, value.as_os_str())));
        let mut counts = Counts::NONE;
        let log = &mut self.log;
        let status = process::stream(command, LIMIT, |line| {
            log.line(line);
            if let Some(more) = libtest::result(line) {
                counts += more;
            } else if libtest::is_test(line) {
                say::line(line);
            }
        })?;
        let complaint = match status {
            Some(status) => judge(status)?,
            None => Some(format!("was killed after {}", say::elapsed(LIMIT))),
        };
        if let Some(complaint) = complaint {
            say::line(format!("FAILED: {title} {complaint}"));
            self.log.show_failure();
            if counts.failed == 0 {
                // It crashed before it could tell which test failed.
                counts += Counts::ONE_FAILED;
            }
        }
        Ok(counts)
    }
}

/// A bench that logs to `<logs>/<suite>.log`.
pub(super) fn bench(logs: &Path, suite: &str, environment: Vec<(&'static str, OsString)>) -> Result<Bench> {
    Ok(Bench { log: Log::create(logs, suite)?, environment })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(script: &str) -> Counts {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mut bench = bench(folder.path(), "suite", vec![("GREETING", "hello".into())]).expect("a bench");
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        bench.tests("script", &mut command).expect("sh runs")
    }

    #[test]
    fn results_of_several_harnesses_add_up() {
        let counts = run("echo 'test result: ok. 2 passed; 0 failed; 1 ignored; 0 measured'
             echo 'test result: ok. 3 passed; 0 failed; 0 ignored; 0 measured'");
        assert_eq!(counts, Counts { passed: 5, failed: 0, ignored: 1 });
    }

    #[test]
    fn a_crash_without_a_result_is_a_failure() {
        assert_eq!(run("echo 'running 1 test'; kill -SEGV $$"), Counts::ONE_FAILED);
    }

    #[test]
    fn a_failed_test_is_not_counted_twice_for_the_exit_status() {
        let counts = run("echo 'test result: FAILED. 1 passed; 1 failed; 0 ignored; 0 measured'; exit 101");
        assert_eq!(counts, Counts { passed: 1, failed: 1, ignored: 0 });
    }

    #[test]
    fn tests_get_the_environment_of_their_suite() {
        let counts =
            run("[ \"$GREETING\" = hello ] && echo 'test result: ok. 1 passed; 0 failed; 0 ignored; 0 measured'");
        assert_eq!(counts, Counts::ONE_PASSED);
    }
}
