//! When an authorization server is asked about a token, how, and how long the answer counts.

use super::issuer::{ISSUER, Key, NOW, RESOURCE};
use super::world::{Answer, Network, World, build, call, config, pass, route, until};
use crate::authenticate::{Authenticator, AuthenticatorError, Document, Effort, Presented, Refusal};
use futures_util::future::join_all;
use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tempfile::TempDir;
use tokio::sync::Semaphore;
use tollward_policy::config::{
    ClientAuthentication, IntrospectedTokens, IntrospectionClient, IntrospectionConfig, ProviderConfig,
};
use tollward_policy::principal::TokenPrincipal;
use tollward_policy::reason::Reason;

const ENDPOINT: &str = "https://idp.example/introspect";
const TOKEN: &str = "2YotnFZFEjr1zCsicMWpAA";

/// A route whose provider is asked about tokens, and the folder with the client's secret.
struct Asking {
    world: World,
    folder: TempDir,
}

fn asking(folder: &TempDir, tokens: IntrospectedTokens) -> ProviderConfig {
    let secret_file = folder.path().join("secret");
    std::fs::write(&secret_file, "pass word\n").unwrap();
    let client =
        IntrospectionClient { id: "tollward".into(), authentication: ClientAuthentication::Basic, secret_file };
    let introspection = IntrospectionConfig { tokens, endpoint_url: Some(ENDPOINT.into()), client, cache_seconds: 30 };
    ProviderConfig { introspection: Some(introspection), ..config() }
}

fn answer() -> Value {
    json!({"active": true, "sub": "alice", "aud": RESOURCE, "client_id": "client-1", "scope": "read", "exp": NOW + 600})
}

fn document(answer: &Value) -> Document {
    let body = answer.to_string().into_bytes().into();
    Document { status: StatusCode::OK, content_type: Some("application/json".into()), cache_control: None, body }
}

impl Asking {
    fn with(change: impl FnOnce(&mut IntrospectionConfig)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut config = asking(&folder, IntrospectedTokens::Opaque);
        change(config.introspection.as_mut().unwrap());
        let world = World::offline(config);
        world.network.set(ENDPOINT, Answer::json(&answer().to_string()));
        Self { world, folder }
    }

    fn new() -> Self {
        Self::with(|_| ())
    }

    fn says(&self, answer: &Value) {
        self.world.network.set(ENDPOINT, Answer::json(&answer.to_string()));
    }

    fn fails(&self, status: u16, content_type: &str, body: &str) {
        let status = StatusCode::from_u16(status).unwrap();
        self.world.network.set(ENDPOINT, Answer::of(status, content_type, body.as_bytes()));
    }

    fn network(&self) -> &Network {
        &self.world.network
    }

    fn questions(&self) -> usize {
        self.network().forms().len()
    }

    async fn call(&self, token: &str) -> Result<TokenPrincipal, Refusal> {
        self.world.call(token).await
    }

    async fn reason(&self, token: &str) -> Reason {
        self.world.reason(token).await
    }

    fn last_error(&self) -> Option<String> {
        self.world.provider().status().introspection.unwrap().last_error
    }
}

#[tokio::test(start_paused = true)]
async fn an_opaque_token_is_asked_about_once_while_the_answer_counts() {
    let asking = Asking::new();
    let caller = asking.call(TOKEN).await.unwrap();
    assert_eq!((caller.subject.as_str(), caller.issuer.as_str()), ("alice", ISSUER));
    let sent = asking.network().forms().remove(0);
    assert!(sent.basic);
    let fields: Vec<_> = sent.fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    assert_eq!(fields, [("token", TOKEN), ("token_type_hint", "access_token")], "nothing else is sent");
    asking.world.clock.set(NOW + 29);
    assert_eq!(asking.call(TOKEN).await.unwrap(), caller);
    assert_eq!(asking.questions(), 1);
    asking.world.clock.set(NOW + 30);
    asking.says(&json!({"active": false}));
    assert_eq!(asking.reason(TOKEN).await, Reason::TokenInactive, "J40: revoked, and found out within the bound");
    assert_eq!(asking.questions(), 2);
}

#[tokio::test(start_paused = true)]
async fn without_introspection_an_opaque_token_is_refused_and_nobody_is_asked() {
    let key = Key::new("k", "ES256");
    let world = World::with(config(), &[&key]).await;
    assert_eq!(world.reason(TOKEN).await, Reason::TokenMalformed, "J38");
    assert!(world.network.forms().is_empty());
}

#[tokio::test(start_paused = true)]
async fn the_secret_may_go_into_the_form_and_a_new_one_counts_at_once() {
    let asking = Asking::with(|config| config.client.authentication = ClientAuthentication::Post);
    asking.call(TOKEN).await.unwrap();
    std::fs::write(asking.folder.path().join("secret"), "new").unwrap();
    asking.call("another").await.unwrap();
    let forms = asking.network().forms();
    let secrets: Vec<_> = forms.iter().map(|form| (form.basic, form.fields["client_secret"].as_str())).collect();
    assert_eq!(secrets, [(false, "pass word"), (false, "new")]);
    assert!(forms.iter().all(|form| form.fields["client_id"] == "tollward"));
}

#[tokio::test(start_paused = true)]
async fn a_good_answer_never_outlives_the_token_and_a_bad_one_counts_for_seconds() {
    let asking = Asking::new();
    let mut soon = answer();
    soon["exp"] = json!(NOW + 10);
    asking.says(&soon);
    for (time, questions) in [(NOW, 1), (NOW + 9, 1), (NOW + 10, 2), (NOW + 10, 3)] {
        asking.world.clock.set(time);
        assert_eq!(asking.reason(TOKEN).await, Reason::Allowed);
        assert_eq!(asking.questions(), questions, "{time}");
    }
    let asking = Asking::new();
    asking.says(&json!({"active": false}));
    for (time, questions) in [(NOW, 1), (NOW + 4, 1), (NOW + 5, 2), (NOW - 60, 3)] {
        asking.world.clock.set(time);
        assert_eq!(asking.reason(TOKEN).await, Reason::TokenInactive);
        assert_eq!(asking.questions(), questions, "{time}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_token_that_the_answer_repeats_is_kept_nowhere() {
    let asking = Asking::new();
    let mut repeating = answer();
    repeating["jti"] = json!(TOKEN);
    repeating["access_token"] = json!(TOKEN);
    asking.says(&repeating);
    let caller = asking.call(TOKEN).await.unwrap();
    assert_eq!(caller.token_id, None);
    assert!(!format!("{caller:?}").contains(TOKEN), "{caller:?}");
    repeating["sub"] = json!("another");
    asking.says(&repeating);
    assert_eq!(asking.reason("another").await, Reason::TokenClaimsInvalid, "it is nobody's name either");
}

#[tokio::test(start_paused = true)]
async fn with_no_time_to_count_every_request_asks() {
    let asking = Asking::with(|config| config.cache_seconds = 0);
    for questions in 1..4 {
        assert_eq!(asking.reason(TOKEN).await, Reason::Allowed);
        assert_eq!(asking.questions(), questions);
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_is_judged_for_the_route_that_asks_and_kept_for_it_alone() {
    let asking = Asking::new();
    assert_eq!(asking.reason(TOKEN).await, Reason::Allowed);
    let other = asking.world.route(&["https://mcp.example.com/other/mcp"], &[]);
    assert_eq!(call(&other, TOKEN).await.unwrap_err().reason, Reason::AudienceMismatch, "J39");
    let closed = asking.world.route(&[RESOURCE], &["somebody"]);
    assert_eq!(call(&closed, TOKEN).await.unwrap_err().reason, Reason::ClientNotAllowed, "J39");
    assert_eq!(asking.questions(), 3, "no route lives on the answer to another");
    let same = asking.world.route(&[RESOURCE], &[]);
    assert_eq!(call(&same, TOKEN).await.unwrap().subject, "alice");
    assert_eq!(asking.questions(), 3, "but the same demands share it");
}

#[tokio::test(start_paused = true)]
async fn an_answer_is_of_the_endpoint_that_gave_it() {
    let asking = Asking::new();
    assert_eq!(asking.reason(TOKEN).await, Reason::Allowed);
    let mut moved = asking.world.config.clone();
    moved.introspection.as_mut().unwrap().endpoint_url = Some("https://idp.example/other".into());
    asking.network().set("https://idp.example/other", Answer::json(&json!({"active": false}).to_string()));
    let World { providers, cache, clock, proofs, .. } = &asking.world;
    let route = build(&route(&[RESOURCE], &[]), &[moved], providers, cache, clock, proofs).unwrap();
    assert_eq!(call(&route, TOKEN).await.unwrap_err().reason, Reason::TokenInactive, "J39");
}

#[tokio::test(start_paused = true)]
async fn any_number_of_callers_with_one_token_are_one_question() {
    let asking = Asking::with(|config| config.cache_seconds = 0);
    let gate = Arc::new(Semaphore::new(0));
    asking.network().set(ENDPOINT, Answer::Held(Arc::clone(&gate), document(&answer())));
    let callers = join_all((0..50).map(|_| asking.call(TOKEN)));
    let release = async {
        until(|| asking.questions() == 1).await;
        gate.add_permits(50);
    };
    let (answers, ()) = tokio::join!(callers, release);
    assert!(answers.iter().all(Result::is_ok));
    assert_eq!(asking.questions(), 1);
    assert!(asking.call(TOKEN).await.is_ok(), "the next one asks again");
    assert_eq!(asking.questions(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_question_goes_on_when_its_caller_hangs_up() {
    let asking = Asking::new();
    let gate = Arc::new(Semaphore::new(0));
    asking.network().set(ENDPOINT, Answer::Held(Arc::clone(&gate), document(&answer())));
    {
        let first = asking.call(TOKEN);
        tokio::pin!(first);
        tokio::select! {
            biased;
            _ = &mut first => panic!("it is held"),
            () = until(|| asking.questions() == 1) => {}
        }
    }
    gate.add_permits(1);
    assert!(asking.call(TOKEN).await.is_ok());
    assert_eq!(asking.questions(), 1);
}

async fn admitted(authenticator: &Authenticator, token: &str, allow: bool) -> (Option<Effort>, Result<(), Refusal>) {
    let mut headers = HeaderMap::new();
    headers.insert(AUTHORIZATION, HeaderValue::from_str(&format!("Bearer {token}")).unwrap());
    let mut asked = None;
    let presented = Presented { headers: &headers, method: &Method::POST, certificate: None };
    let outcome = authenticator
        .authenticate(presented, |effort| {
            asked = Some(effort);
            if allow { Ok(()) } else { Err(Refusal::new(Reason::RateLimited, "busy")) }
        })
        .await;
    (asked, outcome.map(drop))
}

#[tokio::test(start_paused = true)]
async fn nobody_is_asked_before_the_caller_s_address_is_admitted() {
    let asking = Asking::new();
    let authenticator = &asking.world.authenticator;
    let (effort, refused) = admitted(authenticator, TOKEN, false).await;
    assert_eq!((effort, refused.unwrap_err().reason), (Some(Effort::Question), Reason::RateLimited));
    assert_eq!(asking.questions(), 0);
    assert!(admitted(authenticator, TOKEN, true).await.1.is_ok());
    let (effort, known) = admitted(authenticator, TOKEN, false).await;
    assert_eq!(effort, None, "what was answered is free");
    assert!(known.is_ok());
}

#[tokio::test(start_paused = true)]
async fn questions_that_wait_are_bounded() {
    let asking = Asking::new();
    asking.network().set(ENDPOINT, Answer::Silent);
    let refused = AtomicUsize::new(0);
    let callers = join_all((0..600).map(|index| {
        let (asking, refused) = (&asking, &refused);
        async move {
            assert_eq!(asking.reason(&format!("token-{index}")).await, Reason::IntrospectionUnavailable);
            refused.fetch_add(1, Ordering::SeqCst);
        }
    }));
    tokio::select! {
        _ = callers => panic!("32 questions are never answered"),
        () = async {
            until(|| refused.load(Ordering::SeqCst) == 88 && asking.questions() == 32).await;
            // Each waits from when its task first ran.
            for _ in 0..10 {
                pass(1).await;
            }
            until(|| refused.load(Ordering::SeqCst) == 600 - 32).await;
        } => {}
    }
    assert_eq!(asking.questions(), 32, "the others did not wait for ever");
}

#[tokio::test(start_paused = true)]
async fn no_answer_is_no_verdict() {
    for (status, content_type, body) in [
        (500, "application/json", "{}"),
        (404, "text/html", "not here"),
        (400, "application/json", r#"{"error": "invalid_request"}"#),
        (204, "application/json", ""),
        (200, "text/html", "<html>sign in"),
        (200, "application/jwt", r#"{"active": true}"#),
        (200, "application/token-introspection+jwt", "e30.e30.e30"),
        (200, "application/json", ""),
        (200, "application/json", "[]"),
        (200, "application/json", r#"{"active": false, "active": true}"#),
        (200, "application/json", "{\"active\": true} {}"),
        (200, "", r#"{"active": true}"#),
    ] {
        let asking = Asking::new();
        asking.fails(status, content_type, body);
        let refusal = asking.call(TOKEN).await.unwrap_err();
        assert_eq!(refusal.reason, Reason::IntrospectionUnavailable, "J39 {status} {content_type} {body}");
        assert!(refusal.retry_after.is_some_and(|wait| wait.as_secs() >= 1), "{status}");
        asking.says(&answer());
        assert_eq!(asking.reason(TOKEN).await, Reason::Allowed, "{status} {body}: it is not remembered");
        assert_eq!(asking.last_error(), None);
    }
}

#[tokio::test(start_paused = true)]
async fn an_endpoint_that_is_down_is_left_alone_and_tried_again() {
    let asking = Asking::new();
    asking.network().set(ENDPOINT, Answer::Unreachable);
    for index in 0..20 {
        let refusal = asking.call(&format!("token-{index}")).await.unwrap_err();
        assert_eq!(refusal.reason, Reason::IntrospectionUnavailable);
    }
    assert_eq!(asking.questions(), 5);
    let error = asking.last_error().unwrap();
    assert!(error.contains("not fetched") && !error.contains("10.0.0.7"), "{error}");
    asking.says(&answer());
    assert_eq!(asking.reason(TOKEN).await, Reason::IntrospectionUnavailable, "it rests");
    pass(1).await;
    assert_eq!(asking.reason(TOKEN).await, Reason::Allowed);
    assert_eq!(asking.last_error(), None);
}

#[tokio::test(start_paused = true)]
async fn answers_that_count_outlive_the_endpoint() {
    let asking = Asking::new();
    assert_eq!(asking.reason(TOKEN).await, Reason::Allowed);
    asking.network().set(ENDPOINT, Answer::Unreachable);
    assert_eq!(asking.reason(TOKEN).await, Reason::Allowed);
    asking.world.clock.set(NOW + 30);
    assert_eq!(asking.reason(TOKEN).await, Reason::IntrospectionUnavailable, "and not a second longer");
}

#[tokio::test(start_paused = true)]
async fn refused_credentials_are_our_trouble_and_say_what_to_do() {
    let client = r#"{"error": "invalid_client"}"#;
    let keycloak = r#"{"error": "invalid_request", "error_description": "Client not allowed."}"#;
    for (status, body) in [(401, "{}"), (403, client), (403, keycloak), (400, client)] {
        let asking = Asking::new();
        asking.fails(status, "application/json", body);
        assert_eq!(asking.reason(TOKEN).await, Reason::IntrospectionUnavailable, "{status}: never 401");
        assert_eq!(asking.reason("another").await, Reason::IntrospectionUnavailable);
        assert_eq!(asking.questions(), 1, "{status}: the client must not be locked out by trying on");
        let error = asking.last_error().unwrap();
        assert!(error.contains("introspection.client") && error.contains("Secret"), "{error}");
        asking.says(&answer());
        pass(10).await;
        assert_eq!(asking.reason(TOKEN).await, Reason::Allowed, "a new secret is noticed");
    }
    let asking = Asking::new();
    std::fs::remove_file(asking.folder.path().join("secret")).unwrap();
    assert_eq!(asking.reason(TOKEN).await, Reason::IntrospectionUnavailable);
    assert_eq!(asking.questions(), 0, "nobody is asked without credentials");
    assert!(asking.last_error().unwrap().contains("secret"));
}

/// Who may send no token that passes may still choose the text that is asked about.
#[tokio::test(start_paused = true)]
async fn a_token_that_a_firewall_takes_for_an_attack_switches_the_endpoint_off_for_nobody() {
    let asking = Asking::new();
    for body in ["<html>Blocked", "{}", r#"{"message": "Forbidden"}"#, r#"{"status": 403, "error": "Forbidden"}"#] {
        asking.fails(403, "text/html", body);
        for number in 0..20 {
            assert_eq!(
                asking.reason(&format!("../../../etc/passwd{number}/{}", body.len())).await,
                Reason::IntrospectionUnavailable
            );
        }
        assert_eq!(asking.last_error(), None, "nor does it look broken");
        asking.says(&answer());
        assert_eq!(asking.reason(&format!("good.{}", body.len())).await, Reason::Allowed, "{body}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_endpoint_is_that_of_the_metadata_and_an_issuer_without_keys_is_good_enough() {
    let folder = tempfile::tempdir().unwrap();
    let mut config = asking(&folder, IntrospectedTokens::Opaque);
    config.jwks_url = None;
    config.introspection.as_mut().unwrap().endpoint_url = None;
    let world = World::offline(config);
    assert_eq!(world.reason(TOKEN).await, Reason::IntrospectionUnavailable, "it is not known yet");
    assert!(!world.provider().ready());
    world.network.set(ENDPOINT, Answer::json(&answer().to_string()));
    let metadata = json!({"issuer": ISSUER, "introspection_endpoint": ENDPOINT});
    world.network.set(
        "https://idp.example/.well-known/oauth-authorization-server/realms/a",
        Answer::json(&metadata.to_string()),
    );
    pass(60).await;
    assert!(world.provider().ready());
    assert_eq!(world.reason(TOKEN).await, Reason::Allowed);
    let signed = Key::new("k", "ES256").token();
    assert_eq!(world.reason(&signed).await, Reason::TokenKeyUnknown, "it signs nothing");
    let status = world.provider().status();
    assert_eq!((status.ready, status.stale, status.last_error), (true, false, None));
}

#[tokio::test(start_paused = true)]
async fn signed_tokens_are_judged_by_their_signature_and_asked_about_only_if_all_are() {
    let key = Key::new("k", "ES256");
    let folder = tempfile::tempdir().unwrap();
    let world = World::with(asking(&folder, IntrospectedTokens::Opaque), &[&key]).await;
    world.network.set(ENDPOINT, Answer::json(&json!({"active": false}).to_string()));
    assert_eq!(world.reason(&key.token()).await, Reason::Allowed);
    assert!(world.network.forms().is_empty());

    let world = World::with(asking(&folder, IntrospectedTokens::All), &[&key]).await;
    world.network.set(ENDPOINT, Answer::json(&answer().to_string()));
    let token = key.token();
    assert_eq!(world.reason(&token).await, Reason::Allowed);
    assert_eq!(world.reason(&token).await, Reason::Allowed);
    assert_eq!(world.network.forms().len(), 1);
    world.clock.set(NOW + 30);
    world.network.set(ENDPOINT, Answer::json(&json!({"active": false}).to_string()));
    assert_eq!(world.reason(&token).await, Reason::TokenInactive, "J40: a revoked JWT is found out");

    let questions = world.network.forms().len();
    let forged = Key::new("k", "ES256").token();
    assert_eq!(world.reason(&forged).await, Reason::TokenSignatureInvalid);
    let expired = key.with_claims(|claims| claims["exp"] = json!(NOW - 60));
    assert_eq!(world.reason(&expired).await, Reason::TokenExpired);
    let other_type = key.with_header(|header| header["typ"] = json!("JWT"));
    assert_eq!(world.reason(&other_type).await, Reason::TokenTypeRefused);
    assert_eq!(world.network.forms().len(), questions, "nobody is asked about what is refused anyway");
}

#[tokio::test(start_paused = true)]
async fn what_nearly_looks_signed_is_asked_about_and_what_looks_signed_is_not() {
    let asking = Asking::new();
    asking.says(&json!({"active": false}));
    for opaque in ["a.b.c", "e30", "e30.e30", "e30.e30.e30.e30", "e30.e30.e30.e30.e30", "..", "v1.abc.def", "MTIz.x.y"]
    {
        assert_eq!(asking.reason(opaque).await, Reason::TokenInactive, "{opaque}");
    }
    let questions = asking.questions();
    for signed in ["e30.e30.e30", "eyJ4IjoxfQ.e30.e30", "IHsgfQ.e30.", "e30.."] {
        assert_eq!(asking.reason(signed).await, Reason::TokenMalformed, "{signed}");
    }
    assert_eq!(asking.questions(), questions);
}

#[tokio::test(start_paused = true)]
async fn two_providers_that_would_be_asked_about_one_token_are_no_route() {
    let folder = tempfile::tempdir().unwrap();
    let first = asking(&folder, IntrospectedTokens::Opaque);
    let second = ProviderConfig { name: "team/other".into(), issuer: "https://other.example".into(), ..first.clone() };
    let world = World::offline(config());
    let mut auth = serde_json::to_value(route(&[RESOURCE], &[])).unwrap();
    auth["providers"] = json!(["team/idp", "team/other"]);
    let auth = serde_json::from_value(auth).unwrap();
    let World { providers, cache, clock, proofs, .. } = &world;
    let made = build(&auth, &[first, second], providers, cache, clock, proofs);
    let expected = AuthenticatorError::IntrospectionRepeated("team/idp".into(), "team/other".into());
    assert_eq!(made.err(), Some(expected));
}
