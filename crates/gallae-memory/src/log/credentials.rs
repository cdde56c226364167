//! Credentials and refresh tokens.

use super::{MemoryLog, ready};
use futures::FutureExt;
use gallae_core::Timestamp;
use gallae_ports::{
    BoxFuture, Credential, CredentialError, CredentialStore, RefreshToken, StoreFault, TokenUse,
};
use std::collections::BTreeMap;
use uuid::Uuid;

#[derive(Debug, Default)]
pub(super) struct Credentials {
    by_user: BTreeMap<Uuid, Credential>,
    tokens: BTreeMap<[u8; 32], RefreshToken>,
}

impl Credentials {
    fn by_login(&self, login: &str) -> Option<&Credential> {
        let login = login.to_lowercase();
        self.by_user.values().find(|credential| credential.login == login)
    }

    fn insert(&mut self, mut credential: Credential) -> Result<(), CredentialError> {
        credential.login = credential.login.to_lowercase();
        if self.by_login(&credential.login).is_some_and(|other| other.user != credential.user) {
            return Err(CredentialError::LoginTaken);
        }
        self.by_user.insert(credential.user, credential);
        Ok(())
    }

    fn rotate(&mut self, hash: [u8; 32], successor: RefreshToken, now: Timestamp) -> TokenUse {
        let Some(token) = self.tokens.get_mut(&hash) else { return TokenUse::Refused };
        if token.used_at.is_some() {
            let family = token.family;
            self.revoke(|token| token.family == family);
            return TokenUse::Reused;
        }
        if token.revoked || token.expires_at <= now {
            return TokenUse::Refused;
        }
        token.used_at = Some(now);
        let user = token.user;
        self.tokens.insert(successor.hash, successor);
        TokenUse::Rotated { user }
    }

    fn revoke(&mut self, which: impl Fn(&RefreshToken) -> bool) {
        for token in self.tokens.values_mut().filter(|token| which(token)) {
            token.revoked = true;
        }
    }
}

impl CredentialStore for MemoryLog {
    fn insert_credential(&self, credential: Credential) -> BoxFuture<'_, Result<(), CredentialError>> {
        std::future::ready(self.state().credentials.insert(credential)).boxed()
    }

    fn credential(&self, login: &str) -> BoxFuture<'_, Result<Option<Credential>, StoreFault>> {
        ready(self.state().credentials.by_login(login).cloned())
    }

    fn credential_of(&self, user: Uuid) -> BoxFuture<'_, Result<Option<Credential>, StoreFault>> {
        ready(self.state().credentials.by_user.get(&user).cloned())
    }

    fn update_credential(&self, credential: Credential) -> BoxFuture<'_, Result<(), StoreFault>> {
        if let Some(stored) = self.state().credentials.by_user.get_mut(&credential.user) {
            let login = std::mem::take(&mut stored.login);
            *stored = Credential { login, ..credential };
        }
        ready(())
    }

    fn insert_refresh_token(&self, token: RefreshToken) -> BoxFuture<'_, Result<(), StoreFault>> {
        self.state().credentials.tokens.insert(token.hash, token);
        ready(())
    }

    fn rotate_refresh_token(
        &self,
        hash: [u8; 32],
        successor: RefreshToken,
        now: Timestamp,
    ) -> BoxFuture<'_, Result<TokenUse, StoreFault>> {
        ready(self.state().credentials.rotate(hash, successor, now))
    }

    fn refresh_token(&self, hash: [u8; 32]) -> BoxFuture<'_, Result<Option<RefreshToken>, StoreFault>> {
        ready(self.state().credentials.tokens.get(&hash).cloned())
    }

    fn revoke_family(&self, family: Uuid) -> BoxFuture<'_, Result<(), StoreFault>> {
        self.state().credentials.revoke(|token| token.family == family);
        ready(())
    }

    fn revoke_user(&self, user: Uuid) -> BoxFuture<'_, Result<(), StoreFault>> {
        self.state().credentials.revoke(|token| token.user == user);
        ready(())
    }
}
