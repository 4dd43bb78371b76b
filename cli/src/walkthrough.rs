//! The walk-through: an MCP client that plays against a running data plane, shows each exchange in short, and checks that
//! every answer is as described. It is written for the example server, examples/catalog. `dev --walkthrough` plays it on
//! this machine, and [`visit`](crate::visit) against a cluster.
//!
//! Flow: [`play`] reads as the story; each file in `steps/` is a step, whose result is what the next one needs.
//! [`walk`] is what all steps share: [`client`] sends, [`show`] prints, [`scene`] is what they know beforehand.
//!
//! No token, code or verifier is printed; a step that finds anything unexpected ends the walk-through as failed.

mod browser;
mod cast;
mod challenge;
mod client;
mod consent;
mod flow;
mod ledger;
mod mcp;
mod passage;
mod pkce;
mod scene;
mod script;
mod show;
mod steps;
mod token;
mod walk;

pub(crate) use cast::Cast;
#[cfg(test)]
pub(crate) use client::Answer;
pub(crate) use client::Client;
pub(crate) use ledger::Ledger;
pub(crate) use passage::Passage;
pub(crate) use scene::{Edit, Scene};

use crate::screen::Screen;
use walk::Walk;

/// Plays it. `true` if every answer was as described.
pub(crate) async fn play(scene: Scene, client: Client, screen: &Screen) -> anyhow::Result<bool> {
    let walk = Walk::new(scene, client, screen);
    walk.show.introduce(&walk.scene);
    match story(&walk).await {
        Ok(()) => {
            walk.show.finish(steps::COUNT + usize::from(walk.scene.edit.is_some()));
            Ok(true)
        }
        Err(error) => {
            walk.show.failed(&error);
            Ok(false)
        }
    }
}

async fn story(walk: &Walk<'_>) -> anyhow::Result<()> {
    let challenge = steps::no_token::play(walk).await?;
    let servers = steps::discovery::play(walk, &challenge).await?;
    let client_id = steps::registration::play(walk, &servers).await?;
    let consented = steps::sign_in::play(walk, &servers, &client_id, &challenge).await?;
    let reader = steps::token::play(walk, &servers, consented).await?;
    steps::tools::play(walk, &reader).await?;
    let product = steps::read::play(walk, &reader).await?;
    let wanted = steps::refused_write::play(walk, &reader, &product).await?;
    let writer = steps::step_up::play(walk, &servers, &client_id, &reader, &wanted).await?;
    steps::write::play(walk, &writer, &product).await?;
    steps::limits::play(walk, &servers, &client_id, &writer).await?;
    steps::bad_tokens::play(walk, &servers, &client_id, &writer).await?;
    steps::audit::play(walk).await?;
    steps::edit::play(walk, &servers, &client_id, &writer, &product).await
}
