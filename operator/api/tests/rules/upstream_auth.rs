//! As whom the server behind is called.

use crate::judge::{accepts, judge, refuses, with};
use crate::objects::{provider, server};
use serde_json::{Value, json};
use tollward_api::{IdentityProvider, MCPServer};

const PLACE: &str = "/spec/upstreamAuth";

fn credential(change: impl FnOnce(&mut Value)) -> Value {
    let mut credential = json!({"scheme": "Bearer", "secretName": "crm", "actAs": "Shared"});
    change(&mut credential);
    drop_nulls(&mut credential);
    json!({"type": "Credential", "credential": credential})
}

/// An API server refuses them before any rule is asked.
fn drop_nulls(object: &mut Value) {
    object.as_object_mut().unwrap().retain(|_, value| !value.is_null());
}

fn exchange(change: impl FnOnce(&mut Value)) -> Value {
    let mut exchange = json!({"client": {"id": "tollward", "secretName": "exchange"}, "audience": "catalog"});
    change(&mut exchange);
    drop_nulls(&mut exchange);
    json!({"type": "TokenExchange", "tokenExchange": exchange})
}

#[test]
fn every_type_can_be_written_in_its_shortest_form() {
    accepts::<MCPServer>(
        "MCPServer",
        &server(),
        &[
            (PLACE, json!(null)),
            (PLACE, json!({})),
            (PLACE, json!({"type": "None"})),
            (PLACE, json!({"type": "SignedAssertion"})),
            (PLACE, json!({"type": "SignedAssertion", "signedAssertion": {"audience": "catalog"}})),
            (PLACE, exchange(|_| ())),
            (PLACE, exchange(|it| it["resource"] = json!("https://catalog.internal"))),
            (PLACE, credential(|_| ())),
            (PLACE, credential(|it| it["scheme"] = json!("Basic"))),
            (PLACE, credential(|it| (it["scheme"], it["header"]) = (json!("Header"), json!("X-Api-Key")))),
        ],
    );
    accepts::<IdentityProvider>(
        "IdentityProvider",
        &provider(),
        &[("/spec/external/tokenURL", json!("https://idp.example.com/token?p=policy"))],
    );
}

#[test]
fn a_type_has_what_it_needs_and_nothing_else() {
    let header = |name: &str| credential(|it| (it["scheme"], it["header"]) = (json!("Header"), json!(name)));
    refuses::<MCPServer>(
        "MCPServer",
        &server(),
        &[
            (PLACE, json!({"signedAssertion": {}}), "only if upstreamAuth.type is SignedAssertion"),
            (PLACE, json!({"type": "TokenExchange"}), "upstreamAuth.tokenExchange must be set"),
            (PLACE, json!({"type": "Credential"}), "upstreamAuth.credential must be set"),
            (PLACE, exchange(|it| it["audience"] = json!(null)), "an audience or a resource"),
            (PLACE, exchange(|it| it["maxTokenLifetime"] = json!("25h")), "from 1m to 24h"),
            (PLACE, exchange(|it| it["client"]["secretName"] = json!("x-tollward")), "belongs to Tollward"),
            (PLACE, credential(|it| it["secretName"] = json!("catalog-tollward")), "belongs to Tollward"),
            (PLACE, credential(|it| it["header"] = json!("X-Api-Key")), "credential.header must be set"),
            (PLACE, credential(|it| it["scheme"] = json!("Header")), "credential.header must be set"),
            (PLACE, header("Mcp-Session-Id"), "header Mcp-Session-Id has a meaning of its own"),
            (PLACE, header("Tollward-Assertion"), "a credential may not stand in it"),
            (PLACE, header("Host"), "a credential may not stand in it"),
            (
                "/spec/source/workload/env",
                json!([{"name": "TOLLWARD_ASSERTION_KEYS_URL", "value": "http://evil.example"}]),
                "TOLLWARD_ASSERTION_KEYS_URL is set by Tollward",
            ),
        ],
    );
    refuses::<IdentityProvider>(
        "IdentityProvider",
        &provider(),
        &[("/spec/external/tokenURL", json!("https://a@idp.example.com/token"), "external.tokenURL must be")],
    );
}

#[test]
fn an_account_that_all_callers_share_has_to_be_said_and_one_for_each_needs_the_broker() {
    refuses::<MCPServer>(
        "MCPServer",
        &server(),
        &[
            (PLACE, credential(|it| it["actAs"] = json!(null)), "write actAs: Shared"),
            (PLACE, credential(|it| it["actAs"] = json!("User")), "needs the broker"),
        ],
    );
}

#[test]
fn callers_whom_nobody_verified_have_no_identity_and_tokens_go_to_their_one_issuer() {
    let anonymous = with(server(), "/spec/auth", json!({"mode": "None"}));
    let two = with(server(), "/spec/auth/identityProviders", json!([{"name": "a"}, {"name": "b"}]));
    for (object, value, expected) in [
        (&anonymous, json!({"type": "SignedAssertion"}), "need auth.mode OAuth"),
        (&anonymous, exchange(|_| ()), "need auth.mode OAuth"),
        (&two, exchange(|_| ()), "exactly one entry in auth.identityProviders"),
    ] {
        refuses::<MCPServer>("MCPServer", object, &[(PLACE, value, expected)]);
    }
    for (object, value) in [(anonymous, credential(|_| ())), (two, json!({"type": "SignedAssertion"}))] {
        assert_eq!(judge::<MCPServer>("MCPServer", with(object, PLACE, value)), Vec::<String>::new());
    }
}

#[test]
fn what_cel_says_about_a_header_is_what_the_data_plane_says() {
    let (names, prefixes) = tollward_policy::config::taken_headers();
    let taken = names.iter().map(|name| (*name).to_owned()).chain(prefixes.iter().map(|prefix| format!("{prefix}x")));
    for name in taken.chain(["X-Api-Key".into(), "Authorization".into(), "Cookie".into()]) {
        let object =
            with(server(), PLACE, credential(|it| (it["scheme"], it["header"]) = (json!("Header"), json!(name))));
        let accepted = judge::<MCPServer>("MCPServer", object).is_empty();
        assert_eq!(accepted, tollward_policy::config::is_credential_header(&name), "{name}");
    }
}
