//! The closed list of reasons why a request ended as it did.
//!
//! One list feeds the HTTP answer, the audit record, the metric label and the documentation, so that an operator who
//! sees `audience_mismatch` on a graph finds the same word in the log and in the manual. Codes are part of the public
//! interface: they are added, never renamed.

use serde::Serialize;

/// Declares the enum, its stable codes and its sentences in one place, so that none can be forgotten.
macro_rules! reasons {
    ($($name:ident = $code:literal, $meaning:literal, $advice:literal;)+) => {
        /// Why a request was refused, cut short or let through.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
        #[serde(rename_all = "snake_case")]
        pub enum Reason { $(#[doc = $meaning] $name,)+ }

        impl Reason {
            /// Every reason, in the order of the pipeline.
            pub const ALL: &'static [Self] = &[$(Self::$name,)+];

            /// The stable code: audit attribute, metric label, `data.reason` of a JSON-RPC error.
            pub const fn code(self) -> &'static str {
                match self { $(Self::$name => $code,)+ }
            }

            /// What happened, as a sentence for a person.
            pub const fn meaning(self) -> &'static str {
                match self { $(Self::$name => $meaning,)+ }
            }

            /// What the caller or the platform team can do about it.
            pub const fn advice(self) -> &'static str {
                match self { $(Self::$name => $advice,)+ }
            }
        }
    };
}

reasons! {
    Allowed = "allowed", "The request was let through.", "Nothing.";

    // Shape of the HTTP request
    RequestMalformed = "request_malformed", "The HTTP request is ambiguous or malformed.", "Send one value per header, no body with GET, and no transfer coding besides chunked.";
    HeadersTooLarge = "headers_too_large", "The request's headers exceed the limit.", "Send fewer or smaller headers.";
    BodyTooLarge = "body_too_large", "The request's body exceeds the limit.", "Send less, or raise the body limit of the server.";
    BodyTimeout = "body_timeout", "The request's body did not arrive in time.", "Send the body without pauses.";
    RouteNotFound = "route_not_found", "No MCP server is served at this path.", "Use the endpoint from the server's status.";
    MethodNotAllowed = "method_not_allowed", "The HTTP method is not served here.", "Use a method named in Allow.";
    HostNotAllowed = "host_not_allowed", "The Host header names another server.", "Use the endpoint's own host name, or add it to the endpoint's hosts.";
    OriginNotAllowed = "origin_not_allowed", "A browser page of another origin made the request.", "Add the origin to the endpoint's allowed origins.";

    // Who calls
    CredentialsMissing = "credentials_missing", "The request carries no access token.", "Get a token from the authorization server that the protected resource metadata names.";
    CredentialsMalformed = "credentials_malformed", "The Authorization header is not one Bearer token.", "Send exactly one header `Authorization: Bearer TOKEN`.";
    TokenMalformed = "token_malformed", "The access token is not a well-formed signed JWT.", "Check that the authorization server issues JWT access tokens for this resource, or let the provider introspect.";
    TokenTypeRefused = "token_type_refused", "The token is not an access token (RFC 9068 `typ`, or marks of an ID, refresh or logout token).", "Send the access token, or list the type in the provider's tokenTypes.";
    TokenAlgorithmRefused = "token_algorithm_refused", "The token's algorithm is not one that the provider may use.", "Sign with an allowed algorithm, or list it in the provider's algorithms.";
    TokenKeyUnknown = "token_key_unknown", "No key of the issuer matches the token.", "Check that the token comes from this issuer; a rotated key is fetched within the cooldown.";
    TokenSignatureInvalid = "token_signature_invalid", "The token's signature does not verify.", "Get a new token from the authorization server.";
    TokenClaimsInvalid = "token_claims_invalid", "A claim of the token is missing or of the wrong type.", "Compare the token's claims with RFC 9068 section 2.2.";
    IssuerUnknown = "issuer_unknown", "The token comes from an issuer that this server does not trust.", "Get a token from the authorization server that the protected resource metadata names.";
    AudienceMismatch = "audience_mismatch", "The token was issued for another resource.", "Ask for a token with this server's resource identifier (RFC 8707).";
    TokenExpired = "token_expired", "The token is past its expiry.", "Refresh the token.";
    TokenNotYetValid = "token_not_yet_valid", "The token is not valid yet, or was issued in the future.", "Check the clocks of issuer and server.";
    TokenLifetimeTooLong = "token_lifetime_too_long", "The token lives longer than the provider may grant.", "Shorten the lifetime at the issuer, or raise maxLifetimeSeconds.";
    TokenRevoked = "token_revoked", "The token is refused by an entry of its identity provider's deny list.", "Sign in again; if that does not help, ask the platform team.";
    TokenNotBound = "token_not_bound", "The token is not bound to its sender, as the server or the scheme DPoP demands.", "Ask the authorization server for a token that is bound to a key (DPoP) or to a client certificate.";
    TokenBindingRefused = "token_binding_refused", "The token is bound to a sender, and the request does not prove in an accepted way that it comes from it.", "Send a DPoP-bound token by the scheme DPoP with a proof, a certificate-bound one over a connection with that certificate; see the server's auth.senderConstraint.";
    ProofInvalid = "proof_invalid", "The DPoP proof is missing, malformed, or made for another request, token or key.", "Make a proof for every request: its method, the endpoint's URL, the time, the token's hash.";
    ProofReplayed = "proof_replayed", "The DPoP proof was used before.", "Make a proof for every request, with a jti of its own.";
    ProofNonceRequired = "proof_nonce_required", "The DPoP proof carries no current nonce of this server.", "Repeat the request with a new proof that carries the nonce of the answer's DPoP-Nonce.";
    ProofsExhausted = "proofs_exhausted", "Too many DPoP proofs are remembered to accept another.", "Wait and retry; for a caller that makes hundreds of calls a second, shorten the server's proofMaxAge.";
    TokenInactive = "token_inactive", "The authorization server says that the token is not active.", "Get a new token from the authorization server.";
    ClientNotAllowed = "client_not_allowed", "The client is not on the server's list.", "Add the client id to auth.clients.allow.";
    KeysUnavailable = "keys_unavailable", "The issuer's keys can't be fetched.", "Wait and retry; check the provider's status.";
    IntrospectionUnavailable = "introspection_unavailable", "The authorization server can't be asked about the token.", "Wait and retry; check the provider's status and the sidecar's log.";

    // What is asked
    MediaTypeRefused = "media_type_refused", "The media type or content coding is not served.", "Send `Content-Type: application/json` without content coding.";
    BodyMalformed = "body_malformed", "The body is not one unambiguous JSON document.", "Send one JSON object in UTF-8 without repeated keys.";
    BatchRefused = "batch_refused", "JSON-RPC batches are refused.", "Send each message in a request of its own.";
    MessageInvalid = "message_invalid", "The body is not a JSON-RPC 2.0 message of this protocol revision.", "Compare the message with the specification.";
    HeaderMismatch = "header_mismatch", "A header does not agree with the body.", "Let MCP-Protocol-Version, Mcp-Method and Mcp-Name repeat the body.";
    ProtocolVersionUnsupported = "protocol_version_unsupported", "The protocol revision is not served.", "Use a revision from data.supported.";
    MethodUnknown = "method_unknown", "The JSON-RPC method is unknown and therefore denied.", "Use a method of the specification.";
    TaskUnknown = "task_unknown", "The task does not exist, has ended, or was not begun by the caller at this replica.", "Begin the task again.";
    TokenInCall = "token_in_call", "The call carries its own access token as content.", "Send the token in the Authorization header and nowhere else.";
    SessionUnknown = "session_unknown", "The session does not exist, has ended, or is another caller's.", "Initialize again.";

    // Whether it is permitted
    NoRuleMatched = "no_rule_matched", "No rule allows this call.", "Add a rule to the server's auth.rules.";
    RuleDenied = "rule_denied", "A rule denies this call.", "Ask the owner of the server.";
    ScopeInsufficient = "scope_insufficient", "The token lacks a scope that the call needs.", "Ask the authorization server for the scopes of the challenge.";
    ConditionFailed = "condition_failed", "A rule is about this call, but its condition does not hold.", "Compare the caller and the arguments with the rule's condition; `tollward explain` evaluates it.";
    Hidden = "hidden", "The target is hidden from callers without its scopes.", "Ask the owner of the server for the scopes.";
    RateLimited = "rate_limited", "A limit is exhausted.", "Wait as long as Retry-After says.";
    LimitsExhausted = "limits_exhausted", "A limit counts so many callers already that it can't count another.", "Wait as long as Retry-After says; the platform team should look for a flood of callers in the metric tollward.ratelimit.keys.";
    LimitStoreUnavailable = "limit_store_unavailable", "The store of a limit does not count, and its policy refuses calls meanwhile.", "Wait and retry; the policy's status and the sidecar's log say what is wrong with the store.";
    SessionsLimited = "sessions_limited", "The caller has as many sessions or streams open as it may.", "End sessions that are done with (DELETE) and close streams, wait as long as Retry-After says, or raise the server's session.maxSessionsPerClient or maxStreamsPerClient.";
    SessionsExhausted = "sessions_exhausted", "The server has as many sessions or streams open as it may.", "Wait as long as Retry-After says; look for a flood of callers, or raise the server's session.maxSessions or maxStreams.";
    ConcurrencyLimited = "concurrency_limited", "Too many requests are in flight.", "Wait for earlier calls to end.";

    // Our own state
    AuditUnavailable = "audit_unavailable", "The audit record can't be stored, so the call is not made.", "Check the audit sink.";
    ConfigurationStale = "configuration_stale", "A newer configuration exists that could not be read.", "Read the sidecar's log and the server's Programmed condition.";
    InternalError = "internal_error", "Tollward failed.", "Report it with the request id.";

    // As whom the server behind is called
    UpstreamIdentityUnavailable = "upstream_identity_unavailable", "The identity for the MCP server can't be had: a mounted file can't be used, or the token endpoint does not answer.", "Wait and retry; the server's status and the sidecar's log say what is missing.";
    UpstreamIdentityRefused = "upstream_identity_refused", "The identity provider gave no acceptable token for the MCP server on behalf of the caller.", "Look for the error in the sidecar's log, and at the client's right to exchange tokens at the identity provider.";

    // The server behind
    UpstreamUnreachable = "upstream_unreachable", "The MCP server can't be reached.", "Check the MCP server's container.";
    UpstreamTimeout = "upstream_timeout", "The MCP server did not answer in time.", "Check the MCP server, or raise the upstream timeouts.";
    UpstreamInvalid = "upstream_invalid", "The MCP server's answer can't be used.", "Check the MCP server's log.";
    // Connections of the server behind to the outside
    EgressNotAllowed = "egress_not_allowed", "The MCP server may not connect to this name and port.", "Add the name and the port to the server's spec.egress.allow, if it needs them.";
    EgressNameMismatch = "egress_name_mismatch", "What the MCP server sent through its tunnel is not TLS for the name that the tunnel was asked for.", "Connect by TLS with the name of the host (SNI); plain connections are not carried.";
    EgressUnreachable = "egress_unreachable", "The destination can't be connected to: it can't be looked up, has an address that may not be dialled, or does not answer.", "Read the audit record, which says what it was; private addresses are the installer's to allow.";

    ClientGone = "client_gone", "The client went away before the answer was complete.", "Nothing.";
}

impl std::fmt::Display for Reason {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(self.code())
    }
}

#[cfg(test)]
mod tests {
    use super::Reason;
    use std::collections::BTreeSet;

    #[test]
    fn codes_are_unique_and_every_reason_says_what_to_do() {
        let codes: BTreeSet<_> = Reason::ALL.iter().map(|reason| reason.code()).collect();
        assert_eq!(codes.len(), Reason::ALL.len());
        for reason in Reason::ALL {
            assert!(reason.meaning().ends_with('.'), "{reason}");
            assert!(reason.advice().ends_with('.'), "{reason}");
        }
    }

    #[test]
    fn the_serialised_form_is_the_code() {
        for reason in Reason::ALL {
            assert_eq!(serde_json::to_value(reason).unwrap(), reason.code());
        }
    }
}
