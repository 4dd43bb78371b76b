//! Step 7: what the token may do works.

use crate::walkthrough::client::Answer;
use crate::walkthrough::mcp::Message;
use crate::walkthrough::script::{QUERY, READ, SEARCH};
use crate::walkthrough::token::Token;
use crate::walkthrough::walk::Walk;
use anyhow::{Context as _, ensure};
use http::StatusCode;
use serde_json::{Value, json};

/// A product's identifier.
pub(in crate::walkthrough) async fn play(walk: &Walk<'_>, reader: &Token) -> anyhow::Result<String> {
    walk.show.step(7, "A read");
    let search = Message::call(SEARCH, &json!({ "query": QUERY }));
    let found = ask(walk, reader, &search).await?;
    let sku = found
        .pointer("/products/0/sku")
        .and_then(Value::as_str)
        .context("nothing was found; the walk-through is written for the example server")?
        .to_owned();
    walk.show.pair("found", &sku);
    let read = Message::call(READ, &json!({ "sku": sku }));
    let product = ask(walk, reader, &read).await?;
    ensure!(product.get("sku").and_then(Value::as_str) == Some(sku.as_str()), "another product was read");
    walk.show.pair("name", product.get("name").and_then(Value::as_str).unwrap_or_default());
    walk.show.checked(
        "Let through. The MCP server got the call without the token; the answer says what is left of the limit.",
    );
    Ok(sku)
}

async fn ask(walk: &Walk<'_>, token: &Token, message: &Message<'_>) -> anyhow::Result<Value> {
    let answer = walk.call(message, Some(token)).await?;
    walk.show_sent(message, Some(token));
    walk.show.answered(&answer, &["RateLimit"]);
    result(&answer.expect(StatusCode::OK)?)
}

/// What a tool returned.
pub(super) fn result(answer: &Answer) -> anyhow::Result<Value> {
    let message = answer.json()?;
    let result = message.get("result").context("the answer is a JSON-RPC error")?;
    ensure!(
        result.get("isError") != Some(&Value::Bool(true)),
        "the tool reports an error: {}",
        result.get("content").unwrap_or(&Value::Null)
    );
    result.get("structuredContent").cloned().context("the tool returned no structured content")
}
