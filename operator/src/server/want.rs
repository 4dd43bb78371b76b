//! What should exist because of a server that makes sense, keys included. Pure but for making keys when they are needed.

use super::keys::{self, Keys};
use crate::authority::CertificateError;
use crate::context::Context;
use crate::judge::Judged;
use tollward_desired::{Children, Configuration, Desired, Finding, Validated, desired};

/// What should exist.
pub(super) struct Wanted {
    pub(super) server: Validated,
    pub(super) children: Children,
    pub(super) configuration: Configuration,
    pub(super) keys: Keys,
}

/// Why nothing can be wanted.
pub(super) enum WantError {
    Findings(Vec<Finding>),
    Keys(CertificateError),
}

/// The configuration in force is kept as long as it says the same; a changed one has the next generation.
pub(super) fn want(judged: Judged, context: &Context) -> Result<Wanted, WantError> {
    let Judged { validated, next, in_force } = judged;
    let same = desired(&validated).map_err(WantError::Findings)?;
    let kept = in_force.is_none_or(|digest| digest == same.configuration.digest());
    let (server, wanted) = if kept {
        (validated, same)
    } else {
        let changed = desired(&next).map_err(WantError::Findings)?;
        (next, changed)
    };
    let Desired { mut children, configuration } = wanted;
    let uid = server.identity().uid().to_owned();
    let epoch = context.authority.epoch(&uid, context.clock.now());
    let keys = keys::name(&mut children, &uid, epoch, &context.authority).map_err(WantError::Keys)?;
    Ok(Wanted { server, children, configuration, keys })
}
