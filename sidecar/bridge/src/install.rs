//! Copies this very program into a folder, for a container that does not have it.

use anyhow::Context as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

/// Name of the copy.
const NAME: &str = "tollward-bridge";

/// Copies under another name first: a container that starts again must not run half a program.
pub(crate) fn install(folder: &Path) -> anyhow::Result<()> {
    let own = std::env::current_exe().context("where this program is can't be found out")?;
    let (whole, part) = (folder.join(NAME), folder.join(format!(".{NAME}.part")));
    let copied = std::fs::copy(&own, &part)
        .and_then(|_| std::fs::set_permissions(&part, std::fs::Permissions::from_mode(0o555)))
        .and_then(|()| std::fs::rename(&part, &whole));
    copied.with_context(|| format!("{} can't be copied to {}", own.display(), whole.display()))
}
