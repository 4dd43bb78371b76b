//! What stands in front of the two servers in these tests.

use serde_json::{Value, json};
use tollward_tests::real::guarded::{Guard, Guarded};
use tollward_tests::real::provider::Provider;
use tollward_tests::real::server::Server;

/// The catalog: reading is what a client asks for first, the cart needs a step-up, the checkout is hidden.
pub(crate) fn catalog_guard(issuer: &str) -> Guard {
    Guard {
        host: "127.0.0.1",
        issuer: Some(issuer.to_owned()),
        audience: None,
        scopes: json!([
            {"name": "mcp:catalog-read", "description": "Look at products"},
            {"name": "mcp:cart-write", "description": "Put products into the cart", "implies": ["mcp:catalog-read"]},
            {"name": "mcp:checkout", "description": "Buy the cart", "implies": ["mcp:cart-write"]},
        ]),
        initial_scopes: json!(["mcp:catalog-read"]),
        rules: json!([
            rule("read", &json!({"tools": ["search_products", "get_product"]}), "mcp:catalog-read", "Challenge"),
            rule("cart", &json!({"tools": ["add_to_cart"]}), "mcp:cart-write", "Challenge"),
            rule("checkout", &json!({"tools": ["checkout"]}), "mcp:checkout", "Hide"),
            rule("pages", &json!({"resources": ["catalog://products*"]}), "mcp:catalog-read", "Challenge"),
        ]),
        hosts: Vec::new(),
    }
}

/// `server-everything`: two of its tools, and nothing of the rest.
pub(crate) fn everything_guard(issuer: &str) -> Guard {
    Guard {
        scopes: json!([
            {"name": "mcp:echo", "description": "Be echoed"},
            {"name": "mcp:compute", "description": "Compute"},
        ]),
        initial_scopes: json!(["mcp:echo"]),
        rules: json!([
            rule("echo", &json!({"tools": ["echo"]}), "mcp:echo", "Challenge"),
            rule("compute", &json!({"tools": ["get-sum"]}), "mcp:compute", "Challenge"),
        ]),
        ..catalog_guard(issuer)
    }
}

/// The catalog behind the data plane, with an issuer that knows it.
pub(crate) async fn guarded_catalog(provider: &Provider) -> Guarded {
    known(provider, catalog_guard(&provider.issuer).start(Server::catalog(), |_| ()).await).await
}

/// `server-everything` behind the data plane, with an issuer that knows it.
pub(crate) async fn guarded_everything(provider: &Provider) -> Guarded {
    known(provider, everything_guard(&provider.issuer).start(Server::everything(), |_| ()).await).await
}

async fn known(provider: &Provider, guarded: Guarded) -> Guarded {
    provider.serve(&guarded.url, "jwt").await;
    guarded
}

fn rule(name: &str, matches: &Value, scope: &str, missing: &str) -> Value {
    json!({"name": name, "match": matches, "action": "Allow", "scopes": [scope], "onMissingScope": missing})
}
