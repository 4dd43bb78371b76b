//! The socket at which questions are answered: few at a time, bounded in size and time, so that whoever asks costs callers
//! nothing, and only for the process's own user.

use super::answer::answer;
use crate::state::State;
use std::fs::{Permissions, remove_file, set_permissions, symlink_metadata};
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{UnixListener, UnixStream};
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tollward_policy::inquiry::{Inquiry, MAX_ANSWER, MAX_QUESTION};

/// How long one question may take, from connecting to the last byte of its answer.
const PATIENCE: Duration = Duration::from_secs(5);
/// Most questions at once: so somebody who says nothing keeps nobody else waiting.
const AT_ONCE: usize = 4;

/// An open socket.
#[derive(Debug)]
pub struct Door {
    listener: UnixListener,
    path: PathBuf,
    /// Whom it answers: the user of this process.
    user: u32,
}

impl Door {
    /// Makes the socket. One that an earlier process left is replaced; anything else that is there, a link too, is an error.
    pub fn open(path: &Path) -> std::io::Result<Self> {
        if symlink_metadata(path).is_ok_and(|found| found.file_type().is_socket()) {
            remove_file(path)?;
        }
        let listener = UnixListener::bind(path)?;
        // The folder keeps others out; this does if somebody chose another one.
        set_permissions(path, Permissions::from_mode(0o600))?;
        let user = symlink_metadata(path)?.uid();
        Ok(Self { listener, path: path.to_owned(), user })
    }

    pub(crate) async fn serve(self, state: Arc<State>, ending: CancellationToken) {
        let mut talks = JoinSet::new();
        loop {
            tokio::select! {
                () = ending.cancelled() => break,
                Some(_) = talks.join_next() => {}
                accepted = self.listener.accept(), if talks.len() < AT_ONCE => match accepted {
                    Ok((stream, _)) if self.knows(&stream) => {
                        let state = Arc::clone(&state);
                        // Who leaves early or says nothing is no trouble of ours.
                        talks.spawn(async move { timeout(PATIENCE, talk(stream, &state)).await });
                    }
                    Ok(_) => tracing::warn!("a question about limits came from another user, and was not read"),
                    Err(error) => {
                        tracing::warn!(%error, "a question about limits could not be taken");
                        tokio::time::sleep(Duration::from_millis(100)).await;
                    }
                },
            }
        }
        let _ = remove_file(&self.path);
    }

    /// Whether this process's own user asks, or root, whom nothing could be kept from.
    fn knows(&self, stream: &UnixStream) -> bool {
        stream.peer_cred().is_ok_and(|peer| peer.uid() == self.user || peer.uid() == 0)
    }
}

async fn talk(mut stream: UnixStream, state: &State) -> std::io::Result<()> {
    let mut question = Vec::new();
    let most = u64::try_from(MAX_QUESTION).unwrap_or(u64::MAX);
    (&mut stream).take(most.saturating_add(1)).read_to_end(&mut question).await?;
    let reply = match reply(&question, state).await {
        Ok(reply) => reply,
        Err(why) => serde_json::json!({"error": why}).to_string().into_bytes(),
    };
    stream.write_all(&reply).await?;
    stream.shutdown().await
}

async fn reply(question: &[u8], state: &State) -> Result<Vec<u8>, String> {
    if question.len() > MAX_QUESTION {
        return Err(format!("a question has at most {MAX_QUESTION} bytes"));
    }
    let inquiry: Inquiry =
        serde_json::from_slice(question).map_err(|error| format!("the question can't be read: {error}"))?;
    let answer = answer(&state.last_good(), &inquiry).await.map_err(|error| error.to_string())?;
    let reply = serde_json::to_vec(&answer).map_err(|error| error.to_string())?;
    if reply.len() > MAX_ANSWER { Err("the answer is too long: ask about single names".to_owned()) } else { Ok(reply) }
}
