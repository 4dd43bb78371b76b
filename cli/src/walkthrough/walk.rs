//! What all steps share.

use super::client::{Answer, Client};
use super::mcp::Message;
use super::scene::Scene;
use super::show::Show;
use super::token::Token;
use crate::screen::Screen;
use std::sync::atomic::{AtomicU64, Ordering};

/// The client, the scene and the stage.
pub(super) struct Walk<'a> {
    /// What is known beforehand.
    pub(super) scene: Scene,
    /// Sends.
    pub(super) client: Client,
    /// Prints.
    pub(super) show: Show<'a>,
    next_id: AtomicU64,
}

impl<'a> Walk<'a> {
    /// Nothing was sent yet.
    pub(super) fn new(scene: Scene, client: Client, screen: &'a Screen) -> Self {
        Self { scene, client, show: Show::new(screen), next_id: AtomicU64::new(1) }
    }

    /// Sends a message to the MCP endpoint.
    pub(super) async fn call(&self, message: &Message<'_>, token: Option<&Token>) -> anyhow::Result<Answer> {
        self.call_at(self.scene.endpoint(), message, token).await
    }

    /// Sends a message past Tollward, as only somebody within the server's pod could.
    pub(super) async fn call_behind(&self, message: &Message<'_>) -> anyhow::Result<Answer> {
        self.call_at(&self.scene.behind, message, None).await
    }

    async fn call_at(&self, url: &str, message: &Message<'_>, token: Option<&Token>) -> anyhow::Result<Answer> {
        let id = self.next_id.fetch_add(1, Ordering::Relaxed);
        self.client.send(message.request(url, token, id)?).await
    }

    /// The first line of a message's request, as it is shown.
    pub(super) fn line(&self, message: &Message<'_>) -> String {
        let path = url::Url::parse(self.scene.endpoint()).map_or_else(|_| String::new(), |url| url.path().to_owned());
        format!("POST {path}  {}", message.words())
    }

    /// Shows a message that was sent with or without a token.
    pub(super) fn show_sent(&self, message: &Message<'_>, token: Option<&Token>) {
        let line = self.line(message);
        match token {
            Some(token) => self.show.sent(&line, &[("Authorization", &token.authorization())]),
            None => self.show.sent(&line, &[]),
        }
    }
}
