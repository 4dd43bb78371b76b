//! What of the server's answer reaches the client.
//!
//! Headers pass by an allow-list, lists are cut down to what the caller may use, and the outcome is noted for the audit
//! record while the bytes go by. Nothing here does IO: the caller feeds bytes and sends on what comes out.

pub mod event_id;
mod event_stream;
pub mod headers;
pub mod list;
pub mod observe;
pub mod sse;

pub use event_id::EventIds;
pub use headers::{Media, for_client, media};
pub use list::{FilterError, ListKind};
pub use observe::{Observed, Observer, RpcOutcome};
pub use sse::SseFilter;
