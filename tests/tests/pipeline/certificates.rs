//! Tokens that are bound to a client certificate (RFC 8705), over real TLS.

use http::StatusCode;
use serde_json::json;
use tollward_policy::config::{ListenerTls, SenderConstraintConfig, SenderConstraintMode};
use tollward_policy::operation::Era;
use tollward_policy::reason::Reason;
use tollward_sidecar::audit::Caller;
use tollward_tests::certificates::{Authority, Pair, self_signed};
use tollward_tests::client::{Connection, Reply, Trust, Wire};
use tollward_tests::config::AUTHORITY;
use tollward_tests::deadline::{eventually, within};
use tollward_tests::issuer::Health;
use tollward_tests::mcp::Call;
use tollward_tests::sender::constrain;
use tollward_tests::world::{CELLS, World};

fn mutual_tls(mode: SenderConstraintMode) -> SenderConstraintConfig {
    SenderConstraintConfig { mode, dpop: None, mutual_tls: true }
}

struct Guarded {
    world: World,
    authority: Authority,
}

impl Guarded {
    async fn start(constraint: Option<SenderConstraintConfig>) -> Self {
        let authority = Authority::new("public");
        let world = World::cold(Health::Good, |config, file| {
            let pair = authority.issue(AUTHORITY);
            let certificate = file.beside("public.crt", &pair.certificate);
            let private_key = file.beside("public.key", &pair.key);
            config.process.public.tls = ListenerTls::Files { certificate, private_key };
            constrain(config, constraint);
        })
        .await;
        world.sidecar.ready().await;
        Self { world, authority }
    }

    fn bound_to(&self, certificate: &Pair) -> String {
        self.world.issuer.token().with_claim("cnf", json!({"x5t#S256": certificate.thumbprint()})).mint()
    }

    async fn connect(&self, wire: Wire, client: Option<&Pair>) -> Connection {
        let trust = Trust { authority: self.authority.certificate().to_owned(), client: client.cloned() };
        Connection::tls(wire, self.world.sidecar.public, AUTHORITY, &trust).await.expect("a TLS connection")
    }

    async fn send(&self, wire: Wire, client: Option<&Pair>, call: &Call) -> Reply {
        let connection = self.connect(wire, client).await;
        let opened = within("an answer begins", connection.send_only(call.request(wire))).await.expect("an answer");
        opened.whole().await.expect("a whole answer")
    }

    async fn refused(&self, wire: Wire, client: Option<&Pair>, call: &Call, reason: Reason) {
        let before = self.world.upstream.count();
        let reply = self.send(wire, client, call).await;
        assert_eq!((reply.status, reply.reason().as_str()), (StatusCode::UNAUTHORIZED, reason.code()), "{call:?}");
        assert!(reply.header("www-authenticate").starts_with("Bearer error=\"invalid_token\""));
        assert_eq!(self.world.upstream.count(), before);
    }
}

fn tool(era: Era, token: &str) -> Call {
    Call::tool(era, "get_product").token(token)
}

#[tokio::test]
async fn a_certificate_bound_token_passes_over_a_connection_with_that_certificate_alone() {
    for mode in [SenderConstraintMode::Optional, SenderConstraintMode::Required] {
        let guarded = Guarded::start(Some(mutual_tls(mode))).await;
        let issued = Authority::new("clients").issue("client.example.test");
        for own in [self_signed("agent"), issued] {
            let (other, token) = (self_signed("agent"), guarded.bound_to(&own));
            for (wire, era) in CELLS {
                let records = guarded.world.sidecar.records.count();
                let reply = guarded.send(wire, Some(&own), &tool(era, &token)).await;
                assert_eq!(reply.status, StatusCode::OK, "{}", reply.text());
                let record = guarded.world.sidecar.records.wait_for(records + 1).await;
                let Some(Caller::Token { bound_to: Some(bound), .. }) = record.caller else { panic!("a bound caller") };
                assert_eq!((bound.certificate, bound.key), (Some(own.thumbprint()), None));
                for client in [None, Some(&other)] {
                    guarded.refused(wire, client, &tool(era, &token), Reason::TokenBindingRefused).await;
                    // What a proxy would say of a certificate counts for nothing.
                    let der = own.base64();
                    let spoofed = tool(era, &token)
                        .header("client-cert", &format!(":{der}:"))
                        .header("x-client-cert", &der)
                        .header("x-ssl-client-cert", &der)
                        .header("x-forwarded-client-cert", &format!("Hash={}", own.thumbprint()));
                    guarded.refused(wire, client, &spoofed, Reason::TokenBindingRefused).await;
                }
            }
        }
        guarded.world.end();
    }
}

#[tokio::test]
async fn a_certificate_is_no_identity_and_no_token() {
    let guarded = Guarded::start(Some(mutual_tls(SenderConstraintMode::Required))).await;
    let own = self_signed("agent");
    let plain = guarded.world.token();
    for (wire, era) in CELLS {
        let without = guarded.send(wire, Some(&own), &Call::tool(era, "get_product")).await;
        assert_eq!(without.reason(), Reason::CredentialsMissing.code());
        guarded.refused(wire, Some(&own), &tool(era, &plain), Reason::TokenNotBound).await;
    }
    let metadata = Call::bare(http::Method::GET, "/.well-known/oauth-protected-resource/shop/mcp");
    let metadata = guarded.send(Wire::Http1, None, &metadata).await.json();
    assert_eq!(metadata["tls_client_certificate_bound_access_tokens"], json!(true));
    assert_eq!(metadata["dpop_signing_alg_values_supported"], json!(null));
}

#[tokio::test]
async fn clients_are_asked_for_certificates_as_soon_as_they_count_and_without_a_restart() {
    let mut guarded = Guarded::start(None).await;
    let own = self_signed("agent");
    let token = guarded.bound_to(&own);
    guarded.refused(Wire::Http2, Some(&own), &tool(Era::Modern, &token), Reason::TokenBindingRefused).await;
    let mut open = guarded.connect(Wire::Http2, Some(&own)).await;
    let optional = mutual_tls(SenderConstraintMode::Optional);
    guarded.world.sidecar.config.change(|config| constrain(config, Some(optional)));
    eventually("a new connection is asked for its certificate", async || {
        guarded.send(Wire::Http2, Some(&own), &tool(Era::Modern, &token)).await.status == StatusCode::OK
    })
    .await;
    let opened = open.send(tool(Era::Modern, &token).request(Wire::Http2)).await.unwrap();
    assert_eq!(opened.status, StatusCode::UNAUTHORIZED, "a connection that was not asked has no certificate");
    let plain = guarded.send(Wire::Http1, None, &tool(Era::Modern, &guarded.world.token())).await;
    assert_eq!(plain.status, StatusCode::OK, "whoever has no certificate is let in without one");
    let report = guarded.world.sidecar.probe("/readyz").await;
    assert_eq!(report.status, StatusCode::OK);
}
