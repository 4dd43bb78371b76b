//! The task that keeps one provider's keys fresh. It alone fetches, so that whatever many requests ask for is one fetch at a
//! time, and it never removes a key but by a newer set.

use super::discovery::{RefreshError, discover, document};
use super::keyring::{KeyRing, Refreshed};
use super::keyset::KeySet;
use bytes::Bytes;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, sleep_until};
use tollward_policy::config::RefreshConfig;

/// First and longest pause after failures.
const BACKOFF: (Duration, Duration) = (Duration::from_secs(1), Duration::from_mins(1));

/// Refreshes until it is dropped.
pub(super) async fn run(ring: Arc<KeyRing>) {
    let mut jwks_url = ring.config.jwks_url.clone();
    let mut failures = 0;
    loop {
        let demanded = ring.is_demanded();
        let pause = match attempt(&ring, &mut jwks_url, demanded).await {
            Ok((refreshed, max_age)) => {
                failures = 0;
                ring.finish(demanded, Ok(refreshed));
                let pause = regular_pause(&ring.config.refresh, max_age);
                // With keys from elsewhere, only introspection waits for discovery.
                let incomplete = ring.discovers_introspection() && ring.metadata().is_none();
                if incomplete { pause.min(BACKOFF.1) } else { pause }
            }
            Err(error) => {
                let meanwhile = if ring.is_usable() {
                    "the last good ones stay in use until they are stale"
                } else {
                    "its tokens can't be verified until a refresh works"
                };
                tracing::warn!(
                    provider = ring.config.name,
                    %error,
                    "the provider's keys could not be refreshed; {meanwhile}",
                );
                ring.finish(demanded, Err(&error));
                let pause = backoff(failures);
                failures = failures.saturating_add(1);
                pause
            }
        };
        wait(&ring, jittered(pause, ring.clock.unix_nanos())).await;
    }
}

/// Sleeps, unless a request needs a fetch.
async fn wait(ring: &KeyRing, pause: Duration) {
    let end = Instant::now() + pause;
    loop {
        tokio::select! {
            () = sleep_until(end) => return,
            // A wake that an earlier fetch has already served is not a reason for another one.
            () = ring.wake.notified() => if ring.is_demanded() {
                return;
            },
        }
    }
}

async fn attempt(
    ring: &KeyRing,
    jwks_url: &mut Option<String>,
    demanded: bool,
) -> Result<(Refreshed, Option<Duration>), RefreshError> {
    let config = &ring.config;
    let needs_discovery = config.jwks_url.is_none() || ring.discovers_introspection();
    // Waiting requests are spared discovery if the address is known already.
    if needs_discovery && (jwks_url.is_none() || !demanded) {
        match discover(&*ring.fetch, config).await {
            Ok(metadata) => {
                if config.jwks_url.is_none() {
                    jwks_url.clone_from(&metadata.jwks_url);
                }
                ring.keep_metadata(metadata);
            }
            Err(error) if jwks_url.is_none() => return Err(error),
            Err(error) => tracing::warn!(
                provider = config.name,
                %error,
                "discovery failed; the key set is fetched from where it was",
            ),
        }
    }
    let Some(url) = jwks_url.as_deref() else {
        // Its metadata were read, and have no keys: all of its tokens are opaque.
        return Ok((Refreshed { set: KeySet::none(), document: Bytes::new() }, None));
    };
    let answer = document(&*ring.fetch, url, config.ca_file.as_deref()).await?;
    let set =
        KeySet::parse(&answer.body, config).map_err(|source| RefreshError::Keys { url: url.to_owned(), source })?;
    for ignored in set.ignored() {
        tracing::debug!(provider = config.name, key_id = ignored.id, reason = %ignored.reason, "a key is not used");
    }
    let max_age = answer.cache_control.as_deref().and_then(max_age);
    let document = answer.body;
    Ok((Refreshed { set, document }, max_age))
}

/// What the issuer's Cache-Control asks for, between the cooldown and the interval.
fn regular_pause(refresh: &RefreshConfig, max_age: Option<Duration>) -> Duration {
    let interval = Duration::from_secs(refresh.interval_seconds.into());
    let cooldown = Duration::from_secs(refresh.cooldown_seconds.into());
    max_age.unwrap_or(interval).max(cooldown).min(interval)
}

fn backoff(failures: u32) -> Duration {
    let (first, longest) = BACKOFF;
    first.saturating_mul(2_u32.saturating_pow(failures)).min(longest)
}

/// Up to a tenth shorter, by the microseconds of the clock: replicas that start together then don't fetch together.
fn jittered(pause: Duration, unix_nanos: i128) -> Duration {
    let share = u32::try_from((unix_nanos / 1000).rem_euclid(1000)).unwrap_or(0);
    pause.saturating_sub(pause / 10_000 * share)
}

/// `max-age` of RFC 9111 §5.2.2.1, the smallest if there are several. `no-store` and the like are for HTTP caches: how long
/// keys are used without asking is the provider's configuration.
fn max_age(cache_control: &str) -> Option<Duration> {
    cache_control
        .split(',')
        .filter_map(|directive| {
            let (name, value) = directive.trim().split_once('=')?;
            name.eq_ignore_ascii_case("max-age").then_some(value)
        })
        .filter_map(|value| value.trim_matches('"').parse().ok())
        .min()
        .map(Duration::from_secs)
}

#[cfg(test)]
mod tests {
    use super::{backoff, jittered, max_age, regular_pause};
    use proptest::prelude::*;
    use std::time::Duration;
    use tollward_policy::config::RefreshConfig;

    const fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn max_age_is_read_whatever_stands_around_it() {
        for (header, expected) in [
            ("max-age=300", Some(300)),
            ("public, Max-Age=60, must-revalidate", Some(60)),
            ("max-age=\"60\"", Some(60)),
            ("max-age=60, max-age=30", Some(30)),
            ("max-age=0", Some(0)),
            ("s-maxage=60", None),
            ("max-age=-1", None),
            ("max-age=soon", None),
            ("no-store", None),
            ("", None),
        ] {
            assert_eq!(max_age(header), expected.map(seconds), "{header}");
        }
    }

    #[test]
    fn pauses_after_failures_double_up_to_a_minute() {
        let pauses: Vec<_> = [0, 1, 2, 5, 6, 40, u32::MAX].map(|failures| backoff(failures).as_secs()).into();
        assert_eq!(pauses, [1, 2, 4, 32, 60, 60, 60]);
    }

    proptest! {
        #[test]
        fn the_issuer_chooses_only_between_cooldown_and_interval(
            asked in prop::option::of(0_u64..200_000),
            interval_seconds in 10_u32..86_400,
            cooldown_seconds in 1_u32..3600,
            nanos in any::<i64>(),
        ) {
            let refresh = RefreshConfig { interval_seconds, cooldown_seconds, max_stale_seconds: 60 };
            let pause = regular_pause(&refresh, asked.map(seconds));
            prop_assert!(pause <= seconds(interval_seconds.into()));
            prop_assert!(pause >= seconds(interval_seconds.min(cooldown_seconds).into()));
            let jittered = jittered(pause, nanos.into());
            prop_assert!(jittered <= pause && jittered >= pause * 9 / 10);
        }
    }
}
