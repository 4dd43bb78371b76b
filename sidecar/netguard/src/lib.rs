//! The guard against server-side request forgery: every part of Tollward that dials out to an address it did not make
//! itself (identity provider discovery, key sets, client metadata documents, egress) dials through here.
//!
//! # Flow
//! `target` (one strict reading of the URL) -> `resolve` (one DNS lookup) -> `address` (what each answer is) -> `policy`
//! (whether the installer lets it be dialled) -> `dial` (connect to the address that was judged, TLS by name) -> `fetch`
//! (one bounded HTTP/1.1 exchange).
//!
//! # Guarantees
//! - The judgement is made at dial time, on the socket address that is then connected to. A name is resolved once per
//!   dial, so that an answer which changes in between (DNS rebinding) changes nothing.
//! - Every address of an answer is judged, and one denied address denies the name.
//! - Only public addresses are dialled, and only by https, unless an [`Allowance`] of the installer says otherwise. A form
//!   that embeds an IPv4 address in an IPv6 one, and a cloud's metadata service, are dialled under no allowance at all.
//! - Redirects are never followed, compressed bodies are refused, and time, header and body sizes are bounded in total.
//! - TLS can't be turned off or left unverified; the cryptography is chosen here and not by a process-wide default.
//! - Proxies named by environment variables are not used: they would dial in our place, unjudged.
//!
//! # Caveats
//! - It guards the code that calls it. Another container of the same pod shares the network and can dial by itself; a
//!   `NetworkPolicy` or the egress proxy holds that one.
//! - An operator's own NAT64 prefix (RFC 6052 §2.2) looks like any public IPv6 network. Name it in [`DialPolicy::deny`].
//! - On a network without IPv4, DNS64 answers with embedded forms, which are denied.
//! - Error texts for outsiders are all the same, but the time until the answer is not.
//!
//! # Example
//! ```no_run
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use std::{sync::Arc, time::Duration};
//! use tollward_netguard::{DialPolicy, Dialer, FetchLimits, Fetcher, SystemResolver, Target, TrustRoots};
//!
//! let resolver = Arc::new(SystemResolver::from_system()?);
//! let dialer = Dialer::new(DialPolicy::strict(), resolver, &TrustRoots::system(None)?);
//! let limits = FetchLimits {
//!     total: Duration::from_secs(10),
//!     connect: Duration::from_secs(3),
//!     max_body: 256 * 1024,
//! };
//! let target = Target::parse("https://login.example.com/.well-known/openid-configuration")?;
//! let document = Fetcher::new(dialer, limits).get(&target, "application/json").await?;
//! # Ok(())
//! # }
//! ```

mod address;
mod dial;
mod fetch;
mod policy;
mod resolve;
mod scheme;
mod target;
mod trust;

pub use address::{AddressClass, classify};
pub use dial::{Connection, DialError, Dialer};
pub use fetch::{BasicCredentials, FetchError, FetchLimits, Fetched, Fetcher};
pub use policy::{Allowance, Denied, DialPolicy};
pub use resolve::{Resolve, ResolveError, SystemResolver};
pub use scheme::Scheme;
pub use target::{Target, TargetError};
pub use trust::{TrustError, TrustRoots};
