//! Step 10: with the new token the write succeeds.

use super::read::result;
use crate::walkthrough::mcp::Message;
use crate::walkthrough::script::WRITE;
use crate::walkthrough::token::Token;
use crate::walkthrough::walk::Walk;
use anyhow::ensure;
use http::StatusCode;
use serde_json::{Value, json};

pub(in crate::walkthrough) async fn play(walk: &Walk<'_>, writer: &Token, sku: &str) -> anyhow::Result<()> {
    walk.show.step(10, "The write again");
    let message = Message::call(WRITE, &json!({ "sku": sku, "quantity": 1 }));
    let answer = walk.call(&message, Some(writer)).await?;
    walk.show_sent(&message, Some(writer));
    walk.show.answered(&answer, &[]);
    let cart = result(&answer.expect(StatusCode::OK)?)?;
    let line = cart.pointer("/lines/0/sku").and_then(Value::as_str);
    ensure!(line == Some(sku), "the cart does not hold `{sku}`");
    let number = |pointer: &str| cart.pointer(pointer).and_then(Value::as_u64).unwrap_or_default();
    let (quantity, total) = (number("/lines/0/quantity"), number("/total_cents"));
    walk.show.pair("cart", &format!("{quantity} of {sku}, {}.{:02} in all", total / 100, total % 100));
    walk.show.checked(
        "The same call, now permitted. The record of it names the user, the client, the token's id and the rule.",
    );
    Ok(())
}
