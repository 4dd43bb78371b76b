//! Step 9: the client asks the user for more, and only for that.

use crate::walkthrough::cast::EVERYDAY;
use crate::walkthrough::flow::{Ask, Servers, approve, open, redeem};
use crate::walkthrough::token::Token;
use crate::walkthrough::walk::Walk;

pub(in crate::walkthrough) async fn play(
    walk: &Walk<'_>,
    servers: &Servers,
    client_id: &str,
    reader: &Token,
    wanted: &[String],
) -> anyhow::Result<Token> {
    walk.show.step(9, "Step-up: asking for more");
    let mut scopes = reader.scopes();
    scopes.extend(wanted.iter().filter(|scope| !reader.scopes().contains(scope)).cloned());
    walk.show.say(&format!("The client sends {EVERYDAY} to the authorization server again, with the scopes it has and those of the challenge."));
    let ask = Ask { client_id, resource: walk.scene.endpoint(), scopes: &scopes };
    let opened = open(walk, servers, ask).await?;
    walk.show.sent(&format!("GET {}?response_type=code&…", servers.authorization), &[("scope", &scopes.join(" "))]);
    opened.show_permissions(walk, &scopes)?;
    let (consented, _) = approve(walk, servers, ask, opened, EVERYDAY).await?;
    let (token, answer) = redeem(walk, servers, &consented).await?;
    walk.show.sent(&format!("POST {}", servers.token), &[("grant_type", "authorization_code")]);
    walk.show.answered(&answer, &[]);
    walk.show.pair("scope", &token.scopes().join(" "));
    walk.show.checked(&format!("{EVERYDAY} saw the new permission in words and agreed to it. Had she refused, the first token would still read."));
    Ok(token)
}
