//! `cargo xtask image`: the programs as container images, without a container engine and without a registry. An image is
//! an OCI archive of two layers: what any of our programs needs of a Linux system, and the program. The same sources
//! and the same build machine give the same bytes.

mod layout;
mod system;
mod tree;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

use crate::{process, say, workspace};
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

/// Builds the programs and prints the path of each image.
pub(crate) fn run(args: &Args) -> Result<()> {
    let recipes = chosen(&args.names)?;
    let folder = match &args.out {
        Some(folder) => folder.clone(),
        None => workspace::scratch()?.join("images"),
    };
    fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
    let certificates = system::certificates(args.certificates.as_deref())?;
    let programs = build(&recipes, args.release)?;
    for (recipe, program) in recipes.iter().zip(&programs) {
        let file = folder.join(format!("{}.tar", recipe.name));
        let reference = format!("{}/{}:{}", args.registry, recipe.name, args.tag);
        let layers = layers(recipe, program, &certificates)?;
        let digest = layout::write(&image(recipe, &reference, &args.tag, &layers)?, &file)?;
        say::note(format!("  {reference}@{digest}"));
        say::line(file.display());
    }
    Ok(())
}

/// Makes all images as the chart and the tests name them; returns their folder.
pub(crate) fn install() -> Result<PathBuf> {
    let folder = workspace::scratch()?.join("images");
    run(&Args {
        names: Vec::new(),
        out: Some(folder.clone()),
        release: false,
        registry: REGISTRY.to_owned(),
        tag: TAG.to_owned(),
        certificates: None,
    })?;
    Ok(folder)
}

fn chosen(names: &[String]) -> Result<Vec<&'static Recipe>> {
    let known = || RECIPES.iter().map(|recipe| recipe.name).collect::<Vec<_>>().join(", ");
    if let Some(unknown) = names.iter().find(|name| !RECIPES.iter().any(|recipe| recipe.name == name.as_str())) {
        bail!("there is no image named `{unknown}`. Images: {}", known());
    }
    let wanted = |recipe: &&Recipe| names.is_empty() || names.iter().any(|name| name == recipe.name);
    Ok(RECIPES.iter().filter(wanted).collect())
}

/// Builds the programs with one cargo call; returns their paths in the order of `recipes`.
fn build(recipes: &[&Recipe], release: bool) -> Result<Vec<PathBuf>> {
    let mut command = workspace::cargo(&workspace::root()?);
    command.args(["build", "--message-format", "json-render-diagnostics"]);
    for recipe in recipes {
        command.args(["--package", recipe.name, "--bin", recipe.name]);
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
    recipes
        .iter()
        .map(|recipe| {
            executable(&messages, recipe.name)
                .with_context(|| format!("cargo did not say where it put the program `{}`", recipe.name))
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
    let system = system::tree(&system::libraries(program)?, certificates)?;
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
        architecture: system::architecture()?,
        layers,
    })
}

#[cfg(test)]
mod tests;
