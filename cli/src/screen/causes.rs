//! An error with its causes as one text.

/// Each cause after what it caused. Some errors repeat their cause in their own text; it is not said twice then.
pub(crate) fn causes(error: &anyhow::Error) -> String {
    let mut text = String::new();
    for cause in error.chain().map(ToString::to_string) {
        if text.is_empty() {
            text = cause;
        } else if !text.contains(&cause) {
            text.push_str(": ");
            text.push_str(&cause);
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::causes;

    #[test]
    fn a_cause_is_said_once() {
        let error = anyhow::anyhow!("port taken").context("can't listen: port taken").context("can't start");
        assert_eq!(causes(&error), "can't start: can't listen: port taken");
    }
}
