//! The protocol revisions that are served.

use tollward_policy::operation::Era;

/// A revision of the Model Context Protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Revision {
    /// The first with Streamable HTTP; assumed where a legacy client names none.
    V2025_03_26,
    /// Brought the `MCP-Protocol-Version` header.
    V2025_06_18,
    /// The last with sessions.
    V2025_11_25,
    /// Stateless.
    V2026_07_28,
}

/// Every revision that is served, oldest first.
pub const SUPPORTED: &[Revision] =
    &[Revision::V2025_03_26, Revision::V2025_06_18, Revision::V2025_11_25, Revision::V2026_07_28];

impl Revision {
    /// The rules of the transport that it follows.
    pub const fn era(self) -> Era {
        match self {
            Self::V2025_03_26 | Self::V2025_06_18 | Self::V2025_11_25 => Era::Legacy,
            Self::V2026_07_28 => Era::Modern,
        }
    }

    /// As it stands in messages and headers.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::V2025_03_26 => "2025-03-26",
            Self::V2025_06_18 => "2025-06-18",
            Self::V2025_11_25 => "2025-11-25",
            Self::V2026_07_28 => "2026-07-28",
        }
    }

    /// The revision of that name, compared byte by byte.
    pub fn parse(text: &str) -> Option<Self> {
        SUPPORTED.iter().copied().find(|revision| revision.as_str() == text)
    }
}

#[cfg(test)]
mod tests {
    use super::{Revision, SUPPORTED};

    #[test]
    fn names_are_read_back_and_others_are_unknown() {
        for revision in SUPPORTED {
            assert_eq!(Revision::parse(revision.as_str()), Some(*revision));
        }
        for junk in ["", "2024-11-05", "2026-07-28 ", "2026-7-28", "latest", "2025-03-26, 2026-07-28"] {
            assert_eq!(Revision::parse(junk), None, "{junk}");
        }
    }
}
