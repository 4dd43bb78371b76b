//! The consent page of the demonstration's authorization servers as a browser reads it: its heading, what it lists, and its
//! form. Enough of HTML for those pages, and no guess beyond: a page without exactly one form is an error.

use anyhow::{Context as _, ensure};
use std::collections::BTreeMap;

/// What the walk-through uses of the page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Page {
    /// The heading.
    pub(super) heading: String,
    /// What is asked for, item by item.
    pub(super) items: Vec<String>,
    /// Where the form goes.
    pub(super) action: String,
    /// Hidden fields with their values.
    pub(super) hidden: Vec<(String, String)>,
}

/// A tag, or the text before the next one.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece<'a> {
    Tag(&'a str),
    Text(&'a str),
}

impl Page {
    /// Reads a page.
    pub(super) fn parse(html: &str) -> anyhow::Result<Self> {
        let pieces = pieces(html);
        let mut page = Self { heading: String::new(), items: Vec::new(), action: String::new(), hidden: Vec::new() };
        let mut forms = 0;
        for piece in &pieces {
            let Piece::Tag(tag) = piece else { continue };
            let attributes = attributes(tag);
            match name(tag).as_str() {
                "form" => {
                    forms += 1;
                    page.action = attributes.get("action").cloned().unwrap_or_default();
                }
                "input" if attributes.get("type").is_some_and(|kind| kind == "hidden") => {
                    let value = attributes.get("value").cloned().unwrap_or_default();
                    page.hidden.push((attributes.get("name").cloned().unwrap_or_default(), value));
                }
                _ => {}
            }
        }
        ensure!(forms == 1, "the consent page has {forms} forms instead of one");
        ensure!(page.action.starts_with('/'), "the consent page's form does not go to the server that showed it");
        page.heading = texts(&pieces, "h1").into_iter().next().context("the consent page has no heading")?;
        page.items = texts(&pieces, "li");
        Ok(page)
    }
}

fn pieces(html: &str) -> Vec<Piece<'_>> {
    let mut found = Vec::new();
    let mut rest = html;
    while let Some((text, after)) = rest.split_once('<') {
        found.push(Piece::Text(text));
        let (tag, next) = after.split_at(end_of_tag(after));
        found.push(Piece::Tag(tag));
        rest = next.strip_prefix('>').unwrap_or(next);
    }
    found.push(Piece::Text(rest));
    found
}

/// Where the tag ends: a `>` within quotes belongs to a value.
fn end_of_tag(text: &str) -> usize {
    let mut quoted = None;
    for (position, letter) in text.char_indices() {
        match (quoted, letter) {
            (None, '>') => return position,
            (None, '"' | '\'') => quoted = Some(letter),
            (Some(quote), letter) if quote == letter => quoted = None,
            (None | Some(_), _) => {}
        }
    }
    text.len()
}

fn name(tag: &str) -> String {
    tag.split([' ', '\n', '\t', '/']).next().unwrap_or_default().to_ascii_lowercase()
}

fn attributes(tag: &str) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let mut rest = tag;
    while let Some((before, after)) = rest.split_once('=') {
        let name = before.split_whitespace().next_back().unwrap_or_default().to_ascii_lowercase();
        let quote = after.chars().next().filter(|first| matches!(first, '"' | '\''));
        let (value, next) = match quote {
            Some(quote) => after.get(1..).unwrap_or_default().split_once(quote).unwrap_or((after, "")),
            None => after.split_once([' ', '\n', '\t']).unwrap_or((after, "")),
        };
        found.entry(name).or_insert_with(|| unescape(value));
        rest = next;
    }
    found
}

/// The text within each element of that name, without tags and with single spaces.
fn texts(pieces: &[Piece<'_>], element: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut open: Option<String> = None;
    for piece in pieces {
        match piece {
            Piece::Tag(tag) if name(tag) == element => open = Some(String::new()),
            Piece::Tag(tag) if tag.strip_prefix('/').is_some_and(|tag| name(tag) == element) => {
                found.extend(open.take().map(|text| text.split_whitespace().collect::<Vec<_>>().join(" ")));
            }
            Piece::Tag(_) => {}
            Piece::Text(text) => {
                if let Some(open) = &mut open {
                    open.push_str(&unescape(text));
                }
            }
        }
    }
    found
}

/// The character references that HTML escaping makes; others stay as they are.
fn unescape(text: &str) -> String {
    let mut kept = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('&') {
        kept.push_str(before);
        let reference = after.split_once(';').and_then(|(name, after)| Some((character(name)?, after)));
        if let Some((letter, after)) = reference {
            kept.push(letter);
            rest = after;
        } else {
            kept.push('&');
            rest = after;
        }
    }
    kept.push_str(rest);
    kept
}

fn character(reference: &str) -> Option<char> {
    match reference {
        "amp" => Some('&'),
        "lt" => Some('<'),
        "gt" => Some('>'),
        "quot" => Some('"'),
        "apos" => Some('\''),
        other => {
            let number = other.strip_prefix('#')?;
            let code = match number.strip_prefix(['x', 'X']) {
                Some(digits) => u32::from_str_radix(digits, 16),
                None => number.parse(),
            };
            char::from_u32(code.ok()?)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Page, unescape};
    use proptest::prelude::{prop_assert_eq, proptest};

    const PAGE: &str = r#"<!doctype html><main><h1>Allow access to
        Tom &#38; Jerry&#39;s?</h1><ul><li>look &lt;things&gt; up <code>catalog:read</code></li><li>buy</li></ul>
        <form method="post" action="/authorize" autocomplete="off">
        <input type="hidden" name="request" value="a.b&quot;>c">
        <input id="name" name="name" type="text" required pattern="[A-Za-z0-9._@+\-]+">
        <button type="submit" name="decision" value="approve">Allow</button></form></main>"#;

    #[test]
    fn heading_permissions_and_the_sealed_request_are_read() {
        let page = Page::parse(PAGE).unwrap();
        assert_eq!(page.heading, "Allow access to Tom & Jerry's?");
        assert_eq!(page.items, ["look <things> up catalog:read", "buy"]);
        assert_eq!(page.action, "/authorize");
        assert_eq!(page.hidden, [("request".to_owned(), "a.b\">c".to_owned())]);
    }

    #[test]
    fn a_page_without_exactly_one_form_of_its_own_server_is_an_error() {
        Page::parse("<h1>Sign-in stopped</h1>").unwrap_err();
        Page::parse(&format!("{PAGE}{PAGE}")).unwrap_err();
        Page::parse(&PAGE.replace("action=\"/authorize\"", "action=\"http://elsewhere/\"")).unwrap_err();
    }

    proptest! {
        #[test]
        fn any_text_ends_in_a_page_or_an_error(html in ".{0,200}|([<>=\"'&;/ a-z#]{0,80})") {
            let _ = Page::parse(&html);
        }

        #[test]
        fn escaping_is_undone(text in ".{0,40}") {
            let escaped = text.replace('&', "&#38;").replace('<', "&#60;").replace('>', "&#62;").replace('"', "&#34;").replace('\'', "&#39;");
            prop_assert_eq!(unescape(&escaped), text);
        }
    }
}
