//! Log-in, refresh and log-out over a credential store.

use super::{
    AccessTokens, PasswordError, Passwords, Secret, TokenError,
    lockout::{Lockout, Strangers, Tries},
};
use gallae_ports::{
    Clock, Credential, CredentialError, CredentialStore, Entropy, RefreshToken, StoreFault, TokenUse,
};
use sha2::{Digest, Sha256};
use std::{fmt, sync::Arc, time::Duration};
use uuid::Uuid;

/// Passwords and sessions of users.
#[derive(Clone)]
pub struct Accounts {
    credentials: Arc<dyn CredentialStore>,
    passwords: Passwords,
    tokens: Arc<AccessTokens>,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    lockout: Lockout,
    strangers: Arc<Strangers>,
    refresh_lifetime: Duration,
}

/// What a session holds.
#[derive(Clone)]
pub struct TokenPair {
    /// A JWT.
    pub access: String,
    /// How long it is valid.
    pub expires_in: Duration,
    /// Opaque; exchanged once for the next pair.
    pub refresh: String,
}

impl fmt::Debug for TokenPair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenPair").field("expires_in", &self.expires_in).finish_non_exhaustive()
    }
}

/// Why somebody could not log in.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LoginError {
    /// Wrong password or no such login: the same answer for both, after the same time.
    #[error("the address or the password is wrong")]
    Wrong,
    /// Too many wrong passwords in a row, for a login that exists or one that does not.
    #[error("too many wrong passwords: wait {} s", .wait.as_secs())]
    Locked {
        /// Until the next try.
        wait: Duration,
    },
    /// Try again later.
    #[error("the credentials are unavailable")]
    Unavailable(#[from] StoreFault),
    /// A fault of our own.
    #[error(transparent)]
    Password(#[from] PasswordError),
}

/// Why a refresh token was not exchanged.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RefreshError {
    /// Unknown, expired, revoked, or used before: then every token that descends from its log-in is revoked too.
    #[error("the refresh token is not valid; log in again")]
    Refused,
    /// Try again later.
    #[error("the credentials are unavailable")]
    Unavailable(#[from] StoreFault),
    /// A fault of our own.
    #[error(transparent)]
    Token(#[from] TokenError),
}

impl Accounts {
    /// Accounts over a store.
    pub fn new(
        credentials: Arc<dyn CredentialStore>,
        passwords: Passwords,
        tokens: Arc<AccessTokens>,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
        refresh_lifetime: Duration,
    ) -> Self {
        let (lockout, strangers) = (Lockout::default(), Arc::new(Strangers::new()));
        Self { credentials, passwords, tokens, clock, entropy, lockout, strangers, refresh_lifetime }
    }

    /// Hashes a password. Takes as long for a login that exists as for one that does not.
    ///
    /// # Errors
    /// When the machine cannot.
    pub async fn hash(&self, password: String) -> Result<String, PasswordError> {
        self.passwords.hash(password).await
    }

    /// Stores a new user's credential.
    ///
    /// # Errors
    /// [`CredentialError::LoginTaken`] when the login belongs to another user.
    pub async fn create(
        &self,
        user: Uuid,
        login: &str,
        password_hash: String,
    ) -> Result<(), CredentialError> {
        let login = login.to_lowercase();
        self.credentials
            .insert_credential(Credential { user, login, password_hash, failures: 0, locked_until: None })
            .await
    }

    /// Checks a password and says whose it is.
    ///
    /// # Errors
    /// See [`LoginError`].
    pub async fn login(&self, login: &str, password: String) -> Result<Uuid, LoginError> {
        let login = login.to_lowercase();
        let credential = self.credentials.credential(&login).await?;
        let now = self.clock.now();
        let tries = credential.as_ref().map_or_else(|| self.strangers.tries(&login), Tries::of);
        if let Some(wait) = tries.closed_for(now) {
            return Err(LoginError::Locked { wait });
        }
        let hash = credential.as_ref().map(|known| known.password_hash.clone());
        let fits = self.passwords.verify(password, hash).await?;
        let Some(credential) = credential else {
            self.strangers.failed(&login, &self.lockout, now);
            return Err(LoginError::Wrong);
        };
        if !fits {
            // Counted from what is known now: guesses made at the same time all count.
            let latest = self.credentials.credential(&login).await?.unwrap_or(credential);
            self.record(&latest, self.lockout.failed(Tries::of(&latest), now)).await?;
            return Err(LoginError::Wrong);
        }
        if credential.failures > 0 {
            self.record(&credential, Tries::default()).await?;
        }
        Ok(credential.user)
    }

    async fn record(&self, credential: &Credential, tries: Tries) -> Result<(), StoreFault> {
        let Tries { failures, locked_until } = tries;
        self.credentials.update_credential(Credential { failures, locked_until, ..credential.clone() }).await
    }

    /// A new session.
    ///
    /// # Errors
    /// See [`RefreshError`].
    pub async fn begin(&self, user: Uuid, role: &str) -> Result<TokenPair, RefreshError> {
        let (refresh, token) = self.refresh_token(user, self.entropy.uuid());
        self.credentials.insert_refresh_token(token).await?;
        self.pair(user, role, refresh)
    }

    /// Whose refresh token this is, if it can be exchanged: the caller looks up the role before [`refresh`](Self::refresh).
    ///
    /// # Errors
    /// See [`RefreshError`].
    pub async fn owner(&self, refresh: &str) -> Result<Uuid, RefreshError> {
        let token = self.credentials.refresh_token(digest(refresh)).await?;
        token.map(|token| token.user).ok_or(RefreshError::Refused)
    }

    /// Exchanges a refresh token for the next pair.
    ///
    /// # Errors
    /// [`RefreshError::Refused`] also when it had been used: then somebody has a copy, and its whole family is revoked.
    pub async fn refresh(&self, refresh: &str, role: &str) -> Result<TokenPair, RefreshError> {
        let hash = digest(refresh);
        let Some(known) = self.credentials.refresh_token(hash).await? else {
            return Err(RefreshError::Refused);
        };
        let (next, successor) = self.refresh_token(known.user, known.family);
        match self.credentials.rotate_refresh_token(hash, successor, self.clock.now()).await? {
            TokenUse::Rotated { user } => self.pair(user, role, next),
            TokenUse::Reused => {
                tracing::warn!(user = %known.user, "a refresh token was used twice; its sessions are revoked");
                Err(RefreshError::Refused)
            }
            TokenUse::Refused => Err(RefreshError::Refused),
        }
    }

    /// Ends the session that a refresh token belongs to. An unknown token is fine.
    ///
    /// # Errors
    /// When the store is unavailable.
    pub async fn end(&self, refresh: &str) -> Result<(), StoreFault> {
        match self.credentials.refresh_token(digest(refresh)).await? {
            Some(token) => self.credentials.revoke_family(token.family).await,
            None => Ok(()),
        }
    }

    fn pair(&self, user: Uuid, role: &str, refresh: String) -> Result<TokenPair, RefreshError> {
        Ok(TokenPair { access: self.tokens.issue(user, role)?, expires_in: self.tokens.lifetime(), refresh })
    }

    /// 256 random bits from the operating system, shown once, stored as a hash.
    fn refresh_token(&self, user: Uuid, family: Uuid) -> (String, RefreshToken) {
        let text = Secret::random().reveal().to_owned();
        let expires_at = self.clock.now().after(self.refresh_lifetime);
        let token =
            RefreshToken { hash: digest(&text), family, user, expires_at, used_at: None, revoked: false };
        (text, token)
    }
}

impl fmt::Debug for Accounts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Accounts").finish_non_exhaustive()
    }
}

fn digest(token: &str) -> [u8; 32] {
    Sha256::digest(token.as_bytes()).into()
}
