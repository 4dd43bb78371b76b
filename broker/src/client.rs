//! Registered clients. All are public ones: what proves a request is PKCE and the redirect URI, not a secret.

use std::fmt;
use std::time::SystemTime;

use serde::{Deserialize, Serialize};

use crate::redirect::RedirectUri;

/// Longest client id, in bytes: room for ids that are URLs.
const MAX_ID_BYTES: usize = 512;
/// Most characters of a name on the consent page.
const MAX_NAME_CHARACTERS: usize = 80;

/// A client id: bounded, visible ASCII; safe in logs, headers and URLs after encoding.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ClientId(String);

impl ClientId {
    /// `None` for an empty text, one over 512 bytes, or one with other than visible ASCII characters.
    pub fn parse(text: &str) -> Option<Self> {
        let visible = text.bytes().all(|byte| byte.is_ascii_graphic());
        (!text.is_empty() && text.len() <= MAX_ID_BYTES && visible).then(|| Self(text.to_owned()))
    }

    /// The id as it stands on the wire.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ClientId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// A name that a client chose for itself, made fit for a page: letters and digits of any script, spaces and ASCII
/// punctuation only. So no control, direction, zero-width or stacking character survives. It proves nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DisplayName(String);

impl DisplayName {
    /// `None` if nothing readable is left, or if it is longer than 80 characters.
    pub fn from_client(text: &str) -> Option<Self> {
        let kept: String =
            text.chars().map(|c| if c.is_whitespace() { ' ' } else { c }).filter(|c| shows(*c)).collect();
        let name = kept.split_whitespace().collect::<Vec<_>>().join(" ");
        let readable = name.chars().any(char::is_alphanumeric);
        (readable && name.chars().count() <= MAX_NAME_CHARACTERS).then_some(Self(name))
    }

    /// The cleaned name; still has to be escaped for HTML.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn shows(character: char) -> bool {
    // Letters by category, but drawn as blanks.
    let blank_letter = matches!(character, '\u{115f}' | '\u{1160}' | '\u{3164}' | '\u{ffa0}');
    (character.is_alphanumeric() && !blank_letter) || character == ' ' || character.is_ascii_punctuation()
}

/// What kind of application a client is (OpenID Connect registration, `application_type`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ApplicationType {
    /// Runs on the user's machine.
    Native,
    /// Runs on a web server.
    Web,
}

/// A client as the store keeps it.
#[derive(Debug, Clone)]
pub struct Client {
    /// Its random id.
    pub id: ClientId,
    /// What it calls itself, if that is readable.
    pub name: Option<DisplayName>,
    /// Where codes may go; never empty.
    pub redirect_uris: Vec<RedirectUri>,
    /// Whether it asked for the `refresh_token` grant.
    pub may_refresh: bool,
    /// As registered, or derived from the redirect URIs.
    pub application_type: ApplicationType,
    /// When it registered.
    pub registered_at: SystemTime,
    /// Last code or token; `None` if it never got that far. Those are evicted first.
    pub last_used: Option<SystemTime>,
    /// When it is forgotten unless used before.
    pub expires_at: SystemTime,
}

impl Client {
    /// The requested redirect URI if one of the registered ones admits it.
    pub(crate) fn admits(&self, requested: &RedirectUri) -> bool {
        self.redirect_uris.iter().any(|registered| registered.admits(requested))
    }
}

#[cfg(test)]
mod tests {
    use super::{ClientId, DisplayName};

    fn shown(text: &str) -> Option<String> {
        DisplayName::from_client(text).map(|name| name.as_str().to_owned())
    }

    #[test]
    fn names_keep_letters_of_any_script_and_lose_what_hides_or_reorders() {
        assert_eq!(shown("Claude Code (v2)").as_deref(), Some("Claude Code (v2)"));
        assert_eq!(shown("Überprüfer 工具").as_deref(), Some("Überprüfer 工具"));
        assert_eq!(shown("evil\u{202e}gnp.exe").as_deref(), Some("evilgnp.exe"));
        assert_eq!(shown("a\u{2066}b\u{2069}\u{200b}\u{feff}\u{0}\u{7}c").as_deref(), Some("abc"));
        assert_eq!(shown("  two\r\n\tlines\u{2028}x ").as_deref(), Some("two lines x"));
        assert_eq!(shown("e\u{301}\u{301}\u{301}").as_deref(), Some("e"));
    }

    #[test]
    fn names_that_say_nothing_or_too_much_are_dropped() {
        assert_eq!(shown(""), None);
        assert_eq!(shown("\u{3164}\u{2800}\u{202e} "), None);
        assert_eq!(shown("..."), None);
        assert_eq!(shown(&"x".repeat(80)).map(|name| name.len()), Some(80));
        assert_eq!(shown(&"x".repeat(81)), None);
    }

    #[test]
    fn client_ids_are_bounded_visible_ascii() {
        assert!(ClientId::parse("https://client.example/metadata.json").is_some());
        assert!(ClientId::parse("").is_none());
        assert!(ClientId::parse("a b").is_none());
        assert!(ClientId::parse("a\nb").is_none());
        assert!(ClientId::parse(&"x".repeat(513)).is_none());
    }
}
