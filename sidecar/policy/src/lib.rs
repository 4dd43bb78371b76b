//! The language in which the control plane tells the data plane what to enforce, and the decisions made in it.
//!
//! This crate is pure: it takes values and returns values. It knows no socket, no clock and no Kubernetes, so that the
//! operator, the sidecar, the broker and the command line all judge a configuration, a scope or a call by the same code.
//!
//! - [`config`]: `SidecarConfig`, the one file between operator and sidecar, and [`config::load`], which refuses whatever
//!   it does not understand.
//! - [`scope`], [`pattern`], [`operation`], [`principal`]: the nouns.
//! - [`clients`]: which OAuth clients may call; [`rules`]: who may do what, with [`condition`]s on the caller and the arguments; [`limits`]: how often; [`deny`]: whose
//!   tokens are refused although they verify.
//! - [`egress`]: where an MCP server itself may connect to.
//! - [`well_known`]: where issuers tell about themselves.
//! - [`report`]: what a data-plane process tells the operator.
//! - [`reason`]: the closed list of reasons for a refusal, used in answers, audit records, metrics and conditions.

pub mod clients;
pub mod condition;
pub mod config;
pub mod deny;
pub mod digest;
pub mod egress;
pub mod endpoint;
pub mod inquiry;
pub mod limits;
pub mod operation;
pub mod pattern;
pub mod principal;
pub mod reason;
pub mod report;
pub mod rules;
pub mod scope;
pub mod well_known;
