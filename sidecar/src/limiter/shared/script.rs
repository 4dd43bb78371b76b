//! The scripts, as commands. One charges all limits of a call in one round trip, one gives a charge back, and one only looks.
//!
//! They are called by their digests. A store that does not know one yet, or was told to forget it, is given the whole text
//! once by the call that finds out.

use super::amount::Amount;
use super::key::CountName;
use redis::{Cmd, ErrorKind, RedisError, Script, ServerErrorKind, Value, aio::MultiplexedConnection};
use std::sync::LazyLock;

/// Charges every count or none.
static CHARGE: LazyLock<Named> = LazyLock::new(|| Named::new(include_str!("charge.lua")));
/// Gives back.
static REFUND: LazyLock<Named> = LazyLock::new(|| Named::new(include_str!("refund.lua")));
/// Looks.
static LOOK: LazyLock<Named> = LazyLock::new(|| Named::new(include_str!("look.lua")));

/// What is asked of a store: names of counts, and what is to be done to each.
#[derive(Debug, Clone)]
pub(super) struct Question {
    pub(super) counts: Vec<(CountName, Amount)>,
}

struct Named {
    text: &'static str,
    digest: String,
}

impl Named {
    fn new(text: &'static str) -> Self {
        Self { text, digest: Script::new(text).get_hash().to_owned() }
    }

    fn command(&self, verb: &'static str, question: &Question, numbers: &[u64]) -> Cmd {
        let mut command = redis::cmd(verb);
        command.arg(if verb == EVAL { self.text } else { &self.digest }).arg(question.counts.len());
        for (name, _) in &question.counts {
            command.arg(&name.text);
        }
        command.arg(numbers);
        command
    }
}

/// By its whole text.
const EVAL: &str = "EVAL";
/// By its digest.
const EVALSHA: &str = "EVALSHA";

/// Charges every count of the question, or none.
pub(super) async fn charge(connection: &mut MultiplexedConnection, question: &Question) -> Result<Value, RedisError> {
    let numbers: Vec<_> = question.counts.iter().flat_map(|(_, amount)| [amount.increment, amount.tolerance]).collect();
    run(connection, &CHARGE, question, &numbers).await
}

/// Gives back what a charge took of each count, which is paid back at that time by the store's clock.
pub(super) async fn refund(
    connection: &mut MultiplexedConnection,
    question: &Question,
    paid: &[u64],
) -> Result<Value, RedisError> {
    let numbers: Vec<_> =
        question.counts.iter().zip(paid).flat_map(|((_, amount), paid)| [amount.increment, *paid]).collect();
    run(connection, &REFUND, question, &numbers).await
}

/// Says what is owed to every count of the question. Takes no right that charging does not take.
pub(super) async fn look(connection: &mut MultiplexedConnection, question: &Question) -> Result<Value, RedisError> {
    let numbers: Vec<_> = question.counts.iter().map(|(_, amount)| amount.tolerance).collect();
    run(connection, &LOOK, question, &numbers).await
}

async fn run(
    connection: &mut MultiplexedConnection,
    script: &Named,
    question: &Question,
    numbers: &[u64],
) -> Result<Value, RedisError> {
    match send(connection, &script.command(EVALSHA, question, numbers)).await {
        Err(error) if error.kind() == ErrorKind::Server(ServerErrorKind::NoScript) => {
            send(connection, &script.command(EVAL, question, numbers)).await
        }
        answered => answered,
    }
}

/// An error that the store answers with is a value to the library, and an error here.
async fn send(connection: &mut MultiplexedConnection, command: &Cmd) -> Result<Value, RedisError> {
    connection.send_packed_command(command).await?.extract_error()
}
