//! The installation's root key and certificate authority, and what is derived from them for one server alone.
//!
//! # Guarantees
//! - Root key and authority leave this module only as the Secret of the operator's own namespace ([`root`]).
//! - What a server gets is derived from its unique id: a copy that is stolen in one namespace is worth nothing in another.
//! - `Debug` of everything here prints no key.

mod certificate;
mod derive;
mod root;

pub use certificate::CertificateError;
pub use root::{ROOT_SECRET, RootError, load_or_create};

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use derive::{Purpose, derive};
use jiff::Timestamp;
use rcgen::{CertificateParams, KeyPair};
use std::fmt;
use std::time::Duration;
use zeroize::Zeroizing;

/// How long derived keys are sealed with. Certificates live three times as long.
pub const DEFAULT_PERIOD: Duration = Duration::from_hours(720);

/// A number of whole rotation periods since 1970, shifted by server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Epoch(pub i64);

/// Root key and certificate authority of an installation.
pub struct Authority {
    root: Zeroizing<[u8; derive::KEY_LENGTH]>,
    key: KeyPair,
    params: CertificateParams,
    pem: String,
    period: Duration,
}

/// A certificate chain and its private key, both in PEM.
pub struct Issued {
    /// The chain, leaf first.
    pub chain: String,
    /// The private key.
    pub private_key: Zeroizing<String>,
}

impl Authority {
    /// The authority's certificate in PEM.
    pub fn certificate(&self) -> &str {
        &self.pem
    }

    /// The epoch of a server. Servers change at different times, so that not all their pods roll at once.
    pub fn epoch(&self, uid: &str, now: Timestamp) -> Epoch {
        let period = i64::try_from(self.period.as_secs()).unwrap_or(i64::MAX).max(1);
        let digits: String = uid.chars().filter(char::is_ascii_hexdigit).take(12).collect();
        let shift = i64::from_str_radix(&digits, 16).unwrap_or_default() % period;
        Epoch((now.as_second().saturating_add(shift)).div_euclid(period))
    }

    /// The key for sealing a server's session ids in an epoch.
    pub fn session_key(
        &self,
        uid: &str,
        epoch: Epoch,
    ) -> Result<Zeroizing<[u8; derive::KEY_LENGTH]>, CertificateError> {
        derive(&self.root, Purpose::Session, uid, &epoch.0.to_be_bytes())
    }

    /// The private key, a seed of Ed25519, for signing assertions to a server in an epoch.
    pub fn assertion_key(
        &self,
        uid: &str,
        epoch: Epoch,
    ) -> Result<Zeroizing<[u8; derive::KEY_LENGTH]>, CertificateError> {
        derive(&self.root, Purpose::Assertion, uid, &epoch.0.to_be_bytes())
    }

    /// The public key to it, so that replicas of neighbouring epochs can be verified by each other's key set.
    pub fn assertion_public_key(&self, uid: &str, epoch: Epoch) -> Result<Vec<u8>, CertificateError> {
        let seed = self.assertion_key(uid, epoch)?;
        let pair = Ed25519KeyPair::from_seed_unchecked(seed.as_slice())
            .map_err(|_| CertificateError::Cryptography("a public key can't be derived".into()))?;
        Ok(pair.public_key().as_ref().to_vec())
    }

    /// Ten digits that nobody without the root key can foresee, so that nobody can put an object of that name in the way.
    pub fn unforeseeable(&self, uid: &str, epoch: Epoch, content: &str) -> Result<String, CertificateError> {
        let all = [&epoch.0.to_be_bytes(), self.pem.as_bytes(), content.as_bytes()].concat();
        let key = derive(&self.root, Purpose::Name, uid, &all)?;
        let number = key.iter().take(8).fold(0_u64, |number, byte| (number << 8) | u64::from(*byte));
        Ok(format!("{number:016x}").chars().take(10).collect())
    }

    /// A certificate for a server's names.
    pub fn issue_server(&self, names: &[String], now: Timestamp) -> Result<Issued, CertificateError> {
        certificate::issue(self, names, certificate::Use::Server, now)
    }

    /// The operator's own certificate, which sidecars ask for.
    pub fn issue_client(&self, name: &str, now: Timestamp) -> Result<Issued, CertificateError> {
        certificate::issue(self, &[name.to_owned()], certificate::Use::Client, now)
    }
}

impl fmt::Debug for Authority {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Authority").field("period", &self.period).finish_non_exhaustive()
    }
}

impl fmt::Debug for Issued {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Issued").finish_non_exhaustive()
    }
}

/// New root keys that nothing else has.
#[cfg(test)]
pub(crate) fn fresh_authority() -> Authority {
    root::fresh(Timestamp::now(), DEFAULT_PERIOD)
}

#[cfg(test)]
mod tests;
