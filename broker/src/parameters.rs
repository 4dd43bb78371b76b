//! Queries and forms, read once and strictly: bounded, and no parameter counts if it stands there twice, since two
//! readers might take different ones (RFC 6749 section 3.1).

use std::collections::{BTreeMap, BTreeSet};

use http::{HeaderMap, header};
use url::form_urlencoded;

use crate::error::ParametersError;

/// Most bytes of a query or body.
pub(crate) const MAX_BYTES: usize = 16 * 1024;
/// Most parameters.
const MAX_COUNT: usize = 64;

/// The parameters of one request. `Debug` is absent on purpose: values are codes, verifiers and tokens.
pub(crate) struct Parameters {
    values: BTreeMap<String, String>,
    repeated: BTreeSet<String>,
}

impl Parameters {
    pub(crate) fn parse(encoded: &[u8]) -> Result<Self, ParametersError> {
        if encoded.len() > MAX_BYTES {
            return Err(ParametersError::TooLong);
        }
        let (mut values, mut repeated, mut count) = (BTreeMap::new(), BTreeSet::new(), 0);
        for (name, value) in form_urlencoded::parse(encoded) {
            count += 1;
            if count > MAX_COUNT {
                return Err(ParametersError::TooMany);
            }
            let name = name.into_owned();
            if values.insert(name.clone(), value.into_owned()).is_some() {
                repeated.insert(name);
            }
        }
        // RFC 6749 section 3.1: a parameter without a value counts as omitted.
        values.retain(|name, value| !value.is_empty() || repeated.contains(name));
        Ok(Self { values, repeated })
    }

    /// The value of a parameter that may stand once.
    pub(crate) fn get(&self, name: &'static str) -> Result<Option<&str>, ParametersError> {
        if self.is_repeated(name) {
            return Err(ParametersError::Repeated(name));
        }
        Ok(self.values.get(name).map(String::as_str))
    }

    /// Whether a parameter stands there more than once.
    pub(crate) fn is_repeated(&self, name: &str) -> bool {
        self.repeated.contains(name)
    }

    /// The first of `names` that is repeated.
    pub(crate) fn first_repeated(&self, names: &[&'static str]) -> Option<&'static str> {
        names.iter().copied().find(|name| self.is_repeated(name))
    }
}

/// Whether the body is what HTML forms and OAuth clients send; parameters of the media type don't matter.
pub(crate) fn is_form(headers: &HeaderMap) -> bool {
    is_media_type(headers, "application/x-www-form-urlencoded")
}

/// Whether exactly one `Content-Type` is there and names `expected`.
pub(crate) fn is_media_type(headers: &HeaderMap, expected: &str) -> bool {
    let mut values = headers.get_all(header::CONTENT_TYPE).iter();
    let (Some(value), None) = (values.next(), values.next()) else {
        return false;
    };
    let essence = value.to_str().ok().and_then(|value| value.split(';').next());
    essence.is_some_and(|essence| essence.trim().eq_ignore_ascii_case(expected))
}

#[cfg(test)]
mod tests {
    use super::Parameters;
    use crate::error::ParametersError;

    #[test]
    fn empty_values_count_as_omitted_and_repeated_names_as_wrong() {
        let parameters = Parameters::parse(b"a=1&b=&c=1&c=1&d=&d=").unwrap();
        assert_eq!(parameters.get("a"), Ok(Some("1")));
        assert_eq!(parameters.get("b"), Ok(None));
        assert_eq!(parameters.get("c"), Err(ParametersError::Repeated("c")));
        assert_eq!(parameters.get("d"), Err(ParametersError::Repeated("d")));
    }

    #[test]
    fn a_name_spelled_in_percent_codes_is_the_same_name() {
        let parameters = Parameters::parse(b"client_id=a&client%5Fid=b").unwrap();
        assert_eq!(parameters.get("client_id"), Err(ParametersError::Repeated("client_id")));
    }

    #[test]
    fn size_and_count_are_bounded() {
        assert_eq!(Parameters::parse(&vec![b'a'; 16 * 1024 + 1]).err(), Some(ParametersError::TooLong));
        assert_eq!(Parameters::parse("a=1&".repeat(65).as_bytes()).err(), Some(ParametersError::TooMany));
    }
}
