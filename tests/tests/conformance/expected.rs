//! What is worse through Tollward by design, with the reason, and nothing else.

use std::collections::BTreeSet;
use tollward_tests::real::suite::Difference;

/// A difference that Tollward makes on purpose.
#[derive(Debug)]
pub(crate) struct Expected {
    /// The server in front of which it shows.
    server: &'static str,
    /// The scenario.
    scenario: &'static str,
    /// The check.
    check: &'static str,
    /// Why.
    reason: &'static str,
}

/// All of them.
pub(crate) const EXPECTED: &[Expected] = &[];

/// Which of [`EXPECTED`] the difference is.
pub(crate) fn position(server: &str, difference: &Difference) -> Option<usize> {
    EXPECTED.iter().position(|expected| {
        expected.server == server
            && expected.scenario == difference.check.scenario
            && expected.check == difference.check.id
    })
}

/// Fails if an entry for that server was not seen, so that none outlives its reason.
pub(crate) fn assert_all_seen(server: &str, seen: &BTreeSet<usize>) {
    for (position, expected) in EXPECTED.iter().enumerate().filter(|(_, expected)| expected.server == server) {
        assert!(expected.reason.len() > 20, "an expected difference says why: {expected:?}");
        assert!(seen.contains(&position), "no difference any more, take it out: {expected:?}");
    }
}
