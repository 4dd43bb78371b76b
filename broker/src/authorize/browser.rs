//! Which browser a consent page was shown to. A signed cookie names it; the form is sealed for that name, so that a
//! form made for one browser is worth nothing in another (attackers can fetch forms, but not the victim's cookie).

use http::{HeaderMap, header};

use crate::random::{Random, RandomnessUnavailable, random_text};
use crate::seal::{Purpose, Seals};

/// How long the cookie lives, in seconds: as long as a page may stay open.
pub(super) const MAX_AGE_SECONDS: u64 = 600;

/// A browser, by the random name it was given.
pub(super) struct Browser {
    name: String,
}

impl Browser {
    /// The browser that sends a cookie of ours; `None` for a missing, foreign or repeated one.
    pub(super) fn known(seals: &Seals, headers: &HeaderMap, secure: bool) -> Option<Self> {
        let mut values = cookies(headers, cookie_name(secure));
        let (Some(value), None) = (values.next(), values.next()) else {
            return None;
        };
        let (name, tag) = value.split_once('.')?;
        seals.verify(Purpose::Browser, &[name], tag).then(|| Self { name: name.to_owned() })
    }

    /// The known browser, so that several open pages keep working, or a newly named one.
    pub(super) fn known_or_new(
        seals: &Seals,
        headers: &HeaderMap,
        secure: bool,
        random: &dyn Random,
    ) -> Result<Self, RandomnessUnavailable> {
        match Self::known(seals, headers, secure) {
            Some(known) => Ok(known),
            None => Ok(Self { name: random_text::<32>(random)? }),
        }
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// The value of `Set-Cookie`. `__Host-` keeps other hosts and paths from planting it; browsers accept that prefix
    /// only with `Secure`, which plain http on loopback can't have.
    pub(super) fn set_cookie(&self, seals: &Seals, secure: bool) -> String {
        let tag = seals.seal(Purpose::Browser, &[&self.name]);
        let name = cookie_name(secure);
        let secure = if secure { "; Secure" } else { "" };
        let value = &self.name;
        format!("{name}={value}.{tag}; Path=/; Max-Age={MAX_AGE_SECONDS}; HttpOnly; SameSite=Lax{secure}")
    }
}

fn cookie_name(secure: bool) -> &'static str {
    if secure { "__Host-tollward-consent" } else { "tollward-consent" }
}

fn cookies<'a>(headers: &'a HeaderMap, name: &'a str) -> impl Iterator<Item = &'a str> {
    let lines = headers.get_all(header::COOKIE).iter().filter_map(|line| line.to_str().ok());
    let pairs = lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.filter(move |(key, _)| *key == name).map(|(_, value)| value)
}
