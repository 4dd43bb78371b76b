//! The ids of events on their way out: each is replaced by what its stream's owner may come back with, or left out.
//!
//! Guarantees: a line is an id's exactly if a client takes it for one (WHATWG HTML, section 9.2.6): by its name before the colon,
//! whatever ends the line, and after a byte order mark at the start. Every other byte goes out as it came, at once. A chunk may end
//! anywhere. At most [`MAX_VALUE`] bytes are kept back.

use bytes::Bytes;

/// Longest id that is looked at; a longer one is left out.
const MAX_VALUE: usize = 512;
/// What marks a line as an id's.
const NAME: &[u8] = b"id:";
/// May stand before the first line.
const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

/// Replaces the ids of one stream. `F` gives what an id becomes; for `None` a comment stands in its line, so that the client
/// remembers the id before.
pub struct EventIds<F> {
    replace: F,
    line: Line,
    /// What is kept back of the line.
    kept: Vec<u8>,
    is_first: bool,
}

/// What is known of the line under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Line {
    /// It may become an id's.
    Open,
    /// It is an id's, and its value is being kept.
    Id,
    /// It is an id's, and too long.
    Long,
    /// It is another field's, a comment, or ends an event.
    Other,
}

impl<F: FnMut(&str) -> Option<String>> EventIds<F> {
    /// Replaces each id.
    pub fn new(replace: F) -> Self {
        Self { replace, line: Line::Open, kept: Vec::new(), is_first: true }
    }

    /// Takes bytes of the server and gives bytes for the client.
    pub fn push(&mut self, bytes: &Bytes) -> Bytes {
        let mut out = Vec::with_capacity(bytes.len() + 128);
        let mut rest: &[u8] = bytes;
        while !rest.is_empty() {
            rest = match self.line {
                Line::Open => self.begin(rest, &mut out),
                Line::Id | Line::Long => self.take_value(rest, &mut out),
                Line::Other => self.pass(rest, &mut out),
            };
        }
        out.into()
    }

    /// Takes one byte of a line that may become an id's.
    fn begin<'b>(&mut self, rest: &'b [u8], out: &mut Vec<u8>) -> &'b [u8] {
        let Some((byte, after)) = rest.split_first() else { return rest };
        if is_end(*byte) {
            self.release(out);
            out.push(*byte);
            self.is_first = false;
            return after;
        }
        self.kept.push(*byte);
        let marked = self.is_first && self.kept.starts_with(BYTE_ORDER_MARK);
        let name = if marked { self.kept.get(BYTE_ORDER_MARK.len()..).unwrap_or_default() } else { &self.kept };
        if name == NAME {
            if marked {
                out.extend_from_slice(BYTE_ORDER_MARK);
            }
            self.kept.clear();
            self.line = Line::Id;
        } else if !(NAME.starts_with(name) || self.is_first && BYTE_ORDER_MARK.starts_with(&self.kept)) {
            self.release(out);
            self.line = Line::Other;
        }
        after
    }

    fn take_value<'b>(&mut self, rest: &'b [u8], out: &mut Vec<u8>) -> &'b [u8] {
        let (value, after) = rest.split_at(rest.iter().position(|byte| is_end(*byte)).unwrap_or(rest.len()));
        // One byte more, for the space after the colon.
        if self.line == Line::Id && self.kept.len() + value.len() <= MAX_VALUE + 1 {
            self.kept.extend_from_slice(value);
        } else {
            self.line = Line::Long;
            self.kept.clear();
        }
        let Some((end, after)) = after.split_first() else { return after };
        self.write_id(out);
        out.push(*end);
        self.next_line();
        after
    }

    fn write_id(&mut self, out: &mut Vec<u8>) {
        let value = self.kept.strip_prefix(b" ").unwrap_or(&self.kept);
        if self.line == Line::Id && value.is_empty() {
            // The client forgets the id before.
            out.extend_from_slice(NAME);
            return;
        }
        let text = (self.line == Line::Id).then_some(value).and_then(|value| std::str::from_utf8(value).ok());
        match text.and_then(&mut self.replace) {
            Some(replaced) => {
                out.extend_from_slice(b"id: ");
                out.extend_from_slice(replaced.as_bytes());
            }
            None => out.push(b':'),
        }
    }

    fn pass<'b>(&mut self, rest: &'b [u8], out: &mut Vec<u8>) -> &'b [u8] {
        let Some(end) = rest.iter().position(|byte| is_end(*byte)) else {
            out.extend_from_slice(rest);
            return &[];
        };
        let (line, after) = rest.split_at(end + 1);
        out.extend_from_slice(line);
        self.next_line();
        after
    }

    fn next_line(&mut self) {
        self.line = Line::Open;
        self.is_first = false;
        self.kept.clear();
    }

    fn release(&mut self, out: &mut Vec<u8>) {
        out.append(&mut self.kept);
    }
}

const fn is_end(byte: u8) -> bool {
    matches!(byte, b'\n' | b'\r')
}

impl<F> std::fmt::Debug for EventIds<F> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("EventIds").field("line", &self.line).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::{EventIds, MAX_VALUE};
    use crate::response::event_stream::{Decoder, Oversize, Piece};
    use bytes::Bytes;
    use proptest::prelude::*;

    fn replaced(pieces: &[&[u8]]) -> String {
        let mut ids = EventIds::new(|id: &str| (!id.starts_with('!')).then(|| format!("<{id}>")));
        let out: Vec<u8> = pieces.iter().flat_map(|piece| ids.push(&Bytes::copy_from_slice(piece))).collect();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn s09_every_line_that_a_client_takes_for_an_id_is_replaced_and_no_other() {
        let table = [
            ("id: 1\ndata: x\n\n", "id: <1>\ndata: x\n\n"),
            ("id:1\r\ndata: x\r\n\r\n", "id: <1>\r\ndata: x\r\n\r\n"),
            ("data: x\rid: a b \r\r", "data: x\rid: <a b >\r\r"),
            ("\u{feff}id: 1\n\n", "\u{feff}id: <1>\n\n"),
            ("\u{feff}data: id: 1\n\n", "\u{feff}data: id: 1\n\n"),
            ("data: x\n\u{feff}id: 1\n\n", "data: x\n\u{feff}id: 1\n\n"),
            ("id:  two\n", "id: < two>\n"),
            ("id: a:b\n", "id: <a:b>\n"),
            ("id: \u{e4}\n", "id: <\u{e4}>\n"),
            // These set no id, or another field.
            (": id: 1\nidx: 1\nID: 1\n id: 1\nid : 1\ni\n", ": id: 1\nidx: 1\nID: 1\n id: 1\nid : 1\ni\n"),
            // An id that is empty.
            ("id\nid:\nid: \n\n", "id\nid:\nid:\n\n"),
            // What may not come back is left out, and ends no event.
            ("id: !x\r\ndata: y\r\n\r\n", ":\r\ndata: y\r\n\r\n"),
        ];
        for (from, to) in table {
            assert_eq!(replaced(&[from.as_bytes()]), to, "{from:?}");
            let bytes: Vec<_> = from.as_bytes().chunks(1).collect();
            assert_eq!(replaced(&bytes), to, "{from:?} byte by byte");
        }
    }

    #[test]
    fn an_id_that_is_too_long_or_no_text_is_left_out() {
        let longest = "x".repeat(MAX_VALUE);
        assert_eq!(replaced(&[format!("id: {longest}\n").as_bytes()]), format!("id: <{longest}>\n"));
        assert_eq!(replaced(&[format!("id: {longest}xx\ndata: 1\n").as_bytes()]), ":\ndata: 1\n");
        let flood = vec![b'x'; 1 << 20];
        let mut ids = EventIds::new(|_: &str| None);
        ids.push(&Bytes::from_static(b"id: "));
        ids.push(&flood.into());
        assert!(ids.kept.capacity() <= 2 * MAX_VALUE, "{}", ids.kept.capacity());
        assert_eq!(replaced(&[b"id: \xFF\n"]), ":\n");
    }

    /// The ids and the data that a client sees.
    fn seen(stream: &[u8]) -> Vec<(Vec<u8>, Option<Vec<u8>>)> {
        let pieces = Decoder::new(1 << 20, Oversize::Refuse).push(stream).unwrap();
        let event = |piece| match piece {
            Piece::Event(event) => Some((event.fields, event.data)),
            Piece::Comment(_) => None,
        };
        pieces.into_iter().filter_map(event).collect()
    }

    proptest! {
        #[test]
        fn a_client_sees_the_same_events_with_other_ids(
            lines in prop::collection::vec("(|id|id:|id: ?[a-c !]{0,4}|data: ?[a-c]{0,3}|i|:x|\u{feff}|event: e|)(\r|\n|\r\n)", 0..20),
            cuts in prop::collection::vec(1..8_usize, 0..40),
        ) {
            let stream = lines.concat().into_bytes();
            let mut pieces: Vec<&[u8]> = Vec::new();
            let mut rest: &[u8] = &stream;
            for cut in cuts {
                let (piece, after) = rest.split_at(cut.min(rest.len()));
                pieces.push(piece);
                rest = after;
            }
            pieces.push(rest);
            let out = replaced(&pieces);
            let (before, after) = (seen(&stream), seen(out.as_bytes()));
            prop_assert_eq!(before.iter().filter(|event| event.1.is_some()).count(), after.iter().filter(|event| event.1.is_some()).count());
            for ((_, data), (_, expected)) in after.iter().filter(|event| event.1.is_some()).zip(before.iter().filter(|event| event.1.is_some())) {
                prop_assert_eq!(data, expected);
            }
            for (fields, _) in after {
                for line in String::from_utf8(fields).unwrap().lines().filter(|line| line.starts_with("id:")) {
                    prop_assert!(line.len() <= 4 || line.starts_with("id: <"), "{}", line);
                }
            }
        }
    }
}
