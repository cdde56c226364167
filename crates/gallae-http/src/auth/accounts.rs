//! Log-in, refresh and log-out over a credential store.

use super::{AccessTokens, PasswordError, Passwords, Secret, TokenError};
use gallae_core::Timestamp;
use gallae_ports::{
    Clock, Credential, CredentialError, CredentialStore, Entropy, RefreshToken, StoreFault, TokenUse,
};
use sha2::{Digest, Sha256};
use std::{fmt, sync::Arc, time::Duration};
use uuid::Uuid;

/// When wrong passwords close a login for a while: after `free` in a row, for `first`, doubling up to `longest`.
#[derive(Clone, Copy, Debug)]
pub struct Lockout {
    /// Wrong passwords in a row that cost nothing.
    pub free: u32,
    /// The first wait.
    pub first: Duration,
    /// The longest wait.
    pub longest: Duration,
}

impl Default for Lockout {
    fn default() -> Self {
        Self { free: 5, first: Duration::from_secs(1), longest: Duration::from_secs(900) }
    }
}

/// Passwords and sessions of users.
#[derive(Clone)]
pub struct Accounts {
    credentials: Arc<dyn CredentialStore>,
    passwords: Passwords,
    tokens: Arc<AccessTokens>,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    lockout: Lockout,
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
    /// Too many wrong passwords in a row.
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
        Self { credentials, passwords, tokens, clock, entropy, lockout: Lockout::default(), refresh_lifetime }
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
        let credential = self.credentials.credential(&login.to_lowercase()).await?;
        let now = self.clock.now();
        if let Some(until) =
            credential.as_ref().and_then(|known| known.locked_until).filter(|until| *until > now)
        {
            return Err(LoginError::Locked { wait: until.since(now).max(Duration::from_secs(1)) });
        }
        let hash = credential.as_ref().map(|known| known.password_hash.clone());
        let fits = self.passwords.verify(password, hash).await?;
        match credential {
            Some(credential) if fits => {
                if credential.failures > 0 {
                    self.credentials
                        .update_credential(Credential {
                            failures: 0,
                            locked_until: None,
                            ..credential.clone()
                        })
                        .await?;
                }
                Ok(credential.user)
            }
            Some(credential) => {
                self.credentials.update_credential(self.failed(credential, now)).await?;
                Err(LoginError::Wrong)
            }
            None => Err(LoginError::Wrong),
        }
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

    fn failed(&self, credential: Credential, now: Timestamp) -> Credential {
        let failures = credential.failures.saturating_add(1);
        let over = failures.saturating_sub(self.lockout.free);
        let wait = self.lockout.first.saturating_mul(2u32.saturating_pow(over.saturating_sub(1)));
        let locked_until = (over > 0).then(|| now.after(wait.min(self.lockout.longest)));
        Credential { failures, locked_until, ..credential }
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
