//! The socket at which questions are answered: one at a time, bounded in size and time, so that whoever asks costs callers nothing.

use super::answer::answer;
use crate::state::State;
use std::fs::{Permissions, remove_file, set_permissions, symlink_metadata};
use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{UnixListener, UnixStream};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tollward_policy::inquiry::{Inquiry, MAX_QUESTION};

/// How long one question may take, from connecting to the last byte of its answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// An open socket.
#[derive(Debug)]
pub struct Door {
    listener: UnixListener,
    path: PathBuf,
}

impl Door {
    /// Makes the socket. One that an earlier process left is replaced; anything else that is there is an error.
    pub fn open(path: &Path) -> std::io::Result<Self> {
        if symlink_metadata(path).is_ok_and(|found| found.file_type().is_socket()) {
            remove_file(path)?;
        }
        let listener = UnixListener::bind(path)?;
        // The folder keeps others out; this does if somebody chose another one.
        set_permissions(path, Permissions::from_mode(0o600))?;
        Ok(Self { listener, path: path.to_owned() })
    }

    pub(crate) async fn serve(self, state: Arc<State>, ending: CancellationToken) {
        loop {
            let accepted = tokio::select! {
                () = ending.cancelled() => break,
                accepted = self.listener.accept() => accepted,
            };
            match accepted {
                Ok((stream, _)) => {
                    // Who leaves early or says nothing is no trouble of ours.
                    let _ = timeout(PATIENCE, talk(stream, &state)).await;
                }
                Err(error) => {
                    tracing::warn!(%error, "a question about limits could not be taken");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            }
        }
        let _ = remove_file(&self.path);
    }
}

async fn talk(mut stream: UnixStream, state: &State) -> std::io::Result<()> {
    let mut question = Vec::new();
    let most = u64::try_from(MAX_QUESTION).unwrap_or(u64::MAX);
    (&mut stream).take(most.saturating_add(1)).read_to_end(&mut question).await?;
    let reply = if question.len() > MAX_QUESTION {
        refusal(&format!("a question has at most {MAX_QUESTION} bytes"))
    } else {
        match serde_json::from_slice::<Inquiry>(&question) {
            Ok(inquiry) => serde_json::to_vec(&answer(&state.last_good(), &inquiry)).unwrap_or_default(),
            Err(error) => refusal(&format!("the question can't be read: {error}")),
        }
    };
    stream.write_all(&reply).await?;
    stream.shutdown().await
}

fn refusal(why: &str) -> Vec<u8> {
    serde_json::json!({"error": why}).to_string().into_bytes()
}
