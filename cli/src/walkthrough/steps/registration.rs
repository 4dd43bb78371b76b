//! Step 3: a client that nobody set up beforehand registers itself (RFC 7591).

use crate::walkthrough::flow::Servers;
use crate::walkthrough::script::{CLIENT_NAME, REDIRECT};
use crate::walkthrough::walk::Walk;
use anyhow::Context as _;
use http::{Request, StatusCode};
use http_body_util::Full;
use serde_json::{Value, json};

pub(in crate::walkthrough) async fn play(walk: &Walk<'_>, servers: &Servers) -> anyhow::Result<String> {
    walk.show.step(3, "The client registers itself");
    walk.show.say("Nobody set this client up. It registers as a public client: it gets an id and no secret, so what protects its sign-ins is PKCE and its redirect address.");
    let metadata = json!({
        "client_name": CLIENT_NAME,
        "redirect_uris": [REDIRECT],
        "grant_types": ["authorization_code"],
        "response_types": ["code"],
        "token_endpoint_auth_method": "none",
        "application_type": "native",
    });
    let request = Request::post(&servers.registration)
        .header("content-type", "application/json")
        .body(Full::from(metadata.to_string()));
    let answer = walk.client.send(request.context("the registration can't be sent")?).await?;
    walk.show
        .sent(&format!("POST {}", servers.registration), &[("client_name", CLIENT_NAME), ("redirect_uris", REDIRECT)]);
    walk.show.answered(&answer, &[]);
    let answer = answer.expect(StatusCode::CREATED)?;
    let registered = answer.json()?;
    let client_id = registered.get("client_id").and_then(Value::as_str).context("the answer has no client_id")?;
    walk.show.pair("client_id", client_id);
    anyhow::ensure!(registered.get("client_secret").is_none(), "a public client should get no secret");
    walk.show.checked("Registered. The id proves nothing by itself: each user still decides what this client may do.");
    Ok(client_id.to_owned())
}
