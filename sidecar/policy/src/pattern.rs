//! Patterns over names: exact, or with `*` for any run of characters. In patterns of resources, `{name}` stands for one
//! segment of the URI besides.
//!
//! Names are compared byte by byte (MCP tool names are case-sensitive): no folding, no normalisation, no regular
//! expressions, so that a pattern costs linear time and means what it shows.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The longest pattern accepted, in bytes.
pub const MAX_LENGTH: usize = 512;

/// An exact name, or one with `*` wildcards (`get_*`, `catalog://products/*`).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String")]
pub struct Pattern(String);

/// Why a text is no pattern.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PatternError {
    /// Nothing to match.
    #[error("a pattern must not be empty")]
    Empty,
    /// Longer than [`MAX_LENGTH`].
    #[error("a pattern has at most {MAX_LENGTH} bytes")]
    TooLong,
    /// Control characters never occur in names that a server may use.
    #[error("a pattern must not contain control characters")]
    Control,
    /// Operators of RFC 6570 have no meaning in a rule.
    #[error(
        "in a pattern of resources, `{{` opens a variable such as `{{id}}`, of letters, digits and `_`; for more, use `*`"
    )]
    Template,
}

/// A piece of a pattern of resources.
enum Piece<'p> {
    Literal(&'p [u8]),
    /// `*`
    Any,
    /// `{name}`
    Segment,
}

impl<'p> Piece<'p> {
    /// The first piece of a pattern, and the rest.
    fn next(pattern: &'p str) -> Option<(Self, &'p str)> {
        if let Some(rest) = pattern.strip_prefix('*') {
            return Some((Self::Any, rest));
        }
        if let Some((_, rest)) = pattern.strip_prefix('{').and_then(|variable| variable.split_once('}')) {
            return Some((Self::Segment, rest));
        }
        let mut letters = pattern.char_indices();
        letters.next()?;
        let end = letters.find(|(_, letter)| matches!(letter, '*' | '{')).map_or(pattern.len(), |(at, _)| at);
        let (literal, rest) = pattern.split_at_checked(end)?;
        Some((Self::Literal(literal.as_bytes()), rest))
    }

    /// Where one may stand after this piece.
    fn advance(&self, reached: &[bool], uri: &[u8]) -> Vec<bool> {
        let mut next = vec![false; reached.len()];
        let mut open = false;
        for (at, from) in reached.iter().enumerate() {
            match self {
                Self::Literal(literal) => {
                    let fits = *from && uri.get(at..).is_some_and(|rest| rest.starts_with(literal));
                    if let Some(slot) = next.get_mut(at + literal.len()).filter(|_| fits) {
                        *slot = true;
                    }
                }
                Self::Any => {
                    open |= from;
                    if let Some(slot) = next.get_mut(at) {
                        *slot = open;
                    }
                }
                Self::Segment => {
                    let ends = at.checked_sub(1).and_then(|before| uri.get(before)).copied();
                    // One or more characters: it is left where a character before was part of the segment.
                    open = match ends {
                        Some(b'/' | b'?' | b'#') | None => false,
                        Some(_) => open,
                    };
                    if let Some(slot) = next.get_mut(at) {
                        *slot = open;
                    }
                    open |= from;
                }
            }
        }
        next
    }
}

impl Pattern {
    /// Checks and keeps a pattern.
    pub fn new(text: impl Into<String>) -> Result<Self, PatternError> {
        let text = text.into();
        if text.is_empty() {
            return Err(PatternError::Empty);
        }
        if text.len() > MAX_LENGTH {
            return Err(PatternError::TooLong);
        }
        if text.chars().any(char::is_control) {
            return Err(PatternError::Control);
        }
        Ok(Self(text))
    }

    /// The pattern as written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// True if the pattern has no wildcard, so that it names one thing.
    pub fn is_exact(&self) -> bool {
        !self.0.contains('*')
    }

    /// True if the URI is matched from its first to its last byte: like [`Self::matches`], and `{name}` stands for one or
    /// more characters without `/`, `?` and `#`.
    pub fn matches_uri(&self, uri: &str) -> bool {
        if !self.0.contains('{') {
            return self.matches(uri);
        }
        let uri = uri.as_bytes();
        // Where the pattern may stand after each of its pieces; so it costs pieces times bytes, whatever it is.
        let mut reached = vec![false; uri.len() + 1];
        if let Some(first) = reached.first_mut() {
            *first = true;
        }
        let mut rest = self.0.as_str();
        while let Some((piece, after)) = Piece::next(rest) {
            reached = piece.advance(&reached, uri);
            rest = after;
        }
        reached.last().copied().unwrap_or_default()
    }

    /// Whether every `{` opens a plain variable of a template.
    pub fn check_uri(&self) -> Result<(), PatternError> {
        let mut rest = self.0.as_str();
        while let Some(at) = rest.find(['{', '}']) {
            let variable = rest.get(at..).and_then(|found| found.strip_prefix('{'));
            let (name, after) = variable.and_then(|found| found.split_once('}')).ok_or(PatternError::Template)?;
            let plain = !name.is_empty() && name.bytes().all(|byte| byte == b'_' || byte.is_ascii_alphanumeric());
            if !plain {
                return Err(PatternError::Template);
            }
            rest = after;
        }
        Ok(())
    }

    /// True if `name` is matched from its first to its last byte.
    pub fn matches(&self, name: &str) -> bool {
        let mut pieces = self.0.split('*');
        let first = pieces.next().unwrap_or_default();
        let Some(mut rest) = name.strip_prefix(first) else {
            return false;
        };
        let Some(last) = pieces.next_back() else {
            return rest.is_empty();
        };
        for piece in pieces {
            let Some((_, after)) = rest.split_once(piece) else {
                return false;
            };
            rest = after;
        }
        rest.ends_with(last)
    }
}

impl TryFrom<String> for Pattern {
    type Error = PatternError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::new(text)
    }
}

impl From<Pattern> for String {
    fn from(pattern: Pattern) -> Self {
        pattern.0
    }
}

#[cfg(test)]
mod tests {
    use super::Pattern;
    use proptest::prelude::*;

    fn matches(pattern: &str, name: &str) -> bool {
        Pattern::new(pattern).unwrap().matches(name)
    }

    #[test]
    fn a_pattern_matches_from_end_to_end_and_by_exact_bytes() {
        let table = [
            ("admin", "admin", true),
            ("admin", "Admin", false),
            ("admin", "admin ", false),
            ("admin", "аdmin", false),
            ("get_*", "get_", true),
            ("get_*", "get_product", true),
            ("get_*", "forget_product", false),
            ("*", "", true),
            ("*_cart", "add_to_cart", true),
            ("a*b*c", "a1b2c", true),
            ("a*b*c", "acb", false),
            ("a*a", "a", false),
            ("a**b", "ab", true),
            ("catalog://products/*", "catalog://products/1/2", true),
            ("catalog://products/*", "catalog://productsevil/1", false),
        ];
        for (pattern, name, expected) in table {
            assert_eq!(matches(pattern, name), expected, "{pattern} against {name}");
        }
    }

    #[test]
    fn empty_overlong_and_control_characters_are_refused() {
        assert!(Pattern::new("").is_err());
        assert!(Pattern::new("x".repeat(513)).is_err());
        assert!(Pattern::new("a\nb").is_err());
    }

    proptest! {
        #[test]
        fn an_exact_pattern_matches_itself_only(left in "[a-z_/:.]{1,12}", right in "[a-z_/:.]{1,12}") {
            prop_assert_eq!(matches(&left, &right), left == right);
        }

        #[test]
        fn a_glob_agrees_with_a_backtracking_reference(pattern in "[ab*]{1,8}", name in "[ab]{0,10}") {
            prop_assert_eq!(matches(&pattern, &name), reference(pattern.as_bytes(), name.as_bytes()));
        }
    }

    fn reference(pattern: &[u8], name: &[u8]) -> bool {
        match (pattern.split_first(), name.split_first()) {
            (None, None) => true,
            (Some((b'*', rest)), _) => reference(rest, name) || (!name.is_empty() && reference(pattern, &name[1..])),
            (Some((wanted, rest)), Some((got, after))) => wanted == got && reference(rest, after),
            (None, Some(_)) | (Some(_), None) => false,
        }
    }
}
