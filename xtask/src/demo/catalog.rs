//! `examples/catalog` for a cluster: a copy of its manifests with the two values that everybody fills in for themselves, the
//! issuer and the image.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};

use crate::workspace;

/// Where the example puts itself.
pub(super) const NAMESPACE: &str = "shop";
/// The example's `MCPServer`.
pub(super) const SERVER: &str = "catalog";
/// The host under which it is served.
pub(super) const HOST: &str = "catalog-tollward.shop.svc";
/// Its public URL.
pub(super) const URL: &str = "https://catalog-tollward.shop.svc/mcp";
/// The port of the MCP server itself.
pub(super) const PORT: u16 = 3000;

/// What the example says where everybody has another value.
const ISSUER: &str = "https://idp.example.com";
const IMAGE: &str = concat!("ghcr.io/tollward/catalog:", env!("CARGO_PKG_VERSION"));

/// Writes the manifests; returns their folder.
pub(super) fn write(issuer: &str, image: &str) -> Result<PathBuf> {
    let from = workspace::root()?.join("examples/catalog");
    let to = workspace::scratch()?.join("demo/catalog");
    // Of an earlier run, perhaps with changes.
    let _ = fs::remove_dir_all(&to);
    fs::create_dir_all(&to).with_context(|| format!("cannot create {}", to.display()))?;
    for (file, old, new) in
        [("identityprovider.yaml", ISSUER, issuer), ("mcpserver.yaml", IMAGE, image), ("ratelimitpolicy.yaml", "", "")]
    {
        let text = read(&from.join(file))?;
        let text = if old.is_empty() { text } else { replaced(&text, old, new).with_context(|| file.to_owned())? };
        fs::write(to.join(file), text).with_context(|| format!("cannot write {}", to.join(file).display()))?;
    }
    Ok(to)
}

fn read(path: &Path) -> Result<String> {
    fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))
}

/// The text with the one place changed.
fn replaced(text: &str, old: &str, new: &str) -> Result<String> {
    if text.matches(old).count() != 1 {
        bail!("the example should name `{old}` exactly once");
    }
    Ok(text.replace(old, new))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_names_what_is_filled_in_exactly_once() {
        let folder = workspace::root().expect("a root").join("examples/catalog");
        for (file, old) in [("identityprovider.yaml", ISSUER), ("mcpserver.yaml", IMAGE)] {
            let text = read(&folder.join(file)).expect("a manifest");
            assert!(replaced(&text, old, "new").expect("once").contains("new"), "{file}");
        }
        assert!(replaced("a a", "a", "b").is_err());
    }
}
