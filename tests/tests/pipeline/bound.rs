//! Tokens that are bound to a key: DPoP proofs on the wire.

use futures_util::future::join_all;
use http::{Method, StatusCode};
use serde_json::json;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::time::Instant;
use tollward_policy::config::{ProofNonce, SenderConstraintMode};
use tollward_policy::operation::Era;
use tollward_policy::reason::Reason;
use tollward_sidecar::audit::{Caller, Record};
use tollward_tests::client::{Connection, Reply, Wire};
use tollward_tests::config::METADATA_URL;
use tollward_tests::mcp::Call;
use tollward_tests::sender::{Sender, by_dpop, constrain, dpop};
use tollward_tests::world::{CELLS, World};

const ALGORITHMS: &str = "algs=\"ES256 ES384 Ed25519 EdDSA PS256 RS256\"";

/// A data plane that has been running for a while: proofs from before its start need a nonce.
async fn world(mode: SenderConstraintMode, nonce: ProofNonce) -> World {
    let world = World::with(|config| constrain(config, Some(dpop(mode, nonce)))).await;
    world.clock.advance(5);
    world
}

fn tool(era: Era) -> Call {
    Call::tool(era, "get_product")
}

/// Sends a call that is refused with 401 before it reaches the MCP server; gives the challenge too.
async fn refused(world: &World, wire: Wire, call: &Call, reason: Reason) -> (Reply, Record, String) {
    let (before, records) = (world.upstream.count(), world.sidecar.records.count());
    let reply = world.send(wire, call).await;
    assert_eq!((reply.status, reply.reason().as_str()), (StatusCode::UNAUTHORIZED, reason.code()), "{call:?}");
    assert_eq!(world.upstream.count(), before, "{call:?}");
    let record = world.sidecar.records.wait_for(records + 1).await;
    assert_eq!((record.decision.reason, &record.caller), (reason, &None), "nobody was verified");
    assert_eq!(reply.headers.get_all("www-authenticate").iter().count(), 1);
    let challenge = reply.header("www-authenticate").to_owned();
    (reply, record, challenge)
}

fn key_of(record: &Record) -> Option<String> {
    let Some(Caller::Token { bound_to, .. }) = &record.caller else { panic!("the caller is known: {record:#?}") };
    bound_to.as_ref().and_then(|bound| bound.key.clone())
}

#[tokio::test]
async fn a_bound_token_passes_with_a_proof_for_each_request_and_the_record_names_the_key() {
    for mode in [SenderConstraintMode::Optional, SenderConstraintMode::Required] {
        let world = world(mode, ProofNonce::Off).await;
        for algorithm in ["ES256", "EdDSA", "RS256"] {
            let sender = Sender::new(algorithm);
            let token = sender.bind(world.issuer.token()).mint();
            for (wire, era) in CELLS {
                let call = sender.send(tool(era), &token, world.issuer.now());
                let (reply, record) = world.passed(wire, &call).await;
                assert_eq!(key_of(&record), Some(sender.thumbprint()));
                assert_eq!(reply.header("dpop-nonce"), "");
                let seen = world.upstream.requests().pop().unwrap().headers;
                assert!(!seen.contains_key("dpop") && !seen.contains_key("authorization"), "{seen:?}");
            }
            let end = sender.send(Call::end_session(), &token, world.issuer.now());
            assert_ne!(world.send(Wire::Http1, &end).await.status, StatusCode::UNAUTHORIZED, "htm is DELETE");
        }
        world.end();
    }
}

#[tokio::test]
async fn a_bound_token_is_no_bearer_token_whatever_is_required_and_however_often_it_passed() {
    let cases = [
        (SenderConstraintMode::Optional, "Bearer error=\"invalid_token\", error_description=\""),
        (SenderConstraintMode::Required, "DPoP error=\"invalid_token\", error_description=\""),
    ];
    for (mode, begin) in cases {
        let world = world(mode, ProofNonce::Off).await;
        let sender = Sender::new("ES256");
        let token = sender.bind(world.issuer.token()).mint();
        for (wire, era) in CELLS {
            let plain = tool(era).token(&token);
            let (_, _, challenge) = refused(&world, wire, &plain, Reason::TokenBindingRefused).await;
            assert!(challenge.starts_with(begin), "{challenge}");
            assert!(challenge.contains(ALGORITHMS), "{challenge}");
            world.passed(wire, &sender.send(tool(era), &token, world.issuer.now())).await;
            refused(&world, wire, &plain, Reason::TokenBindingRefused).await;
            let proof = sender.proof(&Method::POST, &token, world.issuer.now()).mint();
            refused(&world, wire, &plain.header("dpop", &proof), Reason::TokenBindingRefused).await;
        }
        world.end();
    }
}

#[tokio::test]
async fn an_unbound_token_is_good_where_binding_is_optional_and_only_by_bearer() {
    let metadata = format!("resource_metadata=\"{METADATA_URL}\"");
    let scope = "scope=\"mcp:catalog-read\"";
    let cases = [
        (SenderConstraintMode::Optional, format!("Bearer {metadata}, {scope}, DPoP {ALGORITHMS}, {metadata}")),
        (SenderConstraintMode::Required, format!("DPoP {ALGORITHMS}, {metadata}, {scope}")),
    ];
    for (mode, first_contact) in cases {
        let world = world(mode, ProofNonce::Off).await;
        let (token, sender) = (world.token(), Sender::new("ES256"));
        for (wire, era) in CELLS {
            let (_, _, challenge) = refused(&world, wire, &tool(era), Reason::CredentialsMissing).await;
            assert_eq!(challenge, first_contact);
            let by_proof = sender.send(tool(era), &token, world.issuer.now());
            let (_, _, challenge) = refused(&world, wire, &by_proof, Reason::TokenNotBound).await;
            assert!(challenge.starts_with("DPoP error=\"invalid_token\""), "{challenge}");
            let by_bearer = tool(era).token(&token);
            if mode == SenderConstraintMode::Optional {
                let (_, record) = world.passed(wire, &by_bearer).await;
                assert_eq!(key_of(&record), None);
            } else {
                refused(&world, wire, &by_bearer, Reason::TokenNotBound).await;
            }
        }
        world.end();
    }
}

#[tokio::test]
async fn a_proof_with_anything_wrong_is_refused_in_every_cell() {
    let world = world(SenderConstraintMode::Required, ProofNonce::Off).await;
    let (sender, other) = (Sender::new("ES256"), Sender::new("ES256"));
    let token = sender.bind(world.issuer.token()).mint();
    let another = sender.bind(world.issuer.token().subject("bob")).mint();
    let now = world.issuer.now();
    for (wire, era) in CELLS {
        let good = || sender.proof(&Method::POST, &token, now);
        let proofs = [
            ("of another method", good().with_claim("htm", "GET").mint()),
            ("for another host", good().with_claim("htu", "https://evil.example/shop/mcp").mint()),
            ("for another path", good().with_claim("htu", "https://mcp.example.test/shop/other").mint()),
            ("for plain http", good().with_claim("htu", "http://mcp.example.test/shop/mcp").mint()),
            ("too old", good().with_claim("iat", now - 120).mint()),
            ("of the year dot", good().with_claim("iat", i64::MIN).mint()),
            ("of the future", good().with_claim("iat", now + 120).mint()),
            ("without a time", good().without("iat").mint()),
            ("without an id", good().without("jti").mint()),
            ("without the token's hash", good().without("ath").mint()),
            ("of another token", sender.proof(&Method::POST, &another, now).mint()),
            ("of another caller", other.proof(&Method::POST, &token, now).mint()),
            ("signed by another caller", good().forge(&other)),
            ("of type JWT", good().with_header("typ", "JWT").mint()),
            ("without algorithm", good().with_header("alg", "none").mint()),
            ("by HS256", good().with_header("alg", "HS256").mint()),
            ("with a private key", good().with_header("jwk", json!({"kty": "EC", "crv": "P-256", "d": "AQ"})).mint()),
            ("that is no proof", "junk".to_owned()),
            ("that is the token", token.clone()),
        ];
        for (name, proof) in proofs {
            let call = by_dpop(tool(era), &token, &proof);
            let (_, _, challenge) = refused(&world, wire, &call, Reason::ProofInvalid).await;
            assert!(
                challenge.starts_with("DPoP error=\"invalid_dpop_proof\", error_description=\""),
                "{name} {challenge}"
            );
        }
        let none = tool(era).header("authorization", &format!("DPoP {token}"));
        refused(&world, wire, &none, Reason::ProofInvalid).await;
        let two = by_dpop(tool(era), &token, &good().mint()).header("dpop", &good().mint());
        refused(&world, wire, &two, Reason::ProofInvalid).await;
    }
    world.end();
}

#[tokio::test]
async fn a_proof_is_for_the_public_url_whatever_host_says() {
    let world = World::with(|config| {
        constrain(config, Some(dpop(SenderConstraintMode::Required, ProofNonce::Off)));
        config.routes[0].endpoint.hosts = vec!["catalog.shop.svc:8443".into()];
    })
    .await;
    world.clock.advance(5);
    let sender = Sender::new("EdDSA");
    let token = sender.bind(world.issuer.token()).mint();
    for (wire, era) in CELLS {
        let proof = |url: &str| sender.proof(&Method::POST, &token, world.issuer.now()).with_claim("htu", url).mint();
        for url in [
            "https://mcp.example.test/shop/mcp",
            "https://MCP.example.test:443/shop/%6Dcp?q=1#f",
            "https://catalog.shop.svc:8443/shop/mcp",
        ] {
            for authority in ["mcp.example.test", "catalog.shop.svc:8443"] {
                let call = by_dpop(tool(era), &token, &proof(url)).authority(authority);
                world.passed(wire, &call).await;
            }
        }
        for url in ["http://catalog.shop.svc:8443/shop/mcp", "https://127.0.0.1/shop/mcp"] {
            let call = by_dpop(tool(era), &token, &proof(url)).authority("catalog.shop.svc:8443");
            refused(&world, wire, &call, Reason::ProofInvalid).await;
        }
    }
    world.end();
}

#[tokio::test]
async fn a_proof_passes_once_over_any_connection_and_version_of_http() {
    let world = world(SenderConstraintMode::Required, ProofNonce::Off).await;
    let sender = Sender::new("ES256");
    let token = sender.bind(world.issuer.token()).mint();
    for (wire, era) in CELLS {
        let call = sender.send(tool(era), &token, world.issuer.now());
        world.passed(wire, &call).await;
        for again in Wire::ALL {
            let (_, _, challenge) = refused(&world, again, &call, Reason::ProofReplayed).await;
            assert!(challenge.starts_with("DPoP error=\"invalid_dpop_proof\""), "{challenge}");
        }
        world.clock.advance(61);
        refused(&world, wire, &call, Reason::ProofInvalid).await;
    }
    world.end();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_requests_with_one_proof_at_the_same_time_exactly_one_passes() {
    let world = world(SenderConstraintMode::Required, ProofNonce::Off).await;
    let sender = Sender::new("ES256");
    let token = sender.bind(world.issuer.token()).mint();
    for round in 0..5 {
        let call = sender.send(tool(Era::Modern), &token, world.issuer.now());
        let tries = (0..16).map(|number| {
            let wire = if number % 2 == 0 { Wire::Http1 } else { Wire::Http2 };
            world.send(wire, &call)
        });
        let mut reasons = BTreeMap::new();
        for reply in join_all(tries).await {
            *reasons.entry((reply.status.as_u16(), reply.reason())).or_insert(0) += 1;
        }
        let expected = [((200, String::new()), 1), ((401, Reason::ProofReplayed.code().to_owned()), 15)];
        assert_eq!(reasons, expected.into(), "round {round}");
    }
    assert_eq!(world.upstream.count(), 5);
}

/// Verifying a proof costs as much as verifying a token, and whoever has stolen a bound token can have it done for ever: an
/// address may fail a thousand times at once, and five hundred times in each second after.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn whoever_guesses_proofs_on_and_on_has_no_more_verified_than_its_address_may_fail() {
    let world = world(SenderConstraintMode::Required, ProofNonce::Off).await;
    let (sender, thief) = (Sender::new("ES256"), Sender::new("ES256"));
    let token = sender.bind(world.issuer.token()).mint();
    let now = world.issuer.now();
    let limited = AtomicUsize::new(0);
    let begun = Instant::now();
    let guess = || async {
        let mut connection = Connection::plain(Wire::Http1, world.sidecar.public).await;
        let mut verified = 0_u128;
        for _ in 0..500 {
            let proof = sender.proof(&Method::POST, &token, now).forge(&thief);
            let call = by_dpop(tool(Era::Modern), &token, &proof);
            let reply = connection.send(call.request(Wire::Http1)).await.unwrap().whole().await.unwrap();
            match (reply.status.as_u16(), reply.reason()) {
                (401, reason) if reason == Reason::ProofInvalid.code() => verified += 1,
                (429, reason) if reason == Reason::RateLimited.code() => {
                    assert!(!reply.header("retry-after").is_empty());
                    limited.fetch_add(1, Ordering::Relaxed);
                }
                other => panic!("{other:?}"),
            }
            if limited.load(Ordering::Relaxed) > 20 {
                break;
            }
        }
        verified
    };
    let verified: u128 = join_all((0..8).map(|_| guess())).await.into_iter().sum();
    let may_fail = 1_000 + begun.elapsed().as_millis() / 2 + 1;
    assert!(verified <= may_fail, "{verified} were verified, and {may_fail} may fail");
    assert_eq!(world.upstream.count(), 0);
    // Nothing is spent where a proof or a scheme is refused at a glance.
    let junk = by_dpop(tool(Era::Modern), &token, "junk");
    assert_eq!(world.send(Wire::Http2, &junk).await.reason(), Reason::ProofInvalid.code());
    let by_bearer = tool(Era::Modern).token(&token);
    assert_eq!(world.send(Wire::Http2, &by_bearer).await.reason(), Reason::TokenBindingRefused.code());
}

#[tokio::test]
async fn a_required_nonce_is_given_with_the_refusal_and_renewed_with_answers() {
    let world = world(SenderConstraintMode::Optional, ProofNonce::Required).await;
    let sender = Sender::new("ES256");
    let token = sender.bind(world.issuer.token()).mint();
    let with_nonce = |era: Era, nonce: &str| {
        let proof = sender.proof(&Method::POST, &token, world.issuer.now()).with_claim("nonce", nonce).mint();
        by_dpop(tool(era), &token, &proof)
    };
    for (wire, era) in CELLS {
        // Nonces are renewed at every second minute of the clock: begin soon after one.
        world.clock.advance(125 - world.issuer.now().rem_euclid(120));
        let without = sender.send(tool(era), &token, world.issuer.now());
        let (reply, _, challenge) = refused(&world, wire, &without, Reason::ProofNonceRequired).await;
        assert!(challenge.starts_with("DPoP error=\"use_dpop_nonce\""), "clients look at DPoP alone: {challenge}");
        let first = reply.header("dpop-nonce").to_owned();
        assert!(!first.is_empty());
        let (reply, _) = world.passed(wire, &with_nonce(era, &first)).await;
        assert_eq!(reply.header("dpop-nonce"), "", "the nonce is still the current one");
        world.clock.advance(125);
        let (reply, _) = world.passed(wire, &with_nonce(era, &first)).await;
        let second = reply.header("dpop-nonce").to_owned();
        assert!(!second.is_empty() && second != first, "{second}");
        // A call that the rules refuse brings the next nonce too.
        let proof = sender.proof(&Method::POST, &token, world.issuer.now()).with_claim("nonce", first.as_str()).mint();
        let reply = world.send(wire, &by_dpop(Call::tool(era, "drop_table"), &token, &proof)).await;
        assert_eq!((reply.status, reply.header("dpop-nonce")), (StatusCode::FORBIDDEN, second.as_str()));
        world.clock.advance(125);
        refused(&world, wire, &with_nonce(era, &first), Reason::ProofNonceRequired).await;
        world.passed(wire, &with_nonce(era, &second)).await;
        refused(&world, wire, &with_nonce(era, "made-up"), Reason::ProofNonceRequired).await;
        let junk = by_dpop(tool(era), &token, "junk");
        let (reply, _, _) = refused(&world, wire, &junk, Reason::ProofInvalid).await;
        assert!(!reply.header("dpop-nonce").is_empty());
    }
    world.end();
}

#[tokio::test]
async fn a_proof_that_may_have_been_used_before_the_start_needs_a_nonce() {
    let off = dpop(SenderConstraintMode::Optional, ProofNonce::Off);
    let world = World::with(|config| constrain(config, Some(off))).await;
    let sender = Sender::new("ES256");
    let token = sender.bind(world.issuer.token()).mint();
    let proof = || sender.proof(&Method::POST, &token, world.issuer.now() - 30);
    let call = by_dpop(tool(Era::Modern), &token, &proof().mint());
    let (reply, _, _) = refused(&world, Wire::Http1, &call, Reason::ProofNonceRequired).await;
    let fresh = proof().with_claim("nonce", reply.header("dpop-nonce")).mint();
    world.passed(Wire::Http1, &by_dpop(tool(Era::Modern), &token, &fresh)).await;
    world.end();
}

#[tokio::test]
async fn a_bound_caller_is_told_by_its_scheme_which_scopes_to_ask_for() {
    let world = world(SenderConstraintMode::Optional, ProofNonce::Off).await;
    let sender = Sender::new("ES256");
    let token = sender.bind(world.issuer.token()).mint();
    for (wire, era) in CELLS {
        let call = sender.send(Call::tool(era, "set_price"), &token, world.issuer.now());
        let reply = world.send(wire, &call).await;
        assert_eq!(reply.status, StatusCode::FORBIDDEN);
        let challenge = reply.header("www-authenticate");
        assert!(challenge.starts_with("Bearer error=\"insufficient_scope\""), "{challenge}");
        assert!(challenge.contains(", DPoP ") && challenge.contains("mcp:catalog-write"), "{challenge}");
    }
}

#[tokio::test]
async fn the_metadata_says_what_tokens_may_or_must_be_bound_to() {
    let target = "/.well-known/oauth-protected-resource/shop/mcp";
    let algorithms = json!(["ES256", "ES384", "Ed25519", "EdDSA", "PS256", "RS256"]);
    let cases = [
        (None, json!([null, null, null])),
        (Some(dpop(SenderConstraintMode::Optional, ProofNonce::Off)), json!([algorithms, null, null])),
        (Some(dpop(SenderConstraintMode::Required, ProofNonce::Off)), json!([algorithms, true, null])),
    ];
    for (constraint, expected) in cases {
        let world = World::with(|config| constrain(config, constraint)).await;
        let metadata = world.send(Wire::Http1, &Call::bare(Method::GET, target)).await.json();
        let found = json!([
            metadata["dpop_signing_alg_values_supported"],
            metadata["dpop_bound_access_tokens_required"],
            metadata["tls_client_certificate_bound_access_tokens"],
        ]);
        assert_eq!(found, expected);
        assert_eq!(metadata["bearer_methods_supported"], json!(["header"]));
    }
}

#[tokio::test]
async fn pages_may_send_proofs_and_read_nonces() {
    let world = world(SenderConstraintMode::Required, ProofNonce::Required).await;
    let sender = Sender::new("ES256");
    let token = sender.bind(world.issuer.token()).mint();
    let origin = "https://mcp.example.test";
    for wire in Wire::ALL {
        let preflight = tool(Era::Modern)
            .method(Method::OPTIONS)
            .body("")
            .header("origin", origin)
            .header("access-control-request-headers", "authorization,dpop,content-type");
        let reply = world.send(wire, &preflight).await;
        assert_eq!(reply.header("access-control-allow-headers"), "authorization, dpop, content-type");
        let call = sender.send(tool(Era::Modern), &token, world.issuer.now()).header("origin", origin);
        let reply = world.send(wire, &call).await;
        assert!(reply.header("access-control-expose-headers").contains("DPoP-Nonce"));
        assert!(!reply.header("dpop-nonce").is_empty());
    }
}
