//! Waiting for conditions, never for a guessed time. What does not come before its deadline fails with a sentence.

use std::time::Duration;
use tokio::time::{Instant, sleep, timeout};

/// Time after which something that should happen is said not to. Far above what it takes, for loaded machines.
pub const DEADLINE: Duration = Duration::from_secs(20);

/// Between two looks at a condition.
const LOOK: Duration = Duration::from_millis(10);

/// The future's value, or a failure that says what did not happen.
pub async fn within<T>(what: &str, future: impl Future<Output = T>) -> T {
    within_time(DEADLINE, what, future).await
}

/// Like [`within`], where the time itself is promised.
pub async fn within_time<T>(limit: Duration, what: &str, future: impl Future<Output = T>) -> T {
    timeout(limit, future).await.unwrap_or_else(|_| panic!("not within {limit:?}: {what}"))
}

/// Looks until the condition holds.
pub async fn eventually(what: &str, condition: impl AsyncFnMut() -> bool) {
    eventually_within(DEADLINE, what, condition).await;
}

/// Like [`eventually`], where the time itself is promised.
pub async fn eventually_within(limit: Duration, what: &str, mut condition: impl AsyncFnMut() -> bool) {
    let end = Instant::now() + limit;
    while !condition().await {
        assert!(Instant::now() < end, "not within {limit:?}: {what}");
        sleep(LOOK).await;
    }
}
