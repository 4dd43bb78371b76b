//! What of a call's arguments is kept.
//!
//! `Redacted` replaces values of keys that name secrets, values at configured JSON pointers, and texts that look like
//! credentials, and keeps the shape, so that an auditor sees what was called without learning what must stay secret.

use serde_json::Value;
use tollward_policy::config::{Arguments, AuditConfig};

/// What stands in place of a secret.
const REPLACED: &str = "[redacted]";

/// Parts of key names that hold secrets, compared in lower case without `_` and `-`.
const SECRET_KEYS: &[&str] = &[
    "password",
    "passwd",
    "passphrase",
    "secret",
    "token",
    "apikey",
    "authorization",
    "credential",
    "privatekey",
    "cookie",
    "cardnumber",
    "cvv",
    "cvc",
    "iban",
    "ssn",
    "pincode",
];

/// Beginnings of texts that are credentials.
const SECRET_TEXTS: &[&str] = &[
    "eyJ",
    "Bearer ",
    "bearer ",
    "Basic ",
    "-----BEGIN",
    "ghp_",
    "gho_",
    "github_pat_",
    "glpat-",
    "sk-",
    "sk_live_",
    "xoxb-",
    "xoxp-",
    "AKIA",
    "ASIA",
    "AIza",
    "ya29.",
];

/// Applies a server's choice.
#[derive(Debug, Clone)]
pub struct Redactor {
    arguments: Arguments,
    pointers: Vec<String>,
    max_bytes: usize,
}

impl Redactor {
    /// The choice of a server.
    pub fn new(config: &AuditConfig) -> Self {
        Self {
            arguments: config.arguments,
            pointers: config.redact.clone(),
            max_bytes: usize::try_from(config.max_argument_bytes).unwrap_or(usize::MAX),
        }
    }

    /// What is kept of arguments given as raw JSON.
    pub fn keep(&self, raw: &[u8]) -> Option<Value> {
        if self.arguments == Arguments::None {
            return None;
        }
        if raw.len() > self.max_bytes {
            return Some(serde_json::json!({ "truncated": true, "bytes": raw.len() }));
        }
        let mut value: Value = serde_json::from_slice(raw).ok()?;
        if self.arguments == Arguments::Redacted {
            for pointer in &self.pointers {
                if let Some(slot) = value.pointer_mut(pointer) {
                    *slot = REPLACED.into();
                }
            }
            redact(&mut value);
        }
        Some(value)
    }
}

fn redact(value: &mut Value) {
    match value {
        Value::String(text) if looks_secret(text) => *text = REPLACED.into(),
        Value::Array(items) => items.iter_mut().for_each(redact),
        Value::Object(members) => {
            for (key, member) in members {
                if names_secret(key) { *member = REPLACED.into() } else { redact(member) }
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn names_secret(key: &str) -> bool {
    let key: String = key.chars().filter(|letter| letter.is_alphanumeric()).flat_map(char::to_lowercase).collect();
    SECRET_KEYS.iter().any(|secret| key.contains(secret))
}

fn looks_secret(text: &str) -> bool {
    let trimmed = text.trim_start();
    SECRET_TEXTS.iter().any(|start| trimmed.starts_with(start))
        || text.contains("-----BEGIN")
        || text.contains("eyJhbGci")
}

#[cfg(test)]
mod tests {
    use super::Redactor;
    use serde_json::json;
    use tollward_policy::config::{Arguments, AuditConfig};

    fn redactor(arguments: Arguments) -> Redactor {
        Redactor::new(&AuditConfig {
            arguments,
            redact: vec!["/deep/0/note".into()],
            claims: vec![],
            max_argument_bytes: 512,
        })
    }

    #[test]
    fn secrets_by_key_by_pointer_and_by_look_are_replaced_and_the_rest_stays() {
        let raw = json!({
            "sku": "A-1", "quantity": 2, "API_Key": "x", "nested": {"user-password": ["a"]}, "deep": [{"note": "private", "ok": 1}],
            "header": "Bearer abc", "text": "see eyJhbGciOiJub25lIn0.e30."
        });
        let expected = json!({
            "sku": "A-1", "quantity": 2, "API_Key": "[redacted]", "nested": {"user-password": "[redacted]"},
            "deep": [{"note": "[redacted]", "ok": 1}], "header": "[redacted]", "text": "[redacted]"
        });
        assert_eq!(redactor(Arguments::Redacted).keep(raw.to_string().as_bytes()).unwrap(), expected);
    }

    #[test]
    fn full_keeps_all_and_none_keeps_nothing() {
        let raw = json!({"password": "x"});
        assert_eq!(redactor(Arguments::Full).keep(raw.to_string().as_bytes()).unwrap(), raw);
        assert_eq!(redactor(Arguments::None).keep(raw.to_string().as_bytes()), None);
    }

    #[test]
    fn oversized_arguments_leave_their_size_only() {
        let raw = json!({"text": "x".repeat(600)}).to_string();
        let kept = redactor(Arguments::Full).keep(raw.as_bytes()).unwrap();
        assert_eq!(kept, json!({"truncated": true, "bytes": raw.len()}));
    }
}
