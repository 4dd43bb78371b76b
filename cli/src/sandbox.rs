//! What an MCP server on this machine may touch. [`rules`] says it, [`enforce`] makes the kernel hold it.
//!
//! `tollward dev` does not restrict itself: it starts itself once more (`tollward sandboxed`, hidden), which gives up its
//! rights for good and then becomes the server, so that not one instruction of the server runs with more.

mod enforce;
mod rules;

pub(crate) use enforce::{become_command, unsupported};
pub(crate) use rules::{Allowed, Sandbox, Surroundings, program};
