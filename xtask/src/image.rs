//! `cargo xtask image`: the programs as container images, without a container engine and without a registry. An image is
//! an OCI archive of two layers: what any of our programs needs of a Linux system, and the program. The same sources
//! and the same build machine give the same bytes.

mod layout;
mod system;
mod tree;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

use crate::{oci, process, say, workspace};
use layout::Image;
use tree::Tree;

/// Arguments of `cargo xtask image`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  cargo xtask image                                 all images, for tests\n  \
                  cargo xtask image --release --out images          all images, for users\n  \
                  cargo xtask cluster import $(cargo xtask image catalog)\n\n\
                  `ctr images import`, `podman load --input` and `skopeo copy oci-archive:FILE` take the archives.")]
pub(crate) struct Args {
    /// Which images; all of them if none is named
    #[arg(value_name = "NAME")]
    names: Vec<String>,
    /// The folder to write to [default: xtask/images in cargo's build folder]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Build the programs as users get them: optimised, and without debug information
    #[arg(long)]
    release: bool,
    /// What the images' names start with
    #[arg(long, value_name = "PREFIX", default_value = REGISTRY)]
    registry: String,
    /// What the images' names end with
    #[arg(long, value_name = "TAG", default_value = TAG)]
    tag: String,
    /// Certificate authorities to trust, in PEM [default: Mozilla's, as the system's package has them]
    #[arg(long, value_name = "FILE")]
    certificates: Option<PathBuf>,
}

const REGISTRY: &str = "ghcr.io/tollward";
const TAG: &str = env!("CARGO_PKG_VERSION");
/// A build that takes longer hangs.
const LIMIT: Duration = Duration::from_hours(3);

/// One image: a program and who runs it.
#[derive(Debug)]
struct Recipe {
    /// Name of the image, the package and its program.
    name: &'static str,
    about: &'static str,
    /// Numeric, so that the kubelet can tell that it is not root.
    user: u32,
}

const RECIPES: &[Recipe] = &[
    Recipe {
        name: "tollward-sidecar",
        about: "Authorization, limits and audit in front of an MCP server",
        user: system::TOLLWARD,
    },
    Recipe {
        name: "tollward-operator",
        about: "Runs MCP servers on Kubernetes behind Tollward",
        user: system::TOLLWARD,
    },
    Recipe {
        name: "catalog",
        about: "An example MCP server: the catalog of an online shop",
        // Servers may not run as the sidecar's user.
        user: system::NONROOT,
    },
];

/// An image that was written.
#[derive(Debug, Clone)]
pub(crate) struct Made {
    pub(crate) name: String,
    /// Registry, name and tag.
    pub(crate) reference: String,
    /// The OCI archive.
    pub(crate) file: PathBuf,
}

/// Images, and programs that were built with them.
#[derive(Debug)]
pub(crate) struct Everything {
    pub(crate) images: Vec<Made>,
    pub(crate) programs: Vec<PathBuf>,
}

/// Builds the programs and prints the path of each image.
pub(crate) fn run(args: &Args) -> Result<()> {
    for image in write(args, &[])?.images {
        say::line(image.file.display());
    }
    Ok(())
}

/// Builds the programs and writes the images; further packages are built in the same call, so that all share what they
/// depend on.
fn write(args: &Args, further: &[&str]) -> Result<Everything> {
    let recipes = chosen(&args.names)?;
    let folder = match &args.out {
        Some(folder) => folder.clone(),
        None => workspace::scratch()?.join("images"),
    };
    fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
    let certificates = system::certificates(args.certificates.as_deref())?;
    let mut programs = build(&recipes, further, args.release)?;
    let further = programs.split_off(recipes.len());
    let mut images = Vec::new();
    for (recipe, program) in recipes.iter().zip(&programs) {
        let file = folder.join(format!("{}.tar", recipe.name));
        let reference = format!("{}/{}:{}", args.registry, recipe.name, args.tag);
        let layers = layers(recipe, program, &certificates)?;
        let digest = layout::write(&image(recipe, &reference, &args.tag, &layers)?, &file)?;
        say::note(format!("  {reference}@{digest}"));
        images.push(Made { name: recipe.name.to_owned(), reference, file });
    }
    Ok(Everything { images, programs: further })
}

/// Makes all images as the chart and the tests name them; returns their folder.
pub(crate) fn install() -> Result<PathBuf> {
    make(&[])?;
    Ok(workspace::scratch()?.join("images"))
}

/// Makes all images as the chart and the tests name them, and builds further packages in the same call.
pub(crate) fn make(further: &[&str]) -> Result<Everything> {
    let args = Args {
        names: Vec::new(),
        out: None,
        release: false,
        registry: REGISTRY.to_owned(),
        tag: TAG.to_owned(),
        certificates: None,
    };
    write(&args, further)
}

/// An image of files of this machine, for demonstrations and tests.
#[derive(Debug)]
pub(crate) struct Pack<'a> {
    pub(crate) name: &'a str,
    pub(crate) about: &'a str,
    /// Programs by their paths in the image; the libraries that they need come with them. The first is the entry point.
    pub(crate) programs: &'a [(&'a str, &'a Path)],
    /// Further files by their paths in the image, static programs among them.
    pub(crate) files: &'a [(String, PathBuf)],
    /// Where libraries are looked for first: a folder in which packages were unpacked, whose paths are those of the image.
    pub(crate) root: Option<&'a Path>,
}

/// Writes the image beside the others.
pub(crate) fn pack(pack: &Pack<'_>) -> Result<Made> {
    let mut libraries = Vec::new();
    let mut content = Tree::default();
    for (path, program) in pack.programs {
        for library in system::libraries(program, pack.root)? {
            match pack.root.and_then(|root| library.strip_prefix(root).ok()?.to_str()) {
                Some(own) => content.file(&format!("/{own}"), 0o755, &library),
                None => libraries.push(library),
            }
        }
        content.file(path, 0o755, *program);
    }
    libraries.sort();
    libraries.dedup();
    for (path, file) in pack.files {
        let mode = fs::metadata(file).with_context(|| format!("cannot read {}", file.display()))?.permissions().mode();
        content.file(path, if mode & 0o111 == 0 { 0o644 } else { 0o755 }, file);
    }
    let (entrypoint, _) = pack.programs.first().context("an image has a program")?;
    let layers = [system::tree(&libraries, &system::certificates(None)?)?, content];
    let reference = format!("{REGISTRY}/{}:{TAG}", pack.name);
    let image = Image {
        reference: &reference,
        title: pack.name,
        description: pack.about,
        version: TAG,
        user: system::NONROOT,
        entrypoint: (*entrypoint).to_owned(),
        architecture: oci::architecture()?,
        layers: &layers,
    };
    let folder = workspace::scratch()?.join("images");
    fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
    let file = folder.join(format!("{}.tar", pack.name));
    let digest = layout::write(&image, &file)?;
    say::note(format!("  {reference}@{digest}"));
    Ok(Made { name: pack.name.to_owned(), reference, file })
}

fn chosen(names: &[String]) -> Result<Vec<&'static Recipe>> {
    let known = || RECIPES.iter().map(|recipe| recipe.name).collect::<Vec<_>>().join(", ");
    if let Some(unknown) = names.iter().find(|name| !RECIPES.iter().any(|recipe| recipe.name == name.as_str())) {
        bail!("there is no image named `{unknown}`. Images: {}", known());
    }
    let wanted = |recipe: &&Recipe| names.is_empty() || names.iter().any(|name| name == recipe.name);
    Ok(RECIPES.iter().filter(wanted).collect())
}

/// Builds the programs with one cargo call; returns their paths in the order of `recipes` and `further`.
fn build(recipes: &[&Recipe], further: &[&str], release: bool) -> Result<Vec<PathBuf>> {
    let names: Vec<&str> = recipes.iter().map(|recipe| recipe.name).chain(further.iter().copied()).collect();
    let mut command = workspace::cargo(&workspace::root()?);
    command.args(["build", "--message-format", "json-render-diagnostics"]);
    for name in &names {
        command.args(["--package", name, "--bin", name]);
    }
    if release {
        command.arg("--release");
    }
    say::note(format!("  {}", process::describe(&command)));
    let mut messages = Vec::new();
    let status = process::stream(&mut command, LIMIT, |line| match serde_json::from_str(line) {
        Ok(message) => messages.push(message),
        Err(_) => say::note(line),
    })?;
    match status {
        Some(status) if status.success() => {}
        Some(status) => bail!("the programs do not build (cargo ended with {status})"),
        None => bail!("building the programs took more than {}", say::elapsed(LIMIT)),
    }
    names
        .iter()
        .map(|name| {
            executable(&messages, name).with_context(|| format!("cargo did not say where it put the program `{name}`"))
        })
        .collect()
}

/// Where cargo says that it put a program.
fn executable(messages: &[Value], name: &str) -> Option<PathBuf> {
    messages.iter().find_map(|message| {
        let target = message.pointer("/target/name")?.as_str()?;
        let path = message.get("executable")?.as_str()?;
        (target == name).then(|| PathBuf::from(path))
    })
}

/// The system below, so that images with equal needs share it, and the program on top.
fn layers(recipe: &Recipe, program: &Path, certificates: &[u8]) -> Result<[Tree; 2]> {
    let system = system::tree(&system::libraries(program, None)?, certificates)?;
    let mut product = Tree::default();
    product.file(&path_of(recipe), 0o755, program);
    product.file("/licenses/LICENSE", 0o644, workspace::root()?.join("LICENSE"));
    Ok([system, product])
}

fn path_of(recipe: &Recipe) -> String {
    format!("/usr/bin/{}", recipe.name)
}

fn image<'a>(recipe: &Recipe, reference: &'a str, version: &'a str, layers: &'a [Tree]) -> Result<Image<'a>> {
    Ok(Image {
        reference,
        title: recipe.name,
        description: recipe.about,
        version,
        user: recipe.user,
        entrypoint: path_of(recipe),
        architecture: oci::architecture()?,
        layers,
    })
}

#[cfg(test)]
mod tests;
