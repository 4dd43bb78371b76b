//! The guard from outside, against real servers on loopback: group F of the attack catalogue (server-side request
//! forgery), and what a hostile server may answer.

#[cfg(test)]
mod answers;
#[cfg(test)]
mod group_f;
#[cfg(test)]
mod support;
#[cfg(test)]
mod tls;
