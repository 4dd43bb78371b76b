//! Which images the chart names, and how they are built.

use serde_json::Value;

use super::helm;

fn chart() -> Value {
    serde_saphyr::from_str(&helm::text("charts/tollward/Chart.yaml")).expect("YAML")
}

#[test]
fn the_chart_has_the_version_of_what_it_installs() {
    assert_eq!(chart()["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(chart()["appVersion"], env!("CARGO_PKG_VERSION"));
}

#[test]
fn the_catalogue_entry_lists_the_images_that_are_installed() {
    let chart = chart();
    let text = chart["annotations"]["artifacthub.io/images"].as_str().expect("a text");
    let listed: Vec<Value> = serde_saphyr::from_str(text).expect("YAML");
    let listed: Vec<&str> = listed.iter().map(|image| image["image"].as_str().expect("a reference")).collect();
    let objects = helm::render(&[]);
    let deployment = helm::find(&objects, "Deployment", "tollward-operator");
    let operator =
        deployment.value["spec"]["template"]["spec"]["containers"][0]["image"].as_str().expect("a reference");
    let file = helm::find(&objects, "ConfigMap", "tollward-install").value["data"]["install.yaml"].clone();
    let install: Value = serde_saphyr::from_str(file.as_str().expect("a text")).expect("YAML");
    assert_eq!(listed, [operator, install["image"].as_str().expect("a reference")]);
}

#[test]
fn a_digest_wins_over_a_tag_and_a_shared_registry_over_its_own() {
    let digest = format!("sha256:{}", "a".repeat(64));
    let objects = helm::render(&[
        r#"global.imageRegistry="registry.example.com:5000/mirror""#,
        r#"image.tag="v1""#,
        &format!(r#"image.digest="{digest}""#),
    ]);
    let deployment = helm::find(&objects, "Deployment", "tollward-operator");
    assert_eq!(
        deployment.value["spec"]["template"]["spec"]["containers"][0]["image"],
        format!("registry.example.com:5000/mirror/tollward/tollward-operator@{digest}")
    );
}

#[test]
fn the_dockerfile_uses_the_checkout_s_compiler_and_the_same_user() {
    let toolchain = helm::text("rust-toolchain.toml");
    let version = toolchain
        .lines()
        .find_map(|line| line.strip_prefix("channel = "))
        .expect("a line `channel = ..`")
        .trim_matches('"');
    let dockerfile = helm::text("Dockerfile");
    assert!(dockerfile.contains(&format!("FROM rust:{version}-")), "the Dockerfile should use Rust {version}");
    assert!(dockerfile.contains(&format!("RUSTUP_TOOLCHAIN={version}")), "the Dockerfile should use Rust {version}");
    let objects = helm::render(&[]);
    let deployment = helm::find(&objects, "Deployment", "tollward-operator");
    let user = &deployment.value["spec"]["template"]["spec"]["securityContext"]["runAsUser"];
    let products = dockerfile.lines().filter(|line| *line == format!("USER {user}:{user}")).count();
    assert_eq!(products, 1, "the products run as {user}");
}
