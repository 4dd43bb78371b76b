//! Reads what a Rust test executable prints.

use std::ops::AddAssign;

/// How many tests ended how.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) passed: u64,
    pub(super) failed: u64,
    pub(super) ignored: u64,
}

impl Counts {
    pub(super) const NONE: Self = Self { passed: 0, failed: 0, ignored: 0 };
    pub(super) const ONE_PASSED: Self = Self { passed: 1, failed: 0, ignored: 0 };
    pub(super) const ONE_FAILED: Self = Self { passed: 0, failed: 1, ignored: 0 };
}

impl AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        let Self { passed, failed, ignored } = other;
        self.passed += passed;
        self.failed += failed;
        self.ignored += ignored;
    }
}

/// The counts of a line such as `test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; …`.
pub(super) fn result(line: &str) -> Option<Counts> {
    let (_, counts) = line.strip_prefix("test result: ")?.split_once(". ")?;
    let count = |what: &str| {
        counts.split(';').find_map(|part| {
            let (number, word) = part.trim().split_once(' ')?;
            if word == what { number.parse::<u64>().ok() } else { None }
        })
    };
    Some(Counts { passed: count("passed")?, failed: count("failed")?, ignored: count("ignored")? })
}

/// Whether a line tells how one test ended.
pub(super) fn is_test(line: &str) -> bool {
    line.starts_with("test ") && line.contains(" ... ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_counts_of_a_result_line_are_read() {
        let line = "test result: FAILED. 12 passed; 2 failed; 3 ignored; 0 measured; 4 filtered out; finished in 1.05s";
        assert_eq!(result(line), Some(Counts { passed: 12, failed: 2, ignored: 3 }));
    }

    #[test]
    fn other_lines_are_no_result() {
        for line in ["test result: ok", "test a ... ok", "", "test result: ok. x passed; 0 failed; 0 ignored"] {
            assert_eq!(result(line), None, "{line}");
        }
    }

    #[test]
    fn a_line_about_one_test_is_told_from_the_summary() {
        assert!(is_test("test a::b ... ok"));
        assert!(is_test("test src/lib.rs - f (line 3) ... FAILED"));
        assert!(!is_test("test result: ok. 1 passed; 0 failed; 0 ignored"));
    }
}
