//! Step 5: the code becomes an access token, and what is in it.

use crate::walkthrough::flow::{Consented, Servers, redeem};
use crate::walkthrough::token::Token;
use crate::walkthrough::walk::Walk;
use anyhow::ensure;
use serde_json::Value;

/// Claims that matter, and what they say.
const CLAIMS: &[(&str, &str)] = &[
    ("iss", "who issued it"),
    ("sub", "for whom"),
    ("client_id", "to which client"),
    ("aud", "for this server alone"),
    ("scope", "what it may do"),
    ("jti", "its id, in the records too"),
];
/// Longest life of a token in seconds.
const LONGEST: i64 = 300;

pub(in crate::walkthrough) async fn play(
    walk: &Walk<'_>,
    servers: &Servers,
    consented: Consented,
) -> anyhow::Result<Token> {
    walk.show.step(5, "The access token");
    walk.show.say("The client exchanges the code, with the PKCE verifier that nobody else has.");
    let (token, answer) = redeem(walk, servers, &consented).await?;
    walk.show.sent(&format!("POST {}", servers.token), &[("grant_type", "authorization_code"), ("code_verifier", "…")]);
    walk.show.answered(&answer, &[]);
    walk.show.pair("access_token", "eyJ…(signed)");
    walk.show.say("What the signature vouches for:");
    for (name, meaning) in CLAIMS {
        walk.show.row(&format!("  {name:<9}  {:<26}  {meaning}", token.text(name)));
    }
    let seconds = |name: &str| token.claim(name).and_then(Value::as_i64).unwrap_or_default();
    let life = seconds("exp") - seconds("iat");
    ensure!((1..=LONGEST).contains(&life), "the token lives for {life} s");
    ensure!(token.text("client_id") == consented.client_id, "the token is for another client");
    ensure!(token.text("iss") == servers.issuer, "the token is of another issuer");
    walk.show.checked(&format!(
        "For {}, for this server alone, for {life} seconds. The server behind never gets to see it.",
        consented.user
    ));
    Ok(token)
}
