//! A whole installation on a real Kubernetes node: chart, operator and sidecars from their images, and tenants beside each
//! other in namespaces of their own.
//!
//! Flow: [`installation()`] installs once for the process, [`Tenant::new`] makes a namespace for one test, and [`Door`] is
//! how clients reach an endpoint. Run the tests that use it by `cargo xtask test --suite e2e`, or by
//! `cargo xtask cluster run -- TEST-EXECUTABLE` on a cluster that is up.
//!
//! Assumptions: this process is in the node's network, or in a pod of the cluster (with `--context`), so it reaches pods and
//! Services and is reached by pods; it is the cluster's administrator; and the images are those of `cargo xtask image`.

mod command_line;
mod door;
mod installation;
mod inventory;
mod manifests;
mod pods;
mod programs;
mod store;
mod tenant;

pub use command_line::{Typed, tollward};
pub use door::{Door, bearing, tool};
pub use installation::{Installation, NAMESPACE, OPERATOR, installation};
pub use inventory::{Object, inventory};
pub use manifests::{Manifests, SERVER};
pub use pods::{Knock, crash, knock_from, lives, pod_address, ready_pods};
pub use programs::{kubectl, kubectl_as, tell};
pub use store::{STORE, store, store_url};
pub use tenant::{Tenant, condition, digests, holds};

use std::time::Duration;

/// Time after which something that should happen in a cluster is said not to. Far above what it takes, for loaded machines.
pub const LIMIT: Duration = Duration::from_mins(2);
