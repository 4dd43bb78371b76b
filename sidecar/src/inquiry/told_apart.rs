//! Where calls are counted apart, each count says what it is about; those that nobody asked for and nobody used are left out.
//! Pure.

use std::collections::BTreeMap;
use tollward_policy::inquiry::LimitState;

/// What of the counts is told. If calls were `named`, everything.
pub(super) fn told_apart(counts: Vec<LimitState>, named: bool) -> Vec<LimitState> {
    let mut groups: BTreeMap<(String, String), Vec<LimitState>> = BTreeMap::new();
    for state in counts {
        groups.entry((state.limit.clone(), state.tier.clone())).or_default().push(state);
    }
    let mut limits = Vec::new();
    for states in groups.into_values() {
        let mut told = if named { states } else { used(states) };
        told.sort_by(|one, other| one.about.cmp(&other.about));
        limits.extend(told);
    }
    limits
}

/// Those that were used, and else one that speaks for all.
fn used(mut states: Vec<LimitState>) -> Vec<LimitState> {
    let untouched = |state: &LimitState| state.left.is_none_or(|left| left == state.most);
    let one = states.len() == 1;
    let spare = states.iter().find(|state| untouched(state)).cloned();
    if !one {
        states.retain(|state| !untouched(state));
    }
    if one || states.is_empty() {
        let speaker = spare.or_else(|| states.pop());
        return speaker.map(|state| LimitState { about: None, ..state }).into_iter().collect();
    }
    states
}
