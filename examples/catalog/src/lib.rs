//! An online shop's catalog with a cart, as an MCP server.
//!
//! It owns a shop and its MCP surface, and nothing else: no tokens, no limits, no roles. That is the point of the
//! example: what a tool team writes is this crate, and Tollward adds the rest from outside.
//!
//! Read it in this order: [`shop`] holds the goods, the cart and the rules of buying; [`server`] offers them as MCP
//! tools, resources and a prompt; [`http`] puts the server on a socket for both protocol eras.

pub mod http;
pub mod server;
pub mod settings;
pub mod shop;
