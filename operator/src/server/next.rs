//! What to come back for after a look at a server. Pure.

use super::conclude::Outcome;
use super::deny::Kept;

/// For what to come back.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// Nothing but time.
    Resync,
    /// Replicas, about what no watch tells.
    Watch,
    /// Replicas that do not enforce yet what they should; `news` if this look gave it to them.
    Ask { news: bool },
    /// Something that could not be written.
    Retry,
}

/// Decides it. What is kept is known where nothing new was written.
pub(super) fn next(outcome: &Outcome, kept: Option<&Kept>, written: bool) -> Next {
    if !written || kept.is_some_and(|kept| !kept.is_carried) {
        return Next::Retry;
    }
    match outcome {
        Outcome::Unwritten(_) => Next::Retry,
        Outcome::Written(_) if outcome.is_settled() && outcome.needs_watching() => Next::Watch,
        Outcome::Written(_) if outcome.is_settled() => Next::Resync,
        Outcome::Written(_) => Next::Ask { news: outcome.is_news() },
        // Looking at the specification again helps only after a change, which the watches tell.
        Outcome::Unreadable(_) | Outcome::Refused(_) => match kept {
            Some(kept) if !kept.is_enforced() => Next::Ask { news: kept.is_news },
            Some(_) | None => Next::Resync,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::{Kept, Next, Outcome, next};
    use crate::report::ReportError;
    use crate::server::conclude::Replica;

    fn kept(digest: Option<&str>, is_news: bool) -> Kept {
        let silent = Replica { pod: "pod-1".into(), answer: Err(ReportError::Silent("timeout".into())) };
        Kept { digest: digest.map(str::to_owned), providers: None, replicas: vec![silent], is_news, is_carried: true }
    }

    #[test]
    fn a_refused_server_is_asked_until_its_replicas_have_what_it_keeps() {
        let refused = Outcome::Refused(Vec::new());
        let next = |kept: &Kept| next(&refused, Some(kept), true);
        assert_eq!(next(&kept(Some("sha256:kept"), true)), Next::Ask { news: true });
        assert_eq!(next(&kept(Some("sha256:kept"), false)), Next::Ask { news: false });
        let gone = Kept { replicas: Vec::new(), ..kept(Some("sha256:kept"), true) };
        assert_eq!(next(&gone), Next::Resync, "nobody is left to ask");
        assert_eq!(next(&kept(None, false)), Next::Resync, "there is nothing to ask about");
    }

    #[test]
    fn what_could_not_be_written_is_tried_again() {
        let refused = Outcome::Refused(Vec::new());
        assert_eq!(next(&refused, None, false), Next::Retry);
        let late = Kept { is_carried: false, ..kept(Some("sha256:kept"), false) };
        assert_eq!(next(&refused, Some(&late), true), Next::Retry);
    }
}
