//! The control plane: from custom resources to what runs, and back to their status.
//!
//! # Flow
//! [`cache`] watches -> [`trigger`] queues -> [`controllers`] call [`server`], [`policy`] and [`provider`], each of which reads
//! caches, decides purely (`judge`, `tollward-desired`), writes what differs and concludes with a status.
//!
//! # Guarantees
//! - Secrets are made and deleted, never read, but for the operator's own root keys ([`authority`]).
//! - An unchanged world costs no request of the API server.
//! - What can't be understood is refused in a status, and what runs keeps running.
//!
//! [`run`] puts it together; [`command`] is the command line.

pub mod authority;
pub mod backoff;
pub mod cache;
pub mod child;
pub mod clock;
pub mod command;
pub mod condition;
pub mod context;
pub mod controllers;
pub mod discovery;
pub mod events;
pub mod install;
mod judge;
pub mod leadership;
pub mod metrics;
pub mod observe;
pub mod policy;
pub mod provider;
pub mod report;
pub mod retiring;
pub mod run;
pub mod server;
pub mod sharing;
pub mod status;
pub mod subject;
pub mod trigger;
