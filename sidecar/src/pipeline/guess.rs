//! Bounds failed authentications by address, before any cryptography is spent.
//!
//! A request takes one out of its address's budget and gives it back once it is authenticated, so that only failures
//! count. IPv6 callers are counted by /64, since one caller owns all of it.

use super::discovery::Asked;
use crate::denial::Denial;
use crate::limiter::Bucket;
use governor::clock::DefaultClock;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;
use tollward_policy::limits::Rate;
use tollward_policy::reason::Reason;

/// Failures at once. Many callers may share one address (an ingress, a company's gateway), and a flood of failures must
/// not lock them out before it costs real work: a verification takes 25 to 90 microseconds.
const BURST: NonZeroU32 = NonZeroU32::new(1_000).expect("not zero");
/// Time until one more is allowed: 500 a second.
const EMISSION: Duration = Duration::from_millis(2);
/// Addresses that are remembered.
const ADDRESSES: usize = 50_000;

/// Failures by address.
pub struct GuessLimiter(Arc<Bucket<DefaultClock>>);

/// A request that may try its credentials.
pub(super) struct Guessing {
    pub(super) asked: Asked,
    pub(super) attempt: Attempt,
}

/// What a request took; given back if it was right.
pub(super) struct Attempt {
    bucket: Arc<Bucket<DefaultClock>>,
    key: String,
}

impl GuessLimiter {
    /// Nobody has failed yet.
    pub fn new(clock: DefaultClock) -> Self {
        let rate = Rate { requests: 31_000, window: Duration::from_mins(1), burst: BURST, emission: EMISSION };
        Self(Arc::new(Bucket::new(rate, ADDRESSES, clock)))
    }

    /// Takes an attempt.
    pub(super) fn take(&self, asked: Asked) -> Result<Guessing, Denial> {
        let key = subject_of(asked.routed.peer);
        match self.0.charge(&key) {
            Ok(_) => Ok(Guessing { asked, attempt: Attempt { bucket: self.0.clone(), key } }),
            Err(exceeded) => Err(Denial::new(Reason::RateLimited)
                .detail("too many failed authentications from this address")
                .retry_after(exceeded.retry_after)),
        }
    }
}

impl Attempt {
    /// It was no guess.
    pub(super) fn succeeded(self) {
        self.bucket.refund(&self.key);
    }
}

fn subject_of(peer: SocketAddr) -> String {
    match peer.ip().to_canonical() {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => {
            let network = u128::from(address) >> 64 << 64;
            Ipv6Addr::from(network).to_string()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::subject_of;

    #[test]
    fn an_ipv6_network_and_a_mapped_address_are_one_subject() {
        let subject = |text: &str| subject_of(text.parse().unwrap());
        assert_eq!(subject("[2001:db8::1]:1"), subject("[2001:db8::ffff:2]:9"));
        assert_ne!(subject("[2001:db8::1]:1"), subject("[2001:db8:0:1::1]:1"));
        assert_eq!(subject("[::ffff:192.0.2.1]:1"), subject("192.0.2.1:2"));
    }
}
