//! What the commands print. Results go to standard output, where a script may read them; progress goes to standard
//! error, so that `$(cargo xtask cluster kubeconfig)` holds a path and nothing else. A closed pipe is not an error.

use std::fmt::Display;
use std::io::{self, Write as _};
use std::time::Duration;

/// Prints a result, or what belongs to the command's answer.
pub(crate) fn line(text: impl Display) {
    // A reader such as `head` may be gone; there is nobody left to tell.
    let _ = writeln!(io::stdout().lock(), "{text}");
}

/// Prints progress.
pub(crate) fn note(text: impl Display) {
    let _ = writeln!(io::stderr().lock(), "{text}");
}

/// A duration as people read it: `7.3s`, `2m05s`.
pub(crate) fn elapsed(duration: Duration) -> String {
    let seconds = duration.as_secs();
    if seconds < 60 {
        format!("{:.1}s", duration.as_secs_f64())
    } else {
        format!("{}m{:02}s", seconds / 60, seconds % 60)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_as_people_say_them() {
        assert_eq!(elapsed(Duration::from_millis(7_250)), "7.2s");
        assert_eq!(elapsed(Duration::from_secs(125)), "2m05s");
    }
}
