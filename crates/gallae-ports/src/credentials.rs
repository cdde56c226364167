//! What people log in with. Never in events: events travel.

use crate::{BoxFuture, StoreFault};
use gallae_core::Timestamp;
use uuid::Uuid;

/// Password hashes and refresh tokens.
pub trait CredentialStore: Send + Sync + 'static {
    /// Stores a new credential.
    ///
    /// # Errors
    /// [`CredentialError::LoginTaken`] when the login belongs to another user.
    fn insert_credential(&self, credential: Credential) -> BoxFuture<'_, Result<(), CredentialError>>;

    /// The credential of a login, compared without case.
    fn credential(&self, login: &str) -> BoxFuture<'_, Result<Option<Credential>, StoreFault>>;

    /// The credential of a user.
    fn credential_of(&self, user: Uuid) -> BoxFuture<'_, Result<Option<Credential>, StoreFault>>;

    /// Replaces hash, failures and lock of a user's credential.
    fn update_credential(&self, credential: Credential) -> BoxFuture<'_, Result<(), StoreFault>>;

    /// Stores a refresh token.
    fn insert_refresh_token(&self, token: RefreshToken) -> BoxFuture<'_, Result<(), StoreFault>>;

    /// Marks a token used and stores its successor, together. A token that had been used revokes its whole family.
    fn rotate_refresh_token(
        &self,
        hash: [u8; 32],
        successor: RefreshToken,
        now: Timestamp,
    ) -> BoxFuture<'_, Result<TokenUse, StoreFault>>;

    /// The token with this hash.
    fn refresh_token(&self, hash: [u8; 32]) -> BoxFuture<'_, Result<Option<RefreshToken>, StoreFault>>;

    /// Revokes every token of a family: a log-out, or a theft found out.
    fn revoke_family(&self, family: Uuid) -> BoxFuture<'_, Result<(), StoreFault>>;

    /// Revokes every token of a user.
    fn revoke_user(&self, user: Uuid) -> BoxFuture<'_, Result<(), StoreFault>>;
}

/// What one user logs in with.
#[derive(Clone, PartialEq, Eq)]
pub struct Credential {
    /// Whose.
    pub user: Uuid,
    /// The address typed at log-in, in lower case.
    pub login: String,
    /// A PHC string.
    pub password_hash: String,
    /// Wrong passwords in a row.
    pub failures: u32,
    /// No log-in before this.
    pub locked_until: Option<Timestamp>,
}

impl std::fmt::Debug for Credential {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The hash stays out of logs.
        f.debug_struct("Credential")
            .field("user", &self.user)
            .field("login", &self.login)
            .finish_non_exhaustive()
    }
}

/// A refresh token, known by its hash alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefreshToken {
    /// SHA-256 of the token.
    pub hash: [u8; 32],
    /// All tokens that descend from one log-in.
    pub family: Uuid,
    /// Whose.
    pub user: Uuid,
    /// When it stops working.
    pub expires_at: Timestamp,
    /// When it was exchanged for its successor.
    pub used_at: Option<Timestamp>,
    /// Whether it was revoked.
    pub revoked: bool,
}

/// What came of presenting a refresh token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TokenUse {
    /// Exchanged; the successor is stored.
    Rotated {
        /// Whose it is.
        user: Uuid,
    },
    /// It had been used before: somebody has a copy. The family is revoked.
    Reused,
    /// Unknown, expired or revoked.
    Refused,
}

/// Why a credential was not stored.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CredentialError {
    /// The login belongs to another user.
    #[error("the login is taken")]
    LoginTaken,
    /// Nothing was written; try again later.
    #[error("the store is unavailable")]
    Unavailable(#[source] StoreFault),
}
