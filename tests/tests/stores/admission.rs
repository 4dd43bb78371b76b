//! Who is let in where: passwords that are rotated, users that may too little, certificates, and addresses that the installer
//! does not allow.

use crate::scene::{PATIENT, Scene, limit, policy, set, store};
use serde_json::{Value, json};
use std::path::Path;
use tollward_policy::config::{Allowance, Scheme};
use tollward_tests::certificates::Authority;
use tollward_tests::real::store::{Kind, Store};

/// The rights that the manual names.
const RIGHTS: &str = "resetkeys ~{tollward:* resetchannels -@all +eval +evalsha +time +get +set +del";

fn as_user(url: &str, folder: &Path) -> Value {
    let mut store = store(url, "Deny", PATIENT);
    store["usernameFile"] = json!(folder.join("user"));
    store["passwordFile"] = json!(folder.join("password"));
    store
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_with_the_rights_of_the_manual_counts_and_a_rotated_password_needs_no_restart() {
    for kind in Kind::ALL {
        let server = Store::start(kind).await;
        server.tell(&format!("ACL SETUSER tollward on >first {RIGHTS}")).await;
        server.tell("ACL SETUSER default -@all +acl +ping +client").await;
        let scene = Scene::with(|config, file| {
            file.beside("user", "tollward\n");
            file.beside("password", "wrong\n");
            set(config, &[policy(&as_user(&server.url(), file.folder()), &[limit(50)])]);
        })
        .await;
        assert!(scene.fails().await.contains("refuses the user or the password"));
        assert_eq!(scene.is_unavailable("alice").await, "credentials");
        scene.world.sidecar.config.beside("password", "first\n");
        scene.counts().await;
        scene.passes("alice").await;
        // A new password throws nobody out; the connection is lost later, for another reason.
        server.tell("ACL SETUSER tollward >second <first").await;
        scene.world.sidecar.config.beside("password", "second");
        scene.passes("alice").await;
        server.tell("CLIENT KILL USER tollward").await;
        scene.counts().await;
        scene.passes("alice").await;
        for right in ["set", "get", "time", "evalsha"] {
            server.tell(&format!("ACL SETUSER tollward -{right}")).await;
            assert_eq!(scene.is_unavailable("alice").await, "permission", "{right}");
            let told = scene.fails().await;
            assert!(told.contains(&format!("+{right}")) && !told.contains("second"), "{told}");
            server.tell(&format!("ACL SETUSER tollward +{right}")).await;
            scene.counts().await;
            scene.passes("alice").await;
        }
        scene.world.end();
    }
}

#[tokio::test]
async fn a_credential_file_that_is_missing_is_named_and_refuses() {
    let server = Store::start(Kind::Redis).await;
    let scene = Scene::with(|config, file| {
        set(config, &[policy(&as_user(&server.url(), file.folder()), &[limit(50)])]);
    })
    .await;
    let told = scene.fails().await;
    assert!(told.contains("user can't be read"), "{told}");
    assert_eq!(scene.is_unavailable("alice").await, "file");
    scene.world.sidecar.config.beside("user", "default");
    scene.world.sidecar.config.beside("password", "x".repeat(10_000).as_str());
    server.tell("ACL SETUSER default resetpass >right").await;
    scene.world.sidecar.config.beside("password", "right");
    scene.counts().await;
    scene.passes("alice").await;
    scene.world.end();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_behind_tls_proves_its_name_to_the_authority_that_is_named_and_to_no_other() {
    for kind in Kind::ALL {
        let authority = Authority::new("Stores");
        let server = Store::secured(kind, &authority).await;
        let scene = Scene::with(|config, file| {
            let mut store = store(&server.url(), "Deny", PATIENT);
            store["caFile"] = json!(file.beside("ca.crt", Authority::new("Others").certificate()));
            config.process.dial.allow.push(Allowance { cidr: "127.0.0.0/8".parse().unwrap(), scheme: Scheme::Https });
            set(config, &[policy(&store, &[limit(50)])]);
        })
        .await;
        let told = scene.fails().await;
        assert!(told.contains("could not be reached"), "{told}");
        assert_eq!(scene.is_unavailable("alice").await, "unreachable");
        scene.world.sidecar.config.beside("ca.crt", authority.certificate());
        scene.counts().await;
        scene.passes("alice").await;
        scene.world.end();
    }
}

#[tokio::test]
async fn an_address_that_the_installer_does_not_allow_is_not_dialled() {
    let server = Store::start(Kind::Valkey).await;
    let url = server.url().replace("redis://", "rediss://");
    let scene = Scene::new(&store(&url, "Deny", PATIENT), 50).await;
    let told = scene.fails().await;
    assert!(told.contains("installer") && !told.contains("loopback"), "what is where is for the log: {told}");
    assert_eq!(scene.is_unavailable("alice").await, "unreachable");
    let scene = Scene::new(&store("redis://169.254.169.254:80", "Deny", PATIENT), 50).await;
    assert_eq!(scene.fails().await, told, "nobody learns by a policy what is where");
    scene.world.end();
}
