//! The journey of a client with a person: find out, register, sign in, list, be refused, ask for more, call.

use serde_json::{Value, json};
use tollward_policy::reason::Reason;
use tollward_sidecar::audit::{Caller, Record};
use tollward_tests::real::guarded::Guarded;
use tollward_tests::real::provider::{CLIENT_DOCUMENT, Provider};
use tollward_tests::real::visit::{Sdk, Told, Visit};

/// What a journey is to find.
pub(crate) struct Journey<'t> {
    pub(crate) sdk: Sdk,
    /// `auto`, `legacy` or a revision.
    pub(crate) protocol: &'t str,
    /// The revision that client and server should agree on.
    pub(crate) revision: &'t str,
    /// Tools that the list should show, sorted.
    pub(crate) tools: &'t [&'t str],
    /// A tool that needs a step-up, its arguments, and the rule and scope that it needs.
    pub(crate) call: (&'t str, Value),
    pub(crate) rule: &'t str,
    pub(crate) scope: &'t str,
    /// Whether the client is known by a document instead of registering.
    pub(crate) documented: bool,
    /// Whether the client asks for the scope that it lacks. One that does not is left with 403.
    pub(crate) steps_up: bool,
}

impl Journey<'_> {
    /// Goes there, and checks what everybody says about it.
    pub(crate) async fn go(self, guarded: &Guarded, provider: &Provider) -> Told {
        let (tool, arguments) = &self.call;
        let visit = Visit::new(self.sdk, &guarded.url).protocol(self.protocol).list().call(tool, arguments).step_up();
        // With a refresh token the older SDK refreshes instead of asking the person, which never brings more scopes.
        let visit = if self.sdk == Sdk::OlderTypeScript { visit.with(["--no-refresh"]) } else { visit };
        let visit = if self.documented { visit.documented(CLIENT_DOCUMENT) } else { visit };
        let told = visit.run().await;
        assert_eq!(told.at("/error").is_null(), self.steps_up, "{told:?}");
        assert_eq!(told.text("/clientId") == CLIENT_DOCUMENT, self.documented, "{told:?}");
        self.check_client(&told, guarded, provider);
        self.check_records(&told, guarded, provider).await;
        self.check_provider(&told, guarded, provider).await;
        self.check_server(guarded);
        told
    }

    fn check_client(&self, told: &Told, guarded: &Guarded, provider: &Provider) {
        // Not every client tells everything; what the records say of the revision and the provider of the resource counts.
        let agrees = |pointer: &str, expected: &str| {
            let said = told.at(pointer).as_str();
            assert!(said.is_none_or(|said| said.trim_end_matches('/') == expected), "{pointer}, {expected}: {told:?}");
        };
        agrees("/protocolVersion", self.revision);
        agrees("/resourceMetadata/resource", &guarded.url);
        agrees("/authorizationServer", &provider.issuer);
        assert_eq!(told.sorted("/tools"), self.tools);
        assert_eq!(told.at("/authorizations"), &json!(self.authorizations()), "{told:?}");
        assert_eq!(told.sorted("/scopes").contains(&self.scope), self.steps_up, "{told:?}");
        if self.steps_up {
            assert_ne!(told.at("/result/isError"), &json!(true), "{told:?}");
            assert!(told.at("/result/content/0/text").is_string(), "{told:?}");
        } else {
            assert_eq!(told.refusal(), Some(403), "{told:?}");
            assert!(told.at("/result").is_null(), "{told:?}");
        }
    }

    /// One sign-in, and one step-up.
    fn authorizations(&self) -> usize {
        1 + usize::from(self.steps_up)
    }

    async fn check_records(&self, told: &Told, guarded: &Guarded, provider: &Provider) {
        let (tool, arguments) = &self.call;
        let calls = calls(guarded, tool).await;
        let (refused, allowed) = match calls.as_slice() {
            [refused, allowed] if self.steps_up => (std::slice::from_ref(refused), Some(allowed)),
            refused if !self.steps_up && !refused.is_empty() => (refused, None),
            _ => {
                panic!("one call should be refused, and only a step-up be followed by one that is allowed: {calls:#?}")
            }
        };
        for refused in refused {
            assert_eq!(refused.decision.reason, Reason::ScopeInsufficient);
            assert_eq!(refused.outcome.as_ref().and_then(|outcome| outcome.status), Some(403));
        }
        if let Some(allowed) = allowed {
            assert!(allowed.decision.allowed, "{allowed:#?}");
            assert_eq!(allowed.decision.rule.as_deref(), Some(self.rule));
        }
        for record in &calls {
            check_caller(record, "alice", told.text("/clientId"), &provider.issuer);
            let call = record.call.as_ref().expect("a call");
            assert_eq!(call.revision, self.revision);
            assert_eq!(call.arguments.as_ref(), Some(arguments));
        }
        let first =
            guarded.records().await.into_iter().find(|record| record.caller.is_none()).expect("a first contact");
        assert_eq!(first.decision.reason, Reason::CredentialsMissing);
    }

    /// The client used PKCE and the resource indicator in each of its authorizations.
    async fn check_provider(&self, told: &Told, guarded: &Guarded, provider: &Provider) {
        let requests = provider.requests().await;
        let text = |request: &Value, pointer: &str| {
            request.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned()
        };
        let own: Vec<_> = requests
            .iter()
            .filter(|request| {
                text(request, "/path") == "/auth"
                    && text(request, "/parameters/client_id") == told.text("/clientId")
                    && text(request, "/parameters/resource") == guarded.url
            })
            .collect();
        assert_eq!(own.len(), self.authorizations(), "{requests:#?}");
        for request in own {
            assert_eq!(text(request, "/parameters/code_challenge_method"), "S256");
        }
    }

    fn check_server(&self, guarded: &Guarded) {
        // Refused calls stay here, and none that reaches the server has a credential. A client that leaves may take back
        // what it sent last before it is there.
        let (reached, let_through) = (guarded.reached().len(), guarded.sidecar.records.intents().len());
        assert!(reached > 0 && reached <= let_through, "{:?} {}: {reached} {let_through}", self.sdk, self.protocol);
    }
}

/// Records of calls of a tool, in their order.
pub(crate) async fn calls(guarded: &Guarded, tool: &str) -> Vec<Record> {
    let is_call = |record: &Record| {
        record.call.as_ref().is_some_and(|call| call.method == "tools/call" && call.target.as_deref() == Some(tool))
    };
    guarded.records().await.into_iter().filter(is_call).collect()
}

/// Fails unless the record names this caller.
pub(crate) fn check_caller(record: &Record, subject: &str, client: &str, issuer: &str) {
    let Some(Caller::Token { issuer: issuer_of, subject: subject_of, client: client_of, token_id, .. }) =
        &record.caller
    else {
        panic!("the caller should be known: {record:#?}");
    };
    assert_eq!((issuer_of.as_str(), subject_of.as_str(), client_of.as_deref()), (issuer, subject, Some(client)));
    assert!(token_id.is_some(), "a token id joins the record with the issuer's log");
}
