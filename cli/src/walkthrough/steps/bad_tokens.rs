//! Step 12: a good token for somebody else, and a good token that was changed.

use crate::walkthrough::cast::EVERYDAY;
use crate::walkthrough::challenge::Challenge;
use crate::walkthrough::flow::{Ask, Servers, sign_in};
use crate::walkthrough::mcp::Message;
use crate::walkthrough::token::Token;
use crate::walkthrough::walk::Walk;
use anyhow::ensure;
use http::StatusCode;
use serde_json::Value;

pub(in crate::walkthrough) async fn play(
    walk: &Walk<'_>,
    servers: &Servers,
    client_id: &str,
    writer: &Token,
) -> anyhow::Result<()> {
    walk.show.step(12, "Tokens that are worth nothing here");
    let decoy = &walk.scene.decoy;
    walk.show.say(&format!("The same issuer signs a token for {EVERYDAY} that is good for another server ({decoy}). That server, or a thief, tries it here."));
    let ask = Ask { client_id, resource: decoy, scopes: &writer.scopes() };
    let foreign = sign_in(walk, servers, ask, EVERYDAY).await?;
    refused(walk, &foreign, "audience_mismatch").await?;
    walk.show
        .checked("A token counts only where it was issued for (aud, RFC 8707), so servers can't use each other's.");

    walk.show.say(&format!("{EVERYDAY}'s own token, with the user changed to `root` and the signature as it was:"));
    refused(walk, &writer.tampered("sub", "root".into())?, "token_signature_invalid").await?;
    walk.show.checked("The signature vouches for every byte.");
    Ok(())
}

async fn refused(walk: &Walk<'_>, token: &Token, reason: &str) -> anyhow::Result<()> {
    let message = Message::list();
    let answer = walk.call(&message, Some(token)).await?;
    walk.show_sent(&message, Some(token));
    walk.show.answered(&answer, &[]);
    let answer = answer.expect(StatusCode::UNAUTHORIZED)?;
    let challenge = Challenge::of(&answer)?;
    let json = answer.json()?;
    let found = json.pointer("/error/data/reason").and_then(Value::as_str).unwrap_or_default();
    walk.show.pair("error", challenge.get("error").unwrap_or_default());
    walk.show.pair("reason", found);
    ensure!(challenge.get("error") == Some("invalid_token"), "the challenge's error is {:?}", challenge.get("error"));
    ensure!(found == reason, "the reason should be `{reason}`, and is `{found}`");
    Ok(())
}
