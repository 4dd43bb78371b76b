//! The answer to a list request as an event stream, filtered event by event.
//!
//! Every response on the stream is filtered, whatever its id: nothing else may be on it, and a client that looks at raw
//! bytes learns no more than one that follows the protocol. Requests and notifications of the server pass, comments pass
//! at once, since they keep the connection open. Line ends become LF, fields that the standard does not know are dropped.

use super::event_stream::{Decoder, Event, Oversize, Piece, write};
use super::list::{FilterError, ListKind, MAX_MESSAGE, Place, filter_message};
use bytes::Bytes;
use tollward_policy::operation::Target;

/// Filters one stream. After an error it lets nothing through any more.
pub struct SseFilter<F> {
    place: Place,
    may_use: F,
    decoder: Decoder,
    failed: Option<FilterError>,
    names: Vec<String>,
    shown: usize,
}

impl<F: FnMut(ListKind, &Target) -> bool> SseFilter<F> {
    /// A filter for the answer to one request.
    pub fn new(kind: ListKind, may_use: F) -> Self {
        Self::at(Place::Stream(kind), may_use)
    }

    /// A filter for a stream that is opened by GET: with `Last-Event-ID` a client may fetch there the answer to any of its
    /// earlier requests (MCP 2025-11-25 basic/transports "Resumability and Redelivery"), so every list on it is filtered.
    pub fn resumed(may_use: F) -> Self {
        Self::at(Place::Resumed, may_use)
    }

    fn at(place: Place, may_use: F) -> Self {
        let decoder = Decoder::new(MAX_MESSAGE, Oversize::Refuse);
        Self { place, may_use, decoder, failed: None, names: Vec::new(), shown: 0 }
    }

    /// Takes bytes of the server and gives bytes for the client. An error ends the stream: the events before it in these
    /// bytes are lost too.
    pub fn push(&mut self, bytes: &[u8]) -> Result<Bytes, FilterError> {
        if let Some(error) = &self.failed {
            return Err(error.clone());
        }
        self.transform(bytes).inspect_err(|error| self.failed = Some(error.clone()))
    }

    /// Ends the stream. An event without its blank line is discarded, as clients do.
    pub fn finish(self) -> Result<Listed, FilterError> {
        match self.failed {
            Some(error) => Err(error),
            None => Ok(Listed { names: self.names, shown: self.shown }),
        }
    }

    fn transform(&mut self, bytes: &[u8]) -> Result<Bytes, FilterError> {
        let pieces = self.decoder.push(bytes).map_err(|_| FilterError::TooLarge)?;
        let mut out = Vec::with_capacity(bytes.len());
        for piece in pieces {
            match piece {
                Piece::Comment(line) => {
                    out.extend_from_slice(&line);
                    out.push(b'\n');
                }
                Piece::Event(event) => self.take_event(event, &mut out)?,
            }
        }
        Ok(out.into())
    }

    fn take_event(&mut self, event: Event, out: &mut Vec<u8>) -> Result<(), FilterError> {
        let Event { fields, data } = event;
        // Servers open a resumable stream with an id and empty data (SEP-1699).
        let Some(message) = data.as_ref().filter(|data| !data.is_empty()) else {
            write(&fields, data.as_deref(), out);
            return Ok(());
        };
        let message = Bytes::copy_from_slice(message);
        let filtered = filter_message(self.place, &message, &mut self.may_use)?;
        write(&fields, Some(&filtered.body), out);
        self.names.extend(filtered.names);
        self.shown += filtered.shown;
        Ok(())
    }
}

/// What a stream listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// Names of all items, also of those that were not shown.
    pub names: Vec<String>,
    /// How many were shown.
    pub shown: usize,
}

impl<F> std::fmt::Debug for SseFilter<F> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("SseFilter")
            .field("place", &self.place)
            .field("failed", &self.failed)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
