//! Step 4: the user signs in and sees what the client asks for.

use crate::walkthrough::cast::EVERYDAY;
use crate::walkthrough::challenge::Challenge;
use crate::walkthrough::flow::{Ask, Consented, Servers, approve, open};
use crate::walkthrough::walk::Walk;

pub(in crate::walkthrough) async fn play(
    walk: &Walk<'_>,
    servers: &Servers,
    client_id: &str,
    challenge: &Challenge,
) -> anyhow::Result<Consented> {
    walk.show.step(4, &format!("{EVERYDAY} signs in and consents"));
    walk.show.say(&format!("The client opens {EVERYDAY}'s browser. It asks for the scopes of the challenge, for this one MCP server (resource, RFC 8707), and keeps the PKCE verifier to itself."));
    let scopes = challenge.scopes();
    let ask = Ask { client_id, resource: walk.scene.endpoint(), scopes: &scopes };
    let opened = open(walk, servers, ask).await?;
    walk.show.sent(
        &format!("GET {}?response_type=code&…", servers.authorization),
        &[("scope", &scopes.join(" ")), ("resource", ask.resource), ("code_challenge_method", "S256")],
    );
    walk.show.pair("the page says", &opened.page.heading);
    opened.show_permissions(walk, &scopes)?;
    let action = opened.action()?;
    let (consented, answer) = approve(walk, servers, ask, opened, EVERYDAY).await?;
    walk.show.sent(&format!("POST {action}"), &[("name", EVERYDAY), ("decision", "approve")]);
    walk.show.answered(&answer, &[]);
    walk.show.pair("location", "http://127.0.0.1:…/callback?code=…&state=…&iss=…");
    walk.show.checked("The page names the client, the server and each permission in words. The redirect brings a code back, with the client's own state and the issuer's name (RFC 9207).");
    Ok(consented)
}
