//! Identities as the `assume` stage asks for them, with a token endpoint and a time of the test's making.

mod assertions;
mod credentials;
mod exchanges;
mod world;
