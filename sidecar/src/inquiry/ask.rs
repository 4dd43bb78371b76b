//! Asking a process that runs on this machine, by its socket. The question comes on standard input: a command line is seen by whoever
//! lists processes, and by the audit log of a cluster that runs it.

use serde_json::Value;
use std::io::{BufRead, Read as _, Write as _};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tollward_policy::inquiry::{Inquiry, MAX_ANSWER, MAX_QUESTION};

/// How long one read or write may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum AskError {
    /// The question is none.
    #[error("the question can't be read: {0}")]
    Question(#[source] serde_json::Error),
    /// Nobody answers.
    #[error("no process answers at {path}: {source}; is it running, and are you its user?")]
    Silent {
        /// The socket.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// It did not like the question.
    #[error("the process refuses the question: {0}; is it of another version?")]
    Refused(String),
    /// It answers something else.
    #[error("the process answers with something that is no answer")]
    Nonsense,
}

/// Reads a question: one line, so that nobody has to close what it comes by. What is too long is cut, and no question.
pub fn read_question(input: impl BufRead) -> std::io::Result<String> {
    let mut question = String::new();
    input.take(u64::try_from(MAX_QUESTION).unwrap_or(u64::MAX)).read_line(&mut question)?;
    Ok(question)
}

/// Asks, and gives the answer as JSON. What is no question is not sent.
pub fn ask(socket: &Path, question: &str) -> Result<String, AskError> {
    let inquiry: Inquiry = serde_json::from_str(question).map_err(AskError::Question)?;
    let question = serde_json::to_vec(&inquiry).map_err(AskError::Question)?;
    let answer = talk(socket, &question).map_err(|source| AskError::Silent { path: socket.to_owned(), source })?;
    let read: Value = serde_json::from_slice(&answer).map_err(|_| AskError::Nonsense)?;
    match read.get("error").and_then(Value::as_str) {
        Some(error) => Err(AskError::Refused(error.to_owned())),
        None => Ok(read.to_string()),
    }
}

fn talk(socket: &Path, question: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut stream = UnixStream::connect(socket)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    stream.write_all(question)?;
    stream.shutdown(Shutdown::Write)?;
    let mut answer = Vec::new();
    stream.take(u64::try_from(MAX_ANSWER).unwrap_or(u64::MAX)).read_to_end(&mut answer)?;
    Ok(answer)
}
