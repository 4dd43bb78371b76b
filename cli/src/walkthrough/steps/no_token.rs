//! Step 1: whoever comes without a token learns where to get one, and nothing else.

use crate::walkthrough::challenge::Challenge;
use crate::walkthrough::mcp::Message;
use crate::walkthrough::script::{QUERY, SEARCH};
use crate::walkthrough::walk::Walk;
use anyhow::ensure;
use http::StatusCode;
use serde_json::json;

pub(in crate::walkthrough) async fn play(walk: &Walk<'_>) -> anyhow::Result<Challenge> {
    walk.show.step(1, "A call without a token");
    walk.show.say("An agent was given the endpoint and nothing else. It calls a tool.");
    let message = Message::call(SEARCH, &json!({ "query": QUERY }));
    let answer = walk.call(&message, None).await?;
    walk.show_sent(&message, None);
    walk.show.answered(&answer, &["WWW-Authenticate"]);

    let answer = answer.expect(StatusCode::UNAUTHORIZED)?;
    let challenge = Challenge::of(&answer)?;
    ensure!(
        challenge.get("error").is_none(),
        "a challenge without credentials should carry no error (RFC 6750 section 3.1)"
    );
    ensure!(
        challenge.get("resource_metadata").is_some(),
        "the challenge does not say where the metadata is (RFC 9728)"
    );
    ensure!(!challenge.scopes().is_empty(), "the challenge names no scope to begin with");
    walk.show.checked("Refused before the MCP server saw anything. The challenge says where to read on (resource_metadata) and which scopes to begin with (scope).");
    Ok(challenge)
}
