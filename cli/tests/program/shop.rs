//! As much of the example server as the walk-through needs, in the test's own process.

use axum::routing::post;
use axum::{Json, Router};
use serde_json::{Value, json};
use tokio::runtime::Runtime;

/// The running server.
pub(crate) struct Shop {
    /// Its MCP endpoint.
    pub(crate) url: String,
    _runtime: Runtime,
}

impl Shop {
    /// Serves these tools.
    pub(crate) fn with(tools: &'static [&'static str]) -> Self {
        let runtime = Runtime::new().unwrap();
        let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
        let url = format!("http://{}/mcp", listener.local_addr().unwrap());
        let app = Router::new()
            .route("/mcp", post(move |Json(message): Json<Value>| async move { Json(answer(&message, tools)) }));
        runtime.spawn(async move { axum::serve(listener, app).await });
        Self { url, _runtime: runtime }
    }
}

fn answer(message: &Value, tools: &[&str]) -> Value {
    let product = json!({ "sku": "TEA-001", "name": "Assam", "price_cents": 890 });
    let content = |value: Value| json!({ "content": [], "structuredContent": value, "isError": false });
    let result = match (message["method"].as_str().unwrap(), message["params"]["name"].as_str()) {
        ("tools/list", _) => {
            let listed: Vec<_> =
                tools.iter().map(|name| json!({ "name": name, "inputSchema": { "type": "object" } })).collect();
            json!({ "tools": listed })
        }
        (_, Some("search_products")) => content(json!({ "products": [product] })),
        (_, Some("get_product")) => content(product),
        (_, Some("add_to_cart")) => {
            content(json!({ "lines": [{ "sku": "TEA-001", "quantity": 1, "price_cents": 890 }], "total_cents": 890 }))
        }
        other => panic!("nobody should get as far as {other:?}"),
    };
    json!({ "jsonrpc": "2.0", "id": message["id"], "result": result })
}
