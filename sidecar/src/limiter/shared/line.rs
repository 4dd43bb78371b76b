//! The line to one store: whether it is up, and since when. Calls read it, the keeper opens it, and whoever finds it broken says
//! so.

use super::breaker::TOLERATED;
use super::connect::Open;
use super::trouble::Trouble;
use crate::clock::Clock;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::watch;

/// Whether the store can be asked.
#[derive(Clone)]
pub(super) enum State {
    /// Soon, it is hoped: a connection is being opened after a start or a break.
    Opening(Option<Trouble>),
    /// Yes.
    Up(Arc<Open>),
    /// No.
    Down(Trouble),
}

/// How a store stands, for the report and the metrics.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreStatus {
    /// Whether it counts. One that was not tried yet does.
    pub up: bool,
    /// Since when, in seconds since the epoch.
    pub since: i64,
    /// Why it does not.
    pub error: Option<String>,
}

/// The line to one store.
pub(super) struct Line {
    /// For the log.
    name: String,
    state: watch::Sender<State>,
    status: Mutex<StoreStatus>,
    clock: Arc<dyn Clock>,
}

impl Line {
    pub(super) fn new(name: String, clock: Arc<dyn Clock>) -> Self {
        let status = StoreStatus { up: true, since: clock.unix_seconds(), error: None };
        Self { name, state: watch::Sender::new(State::Opening(None)), status: Mutex::new(status), clock }
    }

    /// The open connection, or why there is none. Waits while one is being opened.
    pub(super) async fn open(&self) -> Result<Arc<Open>, Trouble> {
        match &*self.state.borrow() {
            State::Up(open) => return Ok(Arc::clone(open)),
            State::Down(trouble) => return Err(trouble.clone()),
            State::Opening(_) => {}
        }
        let mut states = self.state.subscribe();
        let settled =
            states.wait_for(|state| !matches!(state, State::Opening(_))).await.map_err(|_| Trouble::Opening)?;
        match &*settled {
            State::Up(open) => Ok(Arc::clone(open)),
            State::Down(trouble) => Err(trouble.clone()),
            State::Opening(_) => Err(Trouble::Opening),
        }
    }

    /// The open connection, if there is one now.
    pub(super) fn open_now(&self) -> Option<Arc<Open>> {
        if let State::Up(open) = &*self.state.borrow() { Some(Arc::clone(open)) } else { None }
    }

    /// A call was answered by that connection.
    pub(super) fn answered(open: &Open) {
        if open.late.load(Ordering::Relaxed) != 0 {
            open.late.store(0, Ordering::Relaxed);
        }
    }

    /// A call was not answered well. What tells something about the store itself takes the line down, once for each connection.
    pub(super) fn failed(&self, open: &Open, trouble: &Trouble) {
        if trouble.is_of_one_call() {
            let late = matches!(trouble, Trouble::Late(_));
            if !late || open.late.fetch_add(1, Ordering::Relaxed) + 1 < TOLERATED {
                return;
            }
        }
        let next =
            if trouble.passes_soon() { State::Opening(Some(trouble.clone())) } else { State::Down(trouble.clone()) };
        let broke = self.state.send_if_modified(|state| {
            let ours = matches!(state, State::Up(current) if current.generation == open.generation);
            if ours {
                *state = next;
            }
            ours
        });
        if broke {
            self.note(Some(trouble));
        }
    }

    /// A connection was opened.
    pub(super) fn up(&self, open: Arc<Open>) {
        self.state.send_replace(State::Up(open));
        self.note(None);
    }

    /// None could be opened.
    pub(super) fn down(&self, trouble: &Trouble) {
        self.state.send_replace(State::Down(trouble.clone()));
        self.note(Some(trouble));
    }

    /// Waits until the line breaks; returns why.
    pub(super) async fn broken(&self) -> Trouble {
        let mut states = self.state.subscribe();
        match states.wait_for(|state| !matches!(state, State::Up(_))).await.as_deref() {
            Ok(State::Down(trouble) | State::Opening(Some(trouble))) => trouble.clone(),
            Ok(State::Up(_) | State::Opening(None)) | Err(_) => Trouble::Closed,
        }
    }

    pub(super) fn status(&self) -> StoreStatus {
        self.status.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Logged where it changes, and not at each trial.
    fn note(&self, trouble: Option<&Trouble>) {
        let now = self.clock.unix_seconds();
        let error = trouble.map(Trouble::public_message);
        let mut status = self.status.lock().unwrap_or_else(PoisonError::into_inner);
        let turned = status.up != error.is_none();
        let news = turned || status.error != error;
        let since = if turned { now } else { status.since };
        *status = StoreStatus { up: error.is_none(), since, error: error.clone() };
        drop(status);
        match trouble {
            Some(trouble) if news => {
                tracing::error!(store = %self.name, error = %trouble, "a store of limits does not count; policies say what becomes of calls meanwhile");
            }
            None if turned => tracing::info!(store = %self.name, "a store of limits counts again"),
            Some(_) | None => {}
        }
    }
}
