//! The stage as a whole, against an issuer that lives in the test: its keys are made here, its network is a table.
//!
//! Names in tables (`J01`, `K03`) are those of the attack checklist that the cases come from.

mod answers;
mod binding;
mod claims;
mod denied;
mod forms;
mod issuer;
mod keys;
mod mutations;
mod proofs;
mod questions;
mod refreshing;
mod remembering;
mod sender;
mod transport;
mod vectors;
mod world;
