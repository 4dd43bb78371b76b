//! What the environment says about where to listen.
//!
//! The variables are `HOST` and `PORT` because that is what most MCP servers read. A pod that Tollward seals sets
//! `HOST=127.0.0.1`, which is also the default here.

use anyhow::Context as _;

/// Where to listen and which `Host` headers to answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Address or name to bind, from `HOST`; loopback if unset.
    pub host: String,
    /// Port to bind, from `PORT`; 3000 if unset, and 0 lets the system choose.
    pub port: u16,
    /// `Host` header values to answer besides loopback, from `ALLOWED_HOSTS`, comma-separated; none if unset. Needed
    /// only where callers reach the server by another name, such as a Service's.
    pub allowed_hosts: Vec<String>,
}

impl Settings {
    /// Reads the settings by looking each variable up with `variable`.
    pub fn read(variable: impl Fn(&str) -> Option<String>) -> anyhow::Result<Self> {
        let host = variable("HOST").unwrap_or_else(|| "127.0.0.1".to_owned());
        let port = match variable("PORT") {
            None => 3000,
            Some(text) => text.parse().with_context(|| format!("PORT is {text:?}: write a number from 0 to 65535"))?,
        };
        let allowed_hosts = variable("ALLOWED_HOSTS")
            .unwrap_or_default()
            .split(',')
            .map(str::trim)
            .filter(|name| !name.is_empty())
            .map(ToOwned::to_owned)
            .collect();
        Ok(Self { host, port, allowed_hosts })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(variables: &[(&str, &str)]) -> anyhow::Result<Settings> {
        Settings::read(|name| variables.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned()))
    }

    #[test]
    fn an_empty_environment_means_loopback_and_port_3000() {
        let expected = Settings { host: "127.0.0.1".to_owned(), port: 3000, allowed_hosts: Vec::new() };
        assert_eq!(read(&[]).unwrap(), expected);
    }

    #[test]
    fn every_variable_is_read() {
        let settings =
            read(&[("HOST", "0.0.0.0"), ("PORT", "0"), ("ALLOWED_HOSTS", "catalog.shop.svc, catalog:3000,")]).unwrap();
        assert_eq!(settings.host, "0.0.0.0");
        assert_eq!(settings.port, 0);
        assert_eq!(settings.allowed_hosts, ["catalog.shop.svc", "catalog:3000"]);
    }

    #[test]
    fn a_port_that_is_no_port_is_refused_by_name() {
        for text in ["", "http", "-1", "65536"] {
            let error = read(&[("PORT", text)]).unwrap_err();
            assert!(error.to_string().contains("PORT"), "{error}");
        }
    }
}
