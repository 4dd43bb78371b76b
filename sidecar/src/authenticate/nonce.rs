//! Nonces for DPoP proofs (RFC 9449 section 9), without a table: a nonce is the second of its making and an HMAC over it.
//!
//! Every replica with the same keys knows the nonces of all; they are renewed every [`EPOCH`] seconds and good for two epochs,
//! so that a client that uses the latest one it got never has to ask twice.

use crate::session::SessionKeys;
use aws_lc_rs::hmac::{Key, sign};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use std::fmt;

/// Seconds until a nonce is followed by the next one.
const EPOCH: i64 = 120;
/// Seconds for which a nonce is good.
const LIFETIME: i64 = 2 * EPOCH;
/// Seconds by which the clock of the replica that made it may be ahead.
const AHEAD: i64 = 5;
/// Bytes of the code that are kept.
const CODE: usize = 16;
/// Bytes of a nonce: the second, then the code.
const LENGTH: usize = 8 + CODE;
/// Characters of a nonce.
const TEXT: usize = LENGTH / 3 * 4;

/// A nonce as it stands in `DPoP-Nonce`: base64url. It is no secret.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Nonce([u8; TEXT]);

/// Makes and knows the nonces of one server.
pub(super) struct Nonces {
    /// The first makes, all know.
    keys: Vec<Key>,
}

/// When a nonce was made, in seconds since the epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Made(i64);

impl Nonce {
    /// The text.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Nonce {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(std::str::from_utf8(&self.0).unwrap_or_default())
    }
}

impl Nonces {
    /// With keys derived from the server's session keys for this purpose and this server alone.
    pub(super) fn new(keys: &SessionKeys, server: &str) -> Self {
        Self { keys: keys.derive("dpop-nonce-1", server) }
    }

    /// The nonce of the epoch. It was made after the second `begins`, whatever the epoch is.
    pub(super) fn current(&self, now: i64, begins: i64) -> Nonce {
        let made = epoch(now).max(begins.saturating_add(1));
        let mut bytes = [0; LENGTH];
        bytes.iter_mut().zip(made.to_be_bytes()).for_each(|(own, given)| *own = given);
        if let Some(key) = self.keys.first() {
            bytes.iter_mut().skip(8).zip(code(key, made)).for_each(|(own, given)| *own = given);
        }
        let mut text = [0; TEXT];
        // The text has room for exactly these bytes.
        let _ = URL_SAFE_NO_PAD.encode_slice(bytes, &mut text);
        Nonce(text)
    }

    /// When the nonce was made, if one of these keys made it and it is still good.
    pub(super) fn recognize(&self, text: &str, now: i64) -> Option<Made> {
        // The library wants room for a whole group of three bytes more.
        let mut buffer = [0; LENGTH + 3];
        if text.len() != TEXT || URL_SAFE_NO_PAD.decode_slice(text, &mut buffer).ok()? != LENGTH {
            return None;
        }
        let (made, rest) = buffer.split_first_chunk::<8>()?;
        let (given, _) = rest.split_first_chunk::<CODE>()?;
        let made = i64::from_be_bytes(*made);
        let fits = |key: &Key| aws_lc_rs::constant_time::verify_slices_are_equal(&code(key, made), given).is_ok();
        if !self.keys.iter().any(fits) {
            return None;
        }
        let good = made <= now.saturating_add(AHEAD) && now < made.saturating_add(LIFETIME);
        good.then_some(Made(made))
    }
}

impl Made {
    /// True if it was made after that second.
    pub(super) const fn is_after(self, second: i64) -> bool {
        self.0 > second
    }

    /// True if another nonce is the current one by now.
    pub(super) const fn is_outdated(self, now: i64) -> bool {
        self.0 < epoch(now)
    }
}

const fn epoch(now: i64) -> i64 {
    now.saturating_sub(now.rem_euclid(EPOCH))
}

fn code(key: &Key, made: i64) -> [u8; CODE] {
    sign(key, &made.to_be_bytes()).as_ref().first_chunk().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::{EPOCH, LIFETIME, Made, Nonces};
    use crate::session::SessionKeys;
    use proptest::prelude::*;

    const NOW: i64 = 1_800_000_000;

    fn nonces(keys: &[u8], server: &str) -> Nonces {
        Nonces::new(&SessionKeys::new(keys.iter().map(|key| (*key, [*key; 32]))).unwrap(), server)
    }

    fn text(nonces: &Nonces, now: i64) -> String {
        String::from_utf8(nonces.current(now, 0).as_bytes().to_vec()).unwrap()
    }

    #[test]
    fn a_nonce_is_good_for_two_epochs_and_not_before_it_was_made() {
        let nonces = nonces(&[1], "u1");
        let made = text(&nonces, NOW + 7);
        for (later, good) in [(0, true), (7, true), (LIFETIME - 1, true), (LIFETIME, false), (-5, true), (-6, false)] {
            assert_eq!(nonces.recognize(&made, NOW + later).is_some(), good, "{later} s");
        }
        assert_eq!(nonces.recognize(&made, i64::MIN), None);
    }

    #[test]
    fn nonces_overlap_and_the_old_one_says_that_it_is_old() {
        let nonces = nonces(&[1], "u1");
        let (first, second) = (text(&nonces, NOW), text(&nonces, NOW + EPOCH));
        assert_eq!(first, text(&nonces, NOW + EPOCH - 1));
        assert_ne!(first, second);
        let now = NOW + EPOCH + 1;
        let outdated = |text: &str| nonces.recognize(text, now).map(|made| made.is_outdated(now));
        assert_eq!((outdated(&first), outdated(&second)), (Some(true), Some(false)));
    }

    #[test]
    fn keys_rotate_and_replicas_with_one_key_know_each_others_nonces() {
        let (old, both, new) = (nonces(&[1], "u1"), nonces(&[2, 1], "u1"), nonces(&[2], "u1"));
        assert!(both.recognize(&text(&old, NOW), NOW).is_some());
        assert!(new.recognize(&text(&both, NOW), NOW).is_some());
        assert_eq!(new.recognize(&text(&old, NOW), NOW), None);
        assert_eq!(nonces(&[1], "u2").recognize(&text(&old, NOW), NOW), None, "of another server");
    }

    #[test]
    fn a_nonce_of_a_young_process_was_made_after_it_began() {
        let nonces = nonces(&[1], "u1");
        let nonce = nonces.current(NOW + 61, NOW + 60);
        let made = nonces.recognize(std::str::from_utf8(nonce.as_bytes()).unwrap(), NOW + 61).unwrap();
        assert_eq!(made, Made(NOW + 61));
        assert!(made.is_after(NOW + 60) && !made.is_outdated(NOW + 61));
    }

    proptest! {
        #[test]
        fn no_change_of_a_nonce_is_recognized(position in 0..32_usize, replacement in "[A-Za-z0-9_-]") {
            let nonces = nonces(&[1], "u1");
            let made = text(&nonces, NOW);
            let mut forged = made.clone();
            forged.replace_range(position..=position, &replacement);
            prop_assert_eq!(nonces.recognize(&forged, NOW).is_some(), forged == made);
        }

        #[test]
        fn arbitrary_text_is_no_nonce(text in ".{0,60}") {
            prop_assert_eq!(nonces(&[1], "u1").recognize(&text, NOW), None);
        }
    }
}
