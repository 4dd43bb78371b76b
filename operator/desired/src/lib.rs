//! From resources to what should exist because of them: pure, without client, clock or randomness.
//!
//! The pipeline is `Inputs -> validate -> Validated -> desired -> Desired`. A stage's output has private fields and is the
//! only input of the next, so that nothing is made of a specification that was not judged as a whole. `tollward dev` and
//! `tollward render` take the same way and stop at the configuration.
//!
//! - [`manifests`]: files into resources, strictly.
//! - [`inputs`], [`install`]: what a server's desired state depends on.
//! - [`validate()`]: every reason why not, as [`Finding`]s that become conditions.
//! - [`advice()`]: what is valid and worth a second thought.
//! - [`configuration`]: the `SidecarConfig`, its bytes and digest.
//! - [`desired`]: the Kubernetes objects.
//! - [`denied`]: revocations for a server whose newer specification is refused.

mod advice;
pub mod children;
pub mod configuration;
mod denied;
pub mod finding;
mod identity;
pub mod inputs;
pub mod install;
mod issuers;
pub mod local;
pub mod manifests;
pub mod names;
mod provider_key;
mod public_url;
pub mod validate;

pub use advice::advice;
pub use children::{Children, Desired, KeyEntry, KeysSecret, desired};
pub use configuration::{Configuration, Place, compile_config, configuration};
pub use denied::{Denied, DeniedProvider, denied};
pub use finding::{Finding, Subject};
pub use inputs::{Inputs, Sibling};
pub use install::InstallSettings;
pub use issuers::issuers_of;
pub use local::{LocalPlace, serve_at};
pub use provider_key::resource_of;
pub use validate::{Validated, algorithms, claim_names, compiled_name, validate};
