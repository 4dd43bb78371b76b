//! What the broker hands out and must recognise later (cookies, consent forms, refresh tokens) carries a MAC of a key
//! that never leaves this process. Each purpose has its own key, so that one kind can't be passed off as another.

use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::random::{Random, RandomnessUnavailable};

/// What a MAC is for.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Purpose {
    /// The cookie that names a browser.
    Browser,
    /// The request a consent form carries.
    ConsentForm,
    /// A refresh token.
    RefreshToken,
}

/// The keys of one process. `Debug` shows none of them.
pub(crate) struct Seals {
    browser: hmac::Key,
    consent_form: hmac::Key,
    refresh_token: hmac::Key,
}

impl Seals {
    pub(crate) fn generate(random: &dyn Random) -> Result<Self, RandomnessUnavailable> {
        Ok(Self {
            browser: generate_key(random)?,
            consent_form: generate_key(random)?,
            refresh_token: generate_key(random)?,
        })
    }

    /// The MAC over `parts` as base64url. Parts are length-prefixed: moving a byte from one to the next changes it.
    pub(crate) fn seal(&self, purpose: Purpose, parts: &[&str]) -> String {
        let mut context = hmac::Context::with_key(self.key(purpose));
        update(&mut context, parts);
        URL_SAFE_NO_PAD.encode(context.sign())
    }

    /// Whether `tag` is the MAC over `parts`, compared in constant time.
    pub(crate) fn verify(&self, purpose: Purpose, parts: &[&str], tag: &str) -> bool {
        let Ok(tag) = URL_SAFE_NO_PAD.decode(tag) else {
            return false;
        };
        let mut message = Vec::new();
        for part in parts {
            message.extend_from_slice(&length(part));
            message.extend_from_slice(part.as_bytes());
        }
        hmac::verify(self.key(purpose), &message, &tag).is_ok()
    }

    fn key(&self, purpose: Purpose) -> &hmac::Key {
        match purpose {
            Purpose::Browser => &self.browser,
            Purpose::ConsentForm => &self.consent_form,
            Purpose::RefreshToken => &self.refresh_token,
        }
    }
}

fn generate_key(random: &dyn Random) -> Result<hmac::Key, RandomnessUnavailable> {
    let mut bytes = [0_u8; 32];
    random.fill(&mut bytes)?;
    Ok(hmac::Key::new(hmac::HMAC_SHA256, &bytes))
}

fn update(context: &mut hmac::Context, parts: &[&str]) {
    for part in parts {
        context.update(&length(part));
        context.update(part.as_bytes());
    }
}

fn length(part: &str) -> [u8; 8] {
    (part.len() as u64).to_be_bytes()
}

#[cfg(test)]
mod tests {
    use super::{Purpose, Seals};
    use crate::random::SystemRandomness;

    #[test]
    fn a_seal_holds_only_for_its_purpose_and_its_parts() {
        let seals = Seals::generate(&SystemRandomness::new()).unwrap();
        let tag = seals.seal(Purpose::Browser, &["ab", "c"]);
        assert!(seals.verify(Purpose::Browser, &["ab", "c"], &tag));
        assert!(!seals.verify(Purpose::ConsentForm, &["ab", "c"], &tag));
        assert!(!seals.verify(Purpose::Browser, &["a", "bc"], &tag));
        assert!(!seals.verify(Purpose::Browser, &["abc"], &tag));
        assert!(!seals.verify(Purpose::Browser, &["ab", "c"], ""));
        assert!(!seals.verify(Purpose::Browser, &["ab", "c"], "not base64url!"));
    }
}
