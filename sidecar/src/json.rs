//! Strict JSON over bytes: what every parser reads in one way, and nothing else.
//!
//! The grammar is that of `serde_json`; on top of it, repeated keys are refused at every depth (also if one is spelled with
//! escapes), keys with invisible characters, nesting beyond [`MAX_DEPTH`], and lone surrogates. A [`Json`] is a value of a
//! document that passed, as a slice of the document, so that nothing is copied and the original text stays at hand.
//!
//! Looking a member up also refuses keys that differ from the wanted one in case only: some servers match keys without
//! regard to case, and would read another message than the one judged here.

use serde::Deserializer;
use serde::de::{DeserializeSeed, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::cell::Cell;
use std::collections::HashSet;
use std::fmt;

/// Deepest nesting of arrays and objects.
pub(crate) const MAX_DEPTH: usize = 64;

/// Up to here a linear search through an object's keys is faster than hashing.
const FEW_KEYS: usize = 16;

const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

/// Why bytes are no strict JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum JsonError {
    #[error("the text is not UTF-8 from byte {0} on")]
    NotUtf8(usize),
    #[error("the text starts with a byte order mark")]
    ByteOrderMark,
    #[error("an object has two members of one name")]
    DuplicateKey,
    #[error("the name of a member contains an invisible character")]
    InvisibleKey,
    #[error("arrays and objects are nested deeper than {MAX_DEPTH}")]
    TooDeep,
    #[error("the text is not JSON at line {line} column {column}")]
    Syntax { line: usize, column: usize },
}

/// Why members can't be looked up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum MemberError {
    #[error("must be an object")]
    NotAnObject,
    #[error("has a member that differs from `{0}` in case only")]
    LookAlike(&'static str),
}

/// Why elements can't be listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ElementsError {
    #[error("must be an array")]
    NotAnArray,
    #[error("has more than {0} elements")]
    TooMany(usize),
}

/// A value of a document that passed [`parse`]: its text, without white space around it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Json<'a>(&'a str);

/// Judges a document.
pub(crate) fn parse(bytes: &[u8]) -> Result<Json<'_>, JsonError> {
    if bytes.starts_with(BYTE_ORDER_MARK) {
        return Err(JsonError::ByteOrderMark);
    }
    let text = std::str::from_utf8(bytes).map_err(|error| JsonError::NotUtf8(error.valid_up_to()))?;
    let fault = Cell::new(None);
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let walked =
        Walk { depth_left: MAX_DEPTH, fault: &fault }.deserialize(&mut deserializer).and_then(|()| deserializer.end());
    match walked {
        Ok(()) => Ok(Json(text.trim_matches([' ', '\t', '\n', '\r']))),
        Err(error) => Err(fault.take().unwrap_or(JsonError::Syntax { line: error.line(), column: error.column() })),
    }
}

/// True if the bytes look like an array, whether or not they are one.
pub(crate) fn opens_array(bytes: &[u8]) -> bool {
    let bytes = bytes.strip_prefix(BYTE_ORDER_MARK).unwrap_or(bytes);
    bytes.iter().find(|byte| !matches!(byte, b' ' | b'\t' | b'\n' | b'\r')) == Some(&b'[')
}

impl<'a> Json<'a> {
    /// The value's text as it stands in the document.
    pub(crate) fn text(self) -> &'a str {
        self.0
    }

    /// True for an object.
    pub(crate) fn is_object(self) -> bool {
        self.0.starts_with('{')
    }

    /// True for `null`.
    pub(crate) fn is_null(self) -> bool {
        self.0 == "null"
    }

    /// The string, if it is one.
    pub(crate) fn string(self) -> Option<Cow<'a, str>> {
        let inner = self.0.strip_prefix('"')?.strip_suffix('"')?;
        if inner.contains('\\') {
            serde_json::from_str(self.0).ok().map(Cow::Owned)
        } else {
            Some(Cow::Borrowed(inner))
        }
    }

    /// The members of those names.
    pub(crate) fn members<const N: usize>(
        self,
        names: [&'static str; N],
    ) -> Result<[Option<Json<'a>>; N], MemberError> {
        if !self.is_object() {
            return Err(MemberError::NotAnObject);
        }
        let fault = Cell::new(None);
        let visitor = Members { names, fault: &fault };
        serde_json::Deserializer::from_str(self.0)
            .deserialize_map(visitor)
            .map_err(|_| fault.take().unwrap_or(MemberError::NotAnObject))
    }

    /// The elements of an array of at most that many.
    pub(crate) fn elements(self, most: usize) -> Result<Vec<Json<'a>>, ElementsError> {
        if !self.0.starts_with('[') {
            return Err(ElementsError::NotAnArray);
        }
        serde_json::Deserializer::from_str(self.0)
            .deserialize_seq(Elements { most })
            .map_err(|_| ElementsError::TooMany(most))
    }
}

/// Walks a value and keeps nothing of it.
#[derive(Clone, Copy)]
struct Walk<'f> {
    depth_left: usize,
    fault: &'f Cell<Option<JsonError>>,
}

impl Walk<'_> {
    fn refuse<E: serde::de::Error>(self, fault: JsonError) -> E {
        self.fault.set(Some(fault));
        E::custom(fault)
    }

    fn deeper<E: serde::de::Error>(self) -> Result<Self, E> {
        match self.depth_left.checked_sub(1) {
            Some(depth_left) => Ok(Self { depth_left, fault: self.fault }),
            None => Err(self.refuse(JsonError::TooDeep)),
        }
    }
}

impl<'de> DeserializeSeed<'de> for Walk<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Walk<'_> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<(), A::Error> {
        let element = self.deeper()?;
        while sequence.next_element_seed(element)?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let value = self.deeper()?;
        let mut seen = Keys::default();
        while let Some(key) = map.next_key_seed(Key)? {
            if key.contains(is_invisible) {
                return Err(self.refuse(JsonError::InvisibleKey));
            }
            if !seen.insert(key) {
                return Err(self.refuse(JsonError::DuplicateKey));
            }
            map.next_value_seed(value)?;
        }
        Ok(())
    }
}

/// Characters that make two keys look alike to a person, or end a key early in a server written in C.
fn is_invisible(character: char) -> bool {
    matches!(character, '\0' | '\u{200B}' | '\u{2060}' | '\u{FEFF}')
}

/// Keys of one object: a list while they are few, then a set with randomised hashing.
#[derive(Default)]
struct Keys<'a> {
    few: Vec<Cow<'a, str>>,
    many: HashSet<Cow<'a, str>>,
}

impl<'a> Keys<'a> {
    fn insert(&mut self, key: Cow<'a, str>) -> bool {
        if self.many.is_empty() {
            if self.few.contains(&key) {
                return false;
            }
            if self.few.len() < FEW_KEYS {
                self.few.push(key);
                return true;
            }
            self.many.extend(self.few.drain(..));
        }
        self.many.insert(key)
    }
}

/// A key, borrowed where it has no escapes.
struct Key;

impl<'de> DeserializeSeed<'de> for Key {
    type Value = Cow<'de, str>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for Key {
    type Value = Cow<'de, str>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("the name of a member")
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Cow::Borrowed(text))
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Cow::Owned(text.to_owned()))
    }
}

struct Members<'f, const N: usize> {
    names: [&'static str; N],
    fault: &'f Cell<Option<MemberError>>,
}

impl<'de, const N: usize> Visitor<'de> for Members<'_, N> {
    type Value = [Option<Json<'de>>; N];

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut found = [None; N];
        while let Some(key) = map.next_key_seed(Key)? {
            let mut wanted = self.names.iter().zip(&mut found).filter(|(name, _)| folds_to(&key, name));
            match wanted.next() {
                Some((name, slot)) if *name == key => *slot = Some(Json(map.next_value::<&'de RawValue>()?.get())),
                Some((name, _)) => {
                    self.fault.set(Some(MemberError::LookAlike(name)));
                    return Err(A::Error::custom("look-alike"));
                }
                None => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(found)
    }
}

/// True if the key equals the ASCII name without regard to case, in the widest sense that a JSON library uses: the
/// Kelvin sign is a `k` and the long s an `s` (Go's `encoding/json`).
fn folds_to(key: &str, name: &str) -> bool {
    if key.is_ascii() {
        return key.eq_ignore_ascii_case(name);
    }
    let fold = |character: char| match character {
        '\u{212A}' => 'k',
        '\u{17F}' => 's',
        other => other.to_ascii_lowercase(),
    };
    key.chars().map(fold).eq(name.chars().map(fold))
}

struct Elements {
    most: usize,
}

impl<'de> Visitor<'de> for Elements {
    type Value = Vec<Json<'de>>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an array")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<Self::Value, A::Error> {
        let mut elements = Vec::new();
        while let Some(element) = sequence.next_element::<&'de RawValue>()? {
            if elements.len() == self.most {
                return Err(A::Error::custom("too many"));
            }
            elements.push(Json(element.get()));
        }
        Ok(elements)
    }
}

#[cfg(test)]
pub(crate) mod tests;
