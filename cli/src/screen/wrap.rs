//! Lines of at most 80 columns, so that the walk-through reads well on the smallest usual terminal.

/// Columns of a line.
const COLUMNS: usize = 80;

/// Cuts text at spaces: the first line after `first` spaces, the others after `rest`. A word that is longer than a line
/// keeps a line of its own, since addresses must stay whole to be copied.
pub(crate) fn wrap(text: &str, first: usize, rest: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = " ".repeat(first);
    let mut empty = true;
    for word in text.split(' ').filter(|word| !word.is_empty()) {
        let width = line.chars().count() + usize::from(!empty) + word.chars().count();
        if !empty && width > COLUMNS {
            lines.push(std::mem::replace(&mut line, " ".repeat(rest)));
            empty = true;
        }
        if !empty {
            line.push(' ');
        }
        line.push_str(word);
        empty = false;
    }
    lines.push(line);
    lines
}

#[cfg(test)]
mod tests {
    use super::wrap;
    use proptest::prelude::{prop_assert, prop_assert_eq, proptest};

    #[test]
    fn later_lines_are_indented_and_long_words_stay_whole() {
        let long = "x".repeat(90);
        assert_eq!(wrap(&format!("a {long} b"), 2, 4), ["  a".to_owned(), format!("    {long}"), "    b".to_owned()]);
    }

    proptest! {
        #[test]
        fn no_word_is_lost_and_no_line_is_too_long(words in proptest::collection::vec("[a-z]{1,30}", 1..60)) {
            let lines = wrap(&words.join(" "), 4, 6);
            prop_assert!(lines.iter().all(|line| line.chars().count() <= 80));
            let kept: Vec<_> = lines.iter().flat_map(|line| line.split_whitespace()).collect();
            prop_assert_eq!(kept, words);
        }
    }
}
