//! Step 14, where the policy can be edited while it is in force: how long until a change is enforced.

use crate::screen::causes;
use crate::walkthrough::cast::FAVOURED;
use crate::walkthrough::flow::{Ask, Servers, sign_in};
use crate::walkthrough::mcp::Message;
use crate::walkthrough::scene::Edit;
use crate::walkthrough::script::READ;
use crate::walkthrough::token::Token;
use crate::walkthrough::walk::Walk;
use anyhow::{Context as _, ensure};
use http::StatusCode;
use serde_json::{Value, json};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Most time until a change is enforced. It takes some seconds.
const LIMIT: Duration = Duration::from_mins(1);
/// Between two calls: what the figure is exact to.
const PERIOD: Duration = Duration::from_millis(100);

pub(in crate::walkthrough) async fn play(
    walk: &Walk<'_>,
    servers: &Servers,
    client_id: &str,
    writer: &Token,
    sku: &str,
) -> anyhow::Result<()> {
    let Some(edit) = &walk.scene.edit else { return Ok(()) };
    walk.show.step(14, "The policy is edited");
    walk.show.say(&format!("The platform team denies `{READ}` while {FAVOURED} goes on calling it."));
    let ask = Ask { client_id, resource: walk.scene.endpoint(), scopes: &writer.scopes() };
    let token = sign_in(walk, servers, ask, FAVOURED).await?;
    let message = Message::call(READ, &json!({ "sku": sku }));
    walk.call(&message, Some(&token)).await?.expect(StatusCode::OK).context("before the edit")?;

    let started = Instant::now();
    run(edit.clone()).await?;
    walk.show.sent(&edit.0.join(" "), &[]);
    let mut allowed = 0;
    let refused = loop {
        let answer = walk.call(&message, Some(&token)).await?;
        if answer.status != StatusCode::OK {
            break answer;
        }
        allowed += 1;
        ensure!(started.elapsed() < LIMIT, "the edit is not enforced after {} s", LIMIT.as_secs());
        tokio::time::sleep(PERIOD).await;
    };
    let elapsed = started.elapsed();
    walk.show_sent(&message, Some(&token));
    walk.show.answered(&refused, &[]);
    let json = refused.expect(StatusCode::FORBIDDEN)?.json()?;
    let reason = json.pointer("/error/data/reason").and_then(Value::as_str).unwrap_or_default();
    walk.show.pair("reason", reason);
    ensure!(reason == "rule_denied", "the reason should be `rule_denied`, and is `{reason}`");
    walk.show.checked(&format!(
        "Enforced {:.1} s after the edit was sent: {allowed} calls before were let through, none was lost.",
        elapsed.as_secs_f64()
    ));
    Ok(())
}

/// Runs the command to its end, beside the client's connections.
async fn run(Edit(command): Edit) -> anyhow::Result<()> {
    let ended = tokio::task::spawn_blocking(move || {
        let (program, arguments) = command.split_first().context("the command that edits the policy is empty")?;
        let output = Command::new(program).args(arguments).stdin(Stdio::null()).output();
        let output = output.with_context(|| format!("`{program}` does not start"))?;
        let complaint = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        ensure!(output.status.success(), "`{program}` ended with {}: {complaint}", output.status);
        Ok(())
    });
    ended.await.map_err(|error| anyhow::anyhow!("the edit was cut off: {}", causes(&error.into())))?
}
