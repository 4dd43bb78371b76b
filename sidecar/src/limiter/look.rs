//! How a count stands, for whoever only looks: nothing is charged, and no count begins.

use std::time::Duration;
use tollward_policy::limits::{Admitted, Rate};

/// How a count stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Look {
    /// Requests that may come at once now.
    pub left: u32,
    /// Time until the whole burst is there again.
    pub full_after: Duration,
    /// Time until one may come, if none may now.
    pub retry_after: Option<Duration>,
}

impl Look {
    /// What was looked at is how the count would stand after one more request, or how long that would have to wait.
    pub(super) fn of(rate: &Rate, next: Result<Admitted, Duration>) -> Self {
        match next {
            Ok(next) => Self {
                left: next.remaining.saturating_add(1),
                full_after: next.reset.saturating_sub(rate.emission),
                retry_after: None,
            },
            Err(wait) => {
                let rest = rate.emission.saturating_mul(rate.burst.get().saturating_sub(1));
                Self { left: 0, full_after: wait.saturating_add(rest), retry_after: Some(wait) }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Duration, Look};
    use serde_json::json;
    use tollward_policy::limits::LimitSet;

    #[test]
    fn a_count_that_is_looked_at_stands_as_the_next_charge_finds_it() {
        // 3 at once, and one more every 10 seconds.
        let limit =
            json!({"name": "l", "match": {}, "tiers": {"basic": {"requests": 9, "windowSeconds": 60, "burst": 3}}});
        let policy = json!({"policy": "p", "tiers": {"default": "basic"}, "limits": [limit]});
        let rate = LimitSet::compile(&[serde_json::from_value(policy).unwrap()]).unwrap().rates()[0].rate;
        let at = |owed: u64| Look::of(&rate, rate.admit(owed * 1_000_000_000, 0, 1));
        let look = |left, full, retry: Option<u64>| Look {
            left,
            full_after: Duration::from_secs(full),
            retry_after: retry.map(Duration::from_secs),
        };
        assert_eq!([at(0), at(10), at(15)], [look(3, 0, None), look(2, 10, None), look(1, 15, None)]);
        assert_eq!([at(20), at(25), at(30)], [look(1, 20, None), look(0, 25, Some(5)), look(0, 30, Some(10))]);
    }
}
