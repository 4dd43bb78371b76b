//! One good object of each kind, which uses as much of it as it can.

use serde_json::{Value, json};

use crate::judge::with;

pub(crate) fn server() -> Value {
    json!({
        "apiVersion": "tollward.dev/v1alpha1", "kind": "MCPServer", "metadata": {"name": "catalog", "namespace": "shop"},
        "spec": {
            "source": {"type": "Workload", "workload": {
                "image": "registry.example/catalog:1", "transport": {"port": 3000},
                "env": [{"name": "LOG", "value": "info"}], "envFrom": [{"configMapRef": {"name": "more"}}],
                "volumes": [{"name": "data", "emptyDir": {}}, {"name": "c", "configMap": {"name": "c", "items": [{"key": "k", "path": "k"}]}}],
                "volumeMounts": [{"name": "data", "mountPath": "/data", "subPath": "x"}],
                "podOptions": {"labels": {"team": "shop"}, "annotations": {"example.com/a": "b"}}
            }},
            "endpoint": {"url": "https://mcp.example.com/catalog/mcp", "hosts": ["catalog:443"], "allowedOrigins": ["https://app.example.com"], "tls": {}},
            "auth": {
                "mode": "OAuth", "identityProviders": [{"name": "idp"}],
                "scopes": [{"name": "mcp:read", "description": "Read"}, {"name": "mcp:write", "description": "Write"}],
                "initialScopes": ["mcp:read"],
                "rules": [{"name": "read", "match": {"tools": ["get_*"]}, "scopes": ["mcp:read"]}]
            },
            "audit": {"redact": ["/email"]}
        }
    })
}

pub(crate) fn service_server() -> Value {
    let source = json!({"type": "Service", "service": {"name": "catalog", "port": 80}});
    with(server(), "/spec/source", source)
}

pub(crate) fn policy() -> Value {
    json!({
        "apiVersion": "tollward.dev/v1alpha1", "kind": "RateLimitPolicy", "metadata": {"name": "catalog", "namespace": "shop"},
        "spec": {
            "targetRefs": [{"name": "catalog"}],
            "tiers": {"claim": "tier", "clients": [{"tier": "gold", "ids": ["a"]}], "default": "basic"},
            "limits": [{"name": "all", "match": {"tools": ["*"]}, "per": ["Client"], "rates": [
                {"tier": "basic", "requests": 10, "window": "1h", "burst": 5}, {"tier": "gold", "requests": 100, "window": "1h"}
            ], "costs": [{"tools": ["search_*"], "cost": 5}]}],
            "tenantClaim": "tid",
            "concurrency": [{"name": "at-once", "counts": "Calls", "per": ["Tenant"], "most": [{"tier": "basic", "open": 2}, {"tier": "gold", "open": 20}]}],
            "beforeAuthentication": {"requests": {"requests": 600, "window": "1m"}, "failures": {"requests": 20, "window": "1m", "burst": 10}},
            "store": {"url": "rediss://valkey.shop.svc:6379", "credentialsSecret": {"name": "limits-store", "keys": ["username", "password", "ca.crt"]}, "deadline": "30ms"},
            "onStoreFailure": "Deny"
        }
    })
}

pub(crate) fn provider() -> Value {
    json!({
        "apiVersion": "tollward.dev/v1alpha1", "kind": "IdentityProvider", "metadata": {"name": "idp", "namespace": "shop"},
        "spec": {
            "type": "External",
            "external": {"issuer": "https://idp.example.com/realms/shop", "jwksURL": "https://idp.example.com/keys?v=1", "caConfigMap": {"name": "ca"}},
            "allowedNamespaces": {"from": "Selector", "selector": {"matchLabels": {"a": "b"}}}
        }
    })
}
