//! Whether introspection can be enforced: of one provider, and of the providers of a route together.

use super::Problems;
use super::upstream_identity::is_text;
use crate::config::{IntrospectionConfig, MAX_CACHE_SECONDS, ProviderConfig};
use url::Url;

pub(super) fn check_introspection(config: &IntrospectionConfig, place: &str, problems: &mut Problems) {
    let IntrospectionConfig { tokens: _, endpoint_url, client, cache_seconds } = config;
    let usable = |url: &String| {
        Url::parse(url).is_ok_and(|url| {
            let plain = url.username().is_empty() && url.password().is_none() && url.fragment().is_none();
            matches!(url.scheme(), "http" | "https") && plain
        })
    };
    problems.unless(
        endpoint_url.as_ref().is_none_or(usable),
        place,
        "introspection.endpointUrl must be an absolute http(s) URL without user or fragment",
    );
    problems.unless(is_text(&client.id), place, "introspection.client.id must have 1 to 512 visible ASCII characters");
    let path = &client.secret_file;
    problems.unless(path.is_absolute(), place, "introspection.client.secretFile must be an absolute path");
    problems.within(place, "introspection.cacheSeconds", *cache_seconds, 0..=MAX_CACHE_SECONDS);
}

/// An opaque token does not say whose it is, and asking one issuer after the other would hand each the tokens of the others.
pub(super) fn check_route<'c>(
    providers: impl Iterator<Item = &'c ProviderConfig>,
    place: &str,
    problems: &mut Problems,
) {
    let asking: Vec<_> = providers
        .filter(|provider| provider.introspection.is_some())
        .map(|provider| format!("`{}`", provider.name))
        .collect();
    if asking.len() > 1 {
        let names = asking.join(" and ");
        problems.push(
            place,
            format!("auth.providers names {names}, which both have introspection: an opaque token does not say whose it is, so that only one may"),
        );
    }
}
