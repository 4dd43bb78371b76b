//! What a layer holds, written as a tar file that depends on nothing but that: sorted, no times, no names of owners.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Write};
use std::path::PathBuf;

use anyhow::{Context as _, Result};
use tar::{Builder, EntryType, Header};

/// Files and folders by absolute path. Everything belongs to root, so that the program can't change it.
#[derive(Debug, Default)]
pub(super) struct Tree {
    nodes: BTreeMap<String, Node>,
}

#[derive(Debug)]
struct Node {
    mode: u32,
    content: Content,
}

#[derive(Debug)]
enum Content {
    Folder,
    Bytes(Vec<u8>),
    /// A file of the build machine.
    File(PathBuf),
}

impl Tree {
    /// A file with this content.
    pub(super) fn bytes(&mut self, path: &str, mode: u32, bytes: impl Into<Vec<u8>>) {
        self.insert(path, mode, Content::Bytes(bytes.into()));
    }

    /// A copy of a file of the build machine; what a link points to, not the link.
    pub(super) fn file(&mut self, path: &str, mode: u32, source: impl Into<PathBuf>) {
        self.insert(path, mode, Content::File(source.into()));
    }

    fn insert(&mut self, path: &str, mode: u32, content: Content) {
        for (end, _) in path.match_indices('/').filter(|(end, _)| *end > 0) {
            self.nodes
                .entry(path.get(..end).unwrap_or(path).to_owned())
                .or_insert(Node { mode: 0o755, content: Content::Folder });
        }
        self.nodes.insert(path.to_owned(), Node { mode, content });
    }

    /// Writes the tar file.
    pub(super) fn write(&self, sink: impl Write) -> Result<()> {
        let mut builder = Builder::new(sink);
        for (path, node) in &self.nodes {
            let name = path.trim_start_matches('/');
            append(&mut builder, name, node).with_context(|| format!("cannot add {path} to a layer"))?;
        }
        builder.finish().context("cannot finish a layer")
    }
}

fn append(builder: &mut Builder<impl Write>, name: &str, node: &Node) -> Result<()> {
    match &node.content {
        Content::Folder => {
            let mut header = header(EntryType::Directory, node.mode, 0);
            builder.append_data(&mut header, format!("{name}/"), io::empty())?;
        }
        Content::Bytes(bytes) => append_file(builder, name, node.mode, bytes)?,
        Content::File(source) => {
            let mut file = File::open(source).with_context(|| format!("cannot open {}", source.display()))?;
            let size = file.metadata()?.len();
            builder.append_data(&mut header(EntryType::Regular, node.mode, size), name, &mut file)?;
        }
    }
    Ok(())
}

/// Adds a file to any archive of an image.
pub(super) fn append_file(builder: &mut Builder<impl Write>, name: &str, mode: u32, bytes: &[u8]) -> Result<()> {
    let size = u64::try_from(bytes.len()).context("a file is too large")?;
    builder
        .append_data(&mut header(EntryType::Regular, mode, size), name, bytes)
        .with_context(|| format!("cannot write {name}"))
}

fn header(kind: EntryType, mode: u32, size: u64) -> Header {
    let mut header = Header::new_ustar();
    header.set_entry_type(kind);
    header.set_mode(mode);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    header.set_size(size);
    header
}
