//! Token exchange: who is asked, how often, and for how long an answer counts.

use super::world::{Caller, NOW, TOKEN_URL, World, document, good, header};
use crate::upstream_identity::{IdentityFailure, Kind, UpstreamIdentity};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use futures_util::future::join_all;
use serde_json::{Value, json};
use tempfile::TempDir;

struct Route {
    world: World,
    identity: UpstreamIdentity,
    folder: TempDir,
}

impl Route {
    fn new(change: impl FnOnce(&mut Value)) -> Self {
        let (world, folder) = (World::new(), tempfile::tempdir().unwrap());
        std::fs::write(folder.path().join("secret"), "client-secret\n").unwrap();
        let mut route = Self { identity: world.compile(&json!({"type": "None"}), 1).unwrap(), world, folder };
        route.identity = route.compile(change);
        route
    }

    fn compile(&self, change: impl FnOnce(&mut Value)) -> UpstreamIdentity {
        let client = json!({"id": "tollward", "secret": self.folder.path().join("secret"), "authentication": "Basic"});
        let mut config =
            json!({"type": "TokenExchange", "client": client, "audience": "catalog", "maxLifetimeSeconds": 3600});
        change(&mut config);
        self.world.compile(&config, 1).unwrap()
    }

    async fn shown(&self, caller: &Caller, now: i64) -> Result<String, IdentityFailure> {
        let presented = self.world.present(&self.identity, caller, now).await?.unwrap();
        assert_eq!(presented.kind(), Kind::ExchangedToken);
        let (name, value) = header(&presented);
        assert_eq!(name, "authorization");
        Ok(value)
    }
}

#[tokio::test]
async fn the_callers_token_is_shown_to_its_issuer_with_the_clients_secret_and_the_target() {
    let route = Route::new(|config| {
        config["resource"] = json!("https://catalog.internal/");
        config["scopes"] = json!(["a", "b"]);
    });
    assert_eq!(route.shown(&Caller::alice(), NOW).await.unwrap(), "Bearer token-for-the-server");
    let asked = route.world.endpoint.asked.lock().unwrap().clone();
    let access_token = "urn:ietf:params:oauth:token-type:access_token";
    let form = [
        ("grant_type", "urn:ietf:params:oauth:grant-type:token-exchange"),
        ("subject_token", "alices-token"),
        ("subject_token_type", access_token),
        ("requested_token_type", access_token),
        ("audience", "catalog"),
        ("resource", "https://catalog.internal/"),
        ("scope", "a b"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()));
    assert_eq!(asked.len(), 1);
    assert_eq!((asked[0].url.as_str(), asked[0].form.as_slice()), (TOKEN_URL, form.as_slice()));
    assert_eq!(asked[0].client, ("tollward".to_owned(), "client-secret".to_owned()));

    let post = Route::new(|config| config["client"]["authentication"] = json!("Post"));
    post.shown(&Caller::alice(), NOW).await.unwrap();
    let form = post.world.endpoint.asked.lock().unwrap()[0].form.clone();
    assert!(form.contains(&("client_secret".to_owned(), "client-secret".to_owned())), "{form:?}");
}

#[tokio::test]
async fn a_hundred_calls_of_one_caller_are_one_exchange_and_two_callers_are_two() {
    let route = Route::new(|_| ());
    let (alice, bob) = (Caller::alice(), Caller::new("bob", "bobs-token", "shop/idp-0"));
    let shown = join_all((0..100).map(|_| route.shown(&alice, NOW))).await;
    assert!(shown.iter().all(Result::is_ok) && route.world.endpoint.count() == 1);
    route.shown(&bob, NOW).await.unwrap();
    assert_eq!(route.world.endpoint.count(), 2);
    let other = route.compile(|config| config["audience"] = json!("elsewhere"));
    route.world.present(&other, &alice, NOW).await.unwrap();
    assert_eq!(route.world.endpoint.count(), 3, "a token for one target is none for another");
}

#[tokio::test]
async fn a_caller_that_leaves_does_not_take_the_others_exchange_along() {
    let route = Route::new(|_| ());
    let endpoint = route.world.endpoint.clone();
    endpoint.turns.forget_permits(tokio::sync::Semaphore::MAX_PERMITS);
    let alice = Caller::alice();
    let mut first = Box::pin(route.shown(&alice, NOW));
    assert!(futures_util::poll!(&mut first).is_pending());
    let mut second = Box::pin(route.shown(&alice, NOW));
    assert!(futures_util::poll!(&mut second).is_pending());
    assert_eq!(endpoint.count(), 1, "the second one waits");
    drop(first);
    endpoint.turns.add_permits(1);
    assert_eq!(second.await.unwrap(), "Bearer token-for-the-server");
    assert_eq!(endpoint.count(), 2);
}

#[tokio::test]
async fn a_token_counts_until_shortly_before_its_expiry() {
    let route = Route::new(|_| ());
    let alice = Caller::alice();
    for (now, exchanges) in [(NOW, 1), (NOW + 289, 1), (NOW + 290, 2), (NOW - 1, 3)] {
        route.shown(&alice, now).await.unwrap();
        assert_eq!(route.world.endpoint.count(), exchanges, "{}", now - NOW);
    }
    let mut short = good();
    short["expires_in"] = json!(4);
    let route = Route::new(|_| ());
    route.world.endpoint.answers(200, &short);
    for (now, exchanges) in [(NOW, 1), (NOW + 1, 1), (NOW + 2, 2)] {
        route.shown(&alice, now).await.unwrap();
        assert_eq!(route.world.endpoint.count(), exchanges);
    }
}

#[tokio::test]
async fn a_refusal_and_a_failure_are_not_asked_for_again_at_once() {
    let route = Route::new(|_| ());
    let alice = Caller::alice();
    route.world.endpoint.answers(400, &json!({"error": "invalid_target"}));
    for (now, exchanges) in [(NOW, 1), (NOW + 9, 1), (NOW + 10, 2)] {
        assert_eq!(route.shown(&alice, now).await, Err(IdentityFailure::Refused));
        assert_eq!(route.world.endpoint.count(), exchanges);
    }
    route.world.endpoint.is_down();
    let bob = Caller::new("bob", "bobs-token", "shop/idp-0");
    for (now, exchanges) in [(NOW, 3), (NOW + 1, 3), (NOW + 2, 4)] {
        assert_eq!(route.shown(&bob, now).await, Err(IdentityFailure::Unavailable));
        assert_eq!(route.world.endpoint.count(), exchanges);
    }
    route.world.endpoint.answers(200, &good());
    route.shown(&bob, NOW + 4).await.unwrap();
}

#[tokio::test]
async fn the_callers_own_token_is_never_the_answer() {
    let route = Route::new(|_| ());
    let mut same = good();
    same["access_token"] = json!("alices-token");
    route.world.endpoint.answers(200, &same);
    assert_eq!(route.shown(&Caller::alice(), NOW).await, Err(IdentityFailure::Refused));
}

#[tokio::test]
async fn a_token_of_another_provider_is_shown_to_nobody() {
    let route = Route::new(|_| ());
    let stranger = Caller::new("eve", "eves-token", "shop/other");
    assert_eq!(route.shown(&stranger, NOW).await, Err(IdentityFailure::Refused));
    assert_eq!(route.world.endpoint.count(), 0);
}

#[tokio::test]
async fn a_token_that_the_server_refused_is_not_shown_again() {
    let route = Route::new(|_| ());
    let alice = Caller::alice();
    let presented = route.world.present(&route.identity, &alice, NOW).await.unwrap().unwrap();
    route.identity.rejected(&presented);
    route.shown(&alice, NOW).await.unwrap();
    assert_eq!(route.world.endpoint.count(), 2);
}

#[tokio::test]
async fn without_the_clients_secret_nobody_is_asked() {
    let route = Route::new(|_| ());
    std::fs::remove_file(route.folder.path().join("secret")).unwrap();
    assert_eq!(route.shown(&Caller::alice(), NOW).await, Err(IdentityFailure::Unavailable));
    assert_eq!(route.world.endpoint.count(), 0);
    assert!(route.identity.unready(NOW).unwrap().contains("the client secret"));
}

#[tokio::test(start_paused = true)]
async fn an_endpoint_that_never_answers_holds_sixty_four_exchanges_and_the_next_waits_two_seconds() {
    let route = Route::new(|_| ());
    route.world.endpoint.turns.forget_permits(tokio::sync::Semaphore::MAX_PERMITS);
    let callers: Vec<_> = (0..65).map(|it| Caller::new("x", &format!("token-of-{it}"), "shop/idp-0")).collect();
    let mut waiting: Vec<_> = callers[..64].iter().map(|caller| Box::pin(route.shown(caller, NOW))).collect();
    for exchange in &mut waiting {
        assert!(futures_util::poll!(exchange).is_pending());
    }
    assert_eq!(route.world.endpoint.count(), 64);
    assert_eq!(route.shown(&callers[64], NOW).await, Err(IdentityFailure::Unavailable));
    assert_eq!(route.world.endpoint.count(), 64);
}

/// A token that the server behind one route could call another with: the answer is judged by each route for itself.
#[tokio::test]
async fn an_answer_that_one_route_may_use_is_not_taken_over_by_another() {
    let route = Route::new(|_| ());
    let other = "https://other.example/mcp";
    let claims = URL_SAFE_NO_PAD.encode(json!({"aud": [other]}).to_string());
    let mut answer = good();
    answer["access_token"] = json!(format!("e30.{claims}.e30"));
    *route.world.endpoint.answer.lock().unwrap() = Ok(document(200, &answer));
    assert!(route.shown(&Caller::alice(), NOW).await.is_ok());
    let client = json!({"id": "tollward", "secret": route.folder.path().join("secret"), "authentication": "Basic"});
    let config = json!({"type": "TokenExchange", "client": client, "audience": "catalog", "maxLifetimeSeconds": 3600});
    let (mut second, providers) = route.world.route(&config, 1);
    second.endpoint.url = other.into();
    let second = route.world.identities.compile(&second, &providers).unwrap();
    let shown = route.world.present(&second, &Caller::alice(), NOW).await;
    assert!(matches!(shown, Err(IdentityFailure::Refused)), "{shown:?}");
}
