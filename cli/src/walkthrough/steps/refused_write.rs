//! Step 8: what the token may not do is refused, and the refusal says what would do.

use crate::walkthrough::challenge::Challenge;
use crate::walkthrough::mcp::Message;
use crate::walkthrough::script::WRITE;
use crate::walkthrough::token::Token;
use crate::walkthrough::walk::Walk;
use anyhow::ensure;
use http::StatusCode;
use serde_json::json;

/// The scopes that would do.
pub(in crate::walkthrough) async fn play(walk: &Walk<'_>, reader: &Token, sku: &str) -> anyhow::Result<Vec<String>> {
    walk.show.step(8, "A write that the token does not permit");
    let message = Message::call(WRITE, &json!({ "sku": sku, "quantity": 1 }));
    let answer = walk.call(&message, Some(reader)).await?;
    walk.show_sent(&message, Some(reader));
    walk.show.answered(&answer, &["WWW-Authenticate"]);
    let answer = answer.expect(StatusCode::FORBIDDEN)?;
    let challenge = Challenge::of(&answer)?;
    ensure!(
        challenge.get("error") == Some("insufficient_scope"),
        "the challenge's error is {:?}",
        challenge.get("error")
    );
    let wanted = challenge.scopes();
    let held = reader.scopes();
    let missing: Vec<_> = wanted.iter().filter(|scope| !held.contains(scope)).map(String::as_str).collect();
    ensure!(!missing.is_empty(), "the challenge asks for nothing that the token lacks");
    walk.show.checked(&format!(
        "Refused, and the client learns exactly what is missing: {}. A stolen read token can't buy anything.",
        missing.join(" ")
    ));
    Ok(wanted)
}
