//! The table at the end of a run, and its closing line.

use std::time::Duration;

use super::libtest::Counts;
use crate::say;

#[derive(Debug)]
struct Row {
    suite: &'static str,
    counts: Counts,
    time: Duration,
}

#[derive(Debug, Default)]
pub(super) struct Report {
    rows: Vec<Row>,
}

impl Report {
    /// Adds a suite. One that ran no test at all failed: it was asked to prove something and did not.
    pub(super) fn add(&mut self, suite: &'static str, mut counts: Counts, time: Duration) {
        if counts.passed == 0 && counts.failed == 0 {
            say::line(format!("FAILED: {suite} ran no test"));
            counts += Counts::ONE_FAILED;
        }
        self.rows.push(Row { suite, counts, time });
    }

    /// Whether nothing failed.
    pub(super) fn is_success(&self) -> bool {
        !self.rows.is_empty() && self.total().failed == 0
    }

    /// The table and the closing line, which stands alone on the last line.
    pub(super) fn text(&self) -> String {
        let width = self.rows.iter().map(|row| row.suite.len()).max().unwrap_or(0).max("suite".len());
        let mut text = format!("{:width$}  passed  failed  ignored  seconds\n", "suite");
        for Row { suite, counts: Counts { passed, failed, ignored }, time } in &self.rows {
            let seconds = time.as_secs_f64();
            let row = format!("{suite:width$}  {passed:6}  {failed:6}  {ignored:7}  {seconds:7.1}\n");
            text.push_str(&row);
        }
        let total = self.total();
        text + &format!("\n{} passed, {} failed", total.passed, total.failed)
    }

    fn total(&self) -> Counts {
        self.rows.iter().fold(Counts::NONE, |mut total, row| {
            total += row.counts;
            total
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(suites: &[(&'static str, Counts)]) -> Report {
        let mut report = Report::default();
        for (suite, counts) in suites {
            report.add(suite, *counts, Duration::from_millis(1_260));
        }
        report
    }

    #[test]
    fn the_closing_line_sums_up_all_suites_and_stands_last() {
        let counts = Counts { passed: 40, failed: 0, ignored: 2 };
        let report = report(&[("unit", counts), ("integration", counts)]);
        assert!(report.is_success());
        let text = report.text();
        assert_eq!(text.lines().last(), Some("80 passed, 0 failed"));
        assert!(text.contains("unit             40       0        2      1.3"), "{text}");
    }

    #[test]
    fn one_failure_fails_the_run() {
        let report = report(&[("unit", Counts::ONE_PASSED), ("lint", Counts::ONE_FAILED)]);
        assert!(!report.is_success());
        assert_eq!(report.text().lines().last(), Some("1 passed, 1 failed"));
    }

    #[test]
    fn a_suite_without_a_test_fails_the_run() {
        let ignored = Counts { passed: 0, failed: 0, ignored: 3 };
        assert!(!report(&[("unit", Counts::ONE_PASSED), ("clients", ignored)]).is_success());
    }

    #[test]
    fn a_run_of_nothing_is_no_success() {
        assert!(!Report::default().is_success());
    }
}
