//! Joining, and being given another role; used by the routes and by the command line.

use crate::Shop;
use commerce_domain::users::{
    Email, Profile, Role, User, UserRejection,
    commands::{ChangeRole, RegisterUser},
};
use gallae_core::{Id, Metadata};
use gallae_http::auth::PasswordError;
use gallae_ports::{CredentialError, StoreFault};
use gallae_runtime::dispatcher::{PeekError, Receipt, Request, SendError};

/// Shortest password, in characters.
pub(crate) const MIN_PASSWORD: usize = 8;
/// Longest password, in characters: hashing must stay bounded.
pub(crate) const MAX_PASSWORD: usize = 128;

/// A person who wants to join.
#[derive(Clone)]
pub struct NewUser {
    /// Who.
    pub profile: Profile,
    /// 8 to 128 characters.
    pub password: String,
    /// What they may do.
    pub role: Role,
}

impl std::fmt::Debug for NewUser {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NewUser")
            .field("profile", &self.profile)
            .field("role", &self.role)
            .finish_non_exhaustive()
    }
}

/// Why somebody could not join. Unless it says otherwise nothing was stored.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RegisterError {
    /// The password is too short or too long.
    #[error("a password has 8 to 128 characters")]
    Password,
    /// Somebody has this address.
    #[error("somebody has registered with this address")]
    EmailTaken,
    /// The name is not acceptable.
    #[error(transparent)]
    Rejected(#[from] UserRejection),
    /// The password could not be hashed.
    #[error("the password could not be processed")]
    Hashing(#[from] PasswordError),
    /// The stores are unavailable. Registering again with the same password goes on where this ended.
    #[error("the user could not be stored")]
    Send(#[source] SendError<UserRejection>),
    /// Nothing was stored; try again later.
    #[error("the stores are unavailable")]
    Unavailable(#[from] StoreFault),
    /// Nothing was stored; try again later.
    #[error("the user could not be read")]
    Peek(#[from] PeekError),
}

/// Registers a person. The credential is stored before the user: should this end in between, the same request with the same
/// password goes on, and nobody else can.
///
/// # Errors
/// See [`RegisterError`].
pub async fn register(
    shop: &Shop,
    new: NewUser,
    metadata: Metadata,
) -> Result<(Id<User>, Receipt), RegisterError> {
    let NewUser { profile, password, role } = new;
    if !(MIN_PASSWORD..=MAX_PASSWORD).contains(&password.chars().count()) {
        return Err(RegisterError::Password);
    }
    profile.check()?;
    // Hashed first, so that an address that is taken takes as long to refuse.
    let hash = shop.accounts.hash(password.clone()).await?;
    let fresh = Id::new(shop.platform.entropy().uuid());
    if id_of(shop, &profile.email).await?.is_some() {
        return Err(RegisterError::EmailTaken);
    }
    let user = match shop.accounts.create(fresh.uuid(), profile.email.as_str(), hash).await {
        Ok(()) => fresh,
        Err(CredentialError::LoginTaken) => unfinished(shop, &profile.email, password).await?,
        Err(CredentialError::Unavailable(fault)) => return Err(fault.into()),
        Err(_) => return Err(RegisterError::EmailTaken),
    };
    let command = RegisterUser { user, profile, role };
    match shop.platform.send(Request::new(command, metadata)).await {
        Ok(receipt) => Ok((user, receipt)),
        Err(SendError::Rejected(rejection)) => Err(rejection.into()),
        Err(SendError::ClaimTaken { .. }) => Err(RegisterError::EmailTaken),
        Err(error) => Err(RegisterError::Send(error)),
    }
}

/// The user whose credential was stored and who was not: an earlier registration that ended half-way, by whoever knows its
/// password.
async fn unfinished(shop: &Shop, email: &Email, password: String) -> Result<Id<User>, RegisterError> {
    let user = match shop.accounts.login(email.as_str(), password).await {
        Ok(user) => Id::<User>::new(user),
        Err(_) => return Err(RegisterError::EmailTaken),
    };
    let (known, _) = shop.platform.peek(user).await?;
    if known.profile().is_some() { Err(RegisterError::EmailTaken) } else { Ok(user) }
}

/// Whose address this is.
///
/// # Errors
/// When the store cannot be read.
pub async fn id_of(shop: &Shop, email: &Email) -> Result<Option<Id<User>>, StoreFault> {
    let now = shop.platform.clock().now();
    let claim = shop.platform.store().claim(&User::claim_of(email), now).await?;
    Ok(claim.and_then(|claim| claim.owner.parse().ok()))
}

/// Why somebody's role did not change.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RoleError {
    /// Nobody has this address.
    #[error("nobody has registered as {email}")]
    Unknown {
        /// The address.
        email: Email,
    },
    /// Nothing was written; try again later.
    #[error("the stores are unavailable")]
    Unavailable(#[from] StoreFault),
    /// The change was not stored.
    #[error("the role was not changed")]
    Send(#[from] SendError<UserRejection>),
}

/// Gives a person another role. It counts from their next log-in or refresh on.
///
/// # Errors
/// See [`RoleError`].
pub async fn change_role(
    shop: &Shop,
    email: &Email,
    role: Role,
    metadata: Metadata,
) -> Result<(Id<User>, Receipt), RoleError> {
    let user = id_of(shop, email).await?.ok_or_else(|| RoleError::Unknown { email: email.clone() })?;
    let receipt = shop.platform.send(Request::new(ChangeRole { user, role }, metadata)).await?;
    Ok((user, receipt))
}
