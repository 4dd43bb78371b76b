//! Step 11: calls until the limit refuses, and a user of a better tier whom it does not refuse.

use crate::walkthrough::cast::{EVERYDAY, FAVOURED};
use crate::walkthrough::client::Answer;
use crate::walkthrough::flow::{Ask, Servers, sign_in};
use crate::walkthrough::mcp::Message;
use crate::walkthrough::script::{QUERY, SEARCH};
use crate::walkthrough::token::Token;
use crate::walkthrough::walk::Walk;
use anyhow::{Context as _, ensure};
use http::StatusCode;
use serde_json::json;

/// Calls beyond the burst, since some of it may be refilled in the meantime.
const SPARE: u32 = 50;
/// Calls by which the better tier goes beyond what the everyday one got.
const BEYOND: u32 = 5;

pub(in crate::walkthrough) async fn play(
    walk: &Walk<'_>,
    servers: &Servers,
    client_id: &str,
    writer: &Token,
) -> anyhow::Result<()> {
    let cast = &walk.scene.cast;
    walk.show.step(11, "Too many calls");
    walk.show.say(&format!(
        "Limit `{}`: tier `{}` has {}; tier `{}` has {}. {EVERYDAY}'s agent runs wild.",
        cast.limit, cast.default, cast.rates.0, cast.tier, cast.rates.1
    ));
    let message = Message::call(SEARCH, &json!({ "query": QUERY }));
    let (calls, refused) = exhaust(walk, writer, &message, cast.burst + SPARE).await?;
    walk.show.sent(
        &format!("{} ({calls} times, then once more)", walk.line(&message)),
        &[("Authorization", &writer.authorization())],
    );
    walk.show.answered(&refused, &["Retry-After", "RateLimit-Policy", "RateLimit"]);
    let wait: u64 = refused
        .header("retry-after")
        .context("429 without Retry-After")?
        .parse()
        .context("Retry-After is no number")?;
    ensure!(wait >= 1, "Retry-After is 0");
    let state = refused.header("ratelimit").context("429 without RateLimit")?;
    ensure!(
        state.contains(&format!("\"{}\";r=0;", cast.limit)),
        "RateLimit does not say that `{}` is exhausted: {state}",
        cast.limit
    );
    walk.show
        .checked(&format!("Call {} was refused, with the time to wait; the MCP server saw none of it.", calls + 1));

    let ask = Ask { client_id, resource: walk.scene.endpoint(), scopes: &writer.scopes() };
    let favoured = sign_in(walk, servers, ask, FAVOURED).await?;
    ensure!(favoured.text(&cast.claim().claim) == cast.tier, "{FAVOURED}'s token lacks the tier");
    let more = calls + BEYOND;
    for number in 1..=more {
        let answer = walk.call(&message, Some(&favoured)).await?;
        answer.expect(StatusCode::OK).with_context(|| format!("call {number} of {FAVOURED}"))?;
    }
    walk.show.say(&format!("{FAVOURED} uses the same client; her token says {}: {}.", cast.claim().claim, cast.tier));
    walk.show.sent(&format!("{} ({more} times)", walk.line(&message)), &[("Authorization", &favoured.authorization())]);
    walk.show.checked(&format!(
        "All {more} calls went through: the tier comes from a signed claim, which no client can choose."
    ));
    Ok(())
}

/// Calls until the limit refuses: how many were let through, and the refusal.
async fn exhaust(walk: &Walk<'_>, token: &Token, message: &Message<'_>, most: u32) -> anyhow::Result<(u32, Answer)> {
    for passed in 0..=most {
        let answer = walk.call(message, Some(token)).await?;
        if answer.status == StatusCode::TOO_MANY_REQUESTS {
            return Ok((passed, answer));
        }
        answer.expect(StatusCode::OK)?;
    }
    anyhow::bail!("{most} calls were let through, more than the tier has at once")
}
