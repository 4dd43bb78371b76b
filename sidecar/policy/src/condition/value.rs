//! Values of a condition: what JSON can say, and times. Texts are borrowed where they can be.
//!
//! Numbers are canonical: `1`, `1.0` and `1e0` are one whole number, so that a caller's spelling never decides. A number
//! beyond ±(2^53 - 1) is unreadable, since the languages of servers read it differently (RFC 7493 section 2.2): looking at
//! it is a fault.

use super::fault::Fault;
use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use std::borrow::Cow;
use std::cell::Cell;
use std::fmt;

/// Most bytes of a call's arguments that a condition looks into.
pub const MAX_ARGUMENTS: usize = 64 * 1024;
/// Most elements of one list, and members of one object.
pub const MAX_ELEMENTS: usize = 1_000;
/// Most values in one document.
const MAX_VALUES: u32 = 10_000;
/// Greatest whole number that every language reads alike.
const MAX_EXACT: i64 = (1 << 53) - 1;

/// A value.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value<'a> {
    Null,
    Bool(bool),
    Int(i64),
    /// Always finite.
    Double(f64),
    Text(Cow<'a, str>),
    List(Vec<Value<'a>>),
    Map(Members<'a>),
    /// Nanoseconds since the epoch.
    Time(i128),
    /// Nanoseconds.
    Span(i128),
    /// A number that can't be judged.
    Unreadable,
}

/// The members of an object, in its order.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Members<'a>(Vec<(Cow<'a, str>, Value<'a>)>);

impl<'a> Members<'a> {
    /// Adds a member.
    pub(super) fn add(&mut self, name: impl Into<Cow<'a, str>>, value: Value<'a>) {
        self.0.push((name.into(), value));
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// The names.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(name, _)| name.as_ref())
    }

    /// The member of exactly that name. One that differs in case only is a fault, whether or not the exact one is there:
    /// some servers match names without regard to case, and would use another value than the one judged here.
    pub(super) fn get(&self, wanted: &str) -> Result<Option<&Value<'a>>, Fault> {
        let mut found = None;
        for (name, value) in &self.0 {
            if *name == wanted {
                found = Some(value);
            } else if folds_to(name, wanted) {
                return Err(Fault::new("a member differs in case only from the one that is looked for"));
            }
        }
        Ok(found)
    }
}

impl Value<'_> {
    /// The type, in CEL's words.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "bool",
            Self::Int(_) => "int",
            Self::Double(_) => "double",
            Self::Text(_) => "string",
            Self::List(_) => "list",
            Self::Map(_) => "map",
            Self::Time(_) => "timestamp",
            Self::Span(_) => "duration",
            Self::Unreadable => "number beyond 2^53",
        }
    }

    /// What a look at it costs, in steps, without what is inside of it.
    pub(super) fn surface(&self) -> u32 {
        match self {
            Self::Text(text) => text_weight(text),
            Self::List(items) => u32::try_from(items.len() / 16).unwrap_or(u32::MAX).saturating_add(1),
            Self::Map(members) => u32::try_from(members.len() / 16).unwrap_or(u32::MAX).saturating_add(1),
            Self::Null
            | Self::Bool(_)
            | Self::Int(_)
            | Self::Double(_)
            | Self::Time(_)
            | Self::Span(_)
            | Self::Unreadable => 1,
        }
    }

    /// What a copy costs, in steps.
    pub(super) fn weight(&self) -> u32 {
        match self {
            Self::Null
            | Self::Bool(_)
            | Self::Int(_)
            | Self::Double(_)
            | Self::Time(_)
            | Self::Span(_)
            | Self::Unreadable => 1,
            Self::Text(text) => text_weight(text),
            Self::List(items) => items.iter().fold(1, |sum, item| item.weight().saturating_add(sum)),
            Self::Map(members) => members
                .0
                .iter()
                .fold(1, |sum, (name, value)| value.weight().saturating_add(text_weight(name)).saturating_add(sum)),
        }
    }
}

/// What looking at a text costs, in steps.
pub(super) fn text_weight(text: &str) -> u32 {
    u32::try_from(text.len() / 32).unwrap_or(u32::MAX).saturating_add(1)
}

/// A whole number, if every language reads it alike.
fn whole<'a>(number: i64) -> Value<'a> {
    if (-MAX_EXACT..=MAX_EXACT).contains(&number) { Value::Int(number) } else { Value::Unreadable }
}

/// A decimal, or the whole number that it is.
#[expect(clippy::cast_precision_loss, reason = "2^53 - 1 is a double")]
#[expect(clippy::cast_possible_truncation, reason = "a whole number of at most 53 bits")]
fn decimal<'a>(number: f64) -> Value<'a> {
    if !number.is_finite() || number.abs() > MAX_EXACT as f64 {
        Value::Unreadable
    } else if number.fract() == 0.0 {
        Value::Int(number as i64)
    } else {
        Value::Double(number)
    }
}

/// A claim of a verified token. Lists and objects beyond the bounds are a fault.
pub(super) fn of_claim(claim: &serde_json::Value) -> Result<Value<'_>, Fault> {
    let too_many = |length: usize| {
        if length > MAX_ELEMENTS { Err(Fault::new("a claim has more than 1000 elements")) } else { Ok(()) }
    };
    Ok(match claim {
        serde_json::Value::Null => Value::Null,
        serde_json::Value::Bool(value) => Value::Bool(*value),
        serde_json::Value::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(number), _) => whole(number),
            (None, Some(number)) => decimal(number),
            (None, None) => Value::Unreadable,
        },
        serde_json::Value::String(text) => Value::Text(Cow::Borrowed(text)),
        serde_json::Value::Array(items) => {
            too_many(items.len())?;
            Value::List(items.iter().map(of_claim).collect::<Result<_, _>>()?)
        }
        serde_json::Value::Object(members) => Value::Map(of_claims(members)?),
    })
}

/// All claims of a verified token.
pub(super) fn of_claims(claims: &serde_json::Map<String, serde_json::Value>) -> Result<Members<'_>, Fault> {
    if claims.len() > MAX_ELEMENTS {
        return Err(Fault::new("the token has more than 1000 claims"));
    }
    let members = claims.iter().map(|(name, claim)| Ok((Cow::Borrowed(name.as_str()), of_claim(claim)?)));
    members.collect::<Result<_, Fault>>().map(Members)
}

/// The arguments of a call, from the text that is forwarded. It was judged to be strict JSON before; what would be
/// ambiguous is refused here again.
pub(super) fn of_arguments(text: &[u8]) -> Result<Value<'_>, Fault> {
    if text.len() > MAX_ARGUMENTS {
        return Err(Fault::new("the arguments have more than 64 KiB"));
    }
    let left = Cell::new(MAX_VALUES);
    let mut reader = serde_json::Deserializer::from_slice(text);
    let value = Reader { left: &left }
        .deserialize(&mut reader)
        .map_err(|_| Fault::new("the arguments have more than 1000 elements in one place, 10000 in all, or no JSON"))?;
    reader.end().map_err(|_| Fault::new("the arguments are no JSON"))?;
    match value {
        Value::Map(_) => Ok(value),
        Value::Null
        | Value::Bool(_)
        | Value::Int(_)
        | Value::Double(_)
        | Value::Text(_)
        | Value::List(_)
        | Value::Time(_)
        | Value::Span(_)
        | Value::Unreadable => Err(Fault::new("the arguments are no object")),
    }
}

/// Reads a value within the bounds.
#[derive(Clone, Copy)]
struct Reader<'l> {
    left: &'l Cell<u32>,
}

impl Reader<'_> {
    fn count<E: serde::de::Error>(self, so_far: usize) -> Result<(), E> {
        let left = self.left.get().checked_sub(1).filter(|_| so_far < MAX_ELEMENTS);
        self.left.set(left.ok_or_else(|| E::custom("too many"))?);
        Ok(())
    }
}

impl<'de> DeserializeSeed<'de> for Reader<'_> {
    type Value = Value<'de>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Reader<'_> {
    type Value = Value<'de>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Self::Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Self::Value, E> {
        Ok(whole(number))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Self::Value, E> {
        Ok(i64::try_from(number).map_or(Value::Unreadable, whole))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Self::Value, E> {
        Ok(decimal(number))
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Value::Text(Cow::Borrowed(text)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Value::Text(Cow::Owned(text.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<Self::Value, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = sequence.next_element_seed(self)? {
            self.count(items.len())?;
            items.push(item);
        }
        Ok(Value::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut members = Members::default();
        while let Some(name) = map.next_key_seed(Name)? {
            self.count(members.len())?;
            members.0.push((name, map.next_value_seed(self)?));
        }
        let mut names: Vec<_> = members.names().collect();
        names.sort_unstable();
        if names.windows(2).any(|pair| pair.first() == pair.last()) {
            return Err(A::Error::custom("two members of one name"));
        }
        Ok(Value::Map(members))
    }
}

/// A name, borrowed where it has no escapes.
struct Name;

impl<'de> DeserializeSeed<'de> for Name {
    type Value = Cow<'de, str>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for Name {
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

/// True if two different names are one without regard to case, in the widest sense that a JSON library uses: the Kelvin
/// sign is a `k` and the long s an `s` (Go's `encoding/json`).
fn folds_to(left: &str, right: &str) -> bool {
    if left.is_ascii() && right.is_ascii() {
        return left.eq_ignore_ascii_case(right);
    }
    let fold = |letter: char| match letter {
        '\u{212A}' => 'k',
        '\u{17F}' => 's',
        other => other.to_ascii_lowercase(),
    };
    left.chars().flat_map(char::to_lowercase).map(fold).eq(right.chars().flat_map(char::to_lowercase).map(fold))
}
