//! Revocations that reach a configuration in force, although nothing new can be made of the server's specification.

use crate::fixture::{build, catalog, change};
use serde_json::{Value, json};
use tollward_api::IdentityProvider;
use tollward_desired::{Configuration, Denied};

/// What the configuration should become.
fn denied(in_force: &str, providers: &[IdentityProvider]) -> Option<Configuration> {
    tollward_desired::denied(in_force, providers)?.next
}

/// The generations of the providers whose lists it has.
fn generations(in_force: &str, providers: &[IdentityProvider]) -> Vec<(String, Option<i64>)> {
    let Denied { next: _, providers } = tollward_desired::denied(in_force, providers).unwrap();
    providers.into_iter().map(|provider| (provider.name, provider.generation)).collect()
}

fn in_force() -> Configuration {
    build(&catalog()).configuration
}

fn provider(deny: Value) -> IdentityProvider {
    change(&catalog().providers[0], "/spec/deny", deny)
}

#[test]
fn a_revocation_reaches_a_configuration_of_which_nothing_else_changes() {
    let before = in_force();
    let provider = provider(json!([{"name": "laptop", "subject": "ada", "reason": "INC-4711"}]));
    let after = denied(before.text(), std::slice::from_ref(&provider)).unwrap();
    let (mut old, mut new): (Value, Value) =
        (serde_json::from_str(before.text()).unwrap(), serde_json::from_str(after.text()).unwrap());
    assert_eq!(new["identityProviders"][0]["deny"], json!([{"name": "laptop", "subject": "ada"}]));
    assert_eq!(new["generation"], json!(before.config().generation + 1));
    for config in [&mut old, &mut new] {
        config["generation"] = json!(0);
        config["identityProviders"][0].as_object_mut().unwrap().remove("deny");
    }
    assert_eq!(old, new, "and nothing else");
    assert!(denied(after.text(), &[provider]).is_none(), "it is there");
}

#[test]
fn a_revocation_reaches_every_tenant_of_a_provider() {
    let tenants = ["11111111-2222-3333-4444-555555555555", "66666666-7777-8888-9999-aaaaaaaaaaaa"];
    let external = json!({
        "preset": "Entra", "issuer": "https://login.microsoftonline.com/{tenantid}/v2.0", "tenants": tenants,
    });
    let mut inputs = catalog();
    inputs.providers[0] = change(&inputs.providers[0], "/spec/external", external);
    inputs.server = change(&inputs.server, "/spec/auth/audience", json!({"value": tenants[0]}));
    let before = build(&inputs).configuration;
    let denying = change(&inputs.providers[0], "/spec/deny", json!([{"name": "laptop", "subject": "ada"}]));
    assert_eq!(generations(before.text(), std::slice::from_ref(&denying)).len(), 1, "it is one provider");
    let after = denied(before.text(), &[denying]).unwrap();
    let lists: Vec<_> = after.config().identity_providers.iter().map(|provider| provider.deny.len()).collect();
    assert_eq!(lists, [1, 1]);
}

#[test]
fn it_is_told_of_which_generation_of_a_provider_the_list_is() {
    let of = |provider: &IdentityProvider, generation: i64| change(provider, "/metadata/generation", json!(generation));
    let denying = of(&provider(json!([{"name": "laptop", "subject": "ada"}])), 7);
    let name = format!("{}/{}", denying.metadata.namespace.clone().unwrap(), denying.metadata.name.clone().unwrap());
    let told = |in_force: &Configuration, provider: &IdentityProvider| {
        generations(in_force.text(), std::slice::from_ref(provider))
    };
    assert_eq!(told(&in_force(), &denying), [(name.clone(), Some(7))], "once it is brought in");
    let with = denied(in_force().text(), std::slice::from_ref(&denying)).unwrap();
    assert_eq!(told(&with, &of(&denying, 8)), [(name.clone(), Some(8))], "and while it is the same");
    let moved = change(&of(&denying, 9), "/spec/external/issuer", json!("https://other.example.com"));
    let broken = of(&provider(json!([{"name": "laptop"}])), 9);
    for other in [moved, broken] {
        assert_eq!(told(&with, &other), [(name.clone(), None)], "what can't be brought in is not there");
    }
}

#[test]
fn what_is_taken_back_is_taken_back() {
    let denying = provider(json!([{"name": "laptop", "subject": "ada"}]));
    let with = denied(in_force().text(), &[denying]).unwrap();
    let without = denied(with.text(), &[provider(json!([]))]).unwrap();
    assert_eq!(without.config().identity_providers, in_force().config().identity_providers);
}

#[test]
fn a_list_of_another_provider_or_issuer_or_one_that_can_not_be_used_changes_nothing() {
    let denying = provider(json!([{"name": "laptop", "subject": "ada"}]));
    let in_force = denied(in_force().text(), std::slice::from_ref(&denying)).unwrap();
    let elsewhere = change(&denying, "/metadata/namespace", json!("elsewhere"));
    let elsewhere = change(&elsewhere, "/spec/deny", json!([]));
    let moved = change(&provider(json!([])), "/spec/external/issuer", json!("https://other.example.com"));
    let broken = provider(json!([{"name": "laptop"}]));
    for providers in [vec![elsewhere], vec![moved], vec![broken], Vec::new()] {
        assert!(denied(in_force.text(), &providers).is_none(), "{providers:?}");
    }
    assert!(tollward_desired::denied("{}", std::slice::from_ref(&denying)).is_none());
    assert!(tollward_desired::denied("", &[denying]).is_none());
}
