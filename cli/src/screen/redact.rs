//! What may not reach the terminal: tokens, and characters that steer it.

/// Base64url of `{"`: how every JWT begins.
const TOKEN_START: &str = "eyJ";
/// Shortest run that is taken for a token; shorter ones are too short for a signed one.
const LEAST_TOKEN: usize = 20;

/// Cuts everything that looks like a token. The walk-through shows no token by construction; this is the second lock.
pub(crate) fn redact(text: &str) -> String {
    let mut kept = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find(TOKEN_START) {
        let (before, found) = rest.split_at(start);
        let end = found.find(|letter: char| !is_token_letter(letter)).unwrap_or(found.len());
        let (token, after) = found.split_at(end);
        kept.push_str(before);
        kept.push_str(if token.len() >= LEAST_TOKEN { "eyJ…(signed)" } else { token });
        rest = after;
    }
    kept.push_str(rest);
    kept
}

fn is_token_letter(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || matches!(letter, '-' | '_' | '.' | '=')
}

/// Text that somebody else chose, with everything that would steer a terminal or reorder a line made visible.
pub(crate) fn printable(text: &str) -> String {
    let mut kept = String::with_capacity(text.len());
    for letter in text.chars() {
        if letter.is_control() || reorders(letter) {
            kept.extend(letter.escape_unicode());
        } else {
            kept.push(letter);
        }
    }
    kept
}

/// Text of several lines that somebody else chose: the line breaks stay, everything else is made visible. No line begins at
/// the margin but the first, so that none can pass for a message of ours.
pub(crate) fn printable_lines(text: &str, indent: usize) -> String {
    let lines: Vec<_> = text.trim_end().split('\n').map(|line| printable(line.trim_end_matches('\r'))).collect();
    lines.join(&format!("\n{}", " ".repeat(indent)))
}

/// Direction marks, isolates, line separators and characters of no width.
fn reorders(letter: char) -> bool {
    matches!(letter, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{61c}')
}

#[cfg(test)]
mod tests {
    use super::{printable, printable_lines, redact};
    use proptest::prelude::{prop_assert, proptest};

    const TOKEN: &str = "eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJhZGEifQ.c2lnbmF0dXJlc2lnbmF0dXJl";

    #[test]
    fn a_token_is_cut_wherever_it_stands() {
        assert_eq!(redact(&format!("Bearer {TOKEN}")), "Bearer eyJ…(signed)");
        assert_eq!(redact(&format!("{{\"t\":\"{TOKEN}\"}}, {TOKEN}")), "{\"t\":\"eyJ…(signed)\"}, eyJ…(signed)");
        assert_eq!(redact("nothing here, not even eyJ"), "nothing here, not even eyJ");
    }

    #[test]
    fn what_steers_a_terminal_is_made_visible() {
        assert_eq!(printable("a\u{1b}[2Jb\r\u{202e}c"), "a\\u{1b}[2Jb\\u{d}\\u{202e}c");
        assert_eq!(printable("Überprüfer 工具"), "Überprüfer 工具");
    }

    #[test]
    fn lines_stay_lines_and_no_later_one_begins_at_the_margin() {
        assert_eq!(printable_lines("a\r\nvalid b\u{1b}[2J\n", 2), "a\n  valid b\\u{1b}[2J");
    }

    proptest! {
        #[test]
        fn no_token_survives_among_any_text(before in ".{0,40}", after in ".{0,40}") {
            let shown = redact(&format!("{before}{TOKEN}{after}"));
            prop_assert!(!shown.contains("c2lnbmF0dXJl"), "{shown}");
        }

        #[test]
        fn printable_text_has_no_control_characters(text in "\\PC*|.*|[\\x00-\\x1f]{0,8}") {
            prop_assert!(!printable(&text).chars().any(char::is_control));
        }
    }
}
