//! Which headers of the caller's are sent on as they are: those of a list, so that a header nobody thought of stays here.

use crate::envelope::Message;
use http::HeaderName;
use tollward_policy::operation::Era;

/// Request headers that the MCP server gets to see, besides those of [`PARAMETERS`].
const FORWARDED: [&str; 6] = ["accept", "content-type", "user-agent", "mcp-protocol-version", "mcp-method", "mcp-name"];

/// Prefix of headers in which a tool's parameters are mirrored (MCP 2026-07-28).
const PARAMETERS: &str = "mcp-param-";

/// True for a header of the caller's that is sent on as it is.
pub(super) fn passes(message: &Message, name: &HeaderName) -> bool {
    let parameter = message.era() == Era::Modern && is_parameter(name);
    FORWARDED.contains(&name.as_str()) || parameter
}

/// A tool chooses the names behind the prefix; names that could be taken for other headers by a lenient server are not sent.
fn is_parameter(name: &HeaderName) -> bool {
    name.as_str().strip_prefix(PARAMETERS).is_some_and(|rest| !rest.is_empty() && !rest.contains('_'))
}
