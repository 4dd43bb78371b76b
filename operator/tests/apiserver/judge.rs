//! Judges an object by what the API server says to making it, under strict field validation, without making it.

use crate::cluster::shared;
use crate::world::namespace;
use kube::{Client, Resource};
use serde_json::{Value, json};
use tokio::sync::OnceCell;

static NAMESPACE: OnceCell<()> = OnceCell::const_new();

/// The object as it would be stored, or why not.
pub(crate) fn store(mut object: Value) -> Result<Value, String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    object["apiVersion"] = json!("tollward.dev/v1alpha1");
    object["metadata"]["namespace"] = json!("judged");
    runtime.block_on(async {
        let client = shared().await.admin();
        NAMESPACE.get_or_init(|| namespace(&client, "judged")).await;
        post(&client, &object).await
    })
}

async fn post(client: &Client, object: &Value) -> Result<Value, String> {
    let plural = match object["kind"].as_str().unwrap() {
        "MCPServer" => "mcpservers",
        "RateLimitPolicy" => "ratelimitpolicies",
        "IdentityProvider" => "identityproviders",
        other => panic!("{other}"),
    };
    let uri = format!(
        "/apis/tollward.dev/v1alpha1/namespaces/judged/{plural}?dryRun=All&fieldValidation=Strict&fieldManager=test"
    );
    let request = http::Request::post(uri)
        .header("content-type", "application/json")
        .body(serde_json::to_vec(object).unwrap())
        .unwrap();
    match client.request::<Value>(request).await {
        Ok(stored) => Ok(stored),
        Err(kube::Error::Api(status)) => Err(status.message),
        Err(other) => panic!("{other}"),
    }
}

/// Why the API server refuses an object; empty if it does not.
pub(crate) fn judge<T: Resource<DynamicType = ()>>(kind: &str, mut object: Value) -> Vec<String> {
    assert_eq!(T::kind(&()), kind);
    object["kind"] = json!(kind);
    store(object).err().into_iter().collect()
}

/// The object with a value at a JSON pointer; `null` removes the field.
pub(crate) fn with(mut object: Value, path: &str, value: Value) -> Value {
    let (parent, field) = path.rsplit_once('/').unwrap();
    let parent = object.pointer_mut(parent).unwrap_or_else(|| panic!("{path}"));
    match (parent, value) {
        (Value::Object(fields), Value::Null) => drop(fields.remove(field)),
        (Value::Object(fields), value) => drop(fields.insert(field.into(), value)),
        (Value::Array(items), value) => items[field.parse::<usize>().unwrap()] = value,
        (other, _) => panic!("{path}: {other}"),
    }
    object
}

/// What the schema refuses, the API server doesn't ask the rules about.
const BY_SCHEMA: &str = " in body should ";

/// Each change must be refused with a message that contains the text, or by the schema.
pub(crate) fn refuses<T: Resource<DynamicType = ()>>(kind: &str, good: &Value, table: &[(&str, Value, &str)]) {
    for (path, value, expected) in table {
        let messages = judge::<T>(kind, with(good.clone(), path, value.clone()));
        assert!(
            messages.iter().any(|message| message.contains(expected) || message.contains(BY_SCHEMA)),
            "{path} = {value}: expected `{expected}`, got {messages:?}"
        );
    }
}

/// Each change must be accepted.
pub(crate) fn accepts<T: Resource<DynamicType = ()>>(kind: &str, good: &Value, table: &[(&str, Value)]) {
    assert_eq!(judge::<T>(kind, good.clone()), Vec::<String>::new());
    for (path, value) in table {
        let messages = judge::<T>(kind, with(good.clone(), path, value.clone()));
        assert_eq!(messages, Vec::<String>::new(), "{path} = {value}");
    }
}
