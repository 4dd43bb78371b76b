//! The broker through its router, as clients, browsers and attackers meet it. Letters and numbers in the tests' docs
//! are attack cases of the threat model's group C.

mod codes;
mod consent;
mod flow;
mod harness;
mod refresh;
mod registration;
mod requests;
