//! The consent page and the answers to it (attack cases C01, C03, C04, C10, C11, C12).

use std::num::NonZeroU32;
use std::time::Duration;

use http::StatusCode;
use serde_json::json;
use url::Url;

use super::harness::{Form, REDIRECT, World, approval, config, form, request};
use crate::{BrokerConfig, BrokerEvent};

#[tokio::test]
async fn the_page_names_client_server_scopes_and_destination() {
    let world = World::new();
    let page = world.open(&world.client().await).await;
    insta::assert_snapshot!("consent_page", page.reply.body);
    insta::assert_snapshot!("consent_policy", page.reply.header("content-security-policy"));
}

/// C11, C12
#[tokio::test]
async fn pages_forbid_frames_scripts_and_caches() {
    let world = World::new();
    let client_id = world.client().await;
    let consent = world.open(&client_id).await.reply;
    let refusal = world.authorize(&request("nobody")).await;
    for page in [consent, refusal] {
        let policy = page.header("content-security-policy");
        assert!(policy.starts_with("default-src 'none'; style-src 'self'; form-action "), "{policy}");
        assert!(policy.ends_with("; base-uri 'none'; frame-ancestors 'none'"), "{policy}");
        assert_eq!(page.header("x-frame-options"), "DENY");
        assert_eq!(page.header("x-content-type-options"), "nosniff");
        assert_eq!(page.header("cache-control"), "no-store");
        assert_eq!(page.header("content-type"), "text/html; charset=utf-8");
        assert!(!page.body.contains("<script") && !page.body.contains(" style=") && !page.body.contains("<style"));
    }
    let style = world.get("/oauth/authorize/style.css").await;
    assert_eq!((style.status, style.header("content-type")), (StatusCode::OK, "text/css; charset=utf-8"));
}

/// C12
#[tokio::test]
async fn a_hostile_client_name_stays_text_and_loses_what_hides_or_reorders() {
    let world = World::with(BrokerConfig { registrations_per_minute: NonZeroU32::new(100).unwrap(), ..config() });
    for (name, shown) in [
        ("<script>alert(1)</script>", "&#60;script&#62;alert(1)&#60;/script&#62;"),
        ("\"><img src=x onerror=alert(1)>", "&#34;&#62;&#60;img src=x onerror=alert(1)&#62;"),
        ("{{ sealed }}", "no readable name"),
        ("Cla\u{202e}edu\u{200b}x", "<bdi>Claedux</bdi>"),
        ("\u{202e}\u{2066}", "no readable name"),
        (&"A".repeat(10_240), "no readable name"),
    ] {
        let reply = world.register(&json!({"client_name": name, "redirect_uris": [REDIRECT]})).await;
        let page = world.open(reply.json()["client_id"].as_str().unwrap()).await.reply;
        let expected = if name == "{{ sealed }}" { "{{ sealed }}" } else { shown };
        assert!(page.body.contains(expected), "{name:.40} -> {}", page.body);
        assert!(!page.body.contains(['\u{202e}', '\u{2066}', '\u{200b}']) && !page.body.contains("<script"));
        assert!(page.body.contains("(unverified)"));
    }
}

#[tokio::test]
async fn the_cookie_is_signed_and_out_of_reach_of_scripts_and_other_sites() {
    let plain = World::new();
    let page = plain.open(&plain.client().await).await;
    let cookie = page.reply.header("set-cookie");
    assert!(cookie.starts_with("tollward-consent="), "{cookie}");
    assert!(cookie.ends_with("; Path=/; Max-Age=600; HttpOnly; SameSite=Lax"), "{cookie}");

    let issuer = Url::parse("https://127.0.0.1:8089/oauth").unwrap();
    let secure = World::with(BrokerConfig { issuer, ..config() });
    let page = secure.open(&secure.client().await).await;
    let cookie = page.reply.header("set-cookie");
    assert!(cookie.starts_with("__Host-tollward-consent="), "{cookie}");
    assert!(cookie.ends_with("; Path=/; Max-Age=600; HttpOnly; SameSite=Lax; Secure"), "{cookie}");
}

/// C10
#[tokio::test]
async fn an_answer_counts_only_from_the_browser_that_saw_the_page() {
    let world = World::new();
    let client_id = world.client().await;
    let page = world.open(&client_id).await;
    let other = world.open(&client_id).await;
    assert_ne!(page.cookie, other.cookie);
    let good = approval(&page.sealed, "alice");
    let (name, value) = page.cookie.split_once('=').unwrap();
    let forged = format!("{name}=AAAA{}", &value[4..]);
    let twice = format!("{}; {}", page.cookie, other.cookie);
    let unsigned = format!("{name}={}", value.split('.').next().unwrap());
    for cookie in ["", "tollward-consent=", &forged, &twice, &unsigned] {
        world.answer(cookie, &good).await.is_refusal_page(StatusCode::FORBIDDEN);
    }
    world.answer(&other.cookie, &good).await.is_refusal_page(StatusCode::FORBIDDEN);
    assert!(world.answer(&page.cookie, &good).await.returned("code").is_some());
}

/// C10
#[tokio::test]
async fn an_answer_from_another_site_is_refused_even_with_the_cookie() {
    let world = World::new();
    let page = world.open(&world.client().await).await;
    let good = approval(&page.sealed, "alice");
    for headers in [
        &[("origin", "https://evil.example")][..],
        &[("origin", "null")],
        &[("origin", "http://127.0.0.1:8088")],
        &[("origin", "http://localhost:8089")],
        &[("sec-fetch-site", "cross-site")],
        &[("sec-fetch-site", "same-site")],
        &[("origin", "http://127.0.0.1:8089"), ("sec-fetch-site", "cross-site")],
        &[("origin", "http://127.0.0.1:8089"), ("origin", "https://evil.example")],
    ] {
        world.answer_from(&page.cookie, &good, headers).await.is_refusal_page(StatusCode::FORBIDDEN);
    }
    assert!(world.answer_from(&page.cookie, &good, &[]).await.returned("code").is_some(), "older browsers say nothing");
}

/// C03, C10
#[tokio::test]
async fn the_form_can_not_be_changed_reused_or_kept() {
    let world = World::new();
    let client_id = world.client().await;
    let page = world.open(&client_id).await;
    let good = approval(&page.sealed, "alice");
    let (content, tag) = page.sealed.split_once('.').unwrap();
    let narrow = world.open_with(&request(&client_id).with("scope", "catalog:read")).await;
    let (other_content, _) = narrow.sealed.split_once('.').unwrap();
    for sealed in
        [content, &format!("{content}."), &format!("{other_content}.{tag}"), &format!("A{}", page.sealed), "."]
    {
        let reply = world.answer(&page.cookie, &approval(sealed, "alice")).await;
        reply.is_refusal_page(StatusCode::FORBIDDEN);
    }
    assert!(world.answer(&page.cookie, &good).await.returned("code").is_some());
    world.answer(&page.cookie, &good).await.is_refusal_page(StatusCode::FORBIDDEN);
    let refusal = good.clone().with("decision", "refuse");
    world.answer(&page.cookie, &refusal).await.is_refusal_page(StatusCode::FORBIDDEN);

    let late = world.open(&client_id).await;
    world.pass(Duration::from_mins(10));
    world.answer(&late.cookie, &approval(&late.sealed, "alice")).await.is_refusal_page(StatusCode::FORBIDDEN);
}

/// C10: an approval in the address is only an address.
#[tokio::test]
async fn a_get_never_approves() {
    let world = World::new();
    let parameters = request(&world.client().await).and("decision", "approve").and("name", "alice");
    let reply = world.authorize(&parameters).await;
    assert_eq!((reply.status, reply.header("location")), (StatusCode::OK, ""));
    assert!(world.events().iter().all(|event| !matches!(event, BrokerEvent::ConsentGranted(_))));
}

#[tokio::test]
async fn refusing_sends_the_client_an_error_and_no_code() {
    let world = World::new();
    let page = world.open(&world.client().await).await;
    let reply = world.answer(&page.cookie, &form(&[("request", &page.sealed), ("decision", "refuse")])).await;
    assert_eq!(reply.returned("error").as_deref(), Some("access_denied"));
    assert_eq!(reply.returned("state").as_deref(), Some("the state & more"));
    assert_eq!(reply.returned("code"), None);
    assert!(world.events().iter().any(|event| matches!(event, BrokerEvent::ConsentRefused { .. })));
}

#[tokio::test]
async fn a_name_that_can_not_be_one_shows_the_page_again() {
    let world = World::new();
    let page = world.open(&world.client().await).await;
    for name in ["", "two words", "<b>", "al\u{456}ce", &"x".repeat(65)] {
        let reply = world.answer(&page.cookie, &approval(&page.sealed, name)).await;
        assert_eq!(reply.status, StatusCode::UNPROCESSABLE_ENTITY, "{name}");
        assert!(reply.body.contains("role=\"alert\"") && reply.body.contains("aria-invalid=\"true\""));
        assert!(!reply.body.contains("<b>"));
    }
    assert!(world.answer(&page.cookie, &approval(&page.sealed, " alice ")).await.returned("code").is_some());
}

#[tokio::test]
async fn an_incomplete_or_repeated_answer_is_no_answer() {
    let world = World::new();
    let page = world.open(&world.client().await).await;
    let good = approval(&page.sealed, "alice");
    let wrong: Vec<(Form, StatusCode)> = vec![
        (good.clone().without("decision"), StatusCode::BAD_REQUEST),
        (good.clone().with("decision", "maybe"), StatusCode::BAD_REQUEST),
        (good.clone().and("decision", "refuse"), StatusCode::BAD_REQUEST),
        (good.clone().and("name", "mallory"), StatusCode::BAD_REQUEST),
        (good.clone().without("request"), StatusCode::FORBIDDEN),
    ];
    for (answer, status) in wrong {
        world.answer(&page.cookie, &answer).await.is_refusal_page(status);
    }
    let large = good.with("name", &"x".repeat(20 * 1024));
    world.answer(&page.cookie, &large).await.is_refusal_page(StatusCode::PAYLOAD_TOO_LARGE);
}

#[tokio::test]
async fn an_answer_for_a_client_that_is_gone_goes_nowhere() {
    let world = World::with(BrokerConfig { client_idle_lifetime: Duration::from_hours(1), ..config() });
    let client_id = world.client().await;
    world.pass(Duration::from_mins(59));
    let page = world.open(&client_id).await;
    world.pass(Duration::from_mins(2));
    world.answer(&page.cookie, &approval(&page.sealed, "alice")).await.is_refusal_page(StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn several_pages_can_be_open_in_one_browser() {
    let world = World::new();
    let client_id = world.client().await;
    let first = world.open(&client_id).await;
    let path = format!("/oauth/authorize?{}", request(&client_id).encode());
    let again = http::Request::get(path).header("host", super::harness::HOST).header("cookie", &first.cookie);
    let second = world.send(again.body(axum::body::Body::empty()).unwrap()).await;
    assert_eq!(second.header("set-cookie").split(';').next(), Some(first.cookie.as_str()));
    assert!(world.answer(&first.cookie, &approval(&first.sealed, "alice")).await.returned("code").is_some());
}
