//! The clients that are known to work, and what is known not to: the suites `clients` and `keycloak` go through these rows and
//! fail if one is wrong, in either direction, and the manual's page is made of them. Versions are those that are installed.

use crate::real::visit::Sdk;
use crate::real::{keycloak, place};
use serde_json::Value;
use std::fmt::Write as _;
use std::fs;

const MODERN: &str = "2026-07-28";
const LEGACY: &str = "2025-11-25";

/// Who signs people in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Issuer {
    /// The certified `oidc-provider` of npm.
    OidcProvider,
    /// Keycloak with its default features.
    Keycloak,
    /// Keycloak with client id metadata documents and resource indicators, which are experimental.
    KeycloakExperimental,
}

/// How the client gets its client id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Registration {
    /// By itself (RFC 7591).
    Dynamic,
    /// From the administrator.
    Known,
    /// It is the address of its client id metadata document.
    Document,
}

/// What a client does when a call needs more scopes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StepUp {
    /// It asks the person, and calls again.
    Yes,
    /// It can't, for this reason.
    No(&'static str),
}

/// A row: every revision of it was spoken, with sign-in by PKCE, a list and a call.
#[derive(Debug, Clone, Copy)]
pub struct Verified {
    /// The client.
    pub sdk: Sdk,
    /// Who signed the person in.
    pub issuer: Issuer,
    /// How the client was registered.
    pub registration: Registration,
    /// Revisions of the protocol.
    pub revisions: &'static [&'static str],
    /// Whether it stepped up.
    pub step_up: StepUp,
}

const BOTH: &[&str] = &[MODERN, LEGACY];
const KEPT: StepUp = StepUp::No("Keycloak keeps it to the scopes that it registered with");
const REFRESHES: StepUp = StepUp::No("it refreshes its token instead, which brings no scopes");
const UNKNOWN: StepUp = StepUp::No("it knows no step-up");

/// All rows.
pub const ROWS: &[Verified] = &[
    row(Sdk::TypeScript, Issuer::OidcProvider, Registration::Dynamic, BOTH, StepUp::Yes),
    row(Sdk::OlderTypeScript, Issuer::OidcProvider, Registration::Dynamic, &[LEGACY], StepUp::Yes),
    row(Sdk::Python, Issuer::OidcProvider, Registration::Dynamic, BOTH, StepUp::Yes),
    row(Sdk::Rust, Issuer::OidcProvider, Registration::Dynamic, BOTH, StepUp::Yes),
    row(Sdk::McpRemote, Issuer::OidcProvider, Registration::Dynamic, BOTH, StepUp::Yes),
    row(Sdk::TypeScript, Issuer::OidcProvider, Registration::Document, &[MODERN], StepUp::Yes),
    row(Sdk::OlderTypeScript, Issuer::OidcProvider, Registration::Document, &[LEGACY], REFRESHES),
    row(Sdk::Python, Issuer::OidcProvider, Registration::Document, &[MODERN], StepUp::Yes),
    row(Sdk::Rust, Issuer::OidcProvider, Registration::Document, &[MODERN], StepUp::Yes),
    row(Sdk::McpRemote, Issuer::OidcProvider, Registration::Document, &[MODERN], StepUp::Yes),
    row(Sdk::TypeScript, Issuer::Keycloak, Registration::Known, &[MODERN], StepUp::Yes),
    row(Sdk::OlderTypeScript, Issuer::Keycloak, Registration::Known, &[LEGACY], REFRESHES),
    row(Sdk::Python, Issuer::Keycloak, Registration::Known, &[MODERN], StepUp::Yes),
    row(Sdk::Rust, Issuer::Keycloak, Registration::Known, &[MODERN], StepUp::Yes),
    row(Sdk::McpRemote, Issuer::Keycloak, Registration::Known, &[MODERN], StepUp::Yes),
    row(Sdk::TypeScript, Issuer::Keycloak, Registration::Dynamic, &[MODERN], KEPT),
    row(Sdk::OlderTypeScript, Issuer::Keycloak, Registration::Dynamic, &[LEGACY], KEPT),
    row(Sdk::Python, Issuer::Keycloak, Registration::Dynamic, &[MODERN], KEPT),
    row(Sdk::Rust, Issuer::Keycloak, Registration::Dynamic, &[MODERN], KEPT),
    row(Sdk::McpRemote, Issuer::Keycloak, Registration::Dynamic, &[MODERN], KEPT),
    row(Sdk::TypeScript, Issuer::KeycloakExperimental, Registration::Document, &[MODERN], StepUp::Yes),
    row(Sdk::OlderTypeScript, Issuer::KeycloakExperimental, Registration::Document, &[LEGACY], REFRESHES),
    row(Sdk::Python, Issuer::KeycloakExperimental, Registration::Document, &[MODERN], StepUp::Yes),
    row(Sdk::Rust, Issuer::KeycloakExperimental, Registration::Document, &[MODERN], StepUp::Yes),
    row(Sdk::McpRemote, Issuer::KeycloakExperimental, Registration::Document, &[MODERN], StepUp::Yes),
    row(Sdk::TypeScript202506, Issuer::Keycloak, Registration::Dynamic, &["2025-06-18"], UNKNOWN),
    row(Sdk::TypeScript202503, Issuer::Keycloak, Registration::Dynamic, &["2025-03-26"], UNKNOWN),
];

/// What is told under the table; the table itself comes before it.
const NOTES: &str = "
What the columns say:

- **Revisions** are those that client and server agreed on in the run: the newest that the client speaks, and the older
  handshake where it has one. A server that speaks the older revisions only is met by all of them too.
- **Steps up**: refused with `insufficient_scope`, the client asked the person for the scopes of the challenge and called
  again. A client that can't is left with 403; nothing reaches the server.
- **As nobody**: on a server with `auth.mode: None`, the client listed and called what rules allow to anybody, without asking
  anybody to sign in, and was refused the rest.

Keycloak's *experimental features* are `cimd` and `resource-indicators`, off by default in version 26; both were on in those runs.
[Keycloak](identity-providers/keycloak.md#resource-indicators-and-client-documents-experimental) says what they need.

## What to do where a client does not step up
- **Keycloak and clients that register themselves.** The SDKs register with the scopes of the first challenge, and Keycloak
  answers `invalid_scope` to any further one. Name all scopes that such clients may need in `initialScopes`, or register the client at Keycloak.
- **Older clients that know no step-up** need the same: every scope in `initialScopes`.

## What else was found
- `mcp-remote` says in its registration that its home is on `github.com`. Keycloak's policy *Trusted Hosts* has to know that
  host, besides `localhost`, to which it sends the browser back.
- Clients of 2025-03-26 know no protected resource metadata. They ask for `/.well-known/oauth-authorization-server` at the MCP
  server's own host, where Tollward shows the provider's document if the host has exactly one endpoint with one provider
  (`authServerMetadata: Compat`). They name no `resource` either, so the provider must decide the audience: at Keycloak by
  the audience mapper of a default scope. Without the document they go on to `/authorize`, `/token` and
  `/register` at the MCP server's host, which are 404: Tollward is no authorization server.
- `@modelcontextprotocol/sdk` 1.32 steps up at a provider that gave it no refresh token; where it registered by itself at
  `oidc-provider`, it did so without that grant. With one, as by a document that lists the grant `refresh_token`, it refreshes.
- `rmcp` passes on a refusal without a challenge as a text with the status and the reason, not as a JSON-RPC error.
";

const fn row(
    sdk: Sdk,
    issuer: Issuer,
    registration: Registration,
    revisions: &'static [&'static str],
    step_up: StepUp,
) -> Verified {
    Verified { sdk, issuer, registration, revisions, step_up }
}

impl Verified {
    /// What the client is told to speak, for that revision.
    pub fn protocol(revision: &str) -> &'static str {
        if revision == MODERN { "auto" } else { "legacy" }
    }
}

/// Rows of that issuer and registration.
pub fn rows(issuer: Issuer, registration: Registration) -> Vec<Verified> {
    let is_wanted = |row: &&Verified| row.issuer == issuer && row.registration == registration;
    ROWS.iter().filter(is_wanted).copied().collect()
}

/// The manual's page.
pub fn page() -> String {
    let mut page = String::from(
        "# Verified clients\n\n\
         Each row is a run of a real client, through Tollward to a real MCP server, with a real identity provider: discovery, PKCE, sign-in,\n\
         a list and a call. The rows are what `cargo xtask test --suite clients --suite keycloak` goes through; it fails if one of them is not\n\
         so, also where a client is said to be unable to do something.\n\n\
         | client | version | revisions | identity provider | registration | signs in and calls | steps up | as nobody |\n\
         |---|---|---|---|---|---|---|---|\n",
    );
    for row in ROWS {
        let step_up = match row.step_up {
            StepUp::Yes => "yes".to_owned(),
            StepUp::No(reason) => format!("no: {reason}"),
        };
        let registration = match row.registration {
            Registration::Dynamic => "by itself (DCR)",
            Registration::Known => "registered before",
            Registration::Document => "by its document (CIMD)",
        };
        let (name, version) = release(row.sdk);
        let issuer = row.issuer.release();
        let revisions = row.revisions.join(", ");
        writeln!(page, "| `{name}` | {version} | {revisions} | {issuer} | {registration} | yes | {step_up} | yes |")
            .expect("a String takes every text");
    }
    page.push_str(NOTES);
    page
}

impl Issuer {
    fn release(self) -> String {
        match self {
            Self::OidcProvider => format!("`oidc-provider` {}", npm("oidc-provider")),
            Self::Keycloak => format!("Keycloak {}", keycloak::VERSION),
            Self::KeycloakExperimental => format!("Keycloak {}, experimental features", keycloak::VERSION),
        }
    }
}

/// Name and pinned version of a client, as it tells them itself.
pub fn release(sdk: Sdk) -> (&'static str, String) {
    match sdk {
        Sdk::TypeScript => ("@modelcontextprotocol/client", npm("@modelcontextprotocol/client")),
        Sdk::OlderTypeScript => ("@modelcontextprotocol/sdk", npm("@modelcontextprotocol/sdk")),
        Sdk::TypeScript202506 => ("@modelcontextprotocol/sdk", npm("sdk-2025-06-18")),
        Sdk::TypeScript202503 => ("@modelcontextprotocol/sdk", npm("sdk-2025-03-26")),
        Sdk::McpRemote => ("mcp-remote", npm("mcp-remote")),
        Sdk::Python => ("mcp", python("mcp")),
        Sdk::Rust => ("rmcp", crates("rmcp")),
    }
}

/// The version that `package.json` pins, of the package that an alias stands for too.
fn npm(package: &str) -> String {
    let text = read("clients/package.json");
    let manifest: Value = serde_json::from_str(&text).expect("package.json is JSON");
    let pinned = manifest.get("dependencies").and_then(|pinned| pinned.get(package)?.as_str());
    let pinned = pinned.unwrap_or_else(|| panic!("{package} is not pinned"));
    pinned.rsplit_once('@').map_or(pinned, |(_, version)| version).to_owned()
}

fn python(package: &str) -> String {
    let text = read("clients/requirements.txt");
    let version = text.lines().find_map(|line| line.strip_prefix(package)?.strip_prefix("=="));
    version.unwrap_or_else(|| panic!("{package} is not pinned")).to_owned()
}

fn crates(package: &str) -> String {
    let text = read("../Cargo.lock");
    let mut lines = text.lines().skip_while(|line| *line != format!("name = \"{package}\""));
    let version = lines.nth(1).and_then(|line| line.strip_prefix("version = \"")?.strip_suffix('"'));
    version.unwrap_or_else(|| panic!("{package} is not locked")).to_owned()
}

fn read(path: &str) -> String {
    let path = place::tests().join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}
