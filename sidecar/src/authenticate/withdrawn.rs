//! Whether a verified caller is kept out all the same: asked for every request, behind the cache of proofs, and again about
//! the callers of open answers when the configuration changes.

use super::refusal::Refusal;
use super::sender_proof::SenderProof;
use super::{Authenticator, Mode, OAuth};
use tollward_policy::config::ProviderConfig;
use tollward_policy::principal::{Principal, TokenPrincipal};
use tollward_policy::reason::Reason;

/// Why a caller who was let in would not be let in any more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Withdrawn {
    /// Why, from the closed list.
    pub reason: Reason,
    /// The entry of a provider's `deny`, if that is why: the provider's name, a slash, the entry's name.
    pub entry: Option<String>,
}

impl Authenticator {
    /// Whether a caller whom this server let in, maybe under an earlier configuration, would be refused now whatever the
    /// call: its provider denies it, is gone or is another one, its token is for another audience, its client may not call any
    /// more, or its token's binding is not what is demanded. Time is in seconds since the epoch.
    pub fn withdrawn(&self, principal: &Principal, now: i64) -> Option<Withdrawn> {
        match (&self.mode, principal) {
            (Mode::Open, _) => None,
            (Mode::OAuth(_), Principal::Anonymous) => {
                Some(Withdrawn { reason: Reason::CredentialsMissing, entry: None })
            }
            (Mode::OAuth(oauth), Principal::Token(token)) => oauth.withdrawn(token, now),
        }
    }
}

impl OAuth {
    /// Entries are looked for among those of the token's own provider only: another's subjects are other people.
    pub(super) fn refuse_denied(
        &self,
        token: &std::sync::Arc<TokenPrincipal>,
        sender: SenderProof,
        now: i64,
    ) -> Result<(), Refusal> {
        match self.denied(token, now) {
            None => Ok(()),
            Some(entry) => Err(Refusal::revoked(Principal::Token(token.clone()), sender, entry)),
        }
    }

    fn withdrawn(&self, token: &TokenPrincipal, now: i64) -> Option<Withdrawn> {
        let because = |reason| Some(Withdrawn { reason, entry: None });
        let Some(trusted) = self.providers.iter().find(|trusted| *trusted.name == *token.provider) else {
            return because(Reason::IssuerUnknown);
        };
        let ProviderConfig { issuer, profile, .. } = trusted.provider.config();
        // Under the name of a provider there may be another one by now.
        if *issuer != token.issuer {
            return because(Reason::IssuerUnknown);
        }
        if let Some(entry) = self.denied(token, now) {
            return Some(Withdrawn { reason: Reason::TokenRevoked, entry: Some(entry) });
        }
        if !self.demands.is_meant(&token.claims, profile) {
            return because(Reason::AudienceMismatch);
        }
        if self.demands.refuses_client(token) {
            return because(Reason::ClientNotAllowed);
        }
        self.sender.refuses_binding(&token.claims).map(|reason| Withdrawn { reason, entry: None })
    }

    fn denied(&self, token: &TokenPrincipal, now: i64) -> Option<String> {
        let mut lists = self.providers.iter().filter_map(|trusted| Some((&trusted.name, trusted.deny.as_ref()?)));
        let (provider, list) = lists.find(|(name, _)| ***name == *token.provider)?;
        list.refuses(token, now).map(|entry| format!("{provider}/{entry}"))
    }
}
