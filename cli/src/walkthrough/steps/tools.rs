//! Step 6: a list shows what the caller may use, and nothing of the rest.

use crate::walkthrough::client::Answer;
use crate::walkthrough::mcp::Message;
use crate::walkthrough::script::READ;
use crate::walkthrough::token::Token;
use crate::walkthrough::walk::Walk;
use anyhow::{Context as _, ensure};
use http::StatusCode;
use serde_json::Value;
use tollward_policy::rules::Verdict;

pub(in crate::walkthrough) async fn play(walk: &Walk<'_>, reader: &Token) -> anyhow::Result<()> {
    walk.show.step(6, "Which tools are there?");
    let message = Message::list();
    let answer = walk.call(&message, Some(reader)).await?;
    walk.show_sent(&message, Some(reader));
    walk.show.answered(&answer, &[]);
    let shown = names(&answer.expect(StatusCode::OK)?)?;
    let all = names(&walk.call_behind(&message).await?.expect(StatusCode::OK)?).context("asked behind Tollward")?;
    walk.show.say(&format!("The server has {} tools; this token is shown {}:", all.len(), shown.len()));
    for tool in &all {
        let verdict = walk.scene.verdict(tool, reader)?;
        let expected = matches!(verdict, Verdict::Allow(_) | Verdict::StepUp(..));
        let is = if shown.contains(tool) { "shown " } else { "hidden" };
        walk.show.row(&format!("  {is}  {tool:<18} {}", why(&verdict)));
        ensure!(expected == shown.contains(tool), "the rules say otherwise about `{tool}`: {}", why(&verdict));
    }
    ensure!(
        shown.iter().any(|tool| tool == READ),
        "the list lacks `{READ}`; the walk-through is written for the example server"
    );
    let invented = shown.iter().find(|tool| !all.contains(tool));
    ensure!(invented.is_none(), "the list shows a tool that the server does not have");
    walk.show.checked("The list was cut to what the rules in the MCPServer say. A model can't be tempted by a tool it never hears of.");
    Ok(())
}

fn names(answer: &Answer) -> anyhow::Result<Vec<String>> {
    let message = answer.json()?;
    let tools = message.pointer("/result/tools").and_then(Value::as_array).context("the answer is no list of tools")?;
    Ok(tools.iter().filter_map(|tool| tool.get("name").and_then(Value::as_str)).map(str::to_owned).collect())
}

fn why(verdict: &Verdict) -> String {
    match verdict {
        Verdict::Allow(Some(rule)) => format!("allowed by rule `{rule}`"),
        Verdict::Allow(None) => "always allowed".to_owned(),
        Verdict::StepUp(rule, _) => format!("more scopes would do, by rule `{rule}`"),
        Verdict::Hide(rule) => format!("rule `{rule}` hides it without its scopes"),
        Verdict::Deny(rule) => format!("rule `{rule}` denies it"),
        Verdict::Condition(rule, _) => format!("the condition of rule `{rule}` does not hold"),
        Verdict::NoRule => "no rule allows it, so it is denied".to_owned(),
    }
}
