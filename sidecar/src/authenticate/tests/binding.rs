//! Tokens bound to their sender: no downgrade, certificates, and what proofs cost (cases T05 and T07).

use super::issuer::RESOURCE;
use super::sender::{
    Caller, Request, by_bearer, by_dpop, constrained, dpop, optional, reason, send, thumbprint, world,
};
use super::world::route;
use crate::authenticate::{Presented, Refusal, Scheme, Schemes};
use crate::thumbprint::Thumbprint;
use http::{HeaderMap, HeaderValue, Method};
use serde_json::json;
use tollward_policy::config::{AuthConfig, ProofNonce, SenderConstraintMode};
use tollward_policy::reason::Reason;

#[tokio::test(start_paused = true)]
async fn a_bound_token_with_its_proof_names_its_caller_and_the_key() {
    let (world, issuer) = world().await;
    let authenticator = world.constrained(&optional(dpop(ProofNonce::Off), false));
    for algorithm in ["ES256", "ES384", "EdDSA", "Ed25519", "PS256", "RS256"] {
        let caller = Caller::new(&issuer, algorithm);
        for id in ["1", "2"] {
            // RSA keys of tests are all the same.
            let proof = caller.proof(&format!("{algorithm} {id}"));
            let sent = send(&authenticator, &by_dpop(&caller.token, &proof)).await;
            let authenticated = sent.unwrap_or_else(|refusal| panic!("{algorithm}: {refusal:?}"));
            assert_eq!(authenticated.principal.token().unwrap().subject, "alice");
            assert_eq!(authenticated.sender.key(), Some(thumbprint(&caller.key)));
            assert_eq!(authenticated.sender.certificate(), None);
        }
    }
    let caller = Caller::new(&issuer, "ES256");
    let mut request = by_dpop(&caller.token, "");
    let proof = caller.proof("any case");
    request.authorization = format!("dpop {}", caller.token);
    request.proofs = vec![&proof];
    assert_eq!(reason(&authenticator, &request).await, Reason::Allowed);
}

#[tokio::test(start_paused = true)]
async fn there_is_no_downgrade_from_a_bound_token_to_a_bearer_token() {
    let (world, issuer) = world().await;
    let caller = Caller::new(&issuer, "ES256");
    let plain = issuer.token();
    let both = |mode| constrained(mode, dpop(ProofNonce::Off), true);
    let (optional, required) = (both(SenderConstraintMode::Optional), both(SenderConstraintMode::Required));
    let nothing = route(&[RESOURCE], &[]);
    let cases = [
        ("bound, by Bearer", &optional, by_bearer(&caller.token), Reason::TokenBindingRefused),
        ("bound, by Bearer", &required, by_bearer(&caller.token), Reason::TokenBindingRefused),
        ("bound, by Bearer", &nothing, by_bearer(&caller.token), Reason::TokenBindingRefused),
        ("unbound, by Bearer", &optional, by_bearer(&plain), Reason::Allowed),
        ("unbound, by Bearer", &required, by_bearer(&plain), Reason::TokenNotBound),
        ("unbound, by Bearer", &nothing, by_bearer(&plain), Reason::Allowed),
        ("unbound, by DPoP", &optional, by_dpop(&plain, ""), Reason::TokenNotBound),
        ("unbound, by DPoP", &required, by_dpop(&plain, ""), Reason::TokenNotBound),
        ("bound, by DPoP", &nothing, by_dpop(&caller.token, ""), Reason::CredentialsMalformed),
    ];
    for (name, auth, request, expected) in cases {
        assert_eq!(reason(&world.constrained(auth), &request).await, expected, "{name} {auth:?}");
    }
    // A proof beside Bearer makes it no better.
    let proof = caller.proof("1");
    let mut request = by_bearer(&caller.token);
    request.proofs = vec![&proof];
    for auth in [&optional, &required] {
        let refusal = send(&world.constrained(auth), &request).await.unwrap_err();
        assert_eq!((refusal.reason, refusal.scheme), (Reason::TokenBindingRefused, Scheme::Bearer));
    }
    let good = by_dpop(&caller.token, &proof);
    assert_eq!(reason(&world.constrained(&required), &good).await, Reason::Allowed);
    // That it passed once does not help the token alone: what is remembered is no permission.
    assert_eq!(reason(&world.constrained(&optional), &by_bearer(&caller.token)).await, Reason::TokenBindingRefused);
}

#[tokio::test(start_paused = true)]
async fn a_certificate_bound_token_passes_over_a_connection_with_that_certificate() {
    let (world, issuer) = world().await;
    let (own, other) = (Thumbprint::of(b"own"), Thumbprint::of(b"other"));
    let token = issuer.with_claims(|claims| claims["cnf"] = json!({"x5t#S256": own.to_string()}));
    let request = |certificate| Request { certificate, ..by_bearer(&token) };
    for mode in [SenderConstraintMode::Optional, SenderConstraintMode::Required] {
        let authenticator = world.constrained(&constrained(mode, None, true));
        let sent = send(&authenticator, &request(Some(own))).await.unwrap();
        assert_eq!((sent.sender.certificate(), sent.sender.key()), (Some(own), None));
        for certificate in [None, Some(other)] {
            assert_eq!(reason(&authenticator, &request(certificate)).await, Reason::TokenBindingRefused);
        }
    }
    // Where certificates are not accepted, the right one does not help.
    let authenticator = world.constrained(&optional(dpop(ProofNonce::Off), false));
    assert_eq!(reason(&authenticator, &request(Some(own))).await, Reason::TokenBindingRefused);
    // A certificate binds no token that does not say so.
    let required = world.constrained(&constrained(SenderConstraintMode::Required, None, true));
    let plain = Request { certificate: Some(own), ..by_bearer(&issuer.token()) };
    assert_eq!(reason(&required, &plain).await, Reason::TokenNotBound);
    let by_proof = Request { certificate: Some(own), ..by_dpop(&token, "") };
    let both = world.constrained(&optional(dpop(ProofNonce::Off), true));
    assert_eq!(reason(&both, &by_proof).await, Reason::TokenNotBound);
}

#[tokio::test(start_paused = true)]
async fn a_token_that_is_bound_twice_is_proven_twice() {
    let (world, issuer) = world().await;
    let own = Thumbprint::of(b"own");
    let mut caller = Caller::new(&issuer, "ES256");
    let jkt = thumbprint(&caller.key).to_string();
    caller.token = issuer.with_claims(|claims| claims["cnf"] = json!({"jkt": jkt, "x5t#S256": own.to_string()}));
    let authenticator = world.constrained(&optional(dpop(ProofNonce::Off), true));
    let (first, second) = (caller.proof("1"), caller.proof("2"));
    let without = by_dpop(&caller.token, &first);
    assert_eq!(reason(&authenticator, &without).await, Reason::TokenBindingRefused);
    let by_certificate = Request { certificate: Some(own), ..by_bearer(&caller.token) };
    assert_eq!(reason(&authenticator, &by_certificate).await, Reason::TokenBindingRefused);
    let sent = send(&authenticator, &Request { certificate: Some(own), ..by_dpop(&caller.token, &second) }).await;
    let sender = sent.unwrap().sender;
    assert_eq!((sender.key(), sender.certificate()), (Some(thumbprint(&caller.key)), Some(own)));
}

#[tokio::test(start_paused = true)]
async fn a_signature_of_a_proof_is_verified_only_if_that_is_admitted() {
    let (world, issuer) = world().await;
    let authenticator = world.constrained(&optional(dpop(ProofNonce::Off), false));
    let caller = Caller::new(&issuer, "ES256");
    let refused = Refusal::new(Reason::RateLimited, "too many");
    let ask = async |proof: String, admitted: usize| {
        let mut headers = HeaderMap::new();
        headers.insert("authorization", HeaderValue::from_str(&format!("DPoP {}", caller.token)).unwrap());
        headers.insert("dpop", HeaderValue::from_str(&proof).unwrap());
        let mut asked = 0;
        let presented = Presented { headers: &headers, method: &Method::POST, certificate: None };
        let admit = |_| {
            asked += 1;
            if asked > admitted { Err(refused.clone()) } else { Ok(()) }
        };
        let answer = authenticator.authenticate(presented, admit).await;
        (answer.map_or_else(|refusal| refusal.reason, |_| Reason::Allowed), asked)
    };
    assert_eq!(ask(caller.proof("1"), 1).await, (Reason::RateLimited, 2), "the token's, then the proof's");
    assert_eq!(ask(caller.proof("1"), 0).await, (Reason::RateLimited, 1), "the token is remembered");
    assert_eq!(ask(caller.proof("1"), 1).await, (Reason::Allowed, 1));
    for proof in ["junk".to_owned(), caller.proof_with("2", |claims| claims["htm"] = json!("GET"))] {
        assert_eq!(ask(proof, 0).await, (Reason::ProofInvalid, 0), "what is refused at a glance is free");
    }
}

#[tokio::test(start_paused = true)]
async fn challenges_name_the_schemes_by_which_a_token_can_pass() {
    let (world, _) = world().await;
    let schemes = |auth: &AuthConfig| world.constrained(auth).schemes();
    let required = |certificates| constrained(SenderConstraintMode::Required, dpop(ProofNonce::Off), certificates);
    assert_eq!(schemes(&route(&[RESOURCE], &[])), Schemes::Bearer);
    assert_eq!(schemes(&optional(None, true)), Schemes::Bearer);
    assert_eq!(schemes(&optional(dpop(ProofNonce::Off), false)), Schemes::Both);
    assert_eq!(schemes(&required(false)), Schemes::Dpop);
    assert_eq!(schemes(&required(true)), Schemes::Both);
    assert!(world.constrained(&required(true)).accepts_certificates());
    assert!(!world.constrained(&required(false)).accepts_certificates());
}
