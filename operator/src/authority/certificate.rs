//! Certificates of the installation's own authority: ECDSA on P-256, which every TLS client speaks.

use super::{Authority, Issued};
use jiff::Timestamp;
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};
use std::time::Duration;
use zeroize::Zeroizing;

/// How far back certificates are valid, for clocks that are late.
const BACKDATED: Duration = Duration::from_hours(1);
/// How long the authority itself is valid.
const AUTHORITY_LIFE: Duration = Duration::from_hours(87600);

/// Why a key or certificate could not be made.
#[derive(Debug, thiserror::Error)]
pub enum CertificateError {
    /// The library refuses.
    #[error("a certificate can't be made: {0}")]
    Refused(#[from] rcgen::Error),
    /// Cryptography failed.
    #[error("cryptography failed: {0}")]
    Cryptography(String),
    /// The time is out of range.
    #[error("the time {0} can't stand in a certificate")]
    Time(String),
}

/// What a certificate is for.
#[derive(Debug, Clone, Copy)]
pub(super) enum Use {
    /// Serving.
    Server,
    /// Connecting.
    Client,
}

/// The authority's own parameters. They depend on times only, so that the issuer can be rebuilt from its key.
pub(super) fn authority_params(now: Timestamp) -> Result<CertificateParams, CertificateError> {
    let mut params = CertificateParams::new(Vec::new())?;
    params.distinguished_name = named("Tollward installation authority");
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    limit(&mut params, now, AUTHORITY_LIFE)?;
    Ok(params)
}

pub(super) fn issue(
    authority: &Authority,
    names: &[String],
    purpose: Use,
    now: Timestamp,
) -> Result<Issued, CertificateError> {
    let mut params = CertificateParams::new(names.to_vec())?;
    // The names stand in the alternative names; a common name has at most 64 characters and is read by nobody.
    params.distinguished_name = named("Tollward");
    params.is_ca = IsCa::ExplicitNoCa;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![match purpose {
        Use::Server => ExtendedKeyUsagePurpose::ServerAuth,
        Use::Client => ExtendedKeyUsagePurpose::ClientAuth,
    }];
    params.use_authority_key_identifier_extension = true;
    limit(&mut params, now, authority.period.saturating_mul(3))?;
    let key = KeyPair::generate()?;
    let issuer = Issuer::from_params(&authority.params, &authority.key);
    let certificate = params.signed_by(&key, &issuer)?;
    Ok(Issued { chain: certificate.pem(), private_key: Zeroizing::new(key.serialize_pem()) })
}

fn named(name: &str) -> DistinguishedName {
    let mut distinguished = DistinguishedName::new();
    distinguished.push(DnType::CommonName, name);
    distinguished
}

fn limit(params: &mut CertificateParams, now: Timestamp, life: Duration) -> Result<(), CertificateError> {
    let failed = || CertificateError::Time(now.to_string());
    let from = now.checked_sub(BACKDATED).map_err(|_| failed())?;
    let until = now.checked_add(life).map_err(|_| failed())?;
    let date = |time: Timestamp| {
        let zoned = time.to_zoned(jiff::tz::TimeZone::UTC);
        rcgen::date_time_ymd(
            i32::from(zoned.year()),
            u8::try_from(zoned.month()).unwrap_or(1),
            u8::try_from(zoned.day()).unwrap_or(1),
        ) + Duration::from_secs(u64::try_from(zoned.hour()).unwrap_or_default() * 3600)
            + Duration::from_secs(u64::try_from(zoned.minute()).unwrap_or_default() * 60)
    };
    params.not_before = date(from);
    params.not_after = date(until);
    Ok(())
}
