//! The issuers that a provider means, and whether they look like those of its vendor: most typing errors, and an authorization
//! server whose tokens nobody else can verify, are told here instead of in the first refused call.

use tollward_api::identityprovider::{ExternalProvider, Preset};
use url::Url;

/// Stands for a tenant in the issuer of a provider with several.
const TENANT: &str = "{tenantid}";

/// Who signs identity tokens of service accounts.
pub(crate) const GOOGLE: &str = "Google";

/// One issuer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Issuer {
    /// As it stands in `iss`.
    pub(crate) name: String,
    /// Entra's tenant.
    pub(crate) tenant: Option<String>,
    /// Whether its tokens are Entra's of version 1.0.
    pub(crate) version_1: bool,
}

/// The issuers whose tokens a provider means, also if something about it is wrong.
pub fn issuers_of(external: &ExternalProvider) -> Vec<String> {
    match of(external) {
        Ok(issuers) => issuers.into_iter().map(|issuer| issuer.name).collect(),
        Err(_) => vec![external.issuer.clone()],
    }
}

/// The issuers of a provider, at least one, or what is wrong with it.
pub(crate) fn of(external: &ExternalProvider) -> Result<Vec<Issuer>, String> {
    let issuer = external.issuer.as_str();
    let path = Url::parse(issuer).map(|url| url.path().to_owned()).unwrap_or_default();
    let segment = |rest: &str| !rest.is_empty() && !rest.contains('/');
    let (fine, advice) = match external.preset {
        Preset::Entra => return entra(external),
        Preset::Generic => (true, ""),
        Preset::Auth0 => (
            issuer.ends_with('/'),
            "issuers of Auth0 end with a slash: https://TENANT.auth0.com/, or that of your custom domain",
        ),
        Preset::Okta => (
            path.strip_prefix("/oauth2/").is_some_and(|id| segment(id) && id != "v1"),
            "tokens of Okta's org authorization server can be verified by Okta only; make a custom authorization server \
             (Security > API), and write its issuer: https://ORG.okta.com/oauth2/ID",
        ),
        Preset::Keycloak => (
            path.rsplit_once("/realms/").is_some_and(|(_, realm)| segment(realm)),
            "issuers of Keycloak are https://HOST/realms/REALM, without a slash at the end",
        ),
        Preset::Cognito => (
            path.strip_prefix('/').is_some_and(segment),
            "issuers of Cognito are https://cognito-idp.REGION.amazonaws.com/POOL, without a slash at the end",
        ),
        Preset::Google => (
            path == "/" && !issuer.ends_with('/'),
            "the issuer of Google is https://accounts.google.com, without a slash at the end",
        ),
    };
    if !external.tenants.is_empty() {
        return Err("spec.external.tenants is for preset Entra".to_owned());
    }
    if !fine {
        return Err(format!("spec.external.issuer: {advice}"));
    }
    Ok(vec![Issuer { name: issuer.to_owned(), tenant: None, version_1: false }])
}

/// `https://HOST/TENANT/v2.0`, or `https://HOST/TENANT/` for tokens of version 1.0.
fn entra(external: &ExternalProvider) -> Result<Vec<Issuer>, String> {
    let ExternalProvider { issuer, tenants, jwks_url, .. } = external;
    let listed = !tenants.is_empty();
    if listed != issuer.contains(TENANT) {
        return Err(format!(
            "spec.external.tenants lists the accepted tenants of an issuer with {TENANT} in place of the tenant: give both, \
             or neither"
        ));
    }
    if listed && jwks_url.is_some() {
        return Err("spec.external.jwksURL can't be set with tenants: each tenant has keys of its own".to_owned());
    }
    if listed && !tenants.iter().all(|tenant| is_tenant(tenant)) {
        return Err("spec.external.tenants must be tenant ids (GUIDs in lower case); a domain name is none".to_owned());
    }
    let names: Vec<_> = if listed {
        tenants.iter().map(|tenant| issuer.replace(TENANT, tenant)).collect()
    } else {
        vec![issuer.clone()]
    };
    names.into_iter().map(|name| entra_issuer(&name)).collect()
}

fn entra_issuer(name: &str) -> Result<Issuer, String> {
    let rest = name.split_once("://").map_or(name, |(_, rest)| rest);
    let segments: Vec<_> = rest.split('/').skip(1).collect();
    let (tenant, version_1) = match segments.as_slice() {
        [tenant, "v2.0"] => (*tenant, false),
        [tenant, ""] => (*tenant, true),
        _ => return Err(entra_form()),
    };
    if matches!(tenant, "common" | "organizations" | "consumers") {
        return Err(format!(
            "spec.external.issuer: no token has the issuer `{name}`. To accept several tenants write {TENANT} in place of \
             `{tenant}`, and list them in spec.external.tenants"
        ));
    }
    if !is_tenant(tenant) {
        return Err(entra_form());
    }
    Ok(Issuer { name: name.to_owned(), tenant: Some(tenant.to_owned()), version_1 })
}

fn entra_form() -> String {
    "spec.external.issuer: issuers of Entra are https://login.microsoftonline.com/TENANT/v2.0, or for tokens of version 1.0 \
     https://sts.windows.net/TENANT/, with the tenant's id (a GUID in lower case). For Azure AD B2C use preset Generic"
        .to_owned()
}

/// A GUID as Entra writes it.
fn is_tenant(text: &str) -> bool {
    let lengths = text.split('-').map(str::len);
    lengths.eq([8, 4, 4, 4, 12]) && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f' | b'-'))
}

/// Whose name an issuer has that signs tokens for everybody who has an account there, for any audience that they name
/// (cloud.google.com/docs/authentication/get-id-token, docs.github.com/actions/reference/security/oidc, and the keyword
/// `id_tokens` of docs.gitlab.com/ci/yaml).
pub(crate) fn open_to_all(issuer: &str) -> Option<&'static str> {
    match issuer {
        "https://accounts.google.com" => Some(GOOGLE),
        "https://token.actions.githubusercontent.com" => Some("GitHub"),
        "https://gitlab.com" => Some("GitLab"),
        _ => None,
    }
}

/// Whether a text is a GUID as Entra's tokens have it: in lower case, however it is written elsewhere.
pub(crate) fn is_guid(text: &str) -> bool {
    is_tenant(text)
}

/// A text as it stands in tokens of a preset. Entra's GUIDs are written in any case by people and programs, and in lower case
/// by Entra.
pub(crate) fn as_in_tokens(preset: Preset, text: String) -> String {
    let lower = text.to_ascii_lowercase();
    if preset == Preset::Entra && is_guid(&lower) { lower } else { text }
}

/// The values that a key's `issuer` may have in the key sets of an Entra tenant: its own, or the template for all of them
/// (learn.microsoft.com/entra/identity-platform/access-tokens#validate-the-issuer).
pub(crate) fn key_issuers(issuer: &Issuer) -> Vec<String> {
    let Some(tenant) = &issuer.tenant else {
        return Vec::new();
    };
    let v2 = "https://login.microsoftonline.com";
    let template = issuer.name.replace(tenant, TENANT);
    let mut list = vec![issuer.name.clone(), template, format!("{v2}/{tenant}/v2.0"), format!("{v2}/{TENANT}/v2.0")];
    list.sort();
    list.dedup();
    list
}

#[cfg(test)]
mod tests {
    use super::{Issuer, of};
    use serde_json::{Value, json};
    use tollward_api::identityprovider::ExternalProvider;

    const ONE: &str = "72f988bf-86f1-41af-91ab-2d7cd011db47";
    const TWO: &str = "fa15d692-e9c7-4460-a743-29f2956fd429";

    fn issuers(preset: &str, issuer: &str, more: &Value) -> Result<Vec<Issuer>, String> {
        let mut external = json!({"preset": preset, "issuer": issuer});
        external.as_object_mut().unwrap().extend(more.as_object().cloned().unwrap_or_default());
        of(&serde_json::from_value::<ExternalProvider>(external).unwrap())
    }

    #[test]
    fn issuers_look_like_those_of_their_vendor() {
        for (preset, good, bad) in [
            ("Auth0", "https://shop.eu.auth0.com/", vec!["https://shop.eu.auth0.com"]),
            (
                "Okta",
                "https://shop.okta.com/oauth2/default",
                vec![
                    "https://shop.okta.com",
                    "https://shop.okta.com/",
                    "https://shop.okta.com/oauth2/",
                    "https://shop.okta.com/oauth2/v1",
                ],
            ),
            (
                "Keycloak",
                "https://sso.example/auth/realms/shop",
                vec!["https://sso.example", "https://sso.example/realms/", "https://sso.example/realms/shop/"],
            ),
            (
                "Cognito",
                "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_Ab1",
                vec!["https://cognito-idp.eu-west-1.amazonaws.com", "https://cognito-idp.eu-west-1.amazonaws.com/a/"],
            ),
            (
                "Google",
                "https://accounts.google.com",
                vec!["https://accounts.google.com/", "https://accounts.google.com/o/oauth2"],
            ),
        ] {
            assert_eq!(issuers(preset, good, &json!({})).unwrap()[0].name, good);
            for bad in bad {
                assert!(issuers(preset, bad, &json!({})).is_err(), "{preset} {bad}");
            }
        }
        let org = issuers("Okta", "https://shop.okta.com", &json!({})).unwrap_err();
        assert!(org.contains("org authorization server") && org.contains("/oauth2/ID"), "{org}");
    }

    #[test]
    fn the_version_of_entras_tokens_is_told_by_the_issuer() {
        let two = issuers("Entra", &format!("https://login.microsoftonline.com/{ONE}/v2.0"), &json!({})).unwrap();
        assert_eq!((two[0].tenant.as_deref(), two[0].version_1), (Some(ONE), false));
        let one = issuers("Entra", &format!("https://sts.windows.net/{ONE}/"), &json!({})).unwrap();
        assert_eq!((one[0].tenant.as_deref(), one[0].version_1), (Some(ONE), true));
    }

    #[test]
    fn tenants_are_listed_one_by_one_and_there_is_no_way_to_accept_any() {
        let template = "https://login.microsoftonline.com/{tenantid}/v2.0";
        let both = issuers("Entra", template, &json!({"tenants": [ONE, TWO]})).unwrap();
        let names: Vec<_> = both.iter().map(|issuer| issuer.name.as_str()).collect();
        let expected = [ONE, TWO].map(|tenant| format!("https://login.microsoftonline.com/{tenant}/v2.0"));
        assert_eq!(names, expected);
        let own = format!("https://login.microsoftonline.com/{ONE}/v2.0");
        for (issuer, tenants) in [
            (template, json!([])),
            (own.as_str(), json!([ONE])),
            (template, json!(["contoso.onmicrosoft.com"])),
            (template, json!(["*"])),
            (template, json!(["common"])),
            (template, json!([ONE.to_uppercase()])),
            ("https://login.microsoftonline.com/common/v2.0", json!([])),
            ("https://login.microsoftonline.com/organizations/v2.0", json!([])),
            ("https://login.microsoftonline.com/contoso.onmicrosoft.com/v2.0", json!([])),
            ("https://login.microsoftonline.com/{tenantid}/{tenantid}/v2.0", json!([ONE])),
            ("https://{tenantid}/v2.0", json!([ONE])),
        ] {
            assert!(issuers("Entra", issuer, &json!({"tenants": tenants})).is_err(), "{issuer}");
        }
        let common = issuers("Entra", "https://login.microsoftonline.com/common/v2.0", &json!({})).unwrap_err();
        assert!(common.contains("spec.external.tenants"), "{common}");
        assert!(issuers("Generic", "https://idp.example", &json!({"tenants": [ONE]})).is_err());
    }
}
