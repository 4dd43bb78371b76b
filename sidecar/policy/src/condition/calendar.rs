//! Times, spans of time and the parts of a date. No clock: `now` is given.

use super::expression::Part;
use jiff::Timestamp;
use jiff::tz::{Offset, TimeZone};

/// Nanoseconds of a second.
pub(super) const SECOND: i128 = 1_000_000_000;
/// Longest text of a time that is read.
const MAX_TEXT: usize = 64;

/// A time of RFC 3339, in nanoseconds since the epoch.
pub(super) fn time(text: &str) -> Option<i128> {
    if text.len() > MAX_TEXT {
        return None;
    }
    text.parse::<Timestamp>().ok().map(Timestamp::as_nanosecond)
}

/// A time of whole seconds since the epoch, if the calendar has it.
pub(super) fn of_seconds(seconds: i64) -> Option<i128> {
    Timestamp::from_second(seconds).ok().map(Timestamp::as_nanosecond)
}

/// A time, if the calendar has it.
pub(super) fn within(nanoseconds: i128) -> Option<i128> {
    Timestamp::from_nanosecond(nanoseconds).ok().map(Timestamp::as_nanosecond)
}

/// A span as Go writes it (`1h30m`, `-1.5s`), in nanoseconds.
pub(super) fn span(text: &str) -> Option<i128> {
    let (negative, mut rest) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    if rest.is_empty() || rest.len() > MAX_TEXT {
        return None;
    }
    let mut total = 0_i128;
    while !rest.is_empty() {
        let end = rest.find(|letter: char| !letter.is_ascii_digit() && letter != '.')?;
        let (number, after) = rest.split_at_checked(end)?;
        let unit_end = after.find(|letter: char| letter.is_ascii_digit() || letter == '.').unwrap_or(after.len());
        let (unit, next) = after.split_at_checked(unit_end)?;
        let nanoseconds = match unit {
            "h" => 3600 * SECOND,
            "m" => 60 * SECOND,
            "s" => SECOND,
            "ms" => 1_000_000,
            "us" => 1_000,
            "ns" => 1,
            _ => return None,
        };
        total = total.checked_add(times(number, nanoseconds)?)?;
        rest = next;
    }
    // Longer ones lead out of every calendar.
    let bounded = total <= 10_000 * 366 * 24 * 3600 * SECOND;
    bounded.then_some(if negative { -total } else { total })
}

/// A decimal number of units.
fn times(number: &str, unit: i128) -> Option<i128> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if whole.is_empty() || fraction.contains('.') || whole.len() + fraction.len() > 15 {
        return None;
    }
    let digits: i128 = format!("{whole}{fraction}").parse().ok()?;
    let scale = 10_i128.checked_pow(u32::try_from(fraction.len()).ok()?)?;
    digits.checked_mul(unit)?.checked_div(scale)
}

/// `UTC`, or an offset such as `+02:00`.
pub(super) fn offset(text: &str) -> Option<Offset> {
    if text == "UTC" || text == "Z" {
        return Some(Offset::UTC);
    }
    let (sign, rest) = match text.split_at_checked(1)? {
        ("+", rest) => (1, rest),
        ("-", rest) => (-1, rest),
        _ => return None,
    };
    let (hours, minutes) = rest.split_once(':')?;
    if hours.len() != 2 || minutes.len() != 2 || !rest.bytes().all(|byte| byte == b':' || byte.is_ascii_digit()) {
        return None;
    }
    let (hours, minutes): (i32, i32) = (hours.parse().ok()?, minutes.parse().ok()?);
    if hours > 14 || minutes > 59 {
        return None;
    }
    Offset::from_seconds(sign * (hours * 3600 + minutes * 60)).ok()
}

/// A part of a time at an offset.
pub(super) fn part(part: Part, nanoseconds: i128, offset: Offset) -> Option<i64> {
    let time = Timestamp::from_nanosecond(nanoseconds).ok()?.to_zoned(TimeZone::fixed(offset));
    Some(match part {
        Part::FullYear => time.year().into(),
        Part::Month => i64::from(time.month()) - 1,
        Part::Date => time.day().into(),
        Part::DayOfMonth => i64::from(time.day()) - 1,
        Part::DayOfWeek => time.weekday().to_sunday_zero_offset().into(),
        Part::Hours => time.hour().into(),
        Part::Minutes => time.minute().into(),
        Part::Seconds => time.second().into(),
    })
}

#[cfg(test)]
mod tests {
    use super::{Part, SECOND, offset, part, span, time};

    #[test]
    fn spans_are_read_as_go_writes_them() {
        let table = [
            ("90s", Some(90 * SECOND)),
            ("1h30m", Some(5400 * SECOND)),
            ("-1.5s", Some(-1_500_000_000)),
            ("250ms", Some(250_000_000)),
            ("", None),
            ("-", None),
            ("5", None),
            ("5d", None),
            ("1.2.3s", None),
            ("9999999999999999999h", None),
            ("99999999999999h", None),
        ];
        for (text, expected) in table {
            assert_eq!(span(text), expected, "{text}");
        }
    }

    #[test]
    fn parts_of_a_time_follow_the_offset() {
        // A Friday evening in UTC, a Saturday in Tokyo.
        let evening = time("2026-01-30T23:30:15Z").unwrap();
        let utc = offset("UTC").unwrap();
        let tokyo = offset("+09:00").unwrap();
        let table = [
            (Part::FullYear, 2026, 2026),
            (Part::Month, 0, 0),
            (Part::Date, 30, 31),
            (Part::DayOfMonth, 29, 30),
            (Part::DayOfWeek, 5, 6),
            (Part::Hours, 23, 8),
            (Part::Minutes, 30, 30),
            (Part::Seconds, 15, 15),
        ];
        for (wanted, in_utc, in_tokyo) in table {
            assert_eq!(part(wanted, evening, utc), Some(in_utc), "{wanted:?}");
            assert_eq!(part(wanted, evening, tokyo), Some(in_tokyo), "{wanted:?}");
        }
        for wrong in ["Europe/Berlin", "+2:00", "+15:00", "+01:60", "02:00", "+é:00", ""] {
            assert_eq!(offset(wrong), None, "{wrong}");
        }
    }
}
