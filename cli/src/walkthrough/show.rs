//! How the walk-through looks: numbered steps in plain words, each exchange in short, and what was checked. It fits into
//! 80 columns and needs no color to be understood.

use super::client::Answer;
use super::scene::Scene;
use crate::screen::{Screen, Tone, causes, printable, redact, wrap};
use std::sync::{Mutex, PoisonError};

/// Longest part of a header that fits into a line.
const LONG_PART: usize = 70;

/// Prints.
pub(super) struct Show<'a> {
    screen: &'a Screen,
    current: Mutex<String>,
}

impl<'a> Show<'a> {
    /// Nothing is printed yet.
    pub(super) fn new(screen: &'a Screen) -> Self {
        Self { screen, current: Mutex::new("before the first step".to_owned()) }
    }

    /// What this is.
    pub(super) fn introduce(&self, scene: &Scene) {
        self.screen.gap();
        self.screen.line(
            &self
                .screen
                .paint(Tone::Strong, &format!("A walk through Tollward in front of `{}`", scene.route.server.name)),
        );
        self.screen.gap();
        self.screen.line(&format!("  MCP endpoint          {}", scene.endpoint()));
        self.screen.line(&format!("  authorization server  {} ({})", scene.issuer, scene.issuer_kind));
        self.screen.line(&format!("  MCP server            {} (knows nothing of tokens)", scene.route.upstream.url));
        self.screen.gap();
        self.screen.paragraph(
            2,
            None,
            "What follows is played for real, and each answer is checked. > was sent, < was answered, ok was checked.",
        );
    }

    /// A new step.
    pub(super) fn step(&self, number: usize, title: &str) {
        *self.current.lock().unwrap_or_else(PoisonError::into_inner) = format!("step {number} ({title})");
        self.screen.gap();
        self.screen.line(&self.screen.paint(Tone::Strong, &format!("{number:2}. {title}")));
    }

    /// What happens, in words.
    pub(super) fn say(&self, text: &str) {
        self.screen.paragraph(4, None, text);
    }

    /// A request: its first line, and what else matters of it.
    pub(super) fn sent(&self, line: &str, more: &[(&str, &str)]) {
        self.screen.line(&format!("    {} {}", self.screen.paint(Tone::Accent, ">"), printable(line)));
        for (name, value) in more {
            self.pair(name, value);
        }
    }

    /// An answer: its status, and the headers that matter.
    pub(super) fn answered(&self, answer: &Answer, headers: &[&str]) {
        let tone =
            if answer.status.is_client_error() || answer.status.is_server_error() { Tone::Bad } else { Tone::Good };
        let status = self.screen.paint(tone, &answer.status.to_string());
        self.screen.line(&format!("    {} {status}", self.screen.paint(Tone::Accent, "<")));
        for name in headers {
            if let Some(value) = answer.header(name) {
                self.header(name, value);
            }
        }
    }

    /// A challenge is a list, which reads best with a line for each of its parts.
    fn header(&self, name: &str, value: &str) {
        let Some(parameters) = value.strip_prefix("Bearer ") else {
            return self.pair(name, value);
        };
        self.pair(name, "Bearer");
        for part in parameters.split(", ") {
            // A long address goes below its name, whole, so that it can be copied.
            match part.split_once('=').filter(|_| part.len() > LONG_PART) {
                Some((name, value)) => {
                    self.lines(&format!("  {name}="));
                    self.lines(&format!("    {value}"));
                }
                None => self.lines(&format!("  {part}")),
            }
        }
    }

    /// A name and its value.
    pub(super) fn pair(&self, name: &str, value: &str) {
        self.lines(&format!("{name}: {value}"));
    }

    /// A line of a table.
    pub(super) fn row(&self, text: &str) {
        self.screen.line(format!("    {}", printable(text)).trim_end());
    }

    /// What was checked, and held.
    pub(super) fn checked(&self, text: &str) {
        let mark = self.screen.paint(Tone::Good, "ok");
        for (number, line) in wrap(text, 8, 8).iter().enumerate() {
            let text = line.trim_start();
            let mark = if number == 0 { mark.as_str() } else { "  " };
            self.screen.line(&format!("    {mark}  {text}"));
        }
    }

    /// All went as described.
    pub(super) fn finish(&self, steps: usize) {
        self.screen.gap();
        self.screen.line(&self.screen.paint(Tone::Good, &format!("All {steps} steps went as described.")));
    }

    /// A step did not.
    pub(super) fn failed(&self, error: &anyhow::Error) {
        let current = self.current.lock().unwrap_or_else(PoisonError::into_inner).clone();
        self.screen.gap();
        self.screen.paragraph(
            0,
            Some(Tone::Bad),
            &printable(&format!("{current} did not go as described: {}", causes(error))),
        );
    }

    fn lines(&self, text: &str) {
        let indent = 6 + (text.len() - text.trim_start().len());
        for line in wrap(&redact(&printable(text)), indent, indent + 2) {
            self.screen.line(&self.screen.paint(Tone::Quiet, &line));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Show;
    use crate::screen::testing::screen;
    use crate::walkthrough::client::Answer;

    const TOKEN: &str = "eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJhZGEifQ.c2lnbmF0dXJlc2lnbmF0dXJl";

    #[test]
    fn an_exchange_is_shown_in_short_and_fits_80_columns() {
        let (screen, printed) = screen();
        let show = Show::new(&screen);
        show.step(8, "A write is refused");
        show.sent("POST /mcp  tools/call add_to_cart", &[("Authorization", &format!("Bearer {TOKEN}"))]);
        let challenge = "Bearer error=\"insufficient_scope\", error_description=\"The token lacks a scope that the call needs.\", resource_metadata=\"http://127.0.0.1:8080/.well-known/oauth-protected-resource/mcp\", scope=\"a b\"";
        show.answered(
            &Answer::of(403, &[("www-authenticate", challenge), ("x-other", "1")], "{}"),
            &["WWW-Authenticate", "Retry-After"],
        );
        show.checked(&"word ".repeat(40));
        let text = printed.text();
        insta::assert_snapshot!(text);
        assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
    }
}
