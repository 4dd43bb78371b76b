//! What is worse through Tollward by design, with the reason, and nothing else.

use tollward_tests::real::suite::Difference;

/// A difference that Tollward makes on purpose.
#[derive(Debug)]
pub struct Expected {
    /// The server in front of which it shows.
    server: &'static str,
    /// The scenario.
    scenario: &'static str,
    /// The check.
    check: &'static str,
    /// Why.
    pub reason: &'static str,
}

/// All of them.
pub const EXPECTED: &[Expected] = &[];

/// True if the difference is one of [`EXPECTED`].
pub fn is_expected(server: &str, difference: &Difference) -> bool {
    EXPECTED.iter().any(|expected| {
        expected.server == server
            && expected.scenario == difference.check.scenario
            && expected.check == difference.check.id
    })
}
