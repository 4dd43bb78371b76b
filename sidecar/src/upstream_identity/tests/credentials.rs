//! One credential for all: what files may hold, and what becomes of a change.

use super::world::{Caller, NOW, World, header};
use crate::upstream_identity::{IdentityFailure, Kind, UpstreamIdentity};
use http::{HeaderMap, HeaderName, HeaderValue};
use serde_json::{Value, json};
use tempfile::TempDir;

struct Secret {
    world: World,
    folder: TempDir,
}

impl Secret {
    fn new(files: &[(&str, &str)]) -> Self {
        let secret = Self { world: World::new(), folder: tempfile::tempdir().unwrap() };
        for (name, content) in files {
            secret.write(name, content);
        }
        secret
    }

    fn write(&self, name: &str, content: &str) {
        std::fs::write(self.folder.path().join("next"), content).unwrap();
        std::fs::rename(self.folder.path().join("next"), self.folder.path().join(name)).unwrap();
    }

    fn compile(&self, form: &Value) -> UpstreamIdentity {
        let mut form = form.clone();
        for field in ["token", "username", "password", "value"] {
            if let Some(file) = form.get(field).and_then(Value::as_str) {
                form[field] = json!(self.folder.path().join(file));
            }
        }
        self.world.compile(&json!({"type": "Credential", "form": form}), 1).unwrap()
    }

    async fn shown(&self, identity: &UpstreamIdentity, now: i64) -> Result<(String, String), IdentityFailure> {
        let presented = self.world.present(identity, &Caller::alice(), now).await?.unwrap();
        assert_eq!((presented.kind(), presented.token_id()), (Kind::SharedCredential, None));
        Ok(header(&presented))
    }
}

fn bearer() -> Value {
    json!({"scheme": "Bearer", "token": "token"})
}

#[tokio::test]
async fn each_scheme_has_its_header() {
    let secret = Secret::new(&[("token", "s3cret-token\n"), ("user", "svc\r\n"), ("pass", "pä:ss word")]);
    for (form, name, value) in [
        (bearer(), "authorization", "Bearer s3cret-token"),
        (
            json!({"scheme": "Basic", "username": "user", "password": "pass"}),
            "authorization",
            "Basic c3ZjOnDDpDpzcyB3b3Jk",
        ),
        (json!({"scheme": "Header", "name": "X-Api-Key", "value": "token"}), "x-api-key", "s3cret-token"),
    ] {
        let identity = secret.compile(&form);
        assert_eq!(secret.shown(&identity, NOW).await, Ok((name.to_owned(), value.to_owned())));
        assert_eq!(identity.unready(NOW), None);
        let printed = format!("{identity:?}{:?}", secret.world.present(&identity, &Caller::alice(), NOW).await);
        assert!(!printed.contains("s3cret") && !printed.contains("c3Zj"), "{printed}");
    }
}

#[tokio::test]
async fn a_rotated_file_counts_within_a_second_and_one_that_is_gone_is_no_last_good_one() {
    let secret = Secret::new(&[("token", "first")]);
    let identity = secret.compile(&bearer());
    assert_eq!(secret.shown(&identity, NOW).await.unwrap().1, "Bearer first");
    secret.write("token", "second");
    assert_eq!(secret.shown(&identity, NOW).await.unwrap().1, "Bearer first", "looked at once a second");
    assert_eq!(secret.shown(&identity, NOW + 1).await.unwrap().1, "Bearer second");
    std::fs::remove_file(secret.folder.path().join("token")).unwrap();
    assert_eq!(secret.shown(&identity, NOW + 2).await, Err(IdentityFailure::Unavailable));
    assert!(identity.unready(NOW + 2).unwrap().contains("can't be read"));
    secret.write("token", "third");
    assert_eq!(secret.shown(&identity, NOW + 3).await.unwrap().1, "Bearer third");
    assert_eq!(secret.shown(&identity, NOW - 100).await.unwrap().1, "Bearer third", "a clock that was set back");
}

#[tokio::test]
async fn what_is_no_credential_is_refused_without_repeating_it() {
    let named = json!({"scheme": "Header", "name": "X-Api-Key", "value": "token"});
    let basic = json!({"scheme": "Basic", "username": "token", "password": "token"});
    let long = "x".repeat(8 * 1024 + 1);
    for (form, content) in [
        (bearer(), ""),
        (bearer(), "\n"),
        (bearer(), "two tokens"),
        (bearer(), "line\nline"),
        (bearer(), "tok\u{e9}n"),
        (bearer(), &long),
        (named.clone(), "a\r\nX-Evil: 1"),
        (named.clone(), " leading"),
        (named, "tab\there"),
        (basic.clone(), "with:colon"),
        (basic, "nul\0"),
    ] {
        let secret = Secret::new(&[("token", content)]);
        let identity = secret.compile(&form);
        assert_eq!(secret.shown(&identity, NOW).await, Err(IdentityFailure::Unavailable), "{form} {content:?}");
        let told = identity.unready(NOW).unwrap();
        assert!(told.contains("the credential for the MCP server"), "{told}");
        assert!(content.trim().is_empty() || !told.contains(content), "{told}");
    }
}

#[tokio::test]
async fn a_pod_that_was_made_without_the_secret_keeps_its_configuration() {
    let secret = Secret::new(&[]);
    let missing = secret.folder.path().join("other/token");
    let identity = json!({"type": "Credential", "form": {"scheme": "Bearer", "token": missing}});
    let error = secret.world.compile(&identity, 1).unwrap_err().to_string();
    assert!(error.contains("the next pod will have it"), "{error}");
}

#[tokio::test]
async fn an_answer_that_repeats_the_secret_is_noticed() {
    let secret = Secret::new(&[("token", "s3cret-token")]);
    let identity = secret.compile(&bearer());
    let presented = secret.world.present(&identity, &Caller::alice(), NOW).await.unwrap().unwrap();
    let answered = |value: &'static str| {
        presented.is_in(&HeaderMap::from_iter([(HeaderName::from_static("allow"), HeaderValue::from_static(value))]))
    };
    assert!(answered("Bearer s3cret-token") && answered("x,s3cret-token,y") && !answered("s3cret") && !answered("GET"));
}
