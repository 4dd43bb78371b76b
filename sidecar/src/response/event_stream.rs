//! Server-sent events, decoded incrementally (WHATWG HTML, section 9.2.6 "Interpreting an event stream").
//!
//! Memory is bounded by a cap on one event. A chunk may end anywhere, also between CR and LF.

/// What becomes of an event beyond the cap.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Oversize {
    /// Decoding ends with [`EventTooLarge`].
    Refuse,
    /// The event is skipped, the following are decoded.
    Skip,
}

/// An event exceeds the cap.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct EventTooLarge;

/// An event: what stood between two blank lines.
#[derive(Debug, Default)]
pub(super) struct Event {
    /// Its `id`, `event` and `retry` lines, each ended by LF.
    pub(super) fields: Vec<u8>,
    /// Its data: the `data` lines, joined by LF. None if there was none.
    pub(super) data: Option<Vec<u8>>,
}

impl Event {
    fn size(&self) -> usize {
        self.fields.len() + self.data.as_ref().map_or(0, Vec::len)
    }
}

/// A piece of a stream.
#[derive(Debug)]
pub(super) enum Piece {
    /// A comment line without its end. It belongs to no event.
    Comment(Vec<u8>),
    /// A whole event.
    Event(Event),
}

/// Cuts a stream into pieces.
#[derive(Debug)]
pub(super) struct Decoder {
    line: Vec<u8>,
    event: Event,
    cap: usize,
    oversize: Oversize,
    /// The event is beyond the cap; what follows up to the next blank line is dropped.
    skipping: bool,
    /// The line under way has bytes, although they may have been dropped.
    line_begun: bool,
    /// The last byte was a CR, which a LF may belong to.
    after_carriage_return: bool,
    first_line: bool,
}

impl Decoder {
    pub(super) fn new(cap: usize, oversize: Oversize) -> Self {
        Self {
            line: Vec::new(),
            event: Event::default(),
            cap,
            oversize,
            skipping: false,
            line_begun: false,
            after_carriage_return: false,
            first_line: true,
        }
    }

    /// Takes the next bytes and gives the pieces that they complete.
    pub(super) fn push(&mut self, bytes: &[u8]) -> Result<Vec<Piece>, EventTooLarge> {
        let mut pieces = Vec::new();
        let mut rest = bytes;
        if self.after_carriage_return && !rest.is_empty() {
            rest = rest.strip_prefix(b"\n").unwrap_or(rest);
            self.after_carriage_return = false;
        }
        while let Some(end) = rest.iter().position(|byte| matches!(byte, b'\n' | b'\r')) {
            let (part, ended) = rest.split_at(end);
            self.extend_line(part)?;
            pieces.extend(self.end_line());
            rest = match ended {
                [b'\r', b'\n', after @ ..] | [_, after @ ..] => after,
                [] => ended,
            };
            self.after_carriage_return = ended == b"\r";
        }
        self.extend_line(rest)?;
        Ok(pieces)
    }

    /// Bytes that are kept.
    #[cfg(test)]
    pub(super) fn held(&self) -> usize {
        self.event.size() + self.line.len()
    }

    fn extend_line(&mut self, part: &[u8]) -> Result<(), EventTooLarge> {
        self.line_begun |= !part.is_empty();
        if self.skipping {
            return Ok(());
        }
        if self.event.size() + self.line.len() + part.len() > self.cap {
            return match self.oversize {
                Oversize::Refuse => Err(EventTooLarge),
                Oversize::Skip => {
                    self.skipping = true;
                    self.line = Vec::new();
                    self.event = Event::default();
                    Ok(())
                }
            };
        }
        self.line.extend_from_slice(part);
        Ok(())
    }

    fn end_line(&mut self) -> Option<Piece> {
        let begun = std::mem::take(&mut self.line_begun);
        let line = std::mem::take(&mut self.line);
        let first = std::mem::replace(&mut self.first_line, false);
        if self.skipping {
            self.skipping = begun;
            return None;
        }
        // One byte order mark at the start belongs to no line; a client strips it, so a filter that did not would take
        // the first data line for an unknown field.
        let line = match line.strip_prefix(b"\xEF\xBB\xBF") {
            Some(rest) if first => rest.to_vec(),
            Some(_) | None => line,
        };
        match line.first() {
            None => {
                let event = std::mem::take(&mut self.event);
                (event.data.is_some() || !event.fields.is_empty()).then_some(Piece::Event(event))
            }
            Some(b':') => Some(Piece::Comment(line)),
            Some(_) => {
                self.take_field(&line);
                None
            }
        }
    }

    /// Fields of other names are ignored by every client, so they are dropped.
    fn take_field(&mut self, line: &[u8]) {
        let colon = line.iter().position(|byte| *byte == b':');
        let (name, value) = match colon.and_then(|colon| line.split_at_checked(colon)) {
            Some((name, value)) => (name, value.get(1..).unwrap_or_default()),
            None => (line, &[][..]),
        };
        match name {
            b"data" => {
                let value = value.strip_prefix(b" ").unwrap_or(value);
                match &mut self.event.data {
                    Some(data) => {
                        data.push(b'\n');
                        data.extend_from_slice(value);
                    }
                    None => self.event.data = Some(value.to_vec()),
                }
            }
            b"id" | b"event" | b"retry" => {
                self.event.fields.extend_from_slice(line);
                self.event.fields.push(b'\n');
            }
            _ => {}
        }
    }
}

/// Writes an event's lines and the blank line that ends it.
pub(super) fn write(fields: &[u8], data: Option<&[u8]>, out: &mut Vec<u8>) {
    out.extend_from_slice(fields);
    for line in data.into_iter().flat_map(|data| data.split(|byte| *byte == b'\n')) {
        out.extend_from_slice(b"data: ");
        out.extend_from_slice(line);
        out.push(b'\n');
    }
    out.push(b'\n');
}
