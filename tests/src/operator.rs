//! A double of the operator as far as the data plane knows it: a client of the report listener with the right certificate.

use crate::certificates::{Authority, Pair};
use crate::client::{Connection, Reply, Trust, Wire};
use crate::config::ConfigFile;
use crate::deadline::within;
use crate::mcp::Call;
use crate::sidecar::Sidecar;
use http::Method;
use tollward_policy::config::{ProcessConfig, ReportListener};
use tollward_policy::report::{PATH, Report};

/// DNS name that the operator's certificate must carry.
pub const OPERATOR: &str = "operator.tollward.test";
/// DNS name of the data plane's report listener.
pub const SIDECAR: &str = "sidecar.tollward.test";

/// The operator, with the authorities of both ends.
pub struct Operator {
    /// Signs the data plane's certificates.
    pub servers: Authority,
    /// Signs the operator's certificates.
    pub operators: Authority,
}

impl Default for Operator {
    fn default() -> Self {
        Self { servers: Authority::new("servers"), operators: Authority::new("operators") }
    }
}

impl Operator {
    /// Adds a report listener for this operator to a configuration.
    pub fn listen(&self, process: &mut ProcessConfig, file: &ConfigFile) {
        let own = self.servers.issue(SIDECAR);
        process.report = Some(ReportListener {
            address: "127.0.0.1:0".parse().expect("an address"),
            certificate: file.beside("report.crt", &own.certificate),
            private_key: file.beside("report.key", &own.key),
            client_ca: file.beside("operators.crt", self.operators.certificate()),
            client_name: OPERATOR.into(),
        });
    }

    /// The report as a client with this certificate gets it, or why it does not.
    pub async fn ask(&self, sidecar: &Sidecar, client: Option<Pair>) -> Result<Reply, String> {
        let address = sidecar.report.expect("there is a report listener");
        let trust = Trust { authority: self.servers.certificate().to_owned(), client };
        let connection = Connection::tls(Wire::Http1, address, SIDECAR, &trust).await.map_err(|error| error.0)?;
        let call = Call::bare(Method::GET, PATH).authority(SIDECAR);
        // With TLS 1.3 a client learns only with its first request that its certificate was refused.
        let answered = within("the report begins", connection.send_only(call.request(Wire::Http1))).await;
        answered.map_err(|error| error.to_string())?.whole().await.map_err(|error| error.to_string())
    }

    /// The report as the operator gets it.
    pub async fn report(&self, sidecar: &Sidecar) -> Report {
        let reply = self.ask(sidecar, Some(self.operators.issue(OPERATOR))).await.expect("the operator may ask");
        serde_json::from_slice(&reply.body).expect("a report of the documented shape")
    }
}
