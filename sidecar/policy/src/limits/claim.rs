//! Claims that say nothing about what a caller is entitled to, since the client or its user writes them.
//!
//! A tier or a tenant that is read from one of these would be the caller's own choice. The list has the registered claims
//! that a client asks for by a parameter of its request (`scope`, `resource`, `claims`, `acr_values`), that it brings to its
//! own registration (RFC 7591), that change from token to token, and those of a profile that users edit (OpenID Connect Core
//! section 5.1). What an identity provider maps into a claim of another name can't be seen from here.

/// The names, compared exactly.
pub const CLAIMS_OF_CLIENTS: [&str; 48] = [
    "acr",
    "act",
    "address",
    "amr",
    "appid",
    "aud",
    "auth_time",
    "authorization_details",
    "azp",
    "birthdate",
    "cid",
    "client_id",
    "client_name",
    "client_uri",
    "cnf",
    "contacts",
    "email",
    "exp",
    "family_name",
    "gender",
    "given_name",
    "iat",
    "jti",
    "locale",
    "logo_uri",
    "may_act",
    "middle_name",
    "name",
    "nbf",
    "nickname",
    "nonce",
    "phone_number",
    "picture",
    "preferred_username",
    "profile",
    "resource",
    "scope",
    "scp",
    "sid",
    "software_id",
    "software_statement",
    "software_version",
    "unique_name",
    "updated_at",
    "username",
    "uti",
    "website",
    "zoneinfo",
];

/// True for a claim whose value the client or its user chooses.
pub(super) fn is_of_client(claim: &str) -> bool {
    CLAIMS_OF_CLIENTS.contains(&claim)
}

#[cfg(test)]
mod tests {
    use super::CLAIMS_OF_CLIENTS;

    #[test]
    fn the_list_is_sorted_so_that_no_name_stands_twice() {
        assert!(CLAIMS_OF_CLIENTS.is_sorted_by(|one, other| one < other));
    }
}
