//! The terminal: colors, wrapping, and one place through which all text for people passes.
//!
//! Guarantees: what clients and servers chose (names, addresses, log lines) can't move the cursor or hide text; anything
//! that looks like a token is cut before it is printed; a closed pipe ends nothing.

mod causes;
mod redact;
mod wrap;

pub(crate) use causes::causes;
pub(crate) use redact::{printable, printable_lines, redact};
pub(crate) use wrap::wrap;

use clap::builder::styling::{AnsiColor, Style};
use std::io::{IsTerminal as _, Write};
use std::sync::{Mutex, PoisonError};

/// How a piece of text looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tone {
    /// Headings.
    Strong,
    /// What was let through, and what is as expected.
    Good,
    /// What was refused.
    Bad,
    /// What is only looked at if needed.
    Quiet,
    /// Addresses and names.
    Accent,
}

/// Standard output for people.
pub(crate) struct Screen {
    out: Mutex<Box<dyn Write + Send>>,
    color: bool,
}

impl Screen {
    /// Standard output. Colors only on a terminal, and not if `NO_COLOR` is set (<https://no-color.org>).
    pub(crate) fn stdout(no_color: bool) -> Self {
        let unwanted = no_color || std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let out = std::io::stdout();
        let color = !unwanted && out.is_terminal();
        Self { out: Mutex::new(Box::new(out)), color }
    }

    /// Text as it is, with a line break.
    pub(crate) fn line(&self, text: &str) {
        let mut out = self.out.lock().unwrap_or_else(PoisonError::into_inner);
        // Whoever reads may have gone away (`| head`): that is no failure of what runs.
        let _ = writeln!(out, "{}", redact(text)).and_then(|()| out.flush());
    }

    /// An empty line.
    pub(crate) fn gap(&self) {
        self.line("");
    }

    /// An error, on standard error.
    pub(crate) fn error(&self, text: &str) {
        let label = if self.color { paint(Tone::Bad, "error:") } else { "error:".to_owned() };
        let _ = writeln!(std::io::stderr(), "{label} {}", redact(text));
    }

    /// Text in a tone, if colors are shown.
    pub(crate) fn paint(&self, tone: Tone, text: &str) -> String {
        if self.color { paint(tone, text) } else { text.to_owned() }
    }

    /// Lines of at most 80 columns, all of one tone.
    pub(crate) fn paragraph(&self, indent: usize, tone: Option<Tone>, text: &str) {
        for line in wrap(text, indent, indent) {
            self.line(&tone.map_or_else(|| line.clone(), |tone| self.paint(tone, &line)));
        }
    }
}

fn paint(tone: Tone, text: &str) -> String {
    let style = match tone {
        Tone::Strong => Style::new().bold(),
        Tone::Good => AnsiColor::Green.on_default(),
        Tone::Bad => AnsiColor::Red.on_default(),
        Tone::Quiet => Style::new().dimmed(),
        Tone::Accent => AnsiColor::Cyan.on_default(),
    };
    format!("{style}{text}{style:#}")
}

#[cfg(test)]
pub(crate) mod testing {
    //! A screen that is read back.

    use super::Screen;
    use std::io::Write;
    use std::sync::{Arc, Mutex};

    #[derive(Clone, Default)]
    pub(crate) struct Printed(Arc<Mutex<Vec<u8>>>);

    impl Printed {
        pub(crate) fn text(&self) -> String {
            String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
        }
    }

    impl Write for Printed {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    pub(crate) fn screen() -> (Screen, Printed) {
        let printed = Printed::default();
        (Screen { out: Mutex::new(Box::new(printed.clone())), color: false }, printed)
    }
}
