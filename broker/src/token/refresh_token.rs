//! The text of a refresh token. It names its family and generation and carries a MAC, so that a forged one is told from a
//! genuine old one without asking the store.

use crate::grant::FamilyId;
use crate::seal::{Purpose, Seals};

/// The text of a refresh token.
pub(super) fn write(seals: &Seals, family: &FamilyId, generation: u64) -> String {
    let (family, generation) = (&family.0, generation.to_string());
    let tag = seals.seal(Purpose::RefreshToken, &[family, &generation]);
    format!("{family}.{generation}.{tag}")
}

/// The family and generation of a genuine refresh token.
pub(super) fn read(seals: &Seals, text: &str) -> Option<(FamilyId, u64)> {
    let (family, rest) = text.split_once('.')?;
    let (generation, tag) = rest.split_once('.')?;
    if !seals.verify(Purpose::RefreshToken, &[family, generation], tag) {
        return None;
    }
    Some((FamilyId(family.to_owned()), generation.parse().ok()?))
}
